//! Connections: TLS, other protocols over TCP, and clients that say nothing or reset.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::harness::client::{Client, Places, Seen, leaving, status_in};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, demanding_certificate, originate_tls, trusting, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{
    ASK, ASK_TLS_OVER_TCP, ASK_WITH_CERTIFICATE, FINE, PLAIN, TLS, backend, http, tcp,
};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    vec![
        Scenario::new("healthy/tls_origination", "the proxy originates TLS", {
            http(with(backend(), originate_tls(trusting("ca"))))
        })
        .server("backend", TLS)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, FINE),
        Scenario::new("healthy/mutual_tls_of_the_client", "the client shows its certificate", {
            let wanted = demanding_certificate("ca");
            Proxy::new([Listener::http("http", all_to("backend")).tls_with("server", wanted)], [backend()])
        })
        .server("backend", PLAIN)
        .curl(ASK_WITH_CERTIFICATE)
        .gets(200)
        .logs(Log::Http, FINE),
        Scenario::new("healthy/tls_passed_by_sni", "TLS passed through by its server name", {
            let chain = json!({"filter_chain_match": {"server_names": ["httpbin.org"]}});
            Proxy::new([Listener::tcp("tcp", "backend").chain(chain).tls_inspector()], [backend()])
        })
        .server("backend", TLS)
        .curl(ASK_TLS_OVER_TCP)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-"), ("sni", "httpbin.org")]),
        Scenario::new("healthy/redis_over_tcp", "redis through a TCP proxy", tcp(backend()))
            .server(
                "backend",
                Server::Program(
                    "redis-server",
                    "redis-server",
                    &["--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--dir", "{folder}"],
                ),
            )
            .client(Client::Program("redis-cli", "redis-tools", &["-p", "{listener:tcp}", "PING"], ""))
            .says("PONG")
            .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("healthy/server_speaks_first", "a protocol in which the server greets", tcp(backend()))
            .server("backend", Server::Made(Habit::GreetFirst(b"220 mail.example ESMTP ready\r\n")))
            .client(Client::Raw("tcp", b"QUIT\r\n"))
            .says("220 mail")
            .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new(
            "healthy/tcp_client_says_nothing",
            "a client that connects and leaves, as health checks do",
            tcp(backend()),
        )
        .server("backend", PLAIN)
        .client(Client::Raw("tcp", b""))
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new(
            "healthy/tcp_reset_by_the_client",
            "a load balancer's health check ends with a reset",
            tcp(backend()),
        )
        .server("backend", Server::Made(Habit::Echo))
        .client(Client::Custom(leaving::reset_at_once))
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("healthy/http_client_says_nothing", "the same on an HTTP port", http(backend()))
            .server("backend", PLAIN)
            .client(Client::Raw("http", b""))
            .logs(Log::Listener, &[("flags", "-")]),
        Scenario::new(
            "healthy/idle_connection_reset",
            "an idle keep-alive connection is reset by the client",
            http(backend()),
        )
        .server("backend", PLAIN)
        .client(Client::Custom(reset_after_an_answer))
        .gets(200)
        .logs(Log::Http, FINE),
    ]
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
