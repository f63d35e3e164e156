//! Streams of HTTP/2, and the gRPC calls on them.

use h2::Reason;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::json;

use crate::harness::client::Client;
use crate::harness::client::http2::Ask;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, http2, route, vhost, with};
use crate::harness::peers::{Http2, Server};
use crate::scenarios::common::{ASK, CLOSED_EARLY, FINE, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    [streams(), grpc_statuses(), grpc_by_envoy()].into_iter().flatten().collect()
}

fn proxy() -> Proxy {
    http(with(backend(), http2()))
}

fn grpc(name: &'static str, about: &'static str, habit: Http2) -> Scenario {
    Scenario::new(name, about, proxy())
        .server("backend", Server::Http2(habit))
        .client(Client::Http2("http", Ask::Grpc))
}

fn streams() -> Vec<Scenario> {
    let reset = |name, about, reason, details| {
        Scenario::new(name, about, proxy())
            .server("backend", Server::Http2(Http2::Resets(reason)))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "UR"), ("details", details)])
            .names(Cause::UpstreamReset, Certain)
    };
    vec![
        reset(
            "answer/stream_reset",
            "an HTTP/2 server resets the stream",
            Reason::INTERNAL_ERROR,
            "upstream_reset_before_response_started{remote_reset*",
        ),
        reset(
            "answer/stream_refused",
            "REFUSED_STREAM, as from a server with too many streams",
            Reason::REFUSED_STREAM,
            "upstream_reset_before_response_started{remote_refused_stream_reset*",
        ),
        Scenario::new("answer/goes_away", "GOAWAY for the whole connection looks like its end", proxy())
            .server("backend", Server::Http2(Http2::GoesAway(Reason::ENHANCE_YOUR_CALM)))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, CLOSED_EARLY)
            .names(Cause::UpstreamClosedConnection, Likely),
        Scenario::new(
            "answer/promises_more",
            "an HTTP/2 answer ends before its content-length says",
            proxy(),
        )
        .server("backend", Server::Http2(Http2::Promises("100")))
        .curl(ASK)
        .logs(Log::Http, &[("code", "200"), ("flags", "UPE")])
        .names(Cause::UpstreamProtocolError, Likely)
        .because(&["promised=100; passed=0"])
        .before(37, |same| {
            let fields =
                &[("flags", "UR"), ("details", "upstream_reset_after_response_started{remote_reset}")];
            same.logs(Log::Http, fields).names(Cause::UpstreamReset, Likely)
        }),
        Scenario::new(
            "answer/stream_closed_midway",
            "an HTTP/2 connection closed in the middle of a body",
            proxy(),
        )
        .server("backend", Server::Http2(Http2::ClosesMidway))
        .curl(ASK)
        .logs(Log::Http, &[("code", "200"), ("flags", "UC")])
        .names(Cause::UpstreamClosedConnection, Likely),
        grpc(
            "answer/stream_reset_midway",
            "the server resets a stream in the middle of its answer",
            Http2::ResetsMidway(Reason::INTERNAL_ERROR),
        )
        .logs(
            Log::Http,
            &[("code", "200"), ("flags", "UR"), ("details", "upstream_reset_after_response_started{*")],
        )
        .names(Cause::UpstreamReset, Likely),
    ]
}

/// The application's own status.
fn grpc_statuses() -> Vec<Scenario> {
    vec![
        grpc("answer/grpc_unavailable", "the application's own gRPC error, in trailers", Http2::Grpc("14"))
            .says("grpc-status: 14")
            .logs(Log::Http, FINE)
            .names(Cause::ApplicationError, Likely)
            .because(&["grpc_status=14"]),
        grpc(
            "answer/grpc_unavailable_at_once",
            "the same in headers, without a body",
            Http2::GrpcRefuses("14"),
        )
        .says("grpc-status: 14")
        .logs(Log::Http, FINE)
        .names(Cause::ApplicationError, Likely)
        .because(&["grpc_status=14"]),
        grpc("answer/grpc_not_found", "healthy: NOT_FOUND is an answer to the caller", Http2::Grpc("5"))
            .says("grpc-status: 5")
            .logs(Log::Http, FINE),
        grpc("answer/grpc_not_found_at_once", "healthy: the same in headers", Http2::GrpcRefuses("5"))
            .says("grpc-status: 5")
            .logs(Log::Http, FINE),
        grpc("answer/grpc_ok", "healthy: a call that succeeds", Http2::Grpc("0"))
            .says("grpc-status: 0")
            .logs(Log::Http, FINE),
    ]
}

/// Envoy's own refusals.
fn grpc_by_envoy() -> Vec<Scenario> {
    vec![
        Scenario::new("answer/grpc_no_route", "Envoy's 404 for a gRPC call is HTTP 200", {
            let routes = json!([vhost("known", &["known.example"], vec![route("/", "backend")])]);
            Proxy::new([Listener::http("http", routes)], [backend()])
        })
        .server("backend", Server::Nobody)
        .client(Client::Http2("http", Ask::Grpc))
        .gets(200)
        .says("grpc-status: 12")
        .logs(Log::Http, &[("code", "200"), ("flags", "NR"), ("details", "route_not_found")])
        .names(Cause::RouteHostUnknown, Likely),
        Scenario::new("answer/grpc_timeout", "Envoy's 504 for a gRPC call is HTTP 200", {
            let route = with(route("/", "backend"), json!({"route": {"timeout": "0.3s"}}));
            let listener = Listener::http("http", all_by(route));
            Proxy::new([listener], [with(backend(), http2())])
        })
        .server("backend", Server::Http2(Http2::NeverAnswers))
        .client(Client::Http2("http", Ask::Grpc))
        .gets(200)
        .says("grpc-status: 14")
        .logs(Log::Http, &[("code", "200"), ("flags", "UT"), ("details", "response_timeout")])
        .names(Cause::UpstreamTimeout, Certain),
        Scenario::new("answer/grpc_to_http1_cluster", "gRPC by HTTP/1 to a server of HTTP/2", {
            http(backend())
        })
        .server("backend", Server::Http2(Http2::Grpc("0")))
        .client(Client::Http2("http", Ask::Grpc))
        .says("grpc-status: 14")
        .logs(Log::Http, &[("flags", "UPE")])
        .names(Cause::UpstreamProtocolError, Likely),
        Scenario::new("answer/grpc_upstream_down", "Envoy's own refusal of a gRPC call is HTTP 200", proxy())
            .server("backend", Server::Nobody)
            .client(Client::Http2("http", Ask::Grpc))
            .gets(200)
            .says("grpc-status: 14")
            .logs(
                Log::Http,
                &[
                    ("code", "200"),
                    ("flags", "UF"),
                    ("details", "upstream_reset_before_response_started{remote_connection_failure*"),
                ],
            )
            .names(Cause::UpstreamRefused, Certain),
    ]
}
