//! A websocket client (the `tungstenite` crate's).

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tungstenite::{Message, client};

use super::seen::Seen;
use crate::harness::peers::websocket::Closes;

/// Sends a message through this port, waits for its echo, and sees the closing through.
pub fn ask(port: u16, closes: Closes) -> Result<Seen> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let (mut socket, response) = client(format!("ws://127.0.0.1:{port}/"), stream)
        .map_err(|e| anyhow::anyhow!("no websocket: {e}"))?;
    socket.send(Message::text("hello"))?;
    let text = socket.read()?.into_text().context("no text")?.to_string();
    let seen = Seen { status: Some(response.status().as_u16()), exit: 0, text };
    match closes {
        Closes::ClientAbruptly => return Ok(seen),
        Closes::Client => socket.close(None)?,
        Closes::Server => {}
    }
    while socket.read().is_ok() {}
    Ok(seen)
}
