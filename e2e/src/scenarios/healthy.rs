//! Traffic that works: no cause, no counter, nothing in the log.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};
use h2::Reason;
use serde_json::{Value, json};

use crate::client::{Client, Places, Seen, status_in};
use crate::client_http2::Ask;
use crate::envoy::config::{FailurePolicy, Listener, Proxy, Roles};
use crate::envoy::parts::{all_to, cluster, direct, http2, originate_tls, route, trusting, vhost, with};
use crate::peers::websocket::Closes;
use crate::peers::{Habit, Http2, Server};
use crate::scenario::{Log, Scenario};

const ASK: &[&str] = &["http://127.0.0.1:{listener:http}/"];
const PLAIN: Server = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }");
const FINE: &[(&str, &str)] = &[("code", "200"), ("flags", "-"), ("details", "via_upstream")];

fn http() -> Proxy {
    Proxy::new([Listener::http("http", all_to("backend"))], [cluster("backend", "backend")])
}

fn tcp() -> Proxy {
    Proxy::new([Listener::tcp("tcp", "backend")], [cluster("backend", "backend")])
}

pub(super) fn table() -> Vec<Scenario> {
    [versions(), statuses(), bodies(), streams(), connections(), configurations()]
        .into_iter()
        .flatten()
        .collect()
}

fn versions() -> Vec<Scenario> {
    let http2_server = Server::Nginx("listen 127.0.0.1:{port} http2; location / { return 200 ok; }");
    vec![
        Scenario::new("healthy/http1", "HTTP/1.1", http())
            .server("backend", PLAIN)
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, FINE),
        Scenario::new("healthy/http2_over_tls", "HTTP/2 over TLS", {
            Proxy::new(
                [Listener::http("http", all_to("backend")).tls("server")],
                [cluster("backend", "backend")],
            )
        })
        .server("backend", PLAIN)
        .curl(&["-k", "--http2", "https://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Http, &[("protocol", "HTTP/2"), ("flags", "-")]),
        Scenario::new("healthy/http2_prior_knowledge", "HTTP/2 in plaintext, on both sides", {
            Proxy::new(
                [Listener::http("http", all_to("backend"))],
                [with(cluster("backend", "backend"), http2())],
            )
        })
        .server("backend", http2_server)
        .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Http, &[("protocol", "HTTP/2"), ("upstream_protocol", "HTTP/2"), ("flags", "-")]),
        Scenario::new("healthy/grpc", "a gRPC call that succeeds", {
            Proxy::new(
                [Listener::http("http", all_to("backend"))],
                [with(cluster("backend", "backend"), http2())],
            )
        })
        .server("backend", Server::Http2(Http2::Grpc("0")))
        .client(Client::Http2("http", Ask::Grpc))
        .says("grpc-status: 0")
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("details", "via_upstream")]),
    ]
}

fn statuses() -> Vec<Scenario> {
    let answers = |name, code, block| {
        Scenario::new(name, "the application's own status", http())
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
        Scenario::new("healthy/head", "HEAD has no body", http())
            .server("backend", PLAIN)
            .curl(&["-I", "http://127.0.0.1:{listener:http}/"])
            .gets(200)
            .logs(Log::Http, FINE),
        Scenario::new("healthy/routes_redirect", "a redirect by the route", {
            let redirect = json!({"match": {"prefix": "/"}, "redirect": {"path_redirect": "/there"}});
            Proxy::new([Listener::http("http", json!([vhost("all", &["*"], vec![redirect])]))], [])
        })
        .curl(ASK)
        .gets(301)
        .logs(Log::Http, &[("code", "301"), ("details", "direct_response")]),
        Scenario::new("healthy/direct_response", "an answer by the route", {
            Proxy::new(
                [Listener::http("http", json!([vhost("all", &["*"], vec![direct("/", 200, "ok")])]))],
                [],
            )
        })
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("details", "direct_response")]),
    ]
}

