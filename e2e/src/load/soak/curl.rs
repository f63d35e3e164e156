//! Calls in batches, by curl: one process, its connections kept, each call checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::calls::Call;
use super::tally::Tally;
use crate::harness::client::Places;
use crate::harness::tools::program;

/// How calls travel to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP/1.1, connections kept.
    Http1,
    /// HTTP/1.1, a connection for each call.
    Http1Closing,
    /// HTTP/1.0, which the proxy refuses.
    Http10,
    /// HTTP/2 in plaintext, a connection for each call, all at once.
    Http2,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS, many streams at once.
    TlsHttp2,
    /// HTTP/2 over mutual TLS.
    MutualTls,
    /// In a CONNECT tunnel.
    Tunnel,
    /// TLS that the proxy passes by its server name.
    Passthrough,
    /// TLS to a port for plaintext.
    TlsToPlaintext,
    /// Plaintext to a port for TLS.
    PlaintextToTls,
    /// TLS without the certificate that is asked for.
    NoCertificate,
}

impl Transport {
    const fn listener(self) -> &'static str {
        match self {
            Self::Http1 | Self::Http1Closing | Self::Http10 | Self::Http2 | Self::TlsToPlaintext => "http",
            Self::Tls | Self::TlsHttp2 | Self::PlaintextToTls => "tls",
            Self::MutualTls | Self::NoCertificate => "mutual",
            Self::Tunnel => "connect",
            Self::Passthrough => "passthrough",
        }
    }

    const fn is_tls(self) -> bool {
        matches!(
            self,
            Self::Tls
                | Self::TlsHttp2
                | Self::MutualTls
                | Self::Passthrough
                | Self::TlsToPlaintext
                | Self::NoCertificate
        )
    }

    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Http1 | Self::TlsToPlaintext | Self::PlaintextToTls => &["http1.1"],
            Self::Http1Closing => &["http1.1", "header = \"Connection: close\""],
            Self::Http10 => &["http1.0"],
            Self::Http2 => &["http2-prior-knowledge"],
            Self::Tls | Self::NoCertificate | Self::Passthrough => &["http1.1", "insecure"],
            Self::TlsHttp2 => &["http2", "insecure"],
            Self::MutualTls => {
                &["http2", "insecure", "cert = \"{pki}/client.pem\"", "key = \"{pki}/client.key\""]
            }
            Self::Tunnel => &["http1.1", "proxytunnel", "proxy = \"http://127.0.0.1:{listener:connect}\""],
        }
    }

    /// Whether it can carry the call.
    pub const fn carries(self, call: &Call) -> bool {
        !(call.http1 && matches!(self, Self::Http2 | Self::TlsHttp2 | Self::MutualTls))
    }

    /// How one process plays several calls; one after the other if nothing is said.
    const fn at_once(self) -> &'static [&'static str] {
        match self {
            Self::TlsHttp2 => &["-Z", "--parallel-max", "20"],
            // curl 7.88 can't use a connection twice with prior knowledge.
            Self::Http2 => &["-Z", "--parallel-immediate", "--parallel-max", "200"],
            _ => &[],
        }
    }

    /// How many streams the proxy logs for each call.
    const fn streams(self) -> u64 {
        match self {
            Self::Passthrough | Self::PlaintextToTls | Self::NoCertificate | Self::Tunnel => 0,
            _ => 1,
        }
    }
}

/// Plays the calls and checks each.
pub fn play(places: &Places, transport: Transport, calls: &[Call]) -> Result<Tally> {
    let mut config = String::new();
    for (number, call) in calls.iter().enumerate() {
        write_call(&mut config, number, call, transport, places)?;
    }
    let mut command = Command::new(program("curl", "curl")?);
    command.args(["-q", "-K", "-"]).args(transport.at_once());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("curl")?;
    child.stdin.take().context("curl's input")?.write_all(config.as_bytes())?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let got: BTreeMap<usize, u16> = said
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(number, status)| Some((number.parse().ok()?, status.parse().ok()?)))
        .collect();
    // With -Z there is a meter, too.
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: Vec<&str> = errors.lines().filter(|line| line.contains("curl: (")).take(3).collect();
    let mut tally = Tally::default();
    for (number, call) in calls.iter().enumerate() {
        tally.add(transport.streams(), call.named);
        let status = got.get(&number).copied();
        if status != Some(call.status) {
            tally.deviations.push(format!(
                "{}{} by {transport:?} got {status:?} instead of {}; curl: {}",
                call.host,
                call.path,
                call.status,
                errors.join("; ")
            ));
        }
    }
    if transport == Transport::Tunnel {
        // One tunnel carries them all.
        tally.streams += 1;
    }
    Ok(tally)
}

/// One transfer in curl's configuration.
fn write_call(
    out: &mut String,
    number: usize,
    call: &Call,
    transport: Transport,
    places: &Places,
) -> Result<()> {
    let scheme = if transport.is_tls() { "https" } else { "http" };
    let host = if transport == Transport::Passthrough { "httpbin.org" } else { call.host };
    let port = places.listener(transport.listener())?;
    if number > 0 {
        writeln!(out, "next")?;
    }
    writeln!(out, "url = \"{scheme}://{host}{}\"", call.path)?;
    writeln!(out, "write-out = \"{number} %{{http_code}}\\n\"")?;
    for line in ["silent", "show-error", "max-time = 60", "output = /dev/null", "path-as-is", "globoff"] {
        writeln!(out, "{line}")?;
    }
    if transport == Transport::Tunnel {
        // Through the proxy, which alone knows where that is.
        writeln!(out, "suppress-connect-headers")?;
    } else {
        writeln!(out, "noproxy = *\nconnect-to = \"::127.0.0.1:{port}\"")?;
    }
    if let Some(method) = call.method {
        writeln!(out, "request = {method}")?;
    }
    for option in transport.options().iter().chain(call.options) {
        writeln!(out, "{}", places.fill(option))?;
    }
    Ok(())
}
