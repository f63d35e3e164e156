//! HTTP/1.0 upstreams.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Possible;

use super::{FINE, sidecar};
use crate::harness::client::Client;
use crate::harness::envoy::parts::{all_to, cluster, http2, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, PLAIN, PLAIN_HTTP2};
use crate::scenarios::scenario::{Log, Scenario};

/// No attribute shows the version of an answer (1.40); the headers are all there is.
pub(super) fn http10() -> Vec<Scenario> {
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
            "HTTP/1.1, and a body without an end",
            b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nok",
        )
        .gets(200)
        .observes(
            Cause::Http10Upstream,
            Possible,
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
        .observes(Cause::Http10Upstream, Possible, 1, &["code=411"]),
        Scenario::new("soft/http2_to_http2", "HTTP/2 needs no length", {
            let to = with(cluster("outbound|80||a.default.svc", "backend"), http2());
            sidecar(all_to("outbound|80||a.default.svc"), "OUTBOUND", vec![to])
        })
        .direction("outbound")
        .server("backend", PLAIN_HTTP2)
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
