//! What the proxy is attacked with.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{HEALTHY, Stage};
use crate::harness::client::client_hello;

/// Every kind: plaintext HTTP, HTTP behind a TLS inspector, terminated TLS, a server name that must fit, TCP.
const LISTENERS: &[&str] = &["http", "inspected", "tls", "sni", "tcp"];

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

impl Stage {
    pub(super) fn all_garbage(&mut self, connections: u64) -> Result<()> {
        for number in 0..connections {
            let (listener, bytes) = self.garbage();
            self.send(listener, &bytes, Duration::from_millis(2))?;
            if number % 1_000 == 999 {
                self.is_healthy().with_context(|| format!("after {number} connections"))?;
            }
        }
        Ok(())
    }

    pub(super) fn cut_hellos(&self) -> Result<()> {
        let hello = client_hello(b"a.example.com", b"h2");
        for listener in LISTENERS {
            for end in 0..=hello.len() {
                self.send(listener, &hello[..end], Duration::from_millis(1))?;
            }
        }
        Ok(())
    }

    pub(super) fn header_floods(&self) -> Result<()> {
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
    pub(super) fn half_open(&self) -> Result<Vec<TcpStream>> {
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
        let listener = LISTENERS[random.usize(..LISTENERS.len())];
        let mut bytes = match random.usize(..4) {
            0 => (0..random.usize(..600)).map(|_| random.u8(..)).collect(),
            1 => client_hello(b"a.example.com", b"http/1.1"),
            _ => BEGINNINGS[random.usize(..BEGINNINGS.len())].to_vec(),
        };
        for _ in 0..random.usize(..8) {
            let at = random.usize(..bytes.len() + 1);
            match random.usize(..3) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.u8(..)),
                _ => bytes.extend_from_within(..at),
            }
        }
        (listener, bytes)
    }
}
