//! Answers that end too early, or are broken.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};

use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, http2, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, CLOSED_EARLY, PLAIN, backend, http, tcp};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    [cut_off(), broken()].into_iter().flatten().collect()
}

fn cut_off() -> Vec<Scenario> {
    let closed = |name, about, habit| {
        Scenario::new(name, about, http(backend()))
            .server("backend", Server::Made(habit))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, CLOSED_EARLY)
            .names(Cause::UpstreamClosedConnection, Likely)
    };
    vec![
        closed("answer/closed", "closed before the answer", Habit::CloseAfterRequest),
        closed("answer/reset", "a TCP reset looks the same", Habit::ResetAfterRequest),
        Scenario::new("answer/tcp_reset", "a TCP server that ends its connections with a reset", {
            tcp(backend())
        })
        .server("backend", Server::Made(Habit::ResetAfterRequest))
        .client(Client::Raw("tcp", b"bye\r\n"))
        .logs(Log::Tcp, &[("flags", "UR")])
        .names(Cause::UpstreamReset, Possible)
        // No flag shows it there.
        .before(38, |same| same.logs(Log::Tcp, &[("flags", "-")]).names_nothing()),
        Scenario::new("answer/tcp_reset_after_answer", "healthy: one that has answered", tcp(backend()))
            .server("backend", Server::Made(Habit::AnswerAndReset(b"ok\r\n")))
            .client(Client::Raw("tcp", b"bye\r\n"))
            .logs(Log::Tcp, &[("flags", "UR")])
            .before(38, |same| same.logs(Log::Tcp, &[("flags", "-")])),
        Scenario::new("answer/cut_off", "closed in the middle of the body", http(backend()))
            .server(
                "backend",
                Server::Made(Habit::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")),
            )
            .curl(ASK)
            .says("transfer closed")
            .logs(Log::Http, &[("code", "200"), ("flags", "UPE")])
            .names(Cause::UpstreamProtocolError, Likely)
            .because(&["promised=100", "passed=4"]),
        Scenario::new(
            "answer/cut_off_inbound",
            "the same at the server's sidecar, which speaks what the client speaks",
            Proxy::new([Listener::http("http", all_to("backend")).direction("INBOUND")], [backend()]),
        )
        .server("backend", Server::Made(Habit::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")))
        .curl(ASK)
        .says("transfer closed")
        .logs(Log::Http, &[("code", "200"), ("flags", "UPE")])
        .names(Cause::UpstreamClosedConnection, Likely)
        .because(&["promised=100", "passed=4", "protocol=HTTP/1.1"])
        .direction("inbound"),
        Scenario::new(
            "answer/reset_midway",
            "a TCP reset in the middle of the body looks the same",
            http(backend()),
        )
        .server(
            "backend",
            Server::Made(Habit::AnswerAndReset(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")),
        )
        .curl(ASK)
        .says("transfer closed")
        .logs(Log::Http, &[("code", "200"), ("flags", "UPE")])
        .names(Cause::UpstreamProtocolError, Likely),
        Scenario::new(
            "answer/cut_off_in_chunks",
            "chunked, the end of the body is all that is missing",
            http(backend()),
        )
        .server(
            "backend",
            Server::Made(Habit::Answer(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            )),
        )
        .curl(ASK)
        .logs(Log::Http, &[("code", "200"), ("flags", "UPE")])
        .names(Cause::UpstreamProtocolError, Likely),
    ]
}

fn broken() -> Vec<Scenario> {
    vec![
        Scenario::new("answer/garbage", "what comes back is no HTTP", http(backend()))
            .server("backend", Server::Made(Habit::Answer(b"garbage\r\n\r\n")))
            .curl(ASK)
            .gets(502)
            .logs(
                Log::Http,
                &[("flags", "UPE"), ("details", "upstream_reset_before_response_started{protocol_error}")],
            )
            .names(Cause::UpstreamProtocolError, Likely),
        Scenario::new("answer/bad_chunk", "a broken chunk in the middle of the body", http(backend()))
            .server(
                "backend",
                Server::Made(Habit::Answer(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
                )),
            )
            .curl(ASK)
            .logs(Log::Http, &[("code", "200"), ("flags", "UPE")])
            .names(Cause::UpstreamProtocolError, Likely),
        Scenario::new(
            "answer/http2_to_http1",
            "HTTP/2 to a server that speaks HTTP/1 looks like any broken answer",
            http(with(backend(), http2())),
        )
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(502)
        .logs(
            Log::Http,
            &[
                ("flags", "UPE"),
                ("details", "upstream_reset_before_response_started{protocol_error}"),
                ("upstream_protocol", "HTTP/2"),
            ],
        )
        .names(Cause::UpstreamProtocolError, Likely),
        Scenario::new("answer/grpc_to_http1", "gRPC by HTTP/2 to a server of HTTP/1 looks the same", {
            http(with(backend(), http2()))
        })
        .server("backend", PLAIN)
        .curl(&[
            "--http2-prior-knowledge",
            "-H",
            "Content-Type: application/grpc",
            "-H",
            "TE: trailers",
            "-d",
            "x",
            "http://127.0.0.1:{listener:http}/a.B/C",
        ])
        .logs(Log::Http, &[("flags", "UPE")])
        .names(Cause::UpstreamProtocolError, Likely)
        .because(&["grpc=true"]),
        Scenario::new("answer/http10_upstream", "a server of HTTP/1.0 that says so", http(backend()))
            .server(
                "backend",
                Server::Made(Habit::Answer(
                    b"HTTP/1.0 505 HTTP Version Not Supported\r\nContent-Length: 0\r\n\r\n",
                )),
            )
            .curl(ASK)
            .gets(505)
            .logs(Log::Http, &[("code", "505"), ("details", "via_upstream")])
            .names(Cause::Http10Upstream, Likely),
    ]
}
