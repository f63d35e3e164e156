//! One scenario: everything it needs, and the triple it expects.

mod builder;
mod check;
mod play;
mod variants;

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence;

use crate::harness::client::Client;
use crate::harness::envoy::config::Proxy;
use crate::harness::peers::Server;
use crate::harness::tools::Needed;

pub use play::Outcome;

/// Which access log shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// The connection manager's, one line a stream.
    Http,
    /// The TCP proxy's, one line a connection.
    Tcp,
    /// The listener's, one line a connection.
    Listener,
}

/// What a scenario expects meshwhy to say.
#[derive(Debug, Clone)]
struct Diagnosis {
    cause: Cause,
    confidence: Confidence,
    /// Parts of it.
    evidence: Vec<&'static str>,
    /// Empty for none.
    resource: &'static str,
}

/// What a scenario expects otherwise.
type Differs = fn(Scenario) -> Scenario;

/// A scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// A name to call it by: `group/name`.
    pub name: &'static str,
    /// The title of its section on Istio's page.
    pub page: Option<&'static str>,
    /// One sentence.
    pub about: &'static str,
    /// Servers by name.
    pub servers: Vec<(&'static str, Server)>,
    /// A server in front of the proxy, at `{front}`; its text may name listeners.
    pub front: Option<Server>,
    /// The proxy.
    pub proxy: Proxy,
    /// Who asks.
    pub client: Option<Client>,
    status: Option<Option<u16>>,
    client_says: Option<&'static str>,
    log: Log,
    fields: Vec<(&'static str, &'static str)>,
    diagnosis: Option<Diagnosis>,
    /// On traffic that works, and how often.
    observed: Vec<(Diagnosis, usize)>,
    direction: &'static str,
    times: usize,
    only_counted: bool,
    secret: Option<&'static str>,
    envoy_says: Vec<(&'static str, usize)>,
    bare: bool,
    older: Vec<(u32, Differs)>,
    since: u32,
    undecided: bool,
    less_when_busy: Option<Cause>,
    another_vm_crashes: bool,
    /// Listeners come by discovery.
    discovered: bool,
    side: Option<Side>,
}

impl Scenario {
    /// A scenario in which nothing is expected but success on the HTTP log.
    pub fn new(name: &'static str, about: &'static str, proxy: Proxy) -> Self {
        Self {
            name,
            page: None,
            about,
            servers: Vec::new(),
            front: None,
            proxy,
            client: None,
            status: None,
            client_says: None,
            log: Log::Http,
            fields: Vec::new(),
            diagnosis: None,
            observed: Vec::new(),
            direction: "gateway",
            times: 1,
            only_counted: false,
            secret: None,
            envoy_says: Vec::new(),
            bare: false,
            older: Vec::new(),
            since: 0,
            undecided: false,
            less_when_busy: None,
            another_vm_crashes: false,
            discovered: false,
            side: None,
        }
    }

    /// The decisive log in Istio's default text format.
    pub fn text_log(&self) -> String {
        self.log_name().replace(".log", ".txt")
    }

    /// The cause it expects of a failure.
    pub fn expected_cause(&self) -> Option<Cause> {
        self.diagnosis.as_ref().map(|d| d.cause)
    }

    /// All causes it expects.
    pub fn expected_causes(&self) -> impl Iterator<Item = Cause> {
        self.expected_cause().into_iter().chain(self.observed.iter().map(|(d, _)| d.cause))
    }

    /// The programs it needs.
    pub fn needs(&self) -> Vec<Needed> {
        let servers = self.servers.iter().map(|(_, server)| server).chain(&self.front);
        servers.filter_map(Server::needs).chain(self.client.as_ref().and_then(Client::needs)).collect()
    }

    /// Whether it needs Envoy's rate limit service, which is built with Go.
    pub fn needs_rate_limit_service(&self) -> bool {
        self.servers.iter().any(|(_, server)| matches!(server, Server::RateLimit(_)))
    }

    fn log_name(&self) -> &'static str {
        match self.log {
            Log::Http => "http.log",
            Log::Tcp => "tcp.log",
            Log::Listener => "listener.log",
        }
    }
}
