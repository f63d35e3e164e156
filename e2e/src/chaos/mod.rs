//! Garbage at every kind of listener of one real Envoy: the VM lives on, and healthy requests are served.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::client::{Places, status_in};
use crate::envoy::Envoy;
use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::parts::{all_to, cluster};
use crate::peers::{Habit, Running, Server};
use crate::pki::Pki;
use crate::sinks::client_hello;
use crate::tools;

/// Every kind: plaintext HTTP, HTTP behind a TLS inspector, terminated TLS, a server name that must fit, TCP.
const LISTENERS: &[&str] = &["http", "inspected", "tls", "sni", "tcp"];

const HEALTHY: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";

/// What gets mutated.
const BEGINNINGS: &[&[u8]] = &[
    HEALTHY,
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x04\x01\x05\0\0\0\x01\x82\x84\x86\x41",
    b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0",
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"*1\r\n$4\r\nPING\r\n",
    b"\x15\x03\x01\0\x02\x02\x46",
];

/// A proxy with all roles, and what it takes to ask it.
struct Stage {
    envoy: Envoy,
    random: Random,
    _servers: Vec<Running>,
    _folder: tempfile::TempDir,
}

/// Plays all of it: so many connections of garbage, and ClientHellos, floods and half-open connections besides.
pub fn play(connections: u64, seed: u64) -> Result<()> {
    let mut stage = Stage::set_up(seed)?;
    let before = stage.envoy.vms()?;
    stage.is_healthy()?;
    stage.cut_hellos().context("ClientHellos cut short")?;
    stage.header_floods().context("header floods")?;
    let held = stage.half_open().context("half-open connections")?;
    for number in 0..connections {
        let (listener, bytes) = stage.garbage();
        stage.send(listener, &bytes, Duration::from_millis(2))?;
        if number % 1_000 == 999 {
            stage.is_healthy().with_context(|| format!("seed {seed}, after {number} connections"))?;
        }
    }
    drop(held);
    stage.is_healthy()?;
    let after = stage.envoy.vms()?;
    ensure!(before == after, "the VM was made anew: {before:?}, and then {after:?}");
    stage.envoy.check_health()
}

impl Stage {
    fn set_up(seed: u64) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("meshwhy-chaos-").tempdir()?;
        Pki::create(folder.path())?;
        let mut places = Places { values: vec![("{pki}".into(), folder.path().display().to_string())] };
        let mut servers = Vec::new();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        for (name, habit) in [("web", Habit::AnswerAndKeep(answer)), ("echo", Habit::Echo)] {
            let own = folder.path().join(name);
            std::fs::create_dir(&own)?;
            let running = Server::Made(habit).start(&own, folder.path())?;
            places.values.push((format!("{{server:{name}}}"), running.port.to_string()));
            servers.push(running);
        }
        let bootstrap = proxy().bootstrap(&tools::module()?.display().to_string()).to_string();
        let envoy = Envoy::start(&serde_json::from_str(&places.fill(&bootstrap))?)?;
        Ok(Self { envoy, random: Random(seed), _servers: servers, _folder: folder })
    }

    /// Sends, waits that long for an answer, and leaves. That the proxy hangs up is its right.
    fn send(&self, listener: &str, bytes: &[u8], patience: Duration) -> Result<Vec<u8>> {
        let mut stream = self.connect(listener)?;
        stream.set_read_timeout(Some(patience))?;
        let mut answer = vec![0; 4096];
        let _ = stream.write_all(bytes);
        let size = stream.read(&mut answer).unwrap_or(0);
        answer.truncate(size);
        Ok(answer)
    }

    fn connect(&self, listener: &str) -> Result<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.envoy.port(listener)?))
            .with_context(|| format!("{listener} takes no connection any more"))
    }

    /// Healthy requests are served, on HTTP and over TCP.
    fn is_healthy(&mut self) -> Result<()> {
        for listener in ["http", "inspected", "tcp"] {
            let answer = self.send(listener, HEALTHY, Duration::from_secs(10))?;
            let text = String::from_utf8_lossy(&answer);
            let served = if listener == "tcp" { answer == HEALTHY } else { status_in(&text) == Some(200) };
            ensure!(served, "{listener} answers a healthy request with {text:?}");
        }
        self.envoy.check_health()
    }

    fn cut_hellos(&self) -> Result<()> {
        let hello = client_hello(b"a.example.com", b"h2");
        for listener in LISTENERS {
            for end in 0..=hello.len() {
                self.send(listener, &hello[..end], Duration::from_millis(1))?;
            }
        }
        Ok(())
    }

    fn header_floods(&self) -> Result<()> {
        let many: String = (0..5_000).map(|n| format!("x-{n}: {n}\r\n")).collect();
        let one = format!("x-long: {}\r\n", "y".repeat(200_000));
        let endless = "x".repeat(500_000);
        for listener in LISTENERS {
            for headers in [many.as_str(), &one, &endless] {
                let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
                self.send(listener, request.as_bytes(), Duration::from_millis(100))?;
            }
        }
        Ok(())
    }

    /// Connections that begin something and stay.
    fn half_open(&self) -> Result<Vec<TcpStream>> {
        let mut held = Vec::new();
        for listener in LISTENERS {
            for begun in
                [&b""[..], b"GET / HT", b"\x16\x03\x01\x02\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x04"]
            {
                for _ in 0..8 {
                    let mut stream = self.connect(listener)?;
                    stream.write_all(begun)?;
                    held.push(stream);
                }
            }
        }
        Ok(held)
    }

    fn garbage(&mut self) -> (&'static str, Vec<u8>) {
        let random = &mut self.random;
        let listener = LISTENERS[random.below(LISTENERS.len())];
        let mut bytes = match random.below(4) {
            0 => (0..random.below(600)).map(|_| random.byte()).collect(),
            1 => client_hello(b"a.example.com", b"http/1.1"),
            _ => BEGINNINGS[random.below(BEGINNINGS.len())].to_vec(),
        };
        for _ in 0..random.below(8) {
            let at = random.below(bytes.len() + 1);
            match random.below(3) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.byte()),
                _ => bytes.extend_from_within(..at),
            }
        }
        (listener, bytes)
    }
}

fn proxy() -> Proxy {
    let role = |role: &str| {
        Some(
            json!({"role": role, "log": "limited", "observe_every": 1, "response_header": "x-meshwhy-cause"}),
        )
    };
    Proxy::new(
        [
            Listener::http("http", all_to("web")),
            Listener::http("inspected", all_to("web")).tls_inspector(),
            Listener::http("tls", all_to("web")).tls("server"),
            Listener::http("sni", all_to("web"))
                .tls("server")
                .tls_inspector()
                .chain(json!({"filter_chain_match": {"server_names": ["known.example"]}})),
            Listener::tcp("tcp", "echo"),
        ],
        [cluster("web", "web"), cluster("echo", "echo")],
    )
    // A VM that traps would take traffic along: nothing may go unseen.
    .roles(Roles {
        http: role("http"),
        connection: role("connection"),
        access_log: role("access_log"),
        runtime_failure_policy: crate::envoy::config::FailurePolicy::Closed,
    })
}

/// The same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 24) as u8
    }
}
