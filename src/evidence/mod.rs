//! What was seen of a stream or a connection: facts only, no conclusions, no host calls.
//!
//! A field that is `None` was not seen, which is not the same as absent from the traffic: no rule
//! may be `certain` on something it did not see.

mod cluster;
mod details;
mod error_page;
mod fact;
mod flags;
mod grpc;
mod mixer;
mod names;
mod redact;
mod resource;
mod tls_version;
mod transport;
mod vocabulary;

pub use cluster::ClusterName;
pub use details::{Detail, Details, Origin};
pub use error_page::{LONGEST_REPLY, Maker, Page};
pub use fact::Fact;
pub use flags::Flags;
pub use grpc::GrpcStatus;
pub use mixer::MixerStatus;
pub use names::{covers, host_of, is_mesh_name, spiffe_id};
pub use redact::{CUT, host_name, name};
pub use resource::Resource;
pub use tls_version::TlsVersion;
pub use transport::{ConnectError, TransportFailure};

use crate::wire::{ClientHello, FirstBytes};

/// Istio's name for an outbound listener's default chain (1.29 and 1.31; not the catch-all of `virtualOutbound`).
pub const FALL_THROUGH: &str = "PassthroughFilterChain";

/// Everything seen of one failed (or suspicious) stream or connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Evidence {
    /// Where it was seen.
    pub layer: Layer,
    /// Which way the traffic goes.
    pub direction: Direction,
    /// The HTTP status code sent to the client; `None` if there was none.
    pub code: Option<u16>,
    /// Envoy's response flags.
    pub flags: Flags,
    /// Envoy's response code details.
    pub details: Details,
    /// Whether only a brief report's attributes were read: too many failures this second.
    pub brief: bool,
    /// How long the stream lived, in milliseconds; read only where a time-out may have expired.
    pub lived: Option<u64>,
    /// Whether this proxy closed a TCP connection that was in use and that neither side had ended; Envoy flags nothing then.
    pub cut_off: bool,
    /// Envoy's connection termination details.
    pub termination: Details,
    /// The name of the filter chain that took the connection.
    pub filter_chain: Option<String>,
    /// The client's side.
    pub downstream: Downstream,
    /// The route that was chosen.
    pub route: Route,
    /// The upstream's side.
    pub upstream: Upstream,
    /// What the upstream's response says of itself.
    pub answer: Answer,
    /// What earlier requests of this worker showed.
    pub past: Past,
    /// Mixer's policy status (Istio 1.7 and older).
    pub mixer: Option<MixerStatus>,
    /// Whether the filter that denied is what Istio's agent puts in the place of a Wasm module that
    /// it can't fetch; read only where no policy is named.
    pub substitute: Option<bool>,
}

impl Evidence {
    /// Whether an accepted request ended in a way that a tunnel may end, too: either side closed it.
    pub fn ended_like_a_tunnel(&self) -> bool {
        let accepted = self.code.is_some_and(|code| (200..300).contains(&code));
        accepted && self.flags.intersects(TUNNELS_END) && self.only_tunnels_flags()
    }

    /// Whether this is a tunnel, by CONNECT or an upgrade, that ended as tunnels do (1.40).
    pub fn is_ended_tunnel(&self) -> bool {
        let upgraded = self.code == Some(101) && self.only_tunnels_flags();
        upgraded || (self.downstream.tunnel == Some(true) && self.ended_like_a_tunnel())
    }

    /// Whether this proxy closed the client's connection. Envoy flags it as if the client had left (1.36, 1.40).
    pub fn closed_by_this_proxy(&self) -> bool {
        self.details.detail() == Detail::DownstreamLocalDisconnect
    }

    /// Whether the client left while an answer passed, and nothing else is flagged.
    pub fn left_midway(&self) -> bool {
        const ALONE: Flags = Flags::CLIENT_LEFT.union(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED);
        self.code.is_some()
            && !self.closed_by_this_proxy()
            && self.flags.intersects(Flags::CLIENT_LEFT)
            && !self.flags.difference(ALONE).any_failure()
    }

    /// Whether the client left an answer that lacks nothing: a stream that only its client ends, or all that was promised.
    pub fn is_left_stream(&self) -> bool {
        let answer = &self.answer;
        let passed = answer.passed.unwrap_or_default();
        let ends_so = match answer.stream {
            Some(Stream::Events) => true,
            Some(Stream::Grpc) => passed > 0,
            None => answer.promised.is_some_and(|promised| passed >= promised),
        };
        ends_so && self.left_midway()
    }

    /// Whether this proxy ended a session. HTTP's clients expect idle connections to be closed.
    pub fn is_cut_off(&self) -> bool {
        let first = self.downstream.first_bytes.as_ref();
        let offers_http = |tls: &ClientHello| tls.alpn.iter().any(|p| p == "h2" || p.starts_with("http/1."));
        let is_http = first.is_some_and(|f| f.protocol.is_http() || f.tls.as_ref().is_some_and(offers_http));
        self.cut_off && !is_http
    }

    fn only_tunnels_flags(&self) -> bool {
        !self.closed_by_this_proxy() && !self.flags.difference(TUNNELS_END).any_failure()
    }
}

