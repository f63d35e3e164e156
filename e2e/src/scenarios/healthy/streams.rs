//! Streams that last: websockets, tunnels, delays and retries.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};
use h2::Reason;
use serde_json::json;

use crate::harness::client::http2::Ask;
use crate::harness::client::{Client, Places, Seen, status_in};
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_by, all_to, and_endpoint, cluster, route, with};
use crate::harness::peers::websocket::Closes;
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, FINE, PLAIN, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    let websocket = |name, about, closes, flags| {
        Scenario::new(name, about, http(backend()))
            .server("backend", Server::WebSocket(closes))
            .client(Client::WebSocket("http", closes))
            .gets(101)
            .says("hello")
            .logs(Log::Http, &[("code", "101"), ("flags", flags)])
    };
    let fault = json!({"delay": {"fixed_delay": "0.1s", "percentage": {"numerator": 100}}});
    vec![
        websocket("healthy/websocket_closed_by_the_server", "Envoy flags its end UC", Closes::Server, "UC"),
        websocket(
            "healthy/websocket_closed_by_the_client",
            "a closing handshake that the client begins",
            Closes::Client,
            "UC",
        ),
        websocket(
            "healthy/websocket_left_by_the_client",
            "no closing handshake, as when a laptop is closed",
            Closes::ClientAbruptly,
            "DC",
        ),
        tunnel("healthy/tunnel_ended_by_the_client", "a tunnel by CONNECT ends when the client closes it")
            .server("backend", Server::Made(Habit::Echo))
            .client(Client::Custom(through_a_tunnel))
            .logs(
                Log::Http,
                &[("code", "200"), ("flags", "DC"), ("details", "downstream_remote_disconnect")],
            ),
        tunnel("healthy/tunnel_ended_by_the_server", "the same when the server closes it")
            .server("backend", Server::Made(Habit::Answer(b"hello")))
            .client(Client::Custom(through_a_tunnel))
            .logs(Log::Http, FINE),
        tunnel("healthy/tunnel_reset_by_the_client", "over HTTP/2, with RST_STREAM")
            .server("backend", Server::Made(Habit::Echo))
            .client(Client::Http2("http", Ask::Tunnel(Reason::CANCEL)))
            .logs(Log::Http, &[("code", "200"), ("flags", "DR"), ("details", "http2.remote_reset")]),
        Scenario::new("healthy/injected_delay", "a delay by the fault filter is flagged DI", {
            let listener = Listener::http("http", all_to("backend")).http_filter(
                "fault",
                "envoy.extensions.filters.http.fault.v3.HTTPFault",
                fault,
            );
            Proxy::new([listener], [backend()])
        })
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "DI")])
        // Seen on every one of them: `soft/delayed`.
        .with_roles(Roles::http_only()),
        Scenario::new("healthy/retry_that_helped", "the second try succeeds", {
            let retries =
                json!({"route": {"retry_policy": {"retry_on": "connect-failure", "num_retries": 3}}});
            let both = and_endpoint(cluster("backend", "nobody"), "backend");
            Proxy::new([Listener::http("http", all_by(with(route("/", "backend"), retries)))], [both])
        })
        .server("backend", PLAIN)
        .server("nobody", Server::Nobody)
        .client(Client::CurlTimes(4, ASK))
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")])
        .with_roles(Roles::http_only()),
    ]
}

/// CONNECT to whatever the backend is.
fn tunnel(name: &'static str, about: &'static str) -> Scenario {
    let route = json!({
        "match": {"connect_matcher": {}},
        "route": {"cluster": "backend", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]},
    });
    let listener = Listener::http("http", all_by(route)).filter(json!({
        "upgrade_configs": [{"upgrade_type": "CONNECT"}],
        "http2_protocol_options": {"allow_connect": true},
    }));
    Scenario::new(name, about, Proxy::new([listener], [backend()])).gets(200).says("hello")
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
