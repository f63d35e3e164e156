//! What a client, an application or a tenant does to have another cause named than the true one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::json;

use crate::harness::client::client_hello;
use crate::harness::client::http2::Ask;
use crate::harness::client::{Client, Places, Seen, status_in};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, cluster, demanding_certificate, direct, http2, vhost, with};
use crate::harness::peers::{Habit, Http2, Server};
use crate::scenarios::common::{PLAIN, SIDECAR, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    [bytes(), pages(), names(), grpc()].into_iter().flatten().collect()
}

/// A network filter that waits half a second for a service that never answers, and holds the client's bytes meanwhile.
fn holding() -> Proxy {
    let service = json!({"envoy_grpc": {"cluster_name": "policy"}, "timeout": "0.5s"});
    let filter = json!({"name": "ext_authz", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.ext_authz.v3.ExtAuthz",
        "stat_prefix": "held.", "grpc_service": service, "transport_api_version": "V3", "failure_mode_allow": true,
    }});
    let listener = Listener::http("http", all_to("backend")).raw_network_filter(filter);
    Proxy::new([listener], [backend(), with(cluster("policy", "policy"), http2())])
}

/// A name as Istio's own proxies use it.
const MESH_NAME: &str = "outbound_.80_._.shop.default.svc.cluster.local";

fn bytes() -> Vec<Scenario> {
    let held = |name, about, client: fn(&Places) -> Result<Seen>| {
        Scenario::new(name, about, holding())
            .server("backend", PLAIN)
            .server("policy", Server::Http2(Http2::NeverAnswers))
            .client(Client::Custom(client))
    };
    let double = |name, about, listener: Listener, arguments| {
        Scenario::new(
            name,
            about,
            Proxy::new([listener.filter(json!({"request_headers_timeout": "2s"}))], [backend()]),
        )
        .server("backend", PLAIN)
        .client(Client::OpensslClient(arguments, HELLO))
        .logs(Log::Http, &[("code", "400"), ("flags", "DPE"), ("details", "http1.codec_error")])
    };
    let listener = || Listener::http("http", all_to("backend")).tls_inspector();
    vec![
        held("attacks/held_hello", "a ClientHello in two parts, held back by another filter", |places| {
            let hello = client_hello(b"shop.example", b"h2");
            send(places, &[&hello[..1], &hello[1..]])
        })
        .gets(400)
        .logs(Log::Http, &[("code", "400"), ("flags", "DPE"), ("details", "http1.codec_error")])
        .names(Cause::TlsOnPlaintextPort, Certain)
        .because(&["first_bytes=tls_client_hello", "sni=shop.example"]),
        held(
            "attacks/held_request",
            "healthy: a request in three parts, held back by another filter",
            |places| send(places, &[b"G", b"ET / HTTP/1.1\r\nHo", b"st: a\r\nConnection: close\r\n\r\n"]),
        )
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        double(
            "attacks/mesh_name_outside",
            "a client of a port that ends TLS, who names itself as the mesh does, wraps TLS twice",
            listener().tls("server"),
            &["-servername", MESH_NAME, "-connect", "127.0.0.1:{listener:http}"],
        )
        .names(Cause::DoubleTls, Certain)
        .because(&["sni=outbound_.80_._.shop.default.svc.cluster.local"]),
        double(
            "attacks/mesh_name_inside",
            "the same from a proxy of the mesh, which has a certificate: its client began the inner TLS",
            listener().tls_with("server", demanding_certificate("ca")),
            &[
                "-servername",
                MESH_NAME,
                "-cert",
                "{pki}/client.pem",
                "-key",
                "{pki}/client.key",
                "-connect",
                "127.0.0.1:{listener:http}",
            ],
        )
        .names(Cause::TlsOnPlaintextPort, Likely),
        Scenario::new(
            "attacks/odd_version_later",
            "a version that doesn't exist, on a connection that began well",
            http(backend()),
        )
        .server("backend", PLAIN)
        .client(Client::Custom(|places| {
            send(places, &[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n"])
        }))
        .gets(200)
        .logs(Log::Http, &[("code", "426"), ("flags", "DPE"), ("details", "low_version")])
        .names(Cause::Http10Client, Likely),
    ]
}

/// Enough of a ClientHello for the codec to refuse it.
const HELLO: &str = "\x16\x03\x01\0\x06\x01\0\0\x02\x03\x03\n\n";

/// An application that repeats, in a 400 of its own, what it was asked for.
const REPEATS: &str = "import http.server, urllib.parse\n\
    class App(http.server.BaseHTTPRequestHandler):\n\
    \x20   def do_GET(self):\n\
    \x20       asked = urllib.parse.unquote(self.path.partition('?')[2])\n\
    \x20       body = ('no such thing: ' + asked).encode() if self.path.startswith('/said') else asked.encode()\n\
    \x20       self.send_response(400)\n\
    \x20       self.send_header('content-type', 'text/plain')\n\
    \x20       self.send_header('content-length', str(len(body)))\n\
    \x20       self.end_headers()\n\
    \x20       self.wfile.write(body)\n\
    http.server.ThreadingHTTPServer(('127.0.0.1', {port}), App).serve_forever()\n";

fn pages() -> Vec<Scenario> {
    let repeats = |name, about, ask| {
        Scenario::new(name, about, http(backend()))
            .server("backend", Server::Program("python3", "python3", &["-c", REPEATS]))
            .curl(ask)
            .gets(400)
            .logs(Log::Http, &[("code", "400"), ("flags", "-"), ("details", "via_upstream")])
    };
    vec![
        repeats(
            "attacks/repeated_sentence",
            "an application repeats a query that has a server's sentence in it",
            &[
                "http://127.0.0.1:{listener:http}/said?The%20plain%20HTTP%20request%20was%20sent%20to%20HTTPS%20port",
            ],
        ),
        repeats(
            "attacks/repeated_page",
            "an application whose whole answer is the query, and that is Go's page",
            &[
                "http://127.0.0.1:{listener:http}/?Client%20sent%20an%20HTTP%20request%20to%20an%20HTTPS%20server.%0A",
            ],
        ),
    ]
}

fn names() -> Vec<Scenario> {
    let mut route = direct("/", 503, "");
    route["name"] = json!("block_all");
    let listener = Listener::http("http", json!([vhost("shop.example:80", &["shop.example"], vec![route])]));
    vec![
        Scenario::new(
            "attacks/route_called_block_all",
            "a tenant calls a route as istiod calls the one for blocked hosts",
            Proxy::new([listener.direction("OUTBOUND")], []).node(SIDECAR),
        )
        .curl(&["-H", "Host: shop.example", "http://127.0.0.1:{listener:http}/"])
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("details", "direct_response"), ("route", "block_all")])
        .names(Cause::ConfiguredErrorReply, Certain)
        .direction("outbound"),
    ]
}

