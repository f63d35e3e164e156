//! Failures that people reported, of kinds that no other table has.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::{Value, json};

use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{
    all_by, all_to, cluster, cluster_at, http2, originate_tls, route, trusting, with,
};
use crate::harness::peers::{Habit, Http2, Server};
use crate::scenarios::common::{ASK, BROKEN_ANSWER, FINE, PLAIN, PLAIN_HTTP2, backend, http, tcp};
use crate::scenarios::scenario::{Log, Scenario};

const SERVICE: &str = "outbound|80||shop.default.svc.cluster.local";
/// Answers one request, and is gone.
const ONE_ANSWER: &str = "
import socket, sys
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    stream, _ = listener.accept()
    if stream.recv(4096):
        break
stream.sendall(b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 2\\r\\n\\r\\nok')
";
const GOOD: Habit = Habit::Answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
const GARBAGE: Habit = Habit::Answer(b"garbage\r\n\r\n");
const MYSQL: &[u8] = b"J\0\0\0\n8.0.36\0\x08\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0";

pub(super) fn table() -> Vec<Scenario> {
    [answers(), before(), requests(), connections(), tls()].into_iter().flatten().collect()
}

fn made(name: &'static str, about: &'static str, answer: &'static [u8]) -> Scenario {
    Scenario::new(name, about, http(backend()))
        .server("backend", Server::Made(Habit::Answer(answer)))
        .curl(ASK)
}

fn answers() -> Vec<Scenario> {
    let big = format!("HTTP/1.1 200 OK\r\nX-Big: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(70_000));
    vec![
        made(
            "answer/chunked_204",
            "a 204 with Transfer-Encoding",
            b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        )
        .logs(Log::Http, BROKEN_ANSWER)
        .names(Cause::UpstreamProtocolError, Likely),
        made("answer/large_headers", "70 kB of response headers", big.leak().as_bytes())
            .gets(200)
            .logs(Log::Http, FINE),
        made(
            "answer/early_hints",
            "103 Early Hints before the answer",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        )
        .gets(200)
        .logs(Log::Http, FINE),
        made(
            "answer/no_status",
            "a status line without a status",
            b"HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok",
        )
        .logs(Log::Http, BROKEN_ANSWER)
        .names(Cause::UpstreamProtocolError, Likely),
        made(
            "answer/more_than_promised",
            "more than its content-length",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokMORE",
        )
        .gets(200)
        .logs(Log::Http, FINE),
        Scenario::new(
            "answer/http2_invalid_length",
            "HTTP/2 with a content-length that is no number",
            http(with(backend(), http2())),
        )
        .server("backend", Server::Http2(Http2::Promises("4 6")))
        .curl(ASK)
        .logs(Log::Http, BROKEN_ANSWER)
        .names(Cause::UpstreamProtocolError, Likely),
        Scenario::new(
            "answer/websocket_over_http2",
            "a websocket to a server of HTTP/2 that takes none",
            http(with(backend(), http2())),
        )
        .server("backend", PLAIN_HTTP2)
        .client(Client::Raw(
            "http",
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ))
        .gets(400)
        .logs(Log::Http, &[("code", "400"), ("flags", "-"), ("details", "via_upstream")]),
    ]
}

/// Failures of what answered well before.
fn before() -> Vec<Scenario> {
    let twice = Client::CurlTimes(2, ASK);
    let proxy = || Proxy::new([Listener::http("http", all_to(SERVICE))], [cluster(SERVICE, "backend")]);
    vec![
        Scenario::new(
            "answer/breaks_after_an_answer",
            "a server that answered well before breaks HTTP",
            proxy(),
        )
        .server("backend", Server::Made(Habit::InTurn(&[GOOD, GARBAGE])))
        .client(twice.clone())
        .with_roles(Roles::observing())
        .gets(502)
        .logs(Log::Http, &[("code", "502"), ("flags", "UPE")])
        .names(Cause::UpstreamProtocolError, Likely),
        Scenario::new("reaching/refused_after_an_answer", "a server that answered is gone", proxy())
            .server("backend", Server::Program("python3", "python3", &["-c", ONE_ANSWER, "{port}"]))
            .client(twice)
            .with_roles(Roles::observing())
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "UF")])
            .names(Cause::UpstreamRefused, Certain)
            .because(&["answered_before=true"]),
    ]
}

