//! How TCP connections end: by this proxy, by either side, and what only looks alike.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};
use serde_json::{Value, json};

use crate::harness::client::{Client, Places, Seen, status_in};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{istio_config, originate_tls, trusting, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::changes;
use crate::scenarios::common::{PLAIN, backend, tcp};
use crate::scenarios::scenario::{Log, Scenario};

const REDIS: Server = Server::Program(
    "redis-server",
    "redis-server",
    &["--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--dir", "{folder}"],
);
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

fn idle(cluster: Value, seconds: &str) -> Proxy {
    Proxy::new([Listener::tcp("tcp", "backend").filter(json!({"idle_timeout": seconds}))], [cluster])
}

fn changing() -> Proxy {
    // Counters end with the last plugin.
    tcp(backend()).and(Listener::tcp("other", "backend"))
}

pub(super) fn table() -> Vec<Scenario> {
    let redis = |name, about, proxy, client| {
        Scenario::new(name, about, proxy)
            .server("backend", REDIS)
            .client(Client::Custom(client))
            .logs(Log::Tcp, &[("flags", "-")])
    };
    let here = &["closed_by=proxy; lived="];
    let closed_here = |scenario: Scenario| {
        let closed = scenario.says("closed").names(Cause::ProxyClosedConnection, Likely).because(here);
        closed.before(38, Scenario::names_nothing)
    };
    let with_rule = || with(backend(), istio_config("destination-rule", "default", "redis"));
    vec![
        redis(
            "limits/idle_session",
            "a session is idle for too long, under a DestinationRule",
            idle(with_rule(), "0.3s"),
            wait,
        )
        .says("closed")
        .names(Cause::IdleTimeout, Possible)
        .because(here)
        .blames("DestinationRule/default/redis")
        .before(38, Scenario::names_nothing),
        closed_here(redis(
            "limits/idle_session_without_rule",
            "the same without one: another reason is likelier",
            idle(backend(), "0.3s"),
            wait,
        )),
        closed_here(
            redis(
                "limits/chain_replaced_under_session",
                "a filter chain is replaced under a session",
                changing(),
                replaced,
            )
            .discovered(),
        ),
        closed_here(
            redis(
                "limits/listener_removed_under_session",
                "a listener is removed under a session",
                changing(),
                removed,
            )
            .discovered(),
        ),
        redis(
            "healthy/session_used_again",
            "a session is idle for long, and then used",
            idle(backend(), "0.6s"),
            use_again,
        )
        .says("+PONG"),
        redis(
            "healthy/session_quit",
            "the server ends the session that its client quits",
            idle(backend(), "0.6s"),
            quit,
        )
        .says("closed"),
        redis("healthy/session_client_closes", "the client ends the session", idle(backend(), "0.6s"), close),
        redis(
            "healthy/session_half_closed",
            "the client has said that it sends no more",
            idle(backend(), "0.6s"),
            half_close,
        )
        .says("closed"),
        redis(
            "healthy/session_of_http",
            "a keep-alive connection of HTTP is idle for too long",
            idle(backend(), "0.3s"),
            keep_alive,
        )
        .server("backend", PLAIN)
        .says("200 OK"),
        Scenario::new("healthy/half_close", "the client sends no more and reads the rest", tcp(backend()))
            .server("backend", Server::Made(Habit::Echo))
            .client(Client::Custom(half_close))
            .says("closed")
            .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new(
            "healthy/half_closed_and_idle",
            "the client sends no more, and the server says nothing for too long",
            idle(backend(), "0.3s"),
        )
        .server("backend", Server::Made(Habit::AnswerAndKeep(b"+PONG\r\n")))
        .client(Client::Custom(half_close))
        .says("closed")
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("healthy/server_ends_first", "the server ends and the client follows", tcp(backend()))
            .server("backend", Server::Made(Habit::Answer(b"+OK\r\n")))
            .client(Client::Custom(wait))
            .says("closed")
            .logs(Log::Tcp, &[("flags", "-")]),
        over_tls("healthy/tls_server_says_goodbye", "TLS ends properly", "s.unwrap()"),
        over_tls("healthy/tls_server_says_nothing", "TLS ends with the connection alone", "s.close()"),
        over_tls(
            "healthy/tls_server_dies",
            "the server's process ends in the middle of a session",
            "os._exit(0)",
        ),
    ]
}

/// A session over TLS that the proxy originates; the server answers once and ends it with this code.
fn over_tls(name: &'static str, about: &'static str, end: &'static str) -> Scenario {
    let code = format!(
        "import os, socket, ssl, time\n\
         context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
         context.load_cert_chain('{{pki}}/server.pem', '{{pki}}/server.key')\n\
         listener = socket.create_server(('127.0.0.1', {{port}}))\n\
         while True:\n\
         \x20 try:\n\
         \x20   s = context.wrap_socket(listener.accept()[0], server_side=True)\n\
         \x20   s.recv(100); s.sendall(b'+PONG\\r\\n'); time.sleep(.2); {end}\n\
         \x20 except OSError: pass\n"
    );
    let arguments = vec!["-c", code.leak()].leak();
    Scenario::new(name, about, tcp(with(backend(), originate_tls(trusting("ca")))))
        .server("backend", Server::Program("python3", "python3", arguments))
        .client(Client::Custom(wait))
        .logs(Log::Tcp, &[("flags", "-")])
}

/// A session that was used.
fn session(places: &Places) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("tcp")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(8)))?;
    ping(&mut stream)?;
    Ok(stream)
}

fn ping(stream: &mut TcpStream) -> Result<String> {
    stream.write_all(PING)?;
    let mut answer = [0; 64];
    let size = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..size]).into_owned())
}

/// What the end was.
fn end(mut stream: TcpStream) -> Seen {
    let mut rest = Vec::new();
    let text = match stream.read_to_end(&mut rest) {
        Ok(_) => "closed",
        Err(_) => "open or reset",
    };
    Seen { status: None, exit: 0, text: text.to_owned() }
}

fn wait(places: &Places) -> Result<Seen> {
    Ok(end(session(places)?))
}

fn use_again(places: &Places) -> Result<Seen> {
    let mut stream = session(places)?;
    sleep(Duration::from_millis(400));
    ping(&mut stream)?;
    sleep(Duration::from_millis(400));
    let text = ping(&mut stream)?;
    Ok(Seen { status: None, exit: 0, text })
}

fn quit(places: &Places) -> Result<Seen> {
    let mut stream = session(places)?;
    stream.write_all(b"*1\r\n$4\r\nQUIT\r\n")?;
    Ok(end(stream))
}

fn close(places: &Places) -> Result<Seen> {
    drop(session(places)?);
    Ok(Seen::default())
}

fn keep_alive(places: &Places) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("tcp")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(8)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let mut everything = Vec::new();
    stream.read_to_end(&mut everything)?;
    let text = String::from_utf8_lossy(&everything).into_owned();
    Ok(Seen { status: status_in(&text), exit: 0, text })
}

fn half_close(places: &Places) -> Result<Seen> {
    let stream = session(places)?;
    stream.shutdown(Shutdown::Write)?;
    Ok(end(stream))
}

fn replaced(places: &Places) -> Result<Seen> {
    under_change(places, |listeners| changes::replace_chain(listeners))
}

fn removed(places: &Places) -> Result<Seen> {
    under_change(places, changes::remove_listener)
}

/// Has the listeners changed under a session, and waits for its end.
fn under_change(places: &Places, change: fn(&mut Vec<Value>)) -> Result<Seen> {
    let stream = session(places)?;
    sleep(Duration::from_millis(200));
    changes::change(places, change)?;
    Ok(end(stream))
}
