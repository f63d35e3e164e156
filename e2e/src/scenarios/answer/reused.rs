//! Connections of the pool that end as the next request comes.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Likely;

use crate::harness::client::Client;
use crate::harness::envoy::parts::istio_mtls_endpoint;
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// The first line is in the log before the second.
const TWICE: &[&str] = &[
    "-c",
    "ask() { curl -sS -o /dev/null -w \"HTTP/1.1 $1%{http_code}\\n\" http://127.0.0.1:{listener:http}/; }; \
     ask first >/dev/null; ask ''; sleep 1.5",
];
const CLOSED: &[(&str, &str)] = &[
    ("code", "503"),
    ("flags", "UC"),
    ("details", "upstream_reset_before_response_started{connection_termination}"),
];

pub(super) fn table() -> Vec<Scenario> {
    let closing = |name, about, after| {
        Scenario::new(name, about, http(backend()))
            .server("backend", Server::Made(Habit::AnswerThenClose(OK, after)))
            .client(Client::Program("sh", "dash", TWICE, ""))
            .gets(503)
            .logs(Log::Http, CLOSED)
    };
    let node = Server::Program(
        "node",
        "nodejs",
        &[
            "-e",
            "const s = require('http').createServer((q, r) => r.end('ok')); s.keepAliveTimeout = 50; s.listen({port}, '127.0.0.1')",
        ],
    );
    vec![
        closing("answer/idle_connection_closed", "the server closes a reused connection as the request comes", 0)
            .names(Cause::UpstreamClosedIdleConnection, Likely)
            .because(&["pool_ready=", "lived="]),
        Scenario::new("answer/idle_connection_of_the_mesh_closed", "the same where mutual TLS is taken and was turned off", {
            http(istio_mtls_endpoint(backend()))
        })
        .server("backend", Server::Made(Habit::AnswerThenClose(OK, 0)))
        .client(Client::Program("sh", "dash", TWICE, ""))
        .gets(503)
        .logs(Log::Http, CLOSED)
        .names(Cause::UpstreamClosedIdleConnection, Likely),
        closing("answer/reused_connection_closed_late", "the server worked for a while and crashed", 300)
            .names(Cause::UpstreamClosedConnection, Likely)
            .because(&["pool_ready=", "lived="]),
        Scenario::new("answer/new_connection_closed", "a new connection is closed at once", http(backend()))
            .server("backend", Server::Made(Habit::CloseAfterRequest))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, CLOSED)
            .names(Cause::UpstreamClosedConnection, Likely),
        Scenario::new("answer/node_closes_idle_connections", "healthy: Node closed the connection before the next request", {
            http(backend())
        })
        .server("backend", node)
        .client(Client::Program("sh", "dash", &[
            "-c",
            "for i in 1 2 3; do curl -sS -o /dev/null -w 'HTTP/1.1 %{http_code}' http://127.0.0.1:{listener:http}/; sleep 0.3; done",
        ], ""))
        .gets(200)
        .logs(Log::Http, &[("code", "200")])
        .times(3),
    ]
}