fn requests() -> Vec<Scenario> {
    let raw = |name, about, bytes| {
        Scenario::new(name, about, http(backend()))
            .server("backend", PLAIN)
            .client(Client::Raw("http", bytes))
    };
    vec![
        raw("client_bytes/two_content_lengths", "two content-lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
            .logs(Log::Http, &[("code", "400"), ("flags", "DPE"), ("details", "http1.codec_error")]).names(Cause::InvalidHttpRequest, Certain),
        raw("client_bytes/gzip_encoding", "Transfer-Encoding: gzip", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n")
            .logs(Log::Http, &[("code", "501"), ("flags", "DPE"), ("details", "http1.invalid_transfer_encoding")]).names(Cause::InvalidHttpRequest, Certain),
        Scenario::new("client_bytes/http2_on_http1_port", "HTTP/2 to a port of HTTP/1 alone", {
            Proxy::new([Listener::http("http", all_to("backend")).filter(json!({"codec_type": "HTTP1"}))], [backend()])
        })
        .server("backend", PLAIN)
        .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:http}/"])
        .logs(Log::Http, &[("code", "400"), ("flags", "DPE"), ("details", "http1.codec_error")]).names(Cause::InvalidHttpRequest, Certain).because(&["first_bytes=http2_preface"]),
        Scenario::new("client_bytes/http1_on_http2_port", "HTTP/1.1 to a port of HTTP/2 alone", http2_alone())
        .server("backend", PLAIN)
        .curl(ASK)
        .gets_nothing("Empty reply")
        .logs(Log::Listener, &[("flags", "DPE")]).names(Cause::InvalidHttpRequest, Likely).because(&["first_bytes=http1"]),
        Scenario::new("healthy/http2_on_http2_port", "HTTP/2 to a port of HTTP/2 alone", http2_alone())
        .server("backend", PLAIN)
        .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Http, FINE),
        Scenario::new("answer/grpc_deadline", "the client's own deadline, which istiod's routes heed", {
            let heeds = json!({"route": {"timeout": "0s", "max_stream_duration": {"max_stream_duration": "0s", "grpc_timeout_header_max": "0s"}}});
            Proxy::new([Listener::http("http", all_by(with(route("/", "backend"), heeds)))], [with(backend(), http2())])
        })
        .server("backend", Server::Http2(Http2::NeverAnswers))
        .curl(&["--http2-prior-knowledge", "-H", "Content-Type: application/grpc", "-H", "TE: trailers", "-H", "grpc-timeout: 300m", "-d", "x", "http://127.0.0.1:{listener:http}/a.B/C"])
        .gets(200).logs(Log::Http, &[("code", "200"), ("flags", "-"), ("details", "max_duration_timeout")]).names(Cause::MaxDurationReached, Certain).because(&["lived="]),
        Scenario::new("client_bytes/waits_for_a_greeting", "a MySQL client waits on a port of HTTP", behind_proxy_protocol())
            .server("backend", PLAIN)
            .client(Client::Custom(mysql))
            .logs(Log::Listener, &[("flags", "-")]).names(Cause::NotHttpOnHttpPort, Possible).because(&["destination_port=3306; lived="]),
        Scenario::new("healthy/port_is_open", "a look whether the port is open", behind_proxy_protocol())
            .server("backend", PLAIN)
            .client(Client::Custom(probe))
            .logs(Log::Listener, &[("flags", "-")]),
    ]
}

fn http2_alone() -> Proxy {
    Proxy::new(
        [Listener::http("http", all_to("backend")).filter(json!({"codec_type": "HTTP2"}))],
        [backend()],
    )
}