fn bodies() -> Vec<Scenario> {
    let made = |name, about, answer| {
        Scenario::new(name, about, http())
            .server("backend", Server::Made(Habit::Answer(answer)))
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, FINE)
    };
    vec![
        made("healthy/chunked", "a chunked body", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        made("healthy/close_delimited", "a body that ends with the connection", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"),
        Scenario::new("healthy/large_download", "ten megabytes", http())
            .server("backend", Server::Program("sh", "dash", &[
                "-c", "head -c 10000000 /dev/zero > big; exec python3 -m http.server --bind 127.0.0.1 {port}",
            ]))
            .curl(&["http://127.0.0.1:{listener:http}/big"])
            .gets(200)
            .logs(Log::Http, FINE),
        Scenario::new("healthy/continue", "an upload that asks first", http())
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; client_max_body_size 10m; location / { proxy_pass http://127.0.0.1:{port}/echo; } location /echo { return 200 ok; }"))
            .client(Client::Program("sh", "dash", &[
                "-c", "head -c 2000000 /dev/zero | curl -sS -o /dev/null -w 'HTTP/1.1 %{http_code}' -H 'Expect: 100-continue' -T - http://127.0.0.1:{listener:http}/",
            ], ""))
            .gets(200)
            .logs(Log::Http, FINE),
        Scenario::new("healthy/keep_alive", "many requests on few connections", http())
            .server("backend", PLAIN)
            .client(Client::Program("h2load", "nghttp2-client", &["--h1", "-n", "200", "-c", "4", "-t", "1", "http://127.0.0.1:{listener:http}/"], ""))
            .says("200 2xx")
            .logs(Log::Http, FINE),
        Scenario::new("healthy/pipelined", "two requests in one go", http())
            .server("backend", PLAIN)
            .client(Client::Raw("http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"))
            .gets(200)
            .logs(Log::Http, FINE),
    ]
}

fn streams() -> Vec<Scenario> {
    let websocket = |name, about, closes, flags| {
        Scenario::new(name, about, http())
            .server("backend", Server::WebSocket(closes))
            .client(Client::WebSocket("http", closes))
            .gets(101)
            .says("hello")
            .logs(Log::Http, &[("code", "101"), ("flags", flags)])
    };
    let fault = json!({"delay": {"fixed_delay": "0.1s", "percentage": {"numerator": 100}}});
    vec![
        websocket("healthy/websocket_closed_by_the_server", "Envoy flags its end UC", Closes::Server, "UC"),
        websocket("healthy/websocket_closed_by_the_client", "a closing handshake that the client begins", Closes::Client, "UC"),
        websocket("healthy/websocket_left_by_the_client", "no closing handshake, as when a laptop is closed", Closes::ClientAbruptly, "DC"),
        tunnel("healthy/tunnel_ended_by_the_client", "a tunnel by CONNECT ends when the client closes it")
            .server("backend", Server::Made(Habit::Echo))
            .client(Client::Custom(through_a_tunnel))
            .logs(Log::Http, &[("code", "200"), ("flags", "DC"), ("details", "downstream_remote_disconnect")]),
        tunnel("healthy/tunnel_ended_by_the_server", "the same when the server closes it")
            .server("backend", Server::Made(Habit::Answer(b"hello")))
            .client(Client::Custom(through_a_tunnel))
            .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("details", "via_upstream")]),
        tunnel("healthy/tunnel_reset_by_the_client", "over HTTP/2, with RST_STREAM")
            .server("backend", Server::Made(Habit::Echo))
            .client(Client::Http2("http", Ask::Tunnel(Reason::CANCEL)))
            .logs(Log::Http, &[("code", "200"), ("flags", "DR"), ("details", "http2.remote_reset")]),
        Scenario::new("healthy/injected_delay", "a delay by the fault filter is flagged DI", {
            let listener = Listener::http("http", all_to("backend")).http_filter("fault", "envoy.extensions.filters.http.fault.v3.HTTPFault", fault);
            Proxy::new([listener], [cluster("backend", "backend")])
        })
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "DI")]),
        Scenario::new("healthy/retry_that_helped", "the second try succeeds", {
            let retries = json!({"route": {"retry_policy": {"retry_on": "connect-failure", "num_retries": 3}}});
            let mut both = cluster("backend", "backend");
            let dead = json!({"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": "{server:nobody}"}}}});
            if let Some(endpoints) = both["load_assignment"]["endpoints"][0]["lb_endpoints"].as_array_mut() {
                endpoints.insert(0, dead);
            }
            let routes = json!([vhost("all", &["*"], vec![with(route("/", "backend"), retries)])]);
            Proxy::new([Listener::http("http", routes)], [both])
        })
        .server("backend", PLAIN)
        .server("nobody", Server::Nobody)
        .client(Client::CurlTimes(4, ASK))
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

