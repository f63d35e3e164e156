//! A secret in everything that a client, a server or a third party controls, through every filter
//! that writes details or other text, and every place where meshwhy's words go: none of them may
//! show it.

mod asks;
mod authorization;
mod connections;
mod filters;
pub mod names;
mod oauth2;
mod plugin;
pub mod protobuf;
mod seen;
mod upstreams;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::client::Places;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{cluster, cluster_at, http2, with};
use crate::harness::peers::log_receiver::LogReceiver;
use crate::harness::peers::{Habit, Running, Server};
use crate::harness::pki::Pki;
use crate::harness::{releases, tools};

/// Begins every secret, whatever its case; the rest says which one it is.
pub const MARK: &str = "s3cr3tmark";

/// What answers requests that reach it.
const BACKEND: Server = Server::Made(Habit::AnswerAndKeep(
    b"HTTP/1.1 200 OK\r\nserver: s3cr3tmark-server\r\ncontent-length: 15\r\n\r\ns3cr3tmark-body",
));

/// One filter, or one way to put text into a proxy.
struct Case {
    /// The listener's name; its secrets bear it.
    name: &'static str,
    /// The minor version of Envoy that has it first.
    since: u32,
    listener: Listener,
    /// Servers that are its own: their clusters have their names.
    servers: Vec<(&'static str, Server)>,
    clusters: Vec<Value>,
    play: Play,
    /// What Envoy's own log shows of it, in the details, the termination details or a failure's
    /// reason: it came to that.
    shows: &'static str,
}

/// What the client does.
type Play = fn(&Where<'_>) -> Result<()>;

/// Where a case plays.
struct Where<'a> {
    port: u16,
    name: &'a str,
    places: &'a Places,
}

impl Case {
    fn new(name: &'static str, listener: Listener, play: Play, shows: &'static str) -> Self {
        Self { name, since: 0, listener, servers: Vec::new(), clusters: Vec::new(), play, shows }
    }

    fn since(mut self, minor: u32) -> Self {
        self.since = minor;
        self
    }

    /// With a server, and a cluster of this name in front of it.
    fn server(self, name: &'static str, server: Server) -> Self {
        let plain = cluster(name, name);
        self.server_at(name, server, plain)
    }

    /// The same in HTTP/2.
    fn http2(self, name: &'static str, server: Server) -> Self {
        self.server_at(name, server, with(cluster(name, name), http2()))
    }

    fn server_at(mut self, name: &'static str, server: Server, cluster: Value) -> Self {
        self.servers.push((name, server));
        self.clusters.push(cluster);
        self
    }
}

/// Plays all cases on one proxy, and looks at every place where meshwhy's words go.
pub fn check() -> Result<()> {
    let minor = releases::minor()?;
    let cases: Vec<Case> =
        [authorization::cases(), filters::cases(), upstreams::cases(), connections::cases()]
            .into_iter()
            .flatten()
            .filter(|case| case.since <= minor)
            .collect();
    let folder = tempfile::Builder::new().prefix("meshwhy-secrets-").tempdir()?;
    let pki = Pki::create(folder.path())?;
    connections::certificates(&pki)?;
    std::fs::write(folder.path().join("plugin.wasm"), plugin::module()?)?;
    std::fs::write(folder.path().join("descriptor.pb"), protobuf::descriptor())?;
    let mut places = Places { values: vec![("{pki}".into(), folder.path().display().to_string())] };
    let mut running: Vec<Running> = Vec::new();
    let servers = cases.iter().flat_map(|case| case.servers.iter().cloned());
    for (name, server) in servers.chain([("backend", BACKEND)]) {
        let own = folder.path().join(name);
        std::fs::create_dir_all(&own)?;
        let started = server.start(&own, folder.path()).with_context(|| name.to_owned())?;
        places.values.push((format!("{{server:{name}}}"), started.port.to_string()));
        running.push(started);
    }
    let receiver = LogReceiver::start(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let proxy = proxy(&cases, receiver.port());
    let bootstrap = places.fill(&proxy.bootstrap(&tools::module()?.display().to_string()).to_string());
    let mut envoy = Envoy::start(&serde_json::from_str(&bootstrap)?)?;
    for case in &cases {
        let at = Where { port: envoy.port(case.name)?, name: case.name, places: &places };
        (case.play)(&at).with_context(|| case.name.to_owned())?;
    }
    let lacking = wait_until_played(&envoy, &cases)?;
    ensure!(lacking.is_empty(), "not played: {lacking:#?}");
    // Envoy flushes to the receivers once a second.
    std::thread::sleep(Duration::from_millis(1500));
    envoy.check_health()?;
    seen::check(&envoy, &receiver)
}

fn proxy(cases: &[Case], receiver: u16) -> Proxy {
    let role = |role: &str| {
        Some(json!({"role": role, "log": "all", "observe_every": 1, "response_header": "x-meshwhy-cause"}))
    };
    let listeners: Vec<Listener> = cases.iter().map(|case| case.listener.clone()).collect();
    let mut clusters: Vec<Value> = cases.iter().flat_map(|case| case.clusters.iter().cloned()).collect();
    clusters.push(cluster("backend", "backend"));
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": receiver}});
    clusters.push(with(cluster_at("logs", address), http2()));
    Proxy::new(listeners, clusters).patch(oauth2::secrets()).roles(Roles {
        http: role("http"),
        connection: role("connection"),
        access_log: role("access_log"),
        ..Roles::default()
    })
}

/// The cases that Envoy's own logs don't show yet, after some time.
fn wait_until_played(envoy: &Envoy, cases: &[Case]) -> Result<Vec<String>> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let lines = seen::lines(envoy)?;
        let mut lacking = Vec::new();
        for case in cases {
            let port = envoy.port(case.name)?;
            let words: Vec<String> =
                lines.iter().filter(|line| line["port"] == port).map(seen::envoys_words).collect();
            if !words.iter().any(|words| words.contains(case.shows)) {
                lacking.push(format!("{} wants {:?}, has {words:#?}", case.name, case.shows));
            }
        }
        if lacking.is_empty() || Instant::now() > deadline {
            return Ok(lacking);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A listener with one route to the backend, and logs of all kinds.
fn listener(name: &'static str) -> Listener {
    to(name, crate::harness::envoy::parts::all_to("backend"))
}

/// A listener with these virtual hosts, and logs of all kinds.
fn to(name: &'static str, virtual_hosts: Value) -> Listener {
    let soon = json!({"access_log": seen::logs(), "delayed_close_timeout": "0.1s"});
    Listener::http(name, virtual_hosts).filter(soon)
}

/// The same with a filter of HTTP: its name, and its message behind
/// `envoy.extensions.filters.http.`.
fn filtered(name: &'static str, filter: &str, kind: &str, config: Value) -> Listener {
    listener(name).http_filter(filter, &format!("envoy.extensions.filters.http.{kind}"), config)
}
