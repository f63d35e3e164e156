//! What a client sends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;

use super::{MARK, Where};

impl Where<'_> {
    /// This case's secret.
    pub(super) fn secret(&self) -> String {
        format!("{MARK}-{}", self.name)
    }

    /// A request with the secret wherever a client may put one, and these headers more (each with
    /// its end of line).
    pub(super) fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let secret = self.secret();
        let length =
            if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let host = if headers.to_ascii_lowercase().contains("host:") {
            String::new()
        } else {
            format!("host: {secret}.example\r\n")
        };
        format!(
            "{method} {path}?token={secret} HTTP/1.1\r\n{host}user-agent: {secret}\r\ncookie: session={secret}\r\n\
             referer: http://{secret}/?{secret}\r\nx-request-id: {secret}\r\nx-secret: {secret}\r\n\
             {headers}{length}connection: close\r\n\r\n{body}"
        )
    }

    /// Sends it; what came back.
    pub(super) fn exchange(&self, bytes: impl AsRef<[u8]>) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        // Only requests are sure to be answered.
        let is_request = bytes.as_ref().windows(19).any(|part| part == b"connection: close\r\n");
        stream.set_read_timeout(Some(Duration::from_millis(if is_request { 5_000 } else { 500 })))?;
        let mut answer = Vec::new();
        // The proxy may hang up in the middle.
        if stream.write_all(bytes.as_ref()).is_ok() {
            let _ = stream.take(1 << 16).read_to_end(&mut answer);
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        super::seen::check_answer(&answer)?;
        Ok(answer)
    }
}

/// A plain GET.
pub(super) fn get(at: &Where<'_>) -> Result<()> {
    at.exchange(at.request("GET", &format!("/{}", at.secret()), "", "")).map(drop)
}

/// With a token that is none.
pub(super) fn bearer(at: &Where<'_>) -> Result<()> {
    let header = format!("authorization: Bearer {}\r\n", at.secret());
    at.exchange(at.request("GET", "/", &header, "")).map(drop)
}

/// With a body.
pub(super) fn post(at: &Where<'_>) -> Result<()> {
    let body = format!("{{\"{0}\": \"{0}\"", at.secret());
    let header = "content-type: application/json\r\n";
    at.exchange(at.request("POST", "/", header, &body)).map(drop)
}

/// Twice, for limits that let one pass.
pub(super) fn twice(at: &Where<'_>) -> Result<()> {
    get(at)?;
    get(at)
}
