//! Circuit breakers: limits of a DestinationRule, and what stays below them.

use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, istio_config, with};
use crate::harness::peers::Server;
use crate::scenarios::common::{ASK, ASK_TCP, PLAIN, backend, http, tcp};
use crate::scenarios::scenario::{Log, Scenario};

/// Takes its time with every answer.
const SLOW: Server = Server::Program(
    "python3",
    "python3",
    &[
        "-c",
        "import http.server, time\n\
         class Slow(http.server.BaseHTTPRequestHandler):\n\
         \x20 protocol_version = 'HTTP/1.1'\n\
         \x20 def do_GET(self):\n\
         \x20   time.sleep(1.2)\n\
         \x20   self.send_response(200)\n\
         \x20   self.send_header('content-length', '0')\n\
         \x20   self.end_headers()\n\
         http.server.ThreadingHTTPServer(('127.0.0.1', {port}), Slow).serve_forever()\n",
    ],
);

/// The DestinationRule `default/limits` allows so much.
fn limited(threshold: Value) -> Value {
    let rule = istio_config("destination-rule", "default", "limits");
    with(with(backend(), rule), json!({"circuit_breakers": {"thresholds": [threshold]}}))
}

pub(super) fn table() -> Vec<Scenario> {
    let page = "Requests are rejected by Envoy";
    vec![
        Scenario::new("reaching/circuit_breaker_pending", "limits: no request may wait", http(limited(json!({"max_pending_requests": 0}))))
            .page(page)
            .server("backend", PLAIN)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UO"), ("details", "upstream_reset_before_response_started{overflow}")])
            .names(Cause::CircuitBreakerOverflow, Certain)
            .blames("DestinationRule/default/limits"),
        Scenario::new("reaching/circuit_breaker_requests", "no request may be under way", http(limited(json!({"max_requests": 0}))))
            .server("backend", PLAIN)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UO")])
            .names(Cause::CircuitBreakerOverflow, Certain)
            .blames("DestinationRule/default/limits"),
        Scenario::new("reaching/circuit_breaker_tcp", "no connection may be open", tcp(limited(json!({"max_connections": 0}))))
            .server("backend", PLAIN)
            .curl(ASK_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UO")])
            .names(Cause::CircuitBreakerOverflow, Certain)
            .blames("DestinationRule/default/limits"),
        Scenario::new("reaching/circuit_breaker_wide_enough", "the same limits, but above the load", http(limited(json!({"max_requests": 10}))))
            .page(page)
            .server("backend", PLAIN)
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new("reaching/circuit_breaker_one_connection", "limits: the one connection is busy", {
            http(limited(json!({"max_connections": 1, "max_pending_requests": 1})))
        })
        .page(page)
        .server("backend", SLOW)
        .client(Client::Custom(three_one_after_the_other))
        .gets(503)
        .logs(Log::Http, &[("flags", "UO")])
        .names(Cause::CircuitBreakerOverflow, Certain)
        .blames("DestinationRule/default/limits"),
        Scenario::new("reaching/circuit_breaker_without_rule", "Envoy's own default limits: no DestinationRule to blame", {
            http(with(backend(), json!({"circuit_breakers": {"thresholds": [{"max_requests": 0}]}})))
        })
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UO")])
        .names(Cause::CircuitBreakerOverflow, Certain),
        Scenario::new("reaching/circuit_breaker_retries", "the upstream's own error, and no room for a retry", {
            let retries = json!({"route": {"cluster": "backend", "retry_policy": {"retry_on": "5xx", "num_retries": 2}}});
            let route = with(json!({"match": {"prefix": "/"}}), retries);
            let backend = limited(json!({"max_retries": 0}));
            Proxy::new([Listener::http("http", all_by(route))], [backend])
        })
        .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 500; }"))
        .curl(ASK)
        .gets(500)
        .logs(Log::Http, &[("code", "500"), ("flags", "UO"), ("details", "via_upstream")])
        .names(Cause::CircuitBreakerOverflow, Likely)
        .because(&["limit=max_retries"])
        .blames("DestinationRule/default/limits"),
    ]
}

/// The first has the connection, the second waits for it, the third finds no room.
fn three_one_after_the_other(places: &Places) -> Result<Seen> {
    let apart = Duration::from_millis(300);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| Client::Curl(ASK).run(places));
            std::thread::sleep(apart);
        }
        Client::Curl(ASK).run(places)
    })
}