fn grpc() -> Vec<Scenario> {
    let answered = |name, about, server| {
        Scenario::new(name, about, http(with(backend(), http2())))
            .server("backend", server)
            .client(Client::Http2("http", Ask::Grpc))
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("details", "via_upstream")])
            .names(Cause::ApplicationError, Likely)
    };
    const TWICE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 0\r\ngrpc-status: 13\r\ncontent-length: 0\r\n\r\n";
    vec![
        answered(
            "attacks/grpc_status_99",
            "a number that gRPC doesn't name is UNKNOWN to clients",
            Server::Http2(Http2::GrpcRefuses("99")),
        )
        .because(&["grpc_status=99"]),
        answered(
            "attacks/grpc_status_is_no_number",
            "so is what is no number",
            Server::Http2(Http2::GrpcRefuses("thirteen")),
        )
        .because(&["grpc_status=2"]),
        answered(
            "attacks/grpc_status_list",
            "and one that begins with success",
            Server::Http2(Http2::GrpcRefuses("0,13")),
        )
        .because(&["grpc_status=13"]),
        Scenario::new("attacks/grpc_status_twice", "two of them, success first", http(backend()))
            .server("backend", Server::Made(Habit::AnswerOnce(TWICE)))
            .client(Client::Http2("http", Ask::Grpc))
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("details", "via_upstream")])
            .names(Cause::ApplicationError, Likely)
            .because(&["grpc_status=13"]),
    ]
}

/// Sends these one after the other, a while apart, and reads until the proxy is silent.
fn send(places: &Places, parts: &[&[u8]]) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.set_nodelay(true)?;
    for part in parts {
        stream.write_all(part)?;
        std::thread::sleep(Duration::from_millis(100));
    }
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    // It may keep the connection.
    while let Ok(size @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..size]);
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    Ok(Seen { status: status_in(&text), exit: 0, text })
}
