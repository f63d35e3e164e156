//! Retries: the last attempt is what the client got.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use super::routed;
use crate::harness::envoy::config::{Listener, Proxy, Roles, loopback};
use crate::harness::envoy::parts::{all_by, cluster, originate_tls, route, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::ASK;
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let policy = json!({"retry_on": "5xx", "num_retries": 1, "per_try_timeout": "0.5s", "retry_priority": {
        "name": "envoy.retry_priorities.previous_priorities",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
            "update_frequency": 1,
        },
    }});
    // The first attempt goes to the endpoint of the first priority, the second to the other.
    let endpoint = |priority: u8, name: &str| json!({"priority": priority, "lb_endpoints": [{"endpoint": {"address": loopback(format!("{{server:{name}}}"))}}]});
    let both = json!({"load_assignment": {"endpoints": [endpoint(0, "first"), endpoint(1, "second")]}});
    let proxy = |tls: Value| {
        let route = with(route("/", "backend"), json!({"route": {"retry_policy": policy}}));
        let listener = Listener::http("http", all_by(route));
        Proxy::new([listener], [with(with(cluster("backend", "first"), both.clone()), tls)])
    };
    let retried = |name, about, first: Server, second: Server| {
        Scenario::new(name, about, proxy(json!({}))).server("first", first).server("second", second).curl(ASK)
    };
    let fails = || Server::Nginx("listen 127.0.0.1:{port}; location / { return 500; }");
    vec![
        Scenario::new("answer/retried_then_fine", "healthy: the second attempt succeeds", {
            routed(json!({"retry_policy": {"retry_on": "5xx", "num_retries": 1}}))
        })
        .server("backend", Server::Made(Habit::InTurn(&[Habit::CloseAfterRequest, Habit::AnswerAndKeep(OK)])))
        .curl(ASK)
        .with_roles(Roles::http_only())
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        retried("answer/refused_then_500", "the first endpoint refuses, the second fails", Server::Nobody, fails())
            .gets(500)
            .logs(Log::Http, &[("code", "500"), ("details", "via_upstream")])
            .names(Cause::ApplicationError, Certain)
            .because(&["attempts=2"]),
        retried("answer/500_then_refused", "the first endpoint fails, the second refuses", fails(), Server::Nobody)
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "URX,UF")])
            .names(Cause::UpstreamRefused, Certain)
            .because(&["attempts=2"]),
        retried("answer/closed_then_late", "the first endpoint hangs up, the second is late",
            Server::Made(Habit::CloseAfterRequest), Server::Made(Habit::NeverAnswer))
            .gets(504)
            .logs(Log::Http, &[("code", "504"), ("details", "upstream_per_try_timeout")])
            .names(Cause::UpstreamTimeout, Certain)
            .because(&["attempts=2"]),
        retried("answer/late_then_closed", "the first endpoint is late, the second hangs up",
            Server::Made(Habit::NeverAnswer), Server::Made(Habit::CloseAfterRequest))
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("details", "upstream_reset_before_response_started{connection_termination}")])
            .names(Cause::UpstreamClosedConnection, Likely)
            .because(&["attempts=2"]),
        Scenario::new("answer/plaintext_then_500", "the first endpoint speaks no TLS, the second fails", {
            proxy(originate_tls(json!({})))
        })
        .server("first", fails())
        .server("second", Server::Nginx(
            "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 500; }",
        ))
        .curl(ASK)
        .gets(500)
        .logs(Log::Http, &[("code", "500"), ("details", "via_upstream")])
        .names(Cause::ApplicationError, Certain)
        .because(&["attempts=2"]),
    ]
}