/// What flags a tunnel's end when nothing is wrong (1.40): a close by either side, or the client's RST_STREAM.
const TUNNELS_END: Flags = Flags::UPSTREAM_CONNECTION_TERMINATION
    .union(Flags::DOWNSTREAM_CONNECTION_TERMINATION)
    .union(Flags::DOWNSTREAM_REMOTE_RESET);

/// Where the evidence was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Layer {
    /// One HTTP stream.
    #[default]
    Http,
    /// One connection on a TCP proxy's filter chain.
    Tcp,
    /// One connection at its listener: it may never have got to a filter chain.
    Listener,
}

/// Which way the traffic goes: the `direction` label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Direction {
    /// Towards the workload beside this sidecar.
    Inbound,
    /// From the workload beside this sidecar.
    Outbound,
    /// Through a gateway, or any proxy that is not a sidecar.
    #[default]
    Gateway,
}

impl Direction {
    /// The label's value.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Gateway => "gateway",
        }
    }
}

/// The client's side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Downstream {
    /// What the first bytes were, if a connection role saw them.
    pub first_bytes: Option<FirstBytes>,
    /// The port that the client asked for; looked up where its bytes were no HTTP, and where it sent none to a port at which
    /// servers speak first.
    pub port: Option<u64>,
    /// The server name the client asked for in TLS; empty names are `None`.
    pub sni: Option<String>,
    /// The TLS version this proxy terminated; `None` on plaintext and on TLS passed through.
    pub tls_version: Option<TlsVersion>,
    /// The SPIFFE ID in the client's certificate; asked for only where no ALLOW rule matched.
    pub principal: Option<String>,
    /// Whether the client had a certificate; read only where its server name is one of the mesh's
    /// own.
    pub mutual: Option<bool>,
    /// `HTTP/1.0`, `HTTP/1.1`, `HTTP/2` or `HTTP/3`.
    pub protocol: Option<String>,
    /// Why TLS with the client failed.
    pub transport_failure: Option<TransportFailure>,
    /// Whether the request is gRPC; read only where the upstream broke the protocol, or time ran out.
    pub grpc: Option<bool>,
    /// Whether the request is CONNECT; read only where an accepted one may have ended like this,
    /// where no route was found, and where the response has no stated length.
    pub tunnel: Option<bool>,
    /// Whether the SNI names the host of the request's `:authority` (wildcards are the certificate's matter).
    pub sni_is_authority: Option<bool>,
    /// Whether this proxy's certificate covers the host of the request's `:authority`.
    pub certificate_covers_authority: Option<bool>,
    /// What the listener's own chains are for, where an EnvoyFilter marked it.
    pub listener: Option<ListenerKind>,
}

/// What the chains of a listener are for, besides the one that takes all the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ListenerKind {
    /// HTTP in plaintext, and no server names.
    Http,
    /// Server names of TLS, with or without HTTP beside them.
    Tls,
}

impl ListenerKind {
    /// The value in the evidence.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tls => "tls",
        }
    }
}

/// The route that was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Route {
    /// The virtual host's name: the host is known.
    pub virtual_host: Option<String>,
    /// The route's name; Istio leaves it empty for unnamed VirtualService routes.
    pub name: Option<String>,
    /// The VirtualService (or what it was made of).
    pub resource: Option<Resource>,
    /// Whether it was made of the Gateway API's resources.
    pub gateway_api: bool,
}

impl Route {
    /// The same with what it was made of, by its name and istiod's path in its metadata (empty if there is none).
    pub fn made_of(mut self, path: &str) -> Self {
        let name = self.name.as_deref().unwrap_or_default();
        self.gateway_api = Resource::is_gateway_api(path) || Resource::is_envoy_gateway(name);
        self.resource = if self.gateway_api {
            Resource::of_gateway_api(name, path)
        } else {
            Resource::from_config_path(path)
        };
        self
    }
}

/// The upstream's side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Upstream {
    /// The cluster that was chosen.
    pub cluster: Option<ClusterName>,
    /// The DestinationRule that configured the cluster.
    pub resource: Option<Resource>,
    /// The endpoint's address, once one was picked.
    pub address: Option<String>,
    /// How many endpoints the cluster has, usable or not.
    pub endpoints: Option<u64>,
    /// The TLS version agreed with the upstream; `None` on plaintext or before the handshake's end.
    pub tls_version: Option<TlsVersion>,
    /// Whether the endpoint says that it takes Istio's mutual TLS.
    pub takes_istio_mtls: Option<bool>,
    /// Why the connection or TLS to the upstream failed.
    pub transport_failure: Option<TransportFailure>,
    /// How many times the request was tried.
    pub attempts: Option<u64>,
    /// The endpoint's version (the label that Istio calls its canonical revision).
    pub version: Option<String>,
    /// What the first bytes of the answer were, on TCP.
    pub first_bytes: Option<FirstBytes>,
    /// After how many microseconds a connection was there for the request; read only where it was
    /// closed without a response.
    pub pool_ready: Option<u64>,
}

