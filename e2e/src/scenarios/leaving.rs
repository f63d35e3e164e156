//! Clients that leave: before an answer, in its middle, or at the only end that a stream has.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::{Value, json};

use crate::harness::client::http2::Ask;
use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, all_to, http2, route, with};
use crate::harness::peers::{Habit, Http2, Server};
use crate::scenarios::changes;
use crate::scenarios::common::{ASK, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

const LEAVE: &[&str] = &["-m", "0.5", "http://127.0.0.1:{listener:http}/"];
const CANCEL: &[&str] = &["--http2-prior-knowledge", "-m", "0.5", "http://127.0.0.1:{listener:http}/"];

/// Answers once, and keeps the connection.
fn answering(name: &'static str, about: &'static str, answer: &'static [u8]) -> Scenario {
    Scenario::new(name, about, http(backend()))
        .server("backend", Server::Made(Habit::AnswerOnce(answer)))
        .says("timed out")
}

fn over_http2(name: &'static str, about: &'static str, server: Http2, ask: Ask) -> Scenario {
    Scenario::new(name, about, http(with(backend(), http2())))
        .server("backend", Server::Http2(server))
        .client(Client::Http2("http", ask))
}

const CLOSED: &[(&str, &str)] =
    &[("code", "200"), ("flags", "DC"), ("details", "downstream_remote_disconnect")];
const RESET: &[(&str, &str)] = &[("code", "200"), ("flags", "DR"), ("details", "http2.remote_reset")];

pub(super) fn table() -> Vec<Scenario> {
    [waiting(), midway(), streams(), retried(), closed_by_the_proxy()].into_iter().flatten().collect()
}

/// Before the first byte of an answer.
fn waiting() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "limits/client_gives_up",
            "the client waits half a second, the upstream is slower",
            http(backend()),
        )
        .server("backend", Server::Made(Habit::NeverAnswer))
        .curl(LEAVE)
        .gets_nothing("timed out")
        .logs(Log::Http, &[("code", "0"), ("flags", "DC"), ("details", "downstream_remote_disconnect")])
        .names(Cause::ClientDisconnected, Certain)
        .because(&["lived=", "endpoint="]),
        over_http2(
            "limits/client_cancels",
            "an HTTP/2 client takes its request back",
            Http2::NeverAnswers,
            Ask::Reset(h2::Reason::CANCEL),
        )
        .logs(Log::Http, &[("code", "0"), ("flags", "DR"), ("details", "http2.remote_reset")])
        .names(Cause::ClientDisconnected, Certain),
        over_http2(
            "limits/client_refuses",
            "an HTTP/2 client resets with REFUSED_STREAM",
            Http2::NeverAnswers,
            Ask::Reset(h2::Reason::REFUSED_STREAM),
        )
        .logs(Log::Http, &[("code", "0"), ("flags", "DR"), ("details", "http2.remote_refuse")])
        .names(Cause::ClientDisconnected, Certain),
    ]
}

/// In the middle of an answer that has an end.
fn midway() -> Vec<Scenario> {
    const HALF: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    const VIDEO: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    const POLL: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let short = |name, about, ask, log| {
        answering(name, about, HALF)
            .curl(ask)
            .logs(Log::Http, log)
            .names(Cause::ClientDisconnected, Likely)
            .because(&["promised=100; passed=4"])
    };
    let unpromised = |name, about, answer, ask, log| {
        answering(name, about, answer)
            .curl(ask)
            .logs(Log::Http, log)
            .names(Cause::ClientDisconnected, Possible)
    };
    vec![
        short("limits/client_leaves_midway", "a client leaves in the middle of an answer", LEAVE, CLOSED),
        short("limits/client_cancels_midway", "the same over HTTP/2", CANCEL, CLOSED),
        unpromised("limits/client_leaves_chunks", "an answer without a length", CHUNKED, LEAVE, CLOSED),
        unpromised("limits/client_cancels_chunks", "the same over HTTP/2", CHUNKED, CANCEL, CLOSED),
        unpromised("limits/client_stops_video", "a film without a length is stopped", VIDEO, LEAVE, CLOSED),
        unpromised(
            "limits/client_leaves_poll",
            "a long poll of which only headers came",
            POLL,
            LEAVE,
            CLOSED,
        ),
        over_http2(
            "limits/client_cancels_silent_grpc",
            "a gRPC stream on which no message has come",
            Http2::GrpcSilent,
            Ask::Watch,
        )
        .gets(200)
        .says("messages: 0")
        .logs(Log::Http, RESET)
        .names(Cause::ClientDisconnected, Possible),
    ]
}

/// Streams that only the client ends.
fn streams() -> Vec<Scenario> {
    const EVENTS: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\n";
    const QUIET: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
    let events =
        |name, about, answer, ask, log| answering(name, about, answer).curl(ask).logs(Log::Http, log);
    vec![
        events("healthy/events_left", "a reader closes an event stream", EVENTS, LEAVE, CLOSED),
        events("healthy/events_cancelled", "the same over HTTP/2", EVENTS, CANCEL, CLOSED),
        events("healthy/no_events_yet", "an event stream without any event so far", QUIET, LEAVE, CLOSED),
        over_http2(
            "healthy/grpc_watch_cancelled",
            "a gRPC watch ends when the client cancels it",
            Http2::GrpcEchoes,
            Ask::Watch,
        )
        .gets(200)
        .says("messages: 1")
        .logs(Log::Http, RESET),
        over_http2(
            "healthy/grpc_watch_left",
            "a gRPC watch ends with its client's connection",
            Http2::GrpcEchoes,
            Ask::WatchAndLeave,
        )
        .gets(200)
        .says("messages: 1")
        .logs(Log::Http, CLOSED),
    ]
}

