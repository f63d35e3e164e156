//! Clients: what a user would call, and what they see.

mod hello;
pub mod http2;
pub mod leaving;
pub mod places;
pub mod seen;
pub mod websocket;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::harness::peers::websocket::Closes;
use crate::harness::tools::{Needed, program};

pub use self::hello::client_hello;
use self::http2::Ask;
pub use self::places::Places;
pub use self::seen::{Seen, status_in};

/// Who asks. Texts may hold `{listener:NAME}`, `{server:NAME}`, `{admin}` and `{pki}`.
#[derive(Debug, Clone)]
pub enum Client {
    /// curl with these arguments; what it prints is the status code.
    Curl(&'static [&'static str]),
    /// The same several times, one after the other.
    CurlTimes(usize, &'static [&'static str]),
    /// The same several times at once.
    CurlAtOnce(usize, &'static [&'static str]),
    /// `openssl s_client` with these arguments and this input.
    OpensslClient(&'static [&'static str], &'static str),
    /// Any program: its name, its Debian package, its arguments, its input.
    Program(&'static str, &'static str, &'static [&'static str], &'static str),
    /// These bytes to a listener, then half a second for the answer, then the end.
    Raw(&'static str, &'static [u8]),
    /// A call by the HTTP/2 client to a listener.
    Http2(&'static str, Ask),
    /// A websocket through a listener.
    WebSocket(&'static str, Closes),
    /// What no program does: code of the scenario's own.
    Custom(fn(&Places) -> Result<Seen>),
}

impl Client {
    /// The program it needs.
    pub fn needs(&self) -> Option<Needed> {
        match self {
            Self::Curl(_) | Self::CurlTimes(..) | Self::CurlAtOnce(..) => Some(("curl", "curl")),
            Self::OpensslClient(..) => Some(("openssl", "openssl")),
            Self::Program(name, package, ..) => Some((name, package)),
            Self::Raw(..) | Self::Http2(..) | Self::WebSocket(..) | Self::Custom(_) => None,
        }
    }

    /// Does it and says what came of it.
    pub fn run(&self, places: &Places) -> Result<Seen> {
        match self {
            Self::Curl(arguments) => curl(places, arguments)?.finish(),
            Self::CurlTimes(times, arguments) => {
                let mut seen = Seen::default();
                for _ in 0..*times {
                    seen = curl(places, arguments)?.finish()?;
                }
                Ok(seen)
            }
            Self::CurlAtOnce(times, arguments) => {
                let running: Vec<_> = (0..*times).map(|_| curl(places, arguments)).collect::<Result<_>>()?;
                let all: Vec<Seen> = running.into_iter().map(Curl::finish).collect::<Result<_>>()?;
                // What matters is that some failed; the worst status shows it.
                all.into_iter().max_by_key(|seen| seen.status).context("no curl")
            }
            Self::OpensslClient(arguments, input) => {
                run(places, "openssl", "openssl", &[&["s_client"], *arguments].concat(), input)
            }
            Self::Program(name, package, arguments, input) => run(places, name, package, arguments, input),
            Self::Raw(listener, bytes) => raw(places.listener(listener)?, bytes),
            Self::Http2(listener, how) => http2::ask(places.listener(listener)?, *how),
            Self::WebSocket(listener, closes) => websocket::ask(places.listener(listener)?, *closes),
            Self::Custom(ask) => ask(places),
        }
    }
}

struct Curl(std::process::Child);

fn curl(places: &Places, arguments: &[&str]) -> Result<Curl> {
    let binary = program("curl", "curl")?;
    let child = Command::new(binary)
        .args(["-sS", "-m", "15", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}"])
        .args(arguments.iter().map(|a| places.fill(a)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(Curl(child))
}

impl Curl {
    fn finish(self) -> Result<Seen> {
        let output = self.0.wait_with_output()?;
        let status = String::from_utf8_lossy(&output.stdout);
        Ok(Seen {
            // With several URLs there are several codes: the last one counts.
            status: status
                .get(status.len().saturating_sub(3)..)
                .and_then(|s| s.parse().ok())
                .filter(|s| *s != 0),
            exit: output.status.code().unwrap_or(-1),
            text: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}

fn run(places: &Places, name: &str, package: &str, arguments: &[&str], input: &str) -> Result<Seen> {
    let binary = program(name, package)?;
    let mut child = Command::new("timeout")
        .arg("15")
        .arg(binary)
        .args(arguments.iter().map(|a| places.fill(a)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it has read everything is not this test's concern.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok(Seen { status: status_in(&text), exit: output.status.code().unwrap_or(-1), text })
}

fn raw(port: u16, bytes: &[u8]) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n) = stream.read(&mut buffer) {
        if n == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..n]);
    }
    let _ = stream.shutdown(Shutdown::Both);
    let text = String::from_utf8_lossy(&answer).into_owned();
    Ok(Seen { status: status_in(&text), exit: 0, text })
}
