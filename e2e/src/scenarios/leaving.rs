//! Clients that leave: before an answer, in its middle, or at the only end that a stream has.

use serde_json::{Value, json};

use crate::client::Client;
use crate::client_http2::Ask;
use crate::envoy::config::{Listener, Proxy};
use crate::envoy::parts::{all_by, http2, route, with};
use crate::peers::{Habit, Http2, Server};
use crate::scenario::{Log, Scenario};
use crate::scenarios::common::{ASK, backend, http};

const LEAVE: &[&str] = &["-m", "0.5", "http://127.0.0.1:{listener:http}/"];
const CANCEL: &[&str] = &["--http2-prior-knowledge", "-m", "0.5", "http://127.0.0.1:{listener:http}/"];

/// Answers once, and keeps the connection.
fn answering(name: &'static str, about: &'static str, answer: &'static [u8]) -> Scenario {
    Scenario::new(name, about, http(backend()))
        .server("backend", Server::Made(Habit::AnswerOnce(answer)))
        .says("timed out")
}

fn over_http2(name: &'static str, about: &'static str, server: Http2, ask: Ask) -> Scenario {
    Scenario::new(name, about, http(with(backend(), http2())))
        .server("backend", Server::Http2(server))
        .client(Client::Http2("http", ask))
}

const CLOSED: &[(&str, &str)] =
    &[("code", "200"), ("flags", "DC"), ("details", "downstream_remote_disconnect")];
const RESET: &[(&str, &str)] = &[("code", "200"), ("flags", "DR"), ("details", "http2.remote_reset")];

pub(super) fn table() -> Vec<Scenario> {
    [waiting(), midway(), streams(), retried()].into_iter().flatten().collect()
}

/// Before the first byte of an answer.
fn waiting() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "limits/client_gives_up",
            "the client waits half a second, the upstream is slower",
            http(backend()),
        )
        .server("backend", Server::Made(Habit::NeverAnswer))
        .curl(LEAVE)
        .gets_nothing("timed out")
        .logs(Log::Http, &[("code", "0"), ("flags", "DC"), ("details", "downstream_remote_disconnect")])
        .names("client_disconnected", "certain")
        .because(&["lived=", "endpoint="]),
        over_http2(
            "limits/client_cancels",
            "an HTTP/2 client takes its request back",
            Http2::NeverAnswers,
            Ask::Reset(h2::Reason::CANCEL),
        )
        .logs(Log::Http, &[("code", "0"), ("flags", "DR"), ("details", "http2.remote_reset")])
        .names("client_disconnected", "certain"),
        over_http2(
            "limits/client_refuses",
            "an HTTP/2 client resets with REFUSED_STREAM",
            Http2::NeverAnswers,
            Ask::Reset(h2::Reason::REFUSED_STREAM),
        )
        .logs(Log::Http, &[("code", "0"), ("flags", "DR"), ("details", "http2.remote_refuse")])
        .names("client_disconnected", "certain"),
    ]
}

/// In the middle of an answer that has an end.
fn midway() -> Vec<Scenario> {
    const HALF: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    const VIDEO: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    const POLL: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let short = |name, about, ask, log| {
        answering(name, about, HALF)
            .curl(ask)
            .logs(Log::Http, log)
            .names("client_disconnected", "likely")
            .because(&["promised=100; passed=4"])
    };
    let unpromised = |name, about, answer, ask, log| {
        answering(name, about, answer).curl(ask).logs(Log::Http, log).names("client_disconnected", "possible")
    };
    vec![
        short("limits/client_leaves_midway", "a client leaves in the middle of an answer", LEAVE, CLOSED),
        short("limits/client_cancels_midway", "the same over HTTP/2", CANCEL, CLOSED),
        unpromised("limits/client_leaves_chunks", "an answer without a length", CHUNKED, LEAVE, CLOSED),
        unpromised("limits/client_cancels_chunks", "the same over HTTP/2", CHUNKED, CANCEL, CLOSED),
        unpromised("limits/client_stops_video", "a film without a length is stopped", VIDEO, LEAVE, CLOSED),
        unpromised(
            "limits/client_leaves_poll",
            "a long poll of which only headers came",
            POLL,
            LEAVE,
            CLOSED,
        ),
        over_http2(
            "limits/client_cancels_silent_grpc",
            "a gRPC stream on which no message has come",
            Http2::GrpcSilent,
            Ask::Watch,
        )
        .gets(200)
        .says("messages: 0")
        .logs(Log::Http, RESET)
        .names("client_disconnected", "possible"),
    ]
}