fn connections() -> Vec<Scenario> {
    let upstream = |socket: Value| json!({"transport_socket": socket});
    vec![
        Scenario::new("reaching/no_source_address", "the source address isn't there, as when all its ports are in use", {
            http(with(backend(), json!({"upstream_bind_config": {"source_address": {"address": "203.0.113.9", "port_value": 0}}})))
        })
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(503).logs(Log::Http, &[("code", "503"), ("flags", "UF")]).names(Cause::UpstreamUnreachable, Likely).because(&["connect_error=no_source_address"]),
        Scenario::new("reaching/no_such_socket", "a Unix domain socket that nobody made", {
            http(cluster_at("backend", json!({"pipe": {"path": "{folder}/missing.sock"}})))
        })
        .curl(ASK)
        .gets(503).logs(Log::Http, &[("code", "503"), ("flags", "UF")]).names(Cause::UpstreamRefused, Likely).because(&["connect_error=no_such_socket"]),
        Scenario::new("reaching/tunnel_refused", "a forward proxy that wants a password", {
            Proxy::new([Listener::tcp("tcp", "backend").filter(json!({"tunneling_config": {"hostname": "db.example:443"}}))], [backend()])
        })
        .server("backend", Server::Made(Habit::Answer(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")))
        .client(Client::Raw("tcp", b"hello\r\n"))
        .logs(Log::Tcp, &[("flags", "UF,URX")]).names(Cause::UpstreamProxyError, Likely).because(&["upstream_failure=tunnel_response:407"])
        // Nothing reports it there.
        .before(39, |same| same.names(Cause::UpstreamClosedConnection, Possible)),
        Scenario::new("reaching/tunnel_hung_up", "a forward proxy that closes on CONNECT", {
            Proxy::new([Listener::tcp("tcp", "backend").filter(json!({"tunneling_config": {"hostname": "db.example:443"}}))], [backend()])
        })
        .server("backend", Server::Made(Habit::CloseAfterRequest))
        .client(Client::Raw("tcp", b"hello\r\n"))
        .logs(Log::Tcp, &[("flags", "UF,URX")]).names(Cause::UpstreamClosedConnection, Possible).less_when_busy(Cause::UpstreamConnectTimeout),
        Scenario::new("reaching/tunnel_taken", "healthy: a forward proxy that takes the tunnel", {
            Proxy::new([Listener::tcp("tcp", "backend").filter(json!({"tunneling_config": {"hostname": "db.example:443"}}))], [backend()])
        })
        .server("backend", Server::Made(Habit::AnswerOnce(b"HTTP/1.1 200 OK\r\n\r\n+PONG\r\n")))
        .client(Client::Raw("tcp", b"hello\r\n"))
        .says("PONG")
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("reaching/no_original_destination", "a connection that nothing redirected goes to PassthroughCluster", {
            let cluster = json!({"name": "PassthroughCluster", "connect_timeout": "1s", "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED"});
            Proxy::new([Listener::http("http", all_to("PassthroughCluster"))], [cluster])
        })
        .curl(ASK)
        .gets(503).logs(Log::Http, &[("code", "503"), ("flags", "UH"), ("details", "no_healthy_upstream")])
        .names(Cause::NoEndpoints, Likely).side(Side::Mesh),
        Scenario::new("reaching/proxy_protocol_upstream", "a PROXY header to a server that takes none", {
            http(with(backend(), upstream(json!({"name": "proxy", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
                "config": {"version": "V1"},
                "transport_socket": {"name": "raw", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"}},
            }}))))
        })
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(400).logs(Log::Http, &[("code", "400"), ("flags", "-"), ("details", "via_upstream")]),
    ]
}

fn tls() -> Vec<Scenario> {
    let origin = |more: Value| with(backend(), originate_tls(with(trusting("ca"), more)));
    vec![
        Scenario::new(
            "upstream_tls/tls_to_mysql",
            "TLS to a server that greets first, on a TCP chain",
            tcp(origin(json!({}))),
        )
        .server("backend", Server::Made(Habit::GreetFirst(MYSQL)))
        .client(Client::Raw("tcp", b""))
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamSpeaksPlaintext, Certain)
        .because(&["upstream_tls_reason=WRONG_VERSION_NUMBER"]),
        Scenario::new("upstream_tls/no_common_alpn", "HTTP/2 offered to a server of HTTP/1 alone", {
            http(with(origin(json!({"common_tls_context": {"alpn_protocols": ["h2"]}})), http2()))
        })
        .server("backend", crate::scenarios::common::TLS)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "UF")])
        .names(Cause::UpstreamTlsFailed, Certain)
        .because(&["upstream_tls_reason=TLSV1_ALERT_NO_APPLICATION_PROTOCOL"]),
        signs_only("upstream_tls/key_usage", json!({}), "KEY_USAGE_BIT_INCORRECT"),
        signs_only("upstream_tls/certificate_purpose", trusting("ca"), "CERTIFICATE_VERIFY_FAILED"),
    ]
}

/// A certificate whose key may only sign certificates; with a validation of it or without.
fn signs_only(name: &'static str, validation: Value, reason: &'static str) -> Scenario {
    let reason = format!("upstream_tls_reason={reason}").leak();
    let about = "a certificate whose key may only sign certificates";
    Scenario::new(name, about, http(with(backend(), originate_tls(validation))))
        .server(
            "backend",
            Server::Caddy("https://:{port}", "tls {pki}/for-signing.pem {pki}/for-signing.key\nrespond ok"),
        )
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "UF")])
        .names(Cause::UpstreamCertificateRejected, Certain)
        .because(vec![&*reason].leak())
}

/// Takes addresses from PROXY headers, and so the port that a client asks for.
fn behind_proxy_protocol() -> Proxy {
    let kind = "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
    let filter = json!({"name": "proxy_protocol", "typed_config": {"@type": kind}});
    let listener = Listener::http("http", all_to("backend")).patch(json!({"listener_filters": [filter]}));
    Proxy::new([listener], [backend()])
}

fn mysql(places: &Places) -> Result<Seen> {
    connect(places, Duration::from_millis(1_500))
}

fn probe(places: &Places) -> Result<Seen> {
    connect(places, Duration::from_millis(100))
}

fn connect(places: &Places, stay: Duration) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.write_all(b"PROXY TCP4 127.0.0.1 127.0.0.1 50000 3306\r\n")?;
    sleep(stay);
    Ok(Seen::default())
}