fn connections() -> Vec<Scenario> {
    vec![
        Scenario::new("healthy/tls_origination", "the proxy originates TLS", {
            Proxy::new([Listener::http("http", all_to("backend"))], [with(cluster("backend", "backend"), originate_tls(trusting("ca")))])
        })
        .server("backend", Server::Nginx("listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }"))
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, FINE),
        Scenario::new("healthy/mutual_tls_of_the_client", "the client shows its certificate", {
            let wanted = json!({"require_client_certificate": true, "common_tls_context": {"validation_context": {"trusted_ca": {"filename": "{pki}/ca.pem"}}}});
            Proxy::new([Listener::http("http", all_to("backend")).tls_with("server", wanted)], [cluster("backend", "backend")])
        })
        .server("backend", PLAIN)
        .curl(&["-k", "--cert", "{pki}/client.pem", "--key", "{pki}/client.key", "https://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Http, FINE),
        Scenario::new("healthy/tls_passed_by_sni", "TLS passed through by its server name", {
            let chain = json!({"filter_chain_match": {"server_names": ["httpbin.org"]}});
            Proxy::new([Listener::tcp("tcp", "backend").chain(chain).tls_inspector()], [cluster("backend", "backend")])
        })
        .server("backend", Server::Nginx("listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }"))
        .curl(&["-k", "--connect-to", "httpbin.org:443:127.0.0.1:{listener:tcp}", "https://httpbin.org/"])
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-"), ("sni", "httpbin.org")]),
        Scenario::new("healthy/redis_over_tcp", "redis through a TCP proxy", tcp())
            .server("backend", Server::Program("redis-server", "redis-server", &["--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--dir", "{folder}"]))
            .client(Client::Program("redis-cli", "redis-tools", &["-p", "{listener:tcp}", "PING"], ""))
            .says("PONG")
            .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("healthy/server_speaks_first", "a protocol in which the server greets", tcp())
            .server("backend", Server::Made(Habit::GreetFirst(b"220 mail.example ESMTP ready\r\n")))
            .client(Client::Raw("tcp", b"QUIT\r\n"))
            .says("220 mail")
            .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("healthy/tcp_client_says_nothing", "a client that connects and leaves, as health checks do", tcp())
            .server("backend", PLAIN)
            .client(Client::Raw("tcp", b""))
            .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("healthy/tcp_reset_by_the_client", "a load balancer's health check ends with a reset", tcp())
            .server("backend", Server::Made(Habit::Echo))
            .client(Client::Custom(reset_at_once))
            .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("healthy/http_client_says_nothing", "the same on an HTTP port", http())
            .server("backend", PLAIN)
            .client(Client::Raw("http", b""))
            .logs(Log::Listener, &[("flags", "-")]),
        Scenario::new("healthy/idle_connection_reset", "an idle keep-alive connection is reset by the client", http())
            .server("backend", PLAIN)
            .client(Client::Custom(reset_after_an_answer))
            .gets(200)
            .logs(Log::Http, FINE),
    ]
}

/// CONNECT to whatever the backend is.
fn tunnel(name: &'static str, about: &'static str) -> Scenario {
    let route = json!({
        "match": {"connect_matcher": {}},
        "route": {"cluster": "backend", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]},
    });
    let listener = Listener::http("http", json!([vhost("all", &["*"], vec![route])])).filter(json!({
        "upgrade_configs": [{"upgrade_type": "CONNECT"}],
        "http2_protocol_options": {"allow_connect": true},
    }));
    Scenario::new(name, about, Proxy::new([listener], [cluster("backend", "backend")]))
        .gets(200)
        .says("hello")
}

/// Opens a tunnel, says a word in it, hears it, and closes.
fn through_a_tunnel(places: &Places) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n")?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"hello") {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the tunnel ended");
        answer.extend_from_slice(&buffer[..read]);
        if answer.ends_with(b"\r\n\r\n") {
            stream.write_all(b"hello")?;
        }
    }
    // A server that closes first does it now.
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let _ = stream.read(&mut buffer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    Ok(Seen { status: status_in(&text), exit: 0, text })
}

/// Connects, says a word, hears it, and resets.
pub fn reset_at_once(places: &Places) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("tcp")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"ping")?;
    let mut echo = [0; 4];
    stream.read_exact(&mut echo)?;
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    Ok(Seen::default())
}

