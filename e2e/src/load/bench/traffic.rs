//! What is asked, and what the workers' CPU time was for it.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use super::variants::{MUTUAL, Variant};
use super::workers::cpu_of;
use crate::harness::tools;

/// A kind of traffic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) name: &'static str,
    /// Where.
    pub(super) listener: &'static str,
    pub(super) tls: bool,
    pub(super) http2: bool,
    /// One request on each connection.
    pub(super) reconnects: bool,
    /// Percent of requests that fail.
    pub(super) failing: usize,
    /// What fails, in turn.
    pub(super) failures: &'static [&'static str],
}

/// What fails where nothing else is said: no route, nobody listens, no endpoint, the application's own error.
const FAILURES: &[&str] = &["/nowhere", "/refused", "/empty", "/error"];

const PROXIED: Load = Load {
    name: "",
    listener: "proxied",
    tls: false,
    http2: false,
    reconnects: false,
    failing: 0,
    failures: FAILURES,
};

pub(super) const SUCCESS: Load = Load { name: "proxied HTTP/1.1, success", ..PROXIED };

pub(super) const LOADS: &[Load] = &[
    SUCCESS,
    Load { name: "direct response, success", listener: "direct", ..PROXIED },
    Load { name: "proxied HTTP/2, success", http2: true, ..PROXIED },
    Load { name: "proxied HTTP/1.1 over TLS, success", listener: "tls", tls: true, ..PROXIED },
    Load { name: "proxied HTTP/1.1 over mutual TLS, success", listener: MUTUAL, ..PROXIED },
    Load { name: "proxied HTTP/1.1, a connection for each request, success", reconnects: true, ..PROXIED },
    Load {
        name: "TCP, a connection for each request, success",
        listener: "tcp",
        reconnects: true,
        ..PROXIED
    },
    Load { name: "proxied HTTP/1.1, 1 % failures", failing: 1, ..PROXIED },
    Load { name: "proxied HTTP/1.1, 10 % failures", failing: 10, ..PROXIED },
    Load { name: "proxied HTTP/1.1, all failures", failing: 100, ..PROXIED },
];

const FAILING: Load = Load { failing: 100, ..PROXIED };

/// Each kind of failure alone. nginx closes the connection with a 500 of its own, but not with a 503.
pub(super) const KINDS: &[Load] = &[
    Load { name: "the application's 503", failures: &["/busy"], ..FAILING },
    Load { name: "nobody listens", failures: &["/refused"], ..FAILING },
    Load { name: "no endpoint", failures: &["/empty"], ..FAILING },
    Load { name: "no route", failures: &["/nowhere"], ..FAILING },
];

/// New connections at the same time; the server behind takes 256.
const AT_ONCE: usize = 50;

impl Load {
    /// Microseconds of the workers' CPU for a request.
    pub(super) fn play(&self, variant: &Variant, requests: usize) -> Result<f64> {
        let port = variant.port(self.listener)?;
        let scheme = if self.tls { "https" } else { "http" };
        let mut failures = self.failures.iter().cycle();
        let mut urls = String::new();
        for index in 0..400_usize {
            // Spread evenly: 10 of 100 is every tenth.
            let fails = index * self.failing / 100 != (index + 1) * self.failing / 100;
            let path = failures.next().filter(|_| fails).unwrap_or(&"/ok");
            let _ = writeln!(urls, "{scheme}://127.0.0.1:{port}{path}");
        }
        let play = |requests: usize| {
            let clients = if self.reconnects { requests } else { 4 };
            let mut arguments = vec!["-c".to_owned(), clients.to_string()];
            if !self.http2 {
                arguments.push("--h1".into());
            }
            h2load(&urls, requests, &arguments).map(drop)
        };
        if !self.reconnects {
            return cpu_of(&variant.envoy, requests, || play(requests));
        }
        let batches = requests.div_ceil(AT_ONCE);
        cpu_of(&variant.envoy, batches * AT_ONCE, || (0..batches).try_for_each(|_| play(AT_ONCE)))
    }
}

/// Plays these URLs in turn; what h2load printed.
pub(super) fn h2load(urls: &str, requests: usize, arguments: &[String]) -> Result<String> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), urls)?;
    let output = Command::new(tools::program("h2load", "nghttp2-client")?)
        .args(["-t", "1", "-n", &requests.to_string(), "-i"])
        .arg(file.path())
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let done = format!(" {requests} done");
    ensure!(text.contains(&done) && text.contains(" 0 errored"), "h2load did not finish: {text}");
    Ok(text)
}