/// Streams that only the client ends.
fn streams() -> Vec<Scenario> {
    const EVENTS: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\n";
    const QUIET: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
    let events =
        |name, about, answer, ask, log| answering(name, about, answer).curl(ask).logs(Log::Http, log);
    vec![
        events("healthy/events_left", "a reader closes an event stream", EVENTS, LEAVE, CLOSED),
        events("healthy/events_cancelled", "the same over HTTP/2", EVENTS, CANCEL, CLOSED),
        events("healthy/no_events_yet", "an event stream without any event so far", QUIET, LEAVE, CLOSED),
        over_http2(
            "healthy/grpc_watch_cancelled",
            "a gRPC watch ends when the client cancels it",
            Http2::GrpcEchoes,
            Ask::Watch,
        )
        .gets(200)
        .says("messages: 1")
        .logs(Log::Http, RESET),
        over_http2(
            "healthy/grpc_watch_left",
            "a gRPC watch ends with its client's connection",
            Http2::GrpcEchoes,
            Ask::WatchAndLeave,
        )
        .gets(200)
        .says("messages: 1")
        .logs(Log::Http, CLOSED),
    ]
}

/// Answers of the application that are no errors, and were asked for again all the same.
fn retried() -> Vec<Scenario> {
    // Istio's default.
    const ON: &str =
        "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes,resource-exhausted";
    let retrying = |cluster: Value| {
        let policy = json!({"route": {"retry_policy": {
            "retry_on": ON, "num_retries": 2, "retriable_status_codes": [404, 503],
        }}});
        let listener = Listener::http("http", all_by(with(route("/", "backend"), policy)));
        Proxy::new([listener], [cluster])
    };
    let grpc = |name, about, server, status: &'static str| {
        Scenario::new(name, about, retrying(with(backend(), http2())))
            .server("backend", Server::Http2(server))
            .client(Client::Http2("http", Ask::Grpc))
            .gets(200)
            .says(status)
            .logs(Log::Http, &[("code", "200"), ("flags", "URX"), ("details", "via_upstream")])
    };
    let http = |name, about, block| {
        Scenario::new(name, about, retrying(backend())).server("backend", Server::Nginx(block)).curl(ASK)
    };
    vec![
        grpc(
            "healthy/cancelled_by_the_application",
            "gRPC CANCELLED under Istio's default retry_on",
            Http2::GrpcRefuses("1"),
            "grpc-status: 1",
        ),
        grpc(
            "healthy/resource_exhausted",
            "gRPC RESOURCE_EXHAUSTED, retried",
            Http2::GrpcRefuses("8"),
            "grpc-status: 8",
        ),
        grpc(
            "answer/unavailable_after_retries",
            "gRPC UNAVAILABLE, retried",
            Http2::GrpcRefuses("14"),
            "grpc-status: 14",
        )
        .names("application_error", "certain")
        .because(&["grpc_status=14", "attempts=3"]),
        http("healthy/not_found_after_retries", "a 404 that the route retries", {
            "listen 127.0.0.1:{port}; location / { return 404; }"
        })
        .gets(404)
        .logs(Log::Http, &[("code", "404"), ("flags", "URX"), ("details", "via_upstream")]),
        http("answer/503_after_retries", "a 503 that the route retries", {
            "listen 127.0.0.1:{port}; location / { return 503; }"
        })
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "URX"), ("details", "via_upstream")])
        .names("application_error", "certain"),
    ]
}