/// Answers of the application that are no errors, and were asked for again all the same.
fn retried() -> Vec<Scenario> {
    // Istio's default.
    const ON: &str =
        "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes,resource-exhausted";
    let retrying = |cluster: Value| {
        let policy = json!({"route": {"retry_policy": {
            "retry_on": ON, "num_retries": 2, "retriable_status_codes": [404, 503],
        }}});
        let listener = Listener::http("http", all_by(with(route("/", "backend"), policy)));
        Proxy::new([listener], [cluster])
    };
    let grpc = |name, about, server, status: &'static str| {
        Scenario::new(name, about, retrying(with(backend(), http2())))
            .server("backend", Server::Http2(server))
            .client(Client::Http2("http", Ask::Grpc))
            .gets(200)
            .says(status)
            .logs(Log::Http, &[("code", "200"), ("flags", "URX"), ("details", "via_upstream")])
    };
    let http = |name, about, block| {
        Scenario::new(name, about, retrying(backend())).server("backend", Server::Nginx(block)).curl(ASK)
    };
    vec![
        grpc(
            "healthy/cancelled_by_the_application",
            "gRPC CANCELLED under Istio's default retry_on",
            Http2::GrpcRefuses("1"),
            "grpc-status: 1",
        ),
        grpc(
            "healthy/resource_exhausted",
            "gRPC RESOURCE_EXHAUSTED, retried",
            Http2::GrpcRefuses("8"),
            "grpc-status: 8",
        ),
        grpc(
            "answer/unavailable_after_retries",
            "gRPC UNAVAILABLE, retried",
            Http2::GrpcRefuses("14"),
            "grpc-status: 14",
        )
        .names(Cause::ApplicationError, Likely)
        .because(&["grpc_status=14", "attempts=3"]),
        http("healthy/not_found_after_retries", "a 404 that the route retries", {
            "listen 127.0.0.1:{port}; location / { return 404; }"
        })
        .gets(404)
        .logs(Log::Http, &[("code", "404"), ("flags", "URX"), ("details", "via_upstream")]),
        http("answer/503_after_retries", "a 503 that the route retries", {
            "listen 127.0.0.1:{port}; location / { return 503; }"
        })
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "URX"), ("details", "via_upstream")])
        .names(Cause::ApplicationError, Certain),
    ]
}

/// Connections that this proxy ends.
fn closed_by_the_proxy() -> Vec<Scenario> {
    let pinging = json!({"http2_protocol_options": {
        "connection_keepalive": {"interval": "0.2s", "timeout": "0.2s"},
    }});
    let silent = || Server::Made(Habit::NeverAnswer);
    vec![
        Scenario::new(
            "limits/filter_chain_replaced",
            "a filter chain is replaced while a request is under way",
            http(backend()),
        )
        .discovered()
        .server("backend", silent())
        .client(Client::Custom(replace_chain))
        .says("closed")
        .logs(
            Log::Http,
            &[
                ("code", "0"),
                ("flags", "DC"),
                ("details", "downstream_local_disconnect(filter_chain_is_being_removed)"),
            ],
        )
        .names(Cause::ProxyClosedConnection, Certain),
        Scenario::new(
            "limits/listener_removed",
            "a listener is removed while a request is under way",
            // Counters end with the last plugin.
            http(backend()).and(Listener::http("other", all_to("backend"))),
        )
        .discovered()
        .server("backend", silent())
        .client(Client::Custom(remove_listener))
        .says("closed")
        .logs(Log::Http, &[("code", "0"), ("flags", "DC"), ("details", "downstream_local_disconnect*")])
        .names(Cause::ProxyClosedConnection, Certain)
        .because(&["details=downstream_local_disconnect(purging_socket"]),
        Scenario::new("limits/ping_unanswered", "an HTTP/2 client that answers no PING", {
            Proxy::new([Listener::http("http", all_to("backend")).filter(pinging)], [backend()])
        })
        .server("backend", silent())
        .client(Client::Custom(ignore_pings))
        .says("closed")
        .logs(Log::Http, &[("code", "0"), ("details", "downstream_local_disconnect*")])
        .names(Cause::ProxyClosedConnection, Likely)
        .side(Side::Downstream),
    ]
}

/// Asks, has the listeners changed, and waits for the connection's end.
fn under_change(places: &Places, change: fn(&mut Vec<Value>)) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(8)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    std::thread::sleep(Duration::from_millis(200));
    changes::change(places, change)?;
    let end = stream.read(&mut [0; 16]);
    let text = if end.is_ok_and(|size| size == 0) { "closed" } else { "open" };
    Ok(Seen { status: None, exit: 0, text: text.to_owned() })
}

fn replace_chain(places: &Places) -> Result<Seen> {
    under_change(places, |listeners| changes::replace_chain(listeners))
}

fn remove_listener(places: &Places) -> Result<Seen> {
    under_change(places, changes::remove_listener)
}

fn ignore_pings(places: &Places) -> Result<Seen> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    // HEADERS: GET, http, /, with the literal authority "a".
    const ASK: &[u8] = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a";
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(8)))?;
    stream.write_all(&[PREFACE, ASK].concat())?;
    let mut everything = Vec::new();
    let end = stream.read_to_end(&mut everything);
    let text = if end.is_ok() { "closed" } else { "open" };
    Ok(Seen { status: None, exit: 0, text: text.to_owned() })
}
