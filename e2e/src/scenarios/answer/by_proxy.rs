//! Errors of the next proxy, of the application behind it, and what looks alike.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::client::http2::Ask;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{
    all_by, all_to, cluster, direct, empty_cluster, http2, route, vhost, with,
};
use crate::harness::peers::{Habit, Http2, Server};
use crate::scenarios::common::{ASK, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

/// The client's proxy before the server's, which is another Envoy with these routes.
fn two(
    name: &'static str,
    about: &'static str,
    routes: Value,
    behind: Value,
    protocol: &Value,
    server: Server,
) -> Scenario {
    let inner = Proxy::new([Listener::http("inner", routes)], [with(behind, protocol.clone())]);
    let next = with(cluster("next", "inner"), protocol.clone());
    Scenario::new(name, about, Proxy::new([Listener::http("http", all_to("next"))], [next]))
        .server("backend", server)
        .server("inner", Server::envoy(inner))
        .curl(ASK)
}

fn behind(name: &'static str, about: &'static str, cluster: Value, server: Server) -> Scenario {
    two(name, about, all_to("backend"), cluster, &json!({}), server)
}

pub(super) fn table() -> Vec<Scenario> {
    [made_by_proxy(), made_by_application()].concat()
}

fn made_by_proxy() -> Vec<Scenario> {
    const VIA: &[(&str, &str)] = &[("flags", "-"), ("details", "via_upstream")];
    let named = |scenario: Scenario, code: u16| {
        scenario
            .gets(code)
            .logs(Log::Http, VIA)
            .names(Cause::UpstreamProxyError, Likely)
            .because(&["page=proxy_could_not_reach_its_upstream", "answered_by_proxy=true"])
    };
    let late = with(route("/", "backend"), json!({"route": {"timeout": "0.2s"}}));
    vec![
        named(
            behind("answer/proxy_refused", "the next proxy's endpoint refuses", backend(), Server::Nobody),
            503,
        ),
        named(
            behind(
                "answer/proxy_without_endpoints",
                "the next proxy has no endpoint",
                empty_cluster("backend"),
                Server::Nobody,
            ),
            503,
        ),
        named(
            behind("answer/proxy_met_garbage", "the next proxy got an answer that is no HTTP", backend(), {
                Server::Made(Habit::Answer(b"garbage\r\n\r\n"))
            }),
            502,
        ),
        named(
            two(
                "answer/proxy_timed_out",
                "the next proxy's upstream was late",
                all_by(late),
                backend(),
                &json!({}),
                Server::Made(Habit::NeverAnswer),
            ),
            504,
        ),
        named(
            two(
                "answer/proxy_failed_grpc",
                "the same for gRPC: the words are a header's",
                all_to("backend"),
                backend(),
                &http2(),
                Server::Nobody,
            )
            .client(Client::Http2("http", Ask::Grpc))
            .says("grpc-status: 14"),
            200,
        ),
        two(
            "answer/503_of_another_envoy",
            "another Envoy's answer in words of its configuration",
            json!([vhost("all", &["*"], vec![direct("/", 503, "made by Envoy")])]),
            backend(),
            &json!({}),
            Server::Nobody,
        )
        .gets(503)
        .logs(Log::Http, VIA)
        .names(Cause::ApplicationError, Likely)
        .because(&["answered_by_proxy=true"]),
        Scenario::new(
            "answer/page_of_nobody",
            "an Envoy's page from a server that gives no name",
            http(backend()),
        )
        .server(
            "backend",
            Server::Made(Habit::AnswerAndKeep(
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 19\r\n\r\nno healthy upstream",
            )),
        )
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, VIA)
        .names(Cause::UpstreamProxyError, Possible),
    ]
}

fn made_by_application() -> Vec<Scenario> {
    const VIA: &[(&str, &str)] = &[("flags", "-"), ("details", "via_upstream")];
    let own = |name, about, block| {
        behind(name, about, backend(), Server::Nginx(block))
            .gets(503)
            .logs(Log::Http, VIA)
            .names(Cause::ApplicationError, Likely)
            .because(&["answered_by_proxy=true"])
    };
    vec![
        own("answer/503_behind_a_proxy", "the application's own 503 passes a sidecar", {
            "listen 127.0.0.1:{port}; location / { return 503 busy; }"
        }),
        own("answer/empty_503_behind_a_proxy", "the same without a body", {
            "listen 127.0.0.1:{port}; location / { return 503 ''; }"
        }),
        own("answer/page_in_a_page", "the application's page has the words of an Envoy in it", {
            "listen 127.0.0.1:{port}; location / { return 503 'no healthy upstream: try again later'; }"
        }),
        two(
            "answer/grpc_behind_a_proxy",
            "the application's own UNAVAILABLE passes a sidecar",
            all_to("backend"),
            backend(),
            &http2(),
            Server::Http2(Http2::GrpcRefuses("14")),
        )
        .client(Client::Http2("http", Ask::Grpc))
        .says("grpc-status: 14")
        .logs(Log::Http, VIA)
        .names(Cause::ApplicationError, Likely),
        Scenario::new(
            "answer/page_passed_on",
            "an application without a sidecar passes on a proxy's page",
            http(backend()),
        )
        .server(
            "backend",
            Server::Nginx("listen 127.0.0.1:{port}; location / { return 503 'no healthy upstream'; }"),
        )
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, VIA)
        .names(Cause::ApplicationError, Likely)
        .because(&["page=proxy_could_not_reach_its_upstream"]),
    ]
}