impl Upstream {
    /// Whether it is at the other end of a tunnel (HBONE) that istiod's internal listener for them makes: a stream's upstream, or that
    /// listener's own (1.31).
    pub fn is_tunneled(&self) -> bool {
        let is_internal = |address: &str| address.starts_with("envoy://connect_originate");
        self.address.as_deref().is_some_and(is_internal) || self.is_cluster("connect_originate")
    }

    /// Whether it is a waypoint's own listener for services, where tunnels from clients lead (1.31).
    pub fn is_within_waypoint(&self) -> bool {
        self.is_cluster("main_internal")
    }

    fn is_cluster(&self, name: &str) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.as_str() == name)
    }
}

/// What an HTTP response of the upstream says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Answer {
    /// A server's own error page that says what was wrong with the connection.
    pub page: Option<Page>,
    /// Whether the answer carries the marks of another proxy, which may have made it itself.
    pub by_proxy: Option<bool>,
    /// Whether the response has no `server` header, so that its maker is unknown.
    pub anonymous: bool,
    /// Whether a client's text may be in that page.
    pub repeats: bool,
    /// Whether its body has neither a length nor chunks, and its headers don't announce that the
    /// connection ends; read of sampled successes only.
    pub unframed: Option<bool>,
    /// How long a body its `content-length` promises; read only where it broke off or the client
    /// left.
    pub promised: Option<u64>,
    /// How much of the body was passed on; read only where it broke off or the client left.
    pub passed: Option<u64>,
    /// gRPC's status, where it says that the call failed.
    pub grpc_status: Option<GrpcStatus>,
    /// What kind of stream it is, if one that only its client ends; read only where the client
    /// left.
    pub stream: Option<Stream>,
}

/// Answers whose end no server promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Stream {
    /// `text/event-stream`.
    Events,
    /// `application/grpc` and its relatives.
    Grpc,
}

impl Stream {
    /// By the answer's `content-type`.
    pub fn of_content_type(kind: &[u8]) -> Option<Self> {
        let is = |name: &[u8]| kind.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if is(b"text/event-stream") {
            return Some(Self::Events);
        }
        is(b"application/grpc").then_some(Self::Grpc)
    }
}

/// What earlier requests showed; see [`crate::history`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Past {
    /// A VirtualService that leads to the same service from another virtual host.
    pub rule: Option<Resource>,
    /// That virtual host.
    pub rule_for: Option<String>,
    /// Two versions of the service's workloads that answered lately, where no subset was chosen.
    pub versions: Option<String>,
    /// `CLUSTER:COUNT`, joined by commas: the spread of a weighted route, while it can't be judged.
    pub split: Option<String>,
    /// For how many seconds the same request had failed for want of configuration until shortly before.
    pub failed_for: Option<u64>,
    /// This endpoint has taken Istio's mutual TLS from this proxy.
    pub took_mtls: bool,
    /// This endpoint has answered this proxy in plaintext.
    pub took_plaintext: bool,
    /// An endpoint of this cluster has answered this proxy.
    pub answered: bool,
    /// Whether an endpoint of this cluster has failed, as far as the history goes.
    pub endpoint_failed: Option<bool>,
}

impl Downstream {
    /// Whether the server name is one that Istio's proxies use among themselves, and nothing says that another client made it up.
    pub fn is_mesh_tls(&self) -> bool {
        self.sni.as_deref().is_some_and(is_mesh_name) && self.mutual != Some(false)
    }
}

impl Evidence {
    /// Whether the client's bytes, as this proxy's filters got them, were TLS.
    ///
    /// Either the first bytes show it, or a TLS inspector read a server name on a chain that does not
    /// terminate TLS.
    pub fn client_spoke_tls(&self) -> Option<bool> {
        if let Some(first) = &self.downstream.first_bytes {
            return Some(first.protocol.is_tls());
        }
        (self.downstream.sni.is_some() && self.downstream.tls_version.is_none()).then_some(true)
    }

    /// The Service by whose name a waypoint calls the chain of this stream, like its cluster (1.31).
    pub fn waypoints_service(&self) -> Option<Resource> {
        let chain = ClusterName::new(self.filter_chain.as_deref()?)?;
        let mut parts = chain.host().filter(|_| chain.is_waypoints())?.split('.');
        let (name, namespace, kind) = (parts.next()?, parts.next()?, parts.next()?);
        (kind == "svc").then(|| Resource::new("Service", namespace, name)).flatten()
    }

    /// Whether Istio's default chain took the connection: the one of an outbound listener for what its other chains
    /// don't match.
    pub fn fell_through(&self) -> bool {
        self.direction == Direction::Outbound && self.filter_chain.as_deref() == Some(FALL_THROUGH)
    }

    /// Whether the first request line says HTTP/1.0.
    pub fn client_speaks_http10(&self) -> bool {
        self.downstream.first_bytes.as_ref().and_then(FirstBytes::http_version) == Some((1, 0))
    }

    /// Whether the upstream's reason, wherever Envoy put it, says that TLS failed.
    pub fn upstream_tls_reason(&self) -> Option<&str> {
        self.upstream.transport_failure.as_ref().and_then(TransportFailure::tls_reason)
    }
}