/// Asks, reads the whole answer, and resets the connection.
fn reset_after_an_answer(places: &Places) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer)?;
    let text = String::from_utf8_lossy(&answer[..read]).into_owned();
    ensure!(text.ends_with("ok"), "the answer came in parts: {text}");
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    Ok(Seen { status: status_in(&text), exit: 0, text })
}

/// Mistakes in the configuration: one clear line for each VM (Envoy's first one, the main thread's and the worker's), and traffic
/// flows, even where Envoy was told to fail closed.
fn configurations() -> Vec<Scenario> {
    let closed = |http: Option<Value>, connection: Option<Value>, access_log: Option<Value>| Roles {
        http,
        connection,
        access_log,
        runtime_failure_policy: FailurePolicy::Closed,
    };
    let works = |name, about, roles, says, times| {
        Scenario::new(name, about, http().roles(roles))
            .server("backend", PLAIN)
            .client(Client::CurlTimes(3, ASK))
            .gets(200)
            .logs(Log::Http, FINE)
            .envoy_says(says, times)
    };
    let wrong = |name, config: Value, says| {
        works(name, "a configuration that is refused", closed(Some(config.clone()), None, None), says, 3)
    };
    vec![
        wrong(
            "healthy/config_unknown_key",
            json!({"rolle": "http"}),
            "unknown key `rolle`: expected one of role, log",
        ),
        wrong(
            "healthy/config_wrong_type",
            json!({"log_per_minute": "many"}),
            "`log_per_minute`: expected a whole number from 0 to",
        ),
        wrong(
            "healthy/config_out_of_range",
            json!({"max_series": 0}),
            "`max_series`: expected a whole number from 1 to",
        ),
        wrong(
            "healthy/config_wrong_log",
            json!({"log": "loud"}),
            "`log`: expected \"off\", \"limited\" or \"all\"",
        ),
        wrong(
            "healthy/config_wrong_rate",
            json!({"observe_every": -1}),
            "`observe_every`: expected a whole number from 0 to",
        ),
        wrong(
            "healthy/config_wrong_flag",
            json!({"resource_label": "yes"}),
            "`resource_label`: expected true or false",
        ),
        wrong(
            "healthy/config_wrong_header",
            json!({"response_header": "X Cause"}),
            "`response_header`: expected a header name of lower-case letters, digits and -",
        ),
        wrong("healthy/config_no_json", json!("{role: http"), "not valid JSON"),
        wrong(
            "healthy/config_wrong_role",
            json!({"role": "tcp"}),
            "`role`: expected \"http\", \"connection\" or \"access_log\"",
        ),
        works(
            "healthy/config_empty",
            "no configuration at all",
            closed(Some(json!("")), None, None),
            "meshwhy:",
            0,
        ),
        works(
            "healthy/http_role_as_network_filter",
            "a role that is plugged in at the wrong place",
            closed(None, Some(json!({"role": "http"})), None),
            "`role`: expected \"connection\" for a network filter",
            1,
        ),
        works(
            "healthy/connection_role_as_http_filter",
            "a role that is plugged in at the wrong place",
            closed(Some(json!({"role": "connection"})), None, None),
            "`role`: expected \"http\" for an HTTP filter",
            1,
        ),
        works(
            "healthy/http_role_as_access_logger",
            "a role that is plugged in at the wrong place; nothing failed, so it was not even asked",
            closed(None, None, Some(json!({"role": "http"}))),
            "`role`: expected \"access_log\"",
            1,
        ),
        works(
            "healthy/access_log_role_as_http_filter",
            "a role that is plugged in at the wrong place",
            closed(Some(json!({"role": "access_log"})), None, None),
            "`role`: expected \"http\" or \"connection\" for a filter",
            1,
        ),
        works(
            "healthy/access_log_role_as_network_filter",
            "a role that is plugged in at the wrong place",
            closed(None, Some(json!({"role": "access_log"})), None),
            "`role`: expected \"http\" or \"connection\" for a filter",
            1,
        ),
        works(
            "healthy/connection_role_as_access_logger",
            "a role that is plugged in at the wrong place",
            closed(None, None, Some(json!({"role": "connection"}))),
            "`role`: expected \"access_log\"",
            1,
        ),
        works(
            "healthy/looks_at_every_request",
            "observe_every 1",
            closed(Some(json!({"observe_every": 1})), None, None),
            "meshwhy:",
            0,
        ),
    ]
}
