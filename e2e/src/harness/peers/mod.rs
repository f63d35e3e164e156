//! Servers around the proxy: real ones, and hand-made ones for what no real server does.

mod http2;
pub mod log_receiver;
mod misbehaving;
mod postgres;
mod race;
mod ratelimit;
mod real;
mod relay;
pub mod websocket;

use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

pub use http2::Http2;
pub use misbehaving::{Habit, Misbehaving};
pub use race::RACE;
pub use relay::RELAY;

use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Proxy, Roles};
use crate::harness::process::{self, Process};
use crate::harness::tools::Needed;

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
    /// A program that reads a file: the file's name and text, the program and its package, its arguments; all but the names
    /// may have `{port}`, `{pki}` and `{folder}`.
    Reading(&'static str, &'static str, Needed, &'static [&'static str]),
    /// OpenSSL's `s_server` with the server's certificate, and these arguments more.
    Openssl(&'static [&'static str]),
    /// A second Envoy with this bootstrap; its only listener is where it serves.
    Envoy(Value),
    /// A hand-made server.
    Made(Habit),
    /// An HTTP/2 server.
    Http2(Http2),
    /// Envoy's rate limit service with this configuration.
    RateLimit(&'static str),
    /// PostgreSQL with an empty database and the user `postgres`.
    Postgres,
    /// A websocket server that echoes one message; whether it closes then, or waits for the client to.
    WebSocket(websocket::Closes),
    /// A port at which nobody listens.
    Nobody,
    /// A port at which something else will listen.
    Spare,
}

const OPENSSL: &[&str] =
    &["s_server", "-accept", "127.0.0.1:{port}", "-cert", "{pki}/server.pem", "-key", "{pki}/server.key"];

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub port: u16,
    _processes: Vec<Process>,
    _made: Option<Misbehaving>,
    _envoy: Option<Envoy>,
    _reserved: Option<OwnedFd>,
}

impl Server {
    /// A second Envoy without meshwhy.
    pub fn envoy(proxy: Proxy) -> Self {
        Self::Envoy(proxy.roles(Roles::none()).bootstrap(""))
    }

    /// The same with its text changed.
    #[must_use]
    pub fn filled(&self, fill: &dyn Fn(&str) -> String) -> Self {
        match self {
            // Scenarios' texts are constants; the few that are made at run time may live as long.
            Self::Nginx(block) if fill(block) != *block => Self::Nginx(fill(block).leak()),
            Self::Program(name, package, arguments) if arguments.iter().any(|a| fill(a) != **a) => {
                let filled: Vec<&'static str> = arguments.iter().map(|a| &*fill(a).leak()).collect();
                Self::Program(name, package, filled.leak())
            }
            Self::Reading(file, text, needed, arguments) if fill(text) != *text => {
                Self::Reading(file, fill(text).leak(), *needed, arguments)
            }
            Self::Envoy(bootstrap) => Self::Envoy(filled_json(bootstrap, fill)),
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
            Self::Reading(_, _, needed, _) => Some(*needed),
            Self::Openssl(_) => Some(("openssl", "openssl")),
            Self::RateLimit(_) => Some(("redis-server", "redis-server")),
            Self::Postgres => Some(postgres::NEEDED),
            Self::Envoy(_)
            | Self::Made(_)
            | Self::Http2(_)
            | Self::WebSocket(_)
            | Self::Nobody
            | Self::Spare => None,
        }
    }

    /// Starts it; its files lie in `folder`, the certificates in `pki`.
    pub fn start(&self, folder: &Path, pki: &Path) -> Result<Running> {
        let run_all = |port, processes| Running {
            port,
            _processes: processes,
            _made: None,
            _envoy: None,
            _reserved: None,
        };
        let run = |port, process| run_all(port, vec![process]);
        let made = |made: Misbehaving| Running {
            port: made.port(),
            _processes: Vec::new(),
            _made: Some(made),
            _envoy: None,
            _reserved: None,
        };
        match self {
            Self::Envoy(bootstrap) => {
                let envoy = Envoy::start(&filled_json(bootstrap, &|text| {
                    text.replace("{pki}", &pki.display().to_string())
                }))?;
                let port = *envoy.ports().values().next().context("this Envoy has no listener")?;
                Ok(Running {
                    port,
                    _processes: Vec::new(),
                    _made: None,
                    _envoy: Some(envoy),
                    _reserved: None,
                })
            }
            Self::Made(habit) => Misbehaving::start(*habit).map(made),
            Self::Http2(habit) => http2::start(*habit).map(made),
            Self::WebSocket(closes) => websocket::start(*closes).map(made),
            Self::Nobody => {
                let (port, reserved) = process::reserved_port()?;
                Ok(Running { _reserved: Some(reserved), ..run_all(port, Vec::new()) })
            }
            Self::Spare => Ok(run_all(process::free_port(), Vec::new())),
            Self::RateLimit(limits) => ratelimit::start(folder, limits).map(|(port, p)| run_all(port, p)),
            Self::Postgres => postgres::start(folder).map(|(port, p)| run(port, p)),
            Self::Nginx(block) => real::nginx(folder, pki, block).map(|(port, p)| run(port, p)),
            Self::Caddy(site, block) => real::caddy(folder, pki, site, block).map(|(port, p)| run(port, p)),
            Self::Apache(block) => real::apache(folder, pki, block).map(|(port, p)| run(port, p)),
            Self::Reading(file, text, needed, arguments) => {
                real::reading(folder, pki, (file, text), *needed, arguments).map(|(port, p)| run(port, p))
            }
            Self::Openssl(more) => {
                let arguments = [OPENSSL, more].concat();
                real::program(folder, pki, "openssl", "openssl", &arguments).map(|(port, p)| run(port, p))
            }
            Self::Program(name, package, arguments) => {
                real::program(folder, pki, name, package, arguments).map(|(port, p)| run(port, p))
            }
        }
    }
}

/// The texts in it changed.
fn filled_json(value: &Value, fill: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text)),
        Value::Array(items) => items.iter().map(|item| filled_json(item, fill)).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), filled_json(v, fill))).collect(),
        other => other.clone(),
    }
}
