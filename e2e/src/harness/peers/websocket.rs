//! A websocket server (the `tungstenite` crate's).

use std::net::TcpStream;

use anyhow::Result;
use tungstenite::accept;

use super::misbehaving::Misbehaving;

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
