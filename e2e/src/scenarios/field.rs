//! Failures as people report them, with servers and clients of the kind that they had.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, all_to, cluster, http2, originate_tls, route, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, BROKEN_ANSWER, CLOSED_EARLY, PLAIN, PLAIN_HTTP2, backend, http};
use crate::scenarios::databases::MARIADB;
use crate::scenarios::scenario::{Log, Scenario};

const WEBSOCKET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCHES: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const NODE_HTTPS: Server = Server::Program(
    "node",
    "nodejs",
    &[
        "-e",
        "const f = require('fs'), p = process.argv; require('https').createServer({key: f.readFileSync(p[2] + '/server.key'), \
         cert: f.readFileSync(p[2] + '/server.pem')}, (q, r) => r.end('ok')).listen(p[1], '127.0.0.1')",
        "{port}",
        "{pki}",
    ],
);
/// Throws what nobody catches, half a second after a request for `/crash`.
const NODE_CRASHES: Server = Server::Program(
    "node",
    "nodejs",
    &[
        "-e",
        "require('http').createServer((q, r) => q.url == '/crash' ? setTimeout(() => { throw 1 }, 500) : r.end('ok'))\
         .listen(process.argv[1], '127.0.0.1')",
        "{port}",
    ],
);
const NGINX_BEHIND_HAPROXY: Server =
    Server::Nginx("listen 127.0.0.1:{port} proxy_protocol; location / { return 200 ok; }");

const GUNICORN: Server = Server::Reading(
    "app.py",
    "import time\ndef app(environ, start_response):\n    time.sleep(9)\n",
    ("gunicorn", "gunicorn"),
    &[
        "--chdir",
        "{folder}",
        "--bind",
        "127.0.0.1:{port}",
        "--timeout",
        "1",
        "--log-level",
        "error",
        "app:app",
    ],
);
const NGINX_HANGS_UP: Server = Server::Nginx("listen 127.0.0.1:{port}; location / { return 444; }");

pub(super) fn table() -> Vec<Scenario> {
    [answers(), closed(), taken_for_http(), proxies(), connections(), streams(), requests()]
        .into_iter()
        .flatten()
        .collect()
}

/// Ports of other protocols behind a cluster of HTTP.
fn taken_for_http() -> Vec<Scenario> {
    let to =
        |name, about, server| Scenario::new(name, about, http(backend())).server("backend", server).curl(ASK);
    let broken = |scenario: Scenario| {
        scenario.gets(502).logs(Log::Http, BROKEN_ANSWER).names(Cause::UpstreamProtocolError, Likely)
    };
    let early = |scenario: Scenario| {
        scenario.gets(503).logs(Log::Http, CLOSED_EARLY).names(Cause::UpstreamClosedConnection, Likely)
    };
    vec![
        broken(to("answer/mariadb_taken_for_http", "MariaDB greets, and greets no HTTP", MARIADB)),
        broken(to("answer/http2_taken_for_http1", "HTTP/1.1 to nginx that speaks HTTP/2 alone", PLAIN_HTTP2)),
        early(to(
            "answer/redis_taken_for_http",
            "Redis hangs up on whoever sends a Host",
            Server::Program("redis-server", "redis-server", &["--port", "{port}", "--save", ""]),
        )),
        early(to("answer/java_expects_tls", "Java's HTTPS server says nothing to plaintext", JAVA_HTTPS)),
    ]
}

const JAVA_HTTPS: Server = Server::Reading(
    "Main.java",
    r#"
import com.sun.net.httpserver.*;
import java.net.InetSocketAddress;
import javax.net.ssl.SSLContext;
public class Main {
    public static void main(String[] arguments) throws Exception {
        var server = HttpsServer.create(new InetSocketAddress("127.0.0.1", {port}), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(SSLContext.getDefault()));
        server.start();
    }
}"#,
    ("java", "default-jdk-headless"),
    &["{folder}/Main.java"],
);

