//! Servers around the proxy: real ones, and hand-made ones for what no real server does.

mod http2;
mod misbehaving;
pub mod process;
mod real;
pub mod websocket;

use std::path::Path;

use anyhow::Result;

pub use http2::Http2;
pub use misbehaving::{Habit, Misbehaving};
use process::Process;

use crate::tools::Needed;

/// What serves behind the proxy.
#[derive(Debug, Clone)]
pub enum Server {
    /// nginx with the inside of a `server` block; `{port}` is where it listens, `{pki}` the certificates.
    Nginx(&'static str),
    /// Caddy with the inside of a site block, and the site's address before it.
    Caddy(&'static str, &'static str),
    /// Apache httpd with the inside of a `VirtualHost`.
    Apache(&'static str),
    /// Any program: its name, its Debian package, its arguments (with `{port}` and `{pki}`).
    Program(&'static str, &'static str, &'static [&'static str]),
    /// A hand-made server.
    Made(Habit),
    /// An HTTP/2 server.
    Http2(Http2),
    /// A websocket server that echoes one message; whether it closes then, or waits for the client to.
    WebSocket(websocket::Closes),
    /// A port at which nobody listens.
    Nobody,
}

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub port: u16,
    _process: Option<Process>,
    _made: Option<Misbehaving>,
}

impl Server {
    /// The same with its text changed.
    #[must_use]
    pub fn filled(&self, fill: &dyn Fn(&str) -> String) -> Self {
        match self {
            // Scenarios' texts are constants; the few that are made at run time may live as long.
            Self::Nginx(block) => Self::Nginx(fill(block).leak()),
            other => other.clone(),
        }
    }

    /// The program it needs.
    pub fn needs(&self) -> Option<Needed> {
        match self {
            Self::Nginx(_) => Some(("nginx", "nginx")),
            Self::Caddy(..) => Some(("caddy", "caddy")),
            Self::Apache(_) => Some(("apache2", "apache2")),
            Self::Program(name, package, _) => Some((name, package)),
            Self::Made(_) | Self::Http2(_) | Self::WebSocket(_) | Self::Nobody => None,
        }
    }

    /// Starts it; its files lie in `folder`, the certificates in `pki`.
    pub fn start(&self, folder: &Path, pki: &Path) -> Result<Running> {
        let run = |port, process| Running { port, _process: Some(process), _made: None };
        let made = |made: Misbehaving| Running { port: made.port(), _process: None, _made: Some(made) };
        match self {
            Self::Made(habit) => Misbehaving::start(*habit).map(made),
            Self::Http2(habit) => http2::start(*habit).map(made),
            Self::WebSocket(closes) => websocket::start(*closes).map(made),
            Self::Nobody => Ok(Running { port: process::free_port(), _process: None, _made: None }),
            Self::Nginx(block) => real::nginx(folder, pki, block).map(|(port, p)| run(port, p)),
            Self::Caddy(site, block) => real::caddy(folder, pki, site, block).map(|(port, p)| run(port, p)),
            Self::Apache(block) => real::apache(folder, pki, block).map(|(port, p)| run(port, p)),
            Self::Program(name, package, arguments) => {
                real::program(folder, pki, name, package, arguments).map(|(port, p)| run(port, p))
            }
        }
    }
}
