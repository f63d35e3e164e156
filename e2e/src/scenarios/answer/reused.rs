//! Connections of the pool that end as the next request comes.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::Value;

use crate::harness::client::Client;
use crate::harness::envoy::parts::{http2, istio_mtls_endpoint, originate_tls, presenting, trusting, with};
use crate::harness::peers::{Habit, RACE, RELAY, Server};
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
    let mut all = vec![
        closing("answer/idle_connection_closed", "the server closes a reused connection as the request comes", 0)
            .names(Cause::UpstreamClosedIdleConnection, Likely)
            .because(&["pool_ready=", "lived="])
            .less_when_busy(Cause::UpstreamClosedConnection),
        Scenario::new("answer/idle_connection_of_the_mesh_closed", "the same where mutual TLS is taken and was turned off", {
            http(istio_mtls_endpoint(backend()))
        })
        .server("backend", Server::Made(Habit::AnswerThenClose(OK, 0)))
        .client(Client::Program("sh", "dash", TWICE, ""))
        .gets(503)
        .logs(Log::Http, CLOSED)
        .names(Cause::UpstreamClosedIdleConnection, Likely)
        .less_when_busy(Cause::DestinationRuleTlsConflict),
        closing("answer/reused_connection_closed_late", "the server worked for a while and crashed", 300)
            .names(Cause::UpstreamClosedConnection, Likely),
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
            "for i in 1 2 3; do curl -sS -o /dev/null -w 'HTTP/1.1 %{http_code}' http://127.0.0.1:{listener:http}/; sleep 1.2; done",
        ], ""))
        .gets(200)
        .logs(Log::Http, &[("code", "200")])
        .times(3),
    ];
    all.extend(raced());
    all
}

/// Asks until a request fails.
const UNTIL_IT_FAILS: Client =
    Client::Program("python3", "python3", &["-c", RACE, "127.0.0.1", "{listener:http}", "1"], "");

/// Real servers behind a network of 3 ms each way, asked just as they close.
fn raced() -> Vec<Scenario> {
    let plain =
        Server::Nginx("listen 127.0.0.1:{port}; keepalive_timeout 200ms; location / { return 200 ok; }");
    let http2_server = Server::Nginx(
        "listen 127.0.0.1:{port} http2; keepalive_timeout 200ms; location / { return 200 ok; }",
    );
    let mutual = Server::Nginx(
        "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; \
         ssl_client_certificate {pki}/ca.pem; ssl_verify_client on; keepalive_timeout 200ms; location / { return 200 ok; }",
    );
    let far = |name, about, cluster: Value, server, client| {
        Scenario::new(name, about, http(cluster))
            .server("real", server)
            .server(
                "backend",
                Server::Program("python3", "python3", &["-c", RELAY, "{port}", "{server:real}"]),
            )
            .client(client)
            .gets(503)
    };
    let closed = |scenario: Scenario| {
        scenario
            .logs(Log::Http, CLOSED)
            .names(Cause::UpstreamClosedIdleConnection, Likely)
            .because(&["pool_ready=", "lived="])
            .less_when_busy(Cause::UpstreamClosedConnection)
    };
    let over_tls = originate_tls(with(trusting("ca"), presenting("client")));
    vec![
        closed(far(
            "answer/race_with_nginx",
            "nginx closes an idle connection",
            backend(),
            plain,
            UNTIL_IT_FAILS,
        )),
        closed(far(
            "answer/race_over_mutual_tls",
            "the same over mutual TLS",
            with(backend(), over_tls),
            mutual,
            UNTIL_IT_FAILS,
        )),
        far(
            "answer/race_over_http2",
            "nginx says GOAWAY, and leaves the stream out",
            with(backend(), http2()),
            http2_server,
            UNTIL_IT_FAILS,
        )
        .logs(
            Log::Http,
            &[
                ("code", "503"),
                ("flags", "UR"),
                ("details", "upstream_reset_before_response_started{remote_refused_stream_reset}"),
            ],
        )
        .names(Cause::UpstreamReset, Certain),
    ]
}