/// Other proxies, behind this one and in front of it.
fn proxies() -> Vec<Scenario> {
    vec![
        Scenario::new("answer/haproxy_without_servers", "HAProxy has nobody to ask, and says so", http(backend()))
            .server(
                "backend",
                haproxy("frontend f\n bind 127.0.0.1:{port}\n default_backend b\nbackend b\n"),
            )
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "-"), ("details", "via_upstream")])
            .names(Cause::ApplicationError, Likely),
        Scenario::new(
            "client_bytes/haproxy_sends_proxy_protocol",
            "HAProxy with send-proxy-v2 to a port that takes none",
            http(backend()),
        )
        .server("backend", PLAIN)
        .front(haproxy(
            "frontend f\n bind 127.0.0.1:{port}\n default_backend b\n\
             backend b\n server s 127.0.0.1:{listener:http} send-proxy-v2\n",
        ))
        .curl(&["http://127.0.0.1:{front}/"])
        .logs(Log::Http, &[("code", "400"), ("flags", "DPE"), ("details", "http1.codec_error")])
        .names(Cause::ProxyProtocolUnexpected, Certain)
        .because(&["first_bytes=proxy_protocol_v2"]),
        Scenario::new("limits/nginx_gives_up", "nginx in front waits for a second", http(backend()))
            .server("backend", Server::Made(Habit::NeverAnswer))
            .front(Server::Nginx(
                "listen 127.0.0.1:{port}; location / { proxy_read_timeout 1s; proxy_pass http://127.0.0.1:{listener:http}; \
                 proxy_http_version 1.1; }",
            ))
            .curl(&["http://127.0.0.1:{front}/"])
            .gets(504)
            .logs(Log::Http, &[("code", "0"), ("flags", "DC")])
            .names(Cause::ClientDisconnected, Certain),
    ]
}

fn haproxy(more: &str) -> Server {
    let config =
        format!("defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 1s\n{more}");
    Server::Reading(
        "haproxy.cfg",
        config.leak(),
        ("haproxy", "haproxy"),
        &["-db", "-f", "{folder}/haproxy.cfg"],
    )
}

/// What HTTP connections are and aren't used for.
fn connections() -> Vec<Scenario> {
    let aged =
        json!({"drain_timeout": "0.2s", "common_http_protocol_options": {"max_connection_duration": "0.5s"}});
    let to_refused = json!({
        "match": {"connect_matcher": {}},
        "route": {"cluster": "backend", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]},
    });
    vec![
        Scenario::new(
            "healthy/connection_grows_old",
            "a connection reaches its greatest age in the middle of a request",
            Proxy::new([Listener::http("http", all_to("backend")).filter(aged)], [backend()]),
        )
        .server("backend", Server::Program("python3", "python3", &["-c", LATE, "{port}"]))
        .curl(ASK)
        .gets(200),
        Scenario::new(
            "healthy/one_request_a_connection",
            "HTTP/2 with a connection for each request",
            http(with(with(backend(), http2()), json!({"max_requests_per_connection": 1}))),
        )
        .server("backend", PLAIN_HTTP2)
        .client(Client::CurlAtOnce(6, ASK))
        .gets(200)
        .times(6),
        Scenario::new(
            "upstream_tls/no_common_group",
            "a server whose only group this proxy doesn't know",
            http(with(backend(), originate_tls(json!({})))),
        )
        .server("backend", Server::Openssl(&["-www", "-curves", "X448"]))
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "UF")])
        .names(Cause::UpstreamTlsFailed, Certain),
        Scenario::new("reaching/connect_refused", "CONNECT to a target that nobody listens on", {
            let upgrades = json!({"upgrade_configs": [{"upgrade_type": "CONNECT"}]});
            Proxy::new([Listener::http("http", all_by(to_refused)).filter(upgrades)], [backend()])
        })
        .server("backend", Server::Nobody)
        .client(Client::Raw("http", b"CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example:80\r\n\r\n"))
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "UF")])
        .names(Cause::UpstreamRefused, Certain),
        Scenario::new("answer/timeout_of_the_caller", "a caller within sets its own time-out", {
            let within = json!({
                "use_remote_address": true,
                "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]},
            });
            Proxy::new([Listener::http("http", all_to("backend")).filter(within)], [backend()])
        })
        .server("backend", Server::Made(Habit::NeverAnswer))
        .curl(&["-H", "x-envoy-upstream-rq-timeout-ms: 200", "http://127.0.0.1:{listener:http}/"])
        .gets(504)
        .logs(Log::Http, &[("code", "504"), ("flags", "UT"), ("details", "response_timeout")])
        .names(Cause::UpstreamTimeout, Certain),
    ]
}

/// Answers after a second and a half.
const LATE: &str = "
import socket, sys, time
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    stream, _ = listener.accept()
    if stream.recv(4096):
        time.sleep(1.5)
        stream.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')
    stream.close()
";

fn answered(name: &'static str, about: &'static str, answer: &'static [u8]) -> Scenario {
    Scenario::new(name, about, http(backend()))
        .server("backend", Server::Made(Habit::Answer(answer)))
        .curl(ASK)
}

