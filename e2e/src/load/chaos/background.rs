//! Healthy requests, and failures whose causes are known, while something else goes on.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use meshwhy::causes::Cause;

use crate::harness::client::status_in;
use crate::load::generator::{Generator, Record};

/// Healthy paths: plain, and over TLS of the proxy's own.
const HEALTHY: &[&str] = &["/ok", "/tls"];

/// Failing paths: what the client gets, and the cause.
const FAILING: &[(&str, u16, Cause)] = &[
    ("/nowhere", 404, Cause::RouteNoMatch),
    ("/refused", 503, Cause::UpstreamRefused),
    ("/dies", 200, Cause::UpstreamProtocolError),
    ("/missing", 503, Cause::ClusterMissing),
];

/// The causes of all that is sent to fail.
pub fn causes() -> Vec<&'static str> {
    FAILING.iter().map(|(.., cause)| cause.id()).collect()
}

/// One in this many requests fails.
const ONE_FAILS_IN: usize = 8;

/// How many ask, and how long each waits between two requests.
const CLIENTS: usize = 2;
const BETWEEN: Duration = Duration::from_millis(2);

/// Requests in the background.
#[derive(Debug)]
pub struct Load {
    phase: Arc<AtomicUsize>,
    generator: Generator<Requests>,
    names: Vec<&'static str>,
}

/// What became of them.
#[derive(Debug, Default)]
pub struct Requests {
    /// Times of healthy requests by phase.
    times: BTreeMap<usize, Vec<Duration>>,
    /// Failures sent, by cause.
    pub failures: BTreeMap<&'static str, u64>,
}

/// Healthy requests of one phase.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// What went on.
    pub name: &'static str,
    /// How many there were.
    pub requests: usize,
    /// Their median time.
    pub median: Duration,
    /// What 99 % of them stayed below.
    pub p99: Duration,
}

impl Load {
    /// Two clients at this port of the loopback, in the phase `quiet`.
    pub fn start(port: u16) -> Self {
        let phase = Arc::new(AtomicUsize::new(0));
        let now = Arc::clone(&phase);
        let generator = Generator::start(CLIENTS, move |turn, requests| {
            one(port, turn, &now, requests)?;
            std::thread::sleep(BETWEEN);
            Ok(ControlFlow::Continue(()))
        });
        Self { phase, generator, names: vec![QUIET] }
    }

    /// Another phase begins.
    pub fn enter(&mut self, name: &'static str) {
        let index = self.names.iter().position(|known| *known == name).unwrap_or(self.names.len());
        if index == self.names.len() {
            self.names.push(name);
        }
        self.phase.store(index, Ordering::SeqCst);
    }

    /// Ends it: the phases, the first of them the quiet one, and what was sent.
    pub fn finish(self) -> Result<(Vec<Pace>, Requests)> {
        let mut all = self.generator.finish()?;
        let paces = self.names.iter().enumerate().map(|(index, name)| {
            let times = all.times.entry(index).or_default();
            times.sort_unstable();
            let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
            Pace { name, requests: times.len(), median: at(50), p99: at(99) }
        });
        Ok((paces.collect(), all))
    }
}

impl Record for Requests {
    fn merge(&mut self, other: Self) {
        for (phase, times) in other.times {
            self.times.entry(phase).or_default().extend(times);
        }
        for (cause, count) in other.failures {
            *self.failures.entry(cause).or_default() += count;
        }
    }
}

/// The phase in which nothing else goes on.
pub const QUIET: &str = "quiet";

fn one(port: u16, turn: usize, phase: &AtomicUsize, requests: &mut Requests) -> Result<()> {
    if turn.is_multiple_of(ONE_FAILS_IN) {
        let (path, expected, cause) = FAILING[turn / ONE_FAILS_IN % FAILING.len()];
        let status = ask(port, path)?;
        ensure!(status == Some(expected), "{path} got {status:?}");
        *requests.failures.entry(cause.id()).or_default() += 1;
    } else {
        let path = HEALTHY[turn % HEALTHY.len()];
        let (during, begun) = (phase.load(Ordering::SeqCst), Instant::now());
        let status = ask(port, path)?;
        let took = begun.elapsed();
        ensure!(status == Some(200), "the healthy {path} got {status:?} after {took:?}, in phase {during}");
        if phase.load(Ordering::SeqCst) == during {
            requests.times.entry(during).or_default().push(took);
        }
    }
    Ok(())
}

/// One request on a connection of its own.
pub fn ask(port: u16, path: &str) -> Result<Option<u16>> {
    let mut stream =
        TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("connecting for {path}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
        .with_context(|| path.to_owned())?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Ok(status_in(&String::from_utf8_lossy(&answer)))
}
