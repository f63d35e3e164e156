//! What is known of a cause, besides the rules that name it.

use super::{Cause, PageSection};

/// The facts of one cause. There are no defaults: each is a decision.
#[derive(Debug)]
pub struct Definition {
    /// Who has to act within the mesh; see [`Cause::side_at`] for gateways.
    pub side: Side,
    /// Whether a client brings it about alone.
    pub sender: Sender,
    /// Whether it is seen on traffic that works.
    pub soft: Softness,
    /// What to change, in one sentence of plain ASCII that is safe in any log line.
    pub fix: &'static str,
    /// Fixes with names in them, the best first. One is reported if all its names are known, else
    /// [`Self::fix`] is. The names, in braces:
    ///
    /// - `resource`: what is responsible; `rule`: the DestinationRule; `route`: the VirtualService
    ///   or HTTPRoute behind the route;
    /// - `service`: the cluster's host within the mesh; `external`: one outside of it; `host`:
    ///   either; `port`, `subset`: the cluster's;
    /// - `endpoint`: the address of the endpoint that was chosen;
    /// - `backend`: the Service that a BackendTLSPolicy is for;
    /// - `virtual_host`: its name;
    /// - `principal`: the SPIFFE ID of the client;
    /// - `sni`: the server name that a client asked for in TLS; `destination_port`: the port that
    ///   it asked for, at a sidecar that sends.
    pub named_fixes: &'static [&'static str],
    /// Causes that hold for all of its failures as well, only less specific.
    pub special_case_of: &'static [Cause],
    /// Causes that look the same from outside; the manual page says how to tell them apart.
    pub look_alikes: &'static [Cause],
    /// At which proxies it is reported.
    pub place: Place,
    /// Whether a configuration that is still propagating causes it for a moment, too.
    pub ends_by_itself: bool,
    /// Whether such failures may be what somebody wanted: a policy that does its work, a service's
    /// own response. No alert is raised on their rate.
    pub by_design: bool,
    /// Whether it names what came, or didn't come, from behind this proxy: the log of a proxy there
    /// may know why.
    pub peer_may_know: bool,
    /// What Envoy logs, for logs that lack the details. Shapes may be shared.
    pub shapes: &'static [LogShape],
    /// Response flags that suggest it where nothing else is known.
    pub flags: &'static [&'static str],
    /// Its section of Istio's page on traffic management problems.
    pub section: Option<PageSection>,
}

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The client of this proxy.
    Downstream,
    /// Istio's (or the proxy's) configuration.
    Mesh,
    /// The service behind this proxy.
    Upstream,
    /// The machine, network or Kubernetes underneath.
    Platform,
}

/// Whether a client that reaches the port brings a cause about, whatever is configured behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// It does, by bytes, a handshake, a host or path, or a request that a policy is there to refuse.
    Anyone,
    /// It can only imitate it: never certain, and no alert on configuration changes counts it.
    Imitator,
    /// It takes an upstream, a configuration or this proxy's own state.
    NoClient,
}

/// Whether a cause is seen on traffic that works all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Softness {
    /// Only ever the cause of a failure.
    Never,
    /// The cause of a failure, or an observation where the bytes got through all the same.
    Also,
    /// Only ever an observation.
    Only,
}

/// At which of the two proxies between a client and a server a cause is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// At either.
    Either,
    /// Only in front of the server: never with an `outbound|` cluster.
    ServerSide,
    /// Only where the client's traffic is routed, by a sidecar or gateway: never with an `inbound|` cluster.
    ClientSide,
}

/// What Envoy's access log shows of a cause (1.40).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogShape {
    /// `%RESPONSE_CODE%`; 0 where there was none.
    pub code: u16,
    /// The decisive one of `%RESPONSE_FLAGS%`; empty where there is no failure flag.
    pub flag: &'static str,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: &'static str,
}

impl LogShape {
    /// Status, flag, details.
    pub(super) const fn new(code: u16, flag: &'static str, details: &'static str) -> Self {
        Self { code, flag, details }
    }
}

impl Side {
    /// The side with this id.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_id(id: &str) -> Option<Self> {
        [Self::Downstream, Self::Mesh, Self::Upstream, Self::Platform]
            .into_iter()
            .find(|side| side.id() == id)
    }

    /// The value of the `side` label and of `meshwhy.side`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Downstream => "downstream",
            Self::Mesh => "mesh",
            Self::Upstream => "upstream",
            Self::Platform => "platform",
        }
    }
}