/// What Envoy doesn't take as an answer.
fn answers() -> Vec<Scenario> {
    let headers = |count: usize| {
        let lines: String = (0..count).map(|n| format!("X-{n}: 1\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok").leak().as_bytes()
    };
    let broken = |scenario: Scenario| {
        scenario.gets(502).logs(Log::Http, BROKEN_ANSWER).names(Cause::UpstreamProtocolError, Likely)
    };
    vec![
        broken(answered("answer/header_name_with_space", "a header whose name is no token", {
            b"HTTP/1.1 200 OK\r\nBad Header: x\r\nContent-Length: 2\r\n\r\nok"
        })),
        broken(answered("answer/chunked_twice", "Transfer-Encoding twice, by a framework and its server", {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        })),
        broken(answered("answer/too_many_headers", "more than 100 headers", headers(150))),
        answered("answer/many_headers", "healthy: fewer than 100 headers", headers(90)).gets(200),
        broken(
            Scenario::new("answer/websocket_chunked", "a websocket that is taken with Transfer-Encoding", websockets(json!({})))
                .server("backend", Server::Made(Habit::Answer(
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n",
                )))
                .client(Client::Raw("http", WEBSOCKET)),
        ),
    ]
}

/// Servers that close: what they expected, and what befell them.
fn closed() -> Vec<Scenario> {
    let early = |scenario: Scenario| {
        scenario.gets(503).logs(Log::Http, CLOSED_EARLY).names(Cause::UpstreamClosedConnection, Likely)
    };
    let plain = |name, about, server| {
        early(Scenario::new(name, about, http(backend())).server("backend", server).curl(ASK))
    };
    vec![
        plain("upstream_tls/node_expects_tls", "Node with TLS says nothing to plaintext", NODE_HTTPS),
        Scenario::new(
            "upstream_tls/node_gets_tls",
            "healthy: Node with TLS",
            http(with(backend(), originate_tls(json!({})))),
        )
        .server("backend", NODE_HTTPS)
        .curl(ASK)
        .gets(200),
        plain("answer/proxy_protocol_expected", "nginx waits for a PROXY header", NGINX_BEHIND_HAPROXY),
        early(Scenario::new(
            "answer/gunicorn_kills_a_worker",
            "gunicorn ends a worker that works for too long",
            http(backend()),
        ))
        .server("backend", GUNICORN)
        .curl(ASK)
        .because(&["lived="]),
        plain("answer/nginx_hangs_up", "nginx returns 444", NGINX_HANGS_UP),
        early(
            Scenario::new("answer/node_crashes", "Node crashes as it works on a request", http(backend()))
                .server("backend", NODE_CRASHES)
                .curl(&["http://127.0.0.1:{listener:http}/", "http://127.0.0.1:{listener:http}/crash"]),
        ),
        early(Scenario::new(
            "answer/refuses_upload",
            "a server refuses an upload unread, with a reset",
            http(backend()),
        ))
        .server("backend", Server::Made(Habit::InTurn(&[Habit::ResetAfterRequest])))
        .client(Client::Custom(upload)),
    ]
}

fn websockets(more: Value) -> Proxy {
    let upgrades = json!({"upgrade_configs": [{"upgrade_type": "websocket"}]});
    Proxy::new([Listener::http("http", all_to("backend")).filter(with(upgrades, more))], [backend()])
}

/// Timers that end what is meant to last.
fn streams() -> Vec<Scenario> {
    const EVENTS: Habit = Habit::AnswerOnce(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: x\n\r\n",
    );
    let timed = |seconds: &str| all_by(with(route("/", "backend"), json!({"route": {"timeout": seconds}})));
    let idle = json!({"stream_idle_timeout": "0.5s"});
    let socket = |name, about, proxy, habit| {
        Scenario::new(name, about, proxy)
            .server("backend", Server::Made(habit))
            .client(Client::Custom(websocket))
    };
    vec![
        socket(
            "limits/idle_websocket",
            "a websocket without a message for too long",
            websockets(idle.clone()),
            Habit::AnswerOnce(SWITCHES),
        )
        .gets(101)
        .logs(Log::Http, &[("code", "101"), ("flags", "SI"), ("details", "stream_idle_timeout")])
        .names(Cause::IdleTimeout, Certain),
        socket(
            "answer/websocket_unanswered",
            "a websocket that nobody answers",
            {
                let upgrades = json!({"upgrade_configs": [{"upgrade_type": "websocket"}]});
                Proxy::new([Listener::http("http", timed("0.5s")).filter(upgrades)], [backend()])
            },
            Habit::NeverAnswer,
        )
        .gets(504)
        .logs(Log::Http, &[("code", "504"), ("flags", "UT")])
        .names(Cause::UpstreamTimeout, Certain),
        Scenario::new("answer/events_timed_out", "the route's timeout ends an event stream", {
            Proxy::new([Listener::http("http", timed("0.5s"))], [backend()])
        })
        .server("backend", Server::Made(EVENTS))
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "UT"), ("details", "response_timeout")])
        .names(Cause::UpstreamTimeout, Certain),
        Scenario::new("limits/reader_stalls", "a client that reads no further for too long", {
            Proxy::new([Listener::http("http", all_to("backend")).filter(idle)], [backend()])
        })
        .server("backend", Server::Program("python3", "python3", &["-c", ENDLESS, "{port}"]))
        .client(Client::Custom(stall))
        .logs(Log::Http, &[("code", "200"), ("flags", "SI"), ("details", "stream_idle_timeout")])
        .names(Cause::IdleTimeout, Certain),
    ]
}

