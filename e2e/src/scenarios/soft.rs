//! Soft causes of HTTP traffic: it works, and yet isn't what was meant.

use serde_json::Value;

use crate::client::Client;
use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::parts::{all_to, cluster, http2, with};
use crate::peers::{Habit, Server};
use crate::scenario::{Log, Scenario};

const SIDECAR: &str = "sidecar~10.0.0.1~app.default~default.svc.cluster.local";
const ASK: &[&str] = &["http://127.0.0.1:{listener:http}/"];
const PLAIN: Server = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }");
const FINE: &[(&str, &str)] = &[("flags", "-"), ("details", "via_upstream")];

fn sidecar(virtual_hosts: Value, direction: &str, clusters: Vec<Value>) -> Proxy {
    let listener = Listener::http("http", virtual_hosts).direction(direction);
    Proxy::new([listener], clusters).node(SIDECAR).roles(Roles::observing())
}

pub(super) fn table() -> Vec<Scenario> {
    [http10()].into_iter().flatten().collect()
}

/// No attribute shows the version of an answer (1.40); the headers are all there is.
fn http10() -> Vec<Scenario> {
    let inbound = || sidecar(all_to("inbound|8080||"), "INBOUND", vec![cluster("inbound|8080||", "backend")]);
    let answered = |name, about, answer| {
        Scenario::new(name, about, inbound())
            .page("Envoy won't connect to my HTTP/1.0 service")
            .direction("inbound")
            .server("backend", Server::Made(Habit::Answer(answer)))
            .curl(ASK)
            .logs(Log::Http, FINE)
    };
    vec![
        answered(
            "soft/http10_answer",
            "a body that ends with the connection, unannounced",
            b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nok",
        )
        .gets(200)
        .observes(
            "http10_upstream",
            "possible",
            1,
            &["unframed_body=true; code=200; protocol=HTTP/1.1"],
        ),
        Scenario::new("soft/http10_server", "Python's own server", inbound())
            .direction("inbound")
            .server(
                "backend",
                Server::Program(
                    "python3",
                    "python3",
                    &["-m", "http.server", "--bind", "127.0.0.1", "{port}"],
                ),
            )
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, FINE),
        answered(
            "soft/http11_close",
            "an HTTP/1.1 answer that announces its end",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
        )
        .gets(200),
        answered("soft/http11_length", "with a length", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .gets(200),
        answered(
            "soft/http11_chunks",
            "in chunks",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        )
        .gets(200),
        answered("soft/no_body", "an answer that has no body", b"HTTP/1.1 204 No Content\r\n\r\n").gets(204),
        answered(
            "soft/length_required",
            "HTTP/1.0 knows no chunks",
            b"HTTP/1.0 411 Length Required\r\nContent-Length: 0\r\n\r\n",
        )
        .curl(&["-H", "Transfer-Encoding: chunked", "-d", "x", "http://127.0.0.1:{listener:http}/"])
        .gets(411)
        .observes("http10_upstream", "possible", 1, &["code=411"]),
        Scenario::new("soft/http2_to_http2", "HTTP/2 needs no length", {
            let to = with(cluster("outbound|80||a.default.svc", "backend"), http2());
            sidecar(all_to("outbound|80||a.default.svc"), "OUTBOUND", vec![to])
        })
        .direction("outbound")
        .server("backend", Server::Nginx("listen 127.0.0.1:{port} http2; location / { return 200 ok; }"))
        .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Http, FINE),
        Scenario::new("soft/head", "a HEAD's answer has no body", inbound())
            .direction("inbound")
            .server("backend", PLAIN)
            .client(Client::Curl(&["-I", "http://127.0.0.1:{listener:http}/"]))
            .gets(200)
            .logs(Log::Http, FINE),
    ]
}
