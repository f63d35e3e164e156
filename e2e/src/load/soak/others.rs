//! What curl can't do: gRPC, websockets, TCP, pipelining, and clients that just leave.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use super::tally::Tally;
use crate::harness::client::http2::{self, Ask};
use crate::harness::client::{Places, Seen, leaving, websocket};
use crate::harness::peers::websocket::Closes;

const GET: &[u8] = b"GET /web/200 HTTP/1.1\r\nHost: soak.test\r\n\r\n";

/// How one of these goes.
pub type Act = fn(&Places) -> Result<Tally>;

/// All that work.
pub const HEALTHY: &[Act] = &[
    grpc,
    grpc_stream,
    websocket_closed_by_server,
    websocket_closed_by_client,
    websocket_left,
    grpc_watch,
    grpc_not_to_be_retried,
    events_left,
    tunnel_left_by_server,
    pipelined,
    not_ascii,
    idle_then_reset,
    says_nothing,
    tcp_echo,
    tcp_greeting,
    tcp_reset,
];

/// All that fail.
pub const FAILING: &[Act] =
    &[grpc_unavailable, leaves, leaves_chunks, leaves_video, unencoded, ssh, tcp_refused];

fn connect(places: &Places, listener: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", places.listener(listener)?))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

fn call(places: &Places, path: &'static str, ask: Ask, times: usize, status: &str) -> Result<u64> {
    let seen = http2::ask_at_once(places.listener("http")?, "soak.test", path, ask, times)?;
    for Seen { text, .. } in &seen {
        ensure!(text == &format!("grpc-status: {status}"), "{path}: {text}");
    }
    Ok(seen.len() as u64)
}

fn grpc(places: &Places) -> Result<Tally> {
    let mut calls = 0;
    for (path, status) in [("/package.Ok/M", "0"), ("/package.NotFound/M", "5"), ("/package.Invalid/M", "3")]
    {
        calls += call(places, path, Ask::Grpc, 12, status)?;
    }
    Ok(Tally::healthy(calls, calls))
}

fn grpc_stream(places: &Places) -> Result<Tally> {
    let calls = call(places, "/package.Echo/M", Ask::GrpcStream, 8, "0")?;
    Ok(Tally::healthy(calls, calls))
}

/// Watches that their clients cancel.
fn grpc_watch(places: &Places) -> Result<Tally> {
    let calls = http2::ask_at_once(places.listener("http")?, "soak.test", "/package.Echo/M", Ask::Watch, 8)?;
    for Seen { text, .. } in &calls {
        ensure!(text == "messages: 1", "a watch: {text}");
    }
    Ok(Tally::healthy(calls.len() as u64, calls.len() as u64))
}

/// The application's own words, which the route asks for again.
fn grpc_not_to_be_retried(places: &Places) -> Result<Tally> {
    let mut calls = call(places, "/package.Cancelled/M", Ask::Grpc, 4, "1")?;
    calls += call(places, "/package.Exhausted/M", Ask::Grpc, 4, "8")?;
    Ok(Tally::healthy(calls, calls))
}

/// Asks, reads until this has come, and leaves.
fn leave_after(places: &Places, path: &str, wanted: &str) -> Result<()> {
    let mut stream = connect(places, "http")?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: soak.test\r\n\r\n").as_bytes())?;
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    while !text.contains(wanted) {
        let size = stream.read(&mut buffer)?;
        ensure!(size > 0, "{path} ended after {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..size]));
    }
    Ok(())
}

fn events_left(places: &Places) -> Result<Tally> {
    leave_after(places, "/events-for-ever", "data: x")?;
    Ok(Tally::healthy(1, 1))
}

/// A long poll, or any answer of no stated length.
fn leaves_chunks(places: &Places) -> Result<Tally> {
    leave_after(places, "/chunks-for-ever", "half")?;
    Ok(Tally::failed(1, (Cause::ClientDisconnected, Possible, "")))
}

/// A film of a stated length.
fn leaves_video(places: &Places) -> Result<Tally> {
    leave_after(places, "/video", "half")?;
    Ok(Tally::failed(1, (Cause::ClientDisconnected, Likely, "")))
}

fn grpc_unavailable(places: &Places) -> Result<Tally> {
    let mut tally = Tally::default();
    for _ in 0..call(places, "/package.Unavailable/M", Ask::Grpc, 4, "14")? {
        tally.add(1, Some((Cause::ApplicationError, Likely, "")));
    }
    Ok(tally)
}

fn websocket(places: &Places, listener: &str, closes: Closes) -> Result<Tally> {
    let seen = websocket::ask(places.listener(listener)?, closes)?;
    ensure!(seen.text == "hello", "websocket: {}", seen.text);
    Ok(Tally::healthy(1, 1))
}

fn websocket_closed_by_server(places: &Places) -> Result<Tally> {
    websocket(places, "ws-server", Closes::Server)
}

fn websocket_closed_by_client(places: &Places) -> Result<Tally> {
    websocket(places, "ws-client", Closes::Client)
}

fn websocket_left(places: &Places) -> Result<Tally> {
    websocket(places, "ws-client", Closes::ClientAbruptly)
}

/// CONNECT to a server that hangs up first.
fn tunnel_left_by_server(places: &Places) -> Result<Tally> {
    let mut stream = connect(places, "connect")?;
    stream.write_all(b"CONNECT parting.test:80 HTTP/1.1\r\nHost: parting.test:80\r\n\r\n")?;
    stream.write_all(b"bye")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let good = answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello");
    ensure!(good, "the tunnel says {answer:?}");
    Ok(Tally::healthy(1, 1))
}

/// Reads until `times` answers with this status have come.
fn answers(stream: &mut TcpStream, times: usize, status: &str) -> Result<()> {
    let (mut text, mut buffer) = (String::new(), [0; 16 * 1024]);
    while text.matches("\r\n\r\nok").count() < times {
        let size = stream.read(&mut buffer)?;
        ensure!(size > 0, "the connection ended after {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..size]));
    }
    let good = text.matches(&format!("HTTP/1.1 {status} ")).count();
    ensure!(good == times, "{good} of {times} answers are {status}: {text}");
    Ok(())
}

fn pipelined(places: &Places) -> Result<Tally> {
    const TIMES: usize = 15;
    let mut stream = connect(places, "http")?;
    stream.write_all(&GET.repeat(TIMES))?;
    answers(&mut stream, TIMES, "200")?;
    Ok(Tally::healthy(TIMES as u64, TIMES as u64))
}

/// A header's value that is not ASCII.
fn not_ascii(places: &Places) -> Result<Tally> {
    let mut stream = connect(places, "http")?;
    stream.write_all("GET /web/200 HTTP/1.1\r\nHost: soak.test\r\nx-name: Zo\u{eb}\r\n\r\n".as_bytes())?;
    answers(&mut stream, 1, "200")?;
    Ok(Tally::healthy(1, 1))
}

/// A path that is not ASCII, as it is: Envoy refuses that.
fn unencoded(places: &Places) -> Result<Tally> {
    let mut stream = connect(places, "http")?;
    stream.write_all("GET /web/caf\u{e9}/200 HTTP/1.1\r\nHost: soak.test\r\n\r\n".as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 400 "), "a path in UTF-8 is answered with {answer:?}");
    Ok(Tally::failed(1, (Cause::InvalidHttpRequest, Certain, "")))
}

/// An idle connection that is kept a while and then reset.
fn idle_then_reset(places: &Places) -> Result<Tally> {
    let mut stream = connect(places, "http")?;
    stream.write_all(GET)?;
    answers(&mut stream, 1, "200")?;
    std::thread::sleep(Duration::from_millis(20));
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    Ok(Tally::healthy(1, 1))
}

/// Health checks of load balancers, on every kind of listener.
fn says_nothing(places: &Places) -> Result<Tally> {
    for listener in ["http", "tcp", "greeting"] {
        drop(connect(places, listener)?);
    }
    Ok(Tally::healthy(3, 0))
}

fn tcp_echo(places: &Places) -> Result<Tally> {
    let mut stream = connect(places, "tcp")?;
    let mut echo = [0; 6];
    for _ in 0..10 {
        stream.write_all(b"*1\r\n$4")?;
        stream.read_exact(&mut echo)?;
    }
    Ok(Tally::healthy(1, 0))
}

fn tcp_greeting(places: &Places) -> Result<Tally> {
    let mut stream = connect(places, "greeting")?;
    let mut word = [0; 4];
    stream.read_exact(&mut word)?;
    ensure!(&word == b"220 ", "greeted with {word:?}");
    stream.write_all(b"QUIT\r\n")?;
    Ok(Tally::healthy(1, 0))
}

fn tcp_reset(places: &Places) -> Result<Tally> {
    leaving::reset_at_once(places)?;
    Ok(Tally::healthy(1, 0))
}

/// A client that doesn't wait for its answer.
fn leaves(places: &Places) -> Result<Tally> {
    let mut stream = connect(places, "http")?;
    stream.write_all(b"GET /silent HTTP/1.1\r\nHost: soak.test\r\n\r\n")?;
    std::thread::sleep(Duration::from_millis(30));
    Ok(Tally::failed(1, (Cause::ClientDisconnected, Certain, "")))
}

fn ssh(places: &Places) -> Result<Tally> {
    let mut stream = connect(places, "http")?;
    stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 400 "), "SSH is answered with {answer:?}");
    Ok(Tally::failed(1, (Cause::NotHttpOnHttpPort, Certain, "")))
}

fn tcp_refused(places: &Places) -> Result<Tally> {
    let mut stream = connect(places, "refused")?;
    let mut answer = Vec::new();
    if stream.read_to_end(&mut answer).context("an end")? > 0 {
        bail!("somebody answers at a port where nobody listens");
    }
    Ok(Tally::failed(0, (Cause::UpstreamRefused, Certain, "")))
}
