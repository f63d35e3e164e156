//! Websockets: both ends by the `tungstenite` crate.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tungstenite::{Message, accept, client};

use super::misbehaving::Misbehaving;
use crate::harness::client::seen::Seen;

/// Who closes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closes {
    /// The server, once it has echoed a message.
    Server,
    /// The client, once it has its message back.
    Client,
    /// The client, by leaving without a closing handshake, as closed laptops do.
    ClientAbruptly,
}

pub(super) fn start(closes: Closes) -> Result<Misbehaving> {
    Misbehaving::serving(move |stream| {
        // A client that leaves is a scenario's own.
        let _ = echo(stream, closes);
    })
}

fn echo(stream: TcpStream, closes: Closes) -> Result<()> {
    let mut socket = accept(stream)?;
    let message = socket.read()?;
    socket.send(message)?;
    if closes == Closes::Server {
        socket.close(None)?;
    }
    // Until the closing handshake is through.
    while socket.read().is_ok() {}
    Ok(())
}

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
