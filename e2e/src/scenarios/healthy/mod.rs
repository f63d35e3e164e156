//! Traffic that works: no cause, no counter, nothing in the log.

mod configurations;
mod connections;
mod streams;

use serde_json::json;

use crate::harness::client::Client;
use crate::harness::client::http2::Ask;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, all_to, direct, http2, with};
use crate::harness::peers::{Habit, Http2, Server};
use crate::scenarios::common::{ASK, FINE, PLAIN, PLAIN_HTTP2, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    [versions(), statuses(), bodies(), streams::table(), connections::table(), configurations::table()]
        .into_iter()
        .flatten()
        .collect()
}

fn versions() -> Vec<Scenario> {
    vec![
        Scenario::new("healthy/http1", "HTTP/1.1", http(backend()))
            .server("backend", PLAIN)
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, FINE),
        Scenario::new("healthy/http2_over_tls", "HTTP/2 over TLS", {
            Proxy::new([Listener::http("http", all_to("backend")).tls("server")], [backend()])
        })
        .server("backend", PLAIN)
        .curl(&["-k", "--http2", "https://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Http, &[("protocol", "HTTP/2"), ("flags", "-")]),
        Scenario::new("healthy/http2_prior_knowledge", "HTTP/2 in plaintext, on both sides", {
            http(with(backend(), http2()))
        })
        .server("backend", PLAIN_HTTP2)
        .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Http, &[("protocol", "HTTP/2"), ("upstream_protocol", "HTTP/2"), ("flags", "-")]),
        Scenario::new("healthy/grpc", "a gRPC call that succeeds", http(with(backend(), http2())))
            .server("backend", Server::Http2(Http2::Grpc("0")))
            .client(Client::Http2("http", Ask::Grpc))
            .says("grpc-status: 0")
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("details", "via_upstream")]),
    ]
}

fn statuses() -> Vec<Scenario> {
    let answers = |name, code, block| {
        Scenario::new(name, "the application's own status", http(backend()))
            .server("backend", Server::Nginx(block))
            .curl(ASK)
            .gets(code)
            .logs(Log::Http, &[("flags", "-"), ("details", "via_upstream")])
    };
    vec![
        answers("healthy/204", 204, "listen 127.0.0.1:{port}; location / { return 204; }"),
        answers("healthy/304", 304, "listen 127.0.0.1:{port}; location / { return 304; }"),
        answers("healthy/400", 400, "listen 127.0.0.1:{port}; location / { return 400 'plain wrong'; }"),
        answers("healthy/401", 401, "listen 127.0.0.1:{port}; location / { return 401; }"),
        answers("healthy/403", 403, "listen 127.0.0.1:{port}; location / { return 403; }"),
        answers("healthy/404", 404, "listen 127.0.0.1:{port}; location / { return 404; }"),
        answers("healthy/429", 429, "listen 127.0.0.1:{port}; location / { return 429; }"),
        answers("healthy/999", 999, "listen 127.0.0.1:{port}; location / { return 999; }"),
        answers(
            "healthy/applications_redirect",
            302,
            "listen 127.0.0.1:{port}; location / { return 302 /there; }",
        ),
        Scenario::new("healthy/head", "HEAD has no body", http(backend()))
            .server("backend", PLAIN)
            .curl(&["-I", "http://127.0.0.1:{listener:http}/"])
            .gets(200)
            .logs(Log::Http, FINE),
        Scenario::new("healthy/routes_redirect", "a redirect by the route", {
            let redirect = json!({"match": {"prefix": "/"}, "redirect": {"path_redirect": "/there"}});
            Proxy::new([Listener::http("http", all_by(redirect))], [])
        })
        .curl(ASK)
        .gets(301)
        .logs(Log::Http, &[("code", "301"), ("details", "direct_response")]),
        Scenario::new("healthy/direct_response", "an answer by the route", {
            Proxy::new([Listener::http("http", all_by(direct("/", 200, "ok")))], [])
        })
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("details", "direct_response")]),
    ]
}

fn bodies() -> Vec<Scenario> {
    let made = |name, about, answer| {
        Scenario::new(name, about, http(backend()))
            .server("backend", Server::Made(Habit::Answer(answer)))
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, FINE)
    };
    vec![
        made("healthy/chunked", "a chunked body", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        made("healthy/close_delimited", "a body that ends with the connection", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"),
        Scenario::new("healthy/large_download", "ten megabytes", http(backend()))
            .server("backend", Server::Program("sh", "dash", &[
                "-c", "head -c 10000000 /dev/zero > big; exec python3 -m http.server --bind 127.0.0.1 {port}",
            ]))
            .curl(&["http://127.0.0.1:{listener:http}/big"])
            .gets(200)
            .logs(Log::Http, FINE),
        Scenario::new("healthy/continue", "an upload that asks first", http(backend()))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; client_max_body_size 10m; location / { proxy_pass http://127.0.0.1:{port}/echo; } location /echo { return 200 ok; }"))
            .client(Client::Program("sh", "dash", &[
                "-c", "head -c 2000000 /dev/zero | curl -sS -o /dev/null -w 'HTTP/1.1 %{http_code}' -H 'Expect: 100-continue' -T - http://127.0.0.1:{listener:http}/",
            ], ""))
            .gets(200)
            .logs(Log::Http, FINE),
        Scenario::new("healthy/keep_alive", "many requests on few connections", http(backend()))
            .server("backend", PLAIN)
            .client(Client::Program("h2load", "nghttp2-client", &["--h1", "-n", "200", "-c", "4", "-t", "1", "http://127.0.0.1:{listener:http}/"], ""))
            .says("200 2xx")
            .logs(Log::Http, FINE),
        Scenario::new("healthy/pipelined", "two requests in one go", http(backend()))
            .server("backend", PLAIN)
            .client(Client::Raw("http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"))
            .gets(200)
            .logs(Log::Http, FINE),
    ]
}