/// Answers with zeros for as long as somebody takes them.
const ENDLESS: &str = "
import socket, sys, threading
def serve(stream):
    stream.recv(4096)
    stream.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 1000000000\\r\\n\\r\\n')
    while True:
        stream.sendall(bytes(65536))
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
";

/// What this proxy is configured to refuse.
fn requests() -> Vec<Scenario> {
    let strict =
        |more: Value| Proxy::new([Listener::http("http", all_to("backend")).filter(more)], [backend()]);
    let underscores =
        json!({"common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"}});
    let slashes = json!({"normalize_path": true, "path_with_escaped_slashes_action": "REJECT_REQUEST"});
    let authz = json!({
        "http_service": {"server_uri": {"uri": "http://policy", "cluster": "policy", "timeout": "1s"}},
        "with_request_body": {"max_request_bytes": 8},
    });
    let asked = |name, about, proxy| Scenario::new(name, about, proxy).server("backend", PLAIN);
    let checked = || {
        let kind = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz";
        let listener =
            Listener::http("http", all_to("backend")).http_filter("ext_authz", kind, authz.clone());
        Proxy::new([listener], [backend(), cluster("policy", "policy")])
    };
    let with_body = |name, about, body: &'static [&'static str]| {
        asked(name, about, checked()).server("policy", Server::Made(Habit::Answer(OK))).curl(body)
    };
    vec![
        asked(
            "client_bytes/underscore_refused",
            "a header with an underscore, which Envoy Gateway refuses",
            strict(underscores),
        )
        .curl(&["-H", "x_user: 1", "http://127.0.0.1:{listener:http}/"])
        .gets(400)
        .logs(Log::Http, &[("code", "400"), ("flags", "DPE"), ("details", "http1.unexpected_underscore")])
        .names(Cause::InvalidHttpRequest, Certain),
        asked("client_bytes/escaped_slash_refused", "%2F in a path", strict(slashes))
            .curl(&["http://127.0.0.1:{listener:http}/a%2Fb"])
            .gets(400)
            .logs(Log::Http, &[("code", "400"), ("details", "path_normalization_failed")])
            .names(Cause::InvalidHttpRequest, Certain),
        asked("client_bytes/bad_chunk_uploaded", "an upload with a chunk that is none", http(backend()))
            .client(Client::Raw(
                "http",
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\nabc\r\n",
            ))
            .gets(400)
            .logs(Log::Http, &[("code", "400"), ("flags", "DPE"), ("details", "http1.codec_error")])
            .names(Cause::InvalidHttpRequest, Certain),
        with_body(
            "client_bytes/body_too_large_to_check",
            "external authorization reads less than this body",
            &["-d", "0123456789", "http://127.0.0.1:{listener:http}/"],
        )
        .gets(413)
        .logs(Log::Http, &[("code", "413"), ("details", "request_payload_too_large")])
        .names(Cause::RequestTooLarge, Certain),
        with_body(
            "client_bytes/body_checked",
            "healthy: it reads this one",
            &["-d", "0123", "http://127.0.0.1:{listener:http}/"],
        )
        .gets(200),
    ]
}

fn websocket(places: &Places) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(8)))?;
    stream.write_all(WEBSOCKET)?;
    let mut everything = Vec::new();
    let _ = stream.read_to_end(&mut everything);
    let text = String::from_utf8_lossy(&everything).into_owned();
    Ok(Seen { status: crate::harness::client::status_in(&text), exit: 0, text })
}

fn stall(places: &Places) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    std::thread::sleep(Duration::from_secs(3));
    Ok(Seen::default())
}

fn upload(places: &Places) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(8)))?;
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n")?;
    let _ = stream.write_all(&vec![b'x'; 1_000_000]);
    let mut answer = [0; 1024];
    let size = stream.read(&mut answer)?;
    let text = String::from_utf8_lossy(&answer[..size]).into_owned();
    Ok(Seen { status: crate::harness::client::status_in(&text), exit: 0, text })
}
