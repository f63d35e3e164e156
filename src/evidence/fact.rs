//! The single facts of the evidence: what a rule rests on, and what the report shows of it.

use super::{ConnectError, Evidence, Origin, TlsVersion, TransportFailure};
use crate::wire::FirstBytes;

/// One fact. Rules name those they rest on; the report prints them as `key=value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fact {
    /// Response code details.
    Details,
    /// Response flags.
    Flags,
    /// HTTP status code.
    Code,
    /// Connection termination details.
    Termination,
    /// Filter chain.
    FilterChain,
    /// Protocol of the client's first bytes.
    FirstBytes,
    /// First line's HTTP version, of the client's first bytes.
    RequestVersion,
    /// Server name: in the ClientHello of the first bytes, or as the proxy read it.
    Sni,
    /// TLS version terminated by this proxy.
    TlsVersion,
    /// HTTP version of the request.
    Protocol,
    /// Whether the request is gRPC.
    Grpc,
    /// Why TLS with the client failed.
    DownstreamFailure,
    /// Whether SNI and `:authority` name the same host.
    SniIsAuthority,
    /// Whether this proxy's certificate covers the `:authority`.
    CertificateCovers,
    /// Virtual host.
    VirtualHost,
    /// Route.
    Route,
    /// Cluster.
    Cluster,
    /// Number of endpoints.
    Endpoints,
    /// Endpoint's address.
    Endpoint,
    /// Whether the endpoint takes Istio's mutual TLS.
    EndpointMtls,
    /// Whether the endpoint took Istio's mutual TLS from this proxy earlier.
    EndpointTookMtls,
    /// An endpoint of the same cluster has failed before.
    EndpointFailed,
    /// An endpoint of the same cluster has answered before.
    Answered,
    /// TLS version agreed with the upstream.
    UpstreamTls,
    /// BoringSSL's reason word towards the upstream.
    UpstreamTlsReason,
    /// What the socket towards the upstream said.
    ConnectError,
    /// Why the connection to the upstream failed, verbatim.
    UpstreamFailure,
    /// Number of attempts.
    Attempts,
    /// Protocol of the upstream's first bytes.
    UpstreamFirstBytes,
    /// The upstream's error page.
    Page,
    /// Whether another proxy may have made the answer.
    ByProxy,
    /// What the listener's own chains are for.
    Listener,
    /// First line's HTTP version, of the upstream's first bytes.
    AnswerVersion,
    /// Whether the answer's body has neither a length nor chunks.
    Unframed,
    /// Mixer's policy status.
    Mixer,
    /// The VirtualService's own virtual host.
    RuleFor,
    /// The versions that answered.
    Versions,
    /// How many of a route's requests went to which cluster.
    Split,
    /// For how many seconds the same request had failed.
    FailedFor,
    /// gRPC's status.
    GrpcStatus,
    /// How long the stream lived.
    Lived,
    /// The HTTP filter that made the reply.
    Filter,
    /// Which circuit breaker was open, where that can be known.
    Breaker,
    /// The filter that Istio's agent puts in the place of a missing Wasm module.
    Substitute,
    /// The request's method, where it is CONNECT.
    Connect,
    /// After how long a connection to the upstream was there.
    PoolReady,
    /// Length of the body as its header promises it.
    Promised,
    /// Length of the body that was passed on.
    Passed,
    /// The port that the client asked for.
    Port,
    /// The SPIFFE ID in the client's certificate.
    Principal,
    /// Who closed the connection, where it was this proxy.
    ClosedBy,
}

impl Fact {
    /// The key in the evidence.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Details => "details",
            Self::Flags => "flags",
            Self::Code => "code",
            Self::Termination => "termination",
            Self::FilterChain => "filter_chain",
            Self::FirstBytes => "first_bytes",
            Self::RequestVersion => "request_version",
            Self::Sni => "sni",
            Self::TlsVersion => "tls_version",
            Self::Protocol => "protocol",
            Self::Grpc => "grpc",
            Self::DownstreamFailure => "tls_failure",
            Self::SniIsAuthority => "sni_is_authority",
            Self::CertificateCovers => "certificate_covers_authority",
            Self::VirtualHost => "virtual_host",
            Self::Route => "route",
            Self::Cluster => "cluster",
            Self::Endpoints => "endpoints",
            Self::Endpoint => "endpoint",
            Self::EndpointMtls => "endpoint_takes_istio_mtls",
            Self::EndpointTookMtls => "endpoint_took_istio_mtls",
            Self::EndpointFailed => "endpoint_failed",
            Self::Answered => "answered_before",
            Self::UpstreamTls => "upstream_tls",
            Self::UpstreamTlsReason => "upstream_tls_reason",
            Self::ConnectError => "connect_error",
            Self::UpstreamFailure => "upstream_failure",
            Self::Attempts => "attempts",
            Self::UpstreamFirstBytes => "upstream_first_bytes",
            Self::Page => "page",
            Self::ByProxy => "answered_by_proxy",
            Self::Listener => "listener",
            Self::AnswerVersion => "answer_version",
            Self::Unframed => "unframed_body",
            Self::Mixer => "mixer_status",
            Self::RuleFor => "rule_for",
            Self::Versions => "versions",
            Self::Split => "split",
            Self::FailedFor => "failed_for_seconds",
            Self::GrpcStatus => "grpc_status",
            Self::Lived => "lived",
            Self::Filter => "filter",
            Self::Breaker => "limit",
            Self::Substitute => "rbac_filter",
            Self::Connect => "method",
            Self::PoolReady => "pool_ready",
            Self::Promised => "promised",
            Self::Passed => "passed",
            Self::Port => "destination_port",
            Self::Principal => "principal",
            Self::ClosedBy => "closed_by",
        }
    }

    /// Its value, if it was seen.
    pub fn value(self, e: &Evidence) -> Option<String> {
        let (down, up) = (&e.downstream, &e.upstream);
        let text = |t: &Option<String>| t.clone();
        match self {
            Self::Details => (!e.details.is_empty()).then(|| e.details.as_str().to_owned()),
            Self::Flags => (!e.flags.is_empty()).then(|| e.flags.short()),
            Self::Code => e.code.map(|n| n.to_string()),
            Self::Termination => (!e.termination.is_empty()).then(|| e.termination.as_str().to_owned()),
            Self::FilterChain => text(&e.filter_chain),
            Self::FirstBytes => down.first_bytes.as_ref().map(|f| f.protocol.id().to_owned()),
            Self::RequestVersion => version(down.first_bytes.as_ref()),
            Self::Sni => sni(e),
            Self::TlsVersion => tls_version(down.tls_version),
            Self::Protocol => text(&down.protocol),
            Self::Grpc => down.grpc.map(shown),
            Self::DownstreamFailure => {
                down.transport_failure.as_ref().map(|failure| failure.words().to_owned())
            }
            Self::SniIsAuthority => down.sni_is_authority.map(shown),
            Self::CertificateCovers => down.certificate_covers_authority.map(shown),
            Self::VirtualHost => text(&e.route.virtual_host),
            Self::Route => text(&e.route.name),
            Self::Cluster => up.cluster.as_ref().map(|c| c.as_str().to_owned()),
            Self::Endpoints => up.endpoints.map(|n| n.to_string()),
            Self::Endpoint => text(&up.address),
            Self::EndpointTookMtls => e.past.took_mtls.then(|| "true".to_owned()),
            Self::EndpointFailed => e.past.endpoint_failed.map(shown),
            Self::Answered => e.past.answered.then(|| shown(true)),
            Self::EndpointMtls => up.takes_istio_mtls.map(shown),
            Self::UpstreamTls => tls_version(up.tls_version),
            Self::UpstreamTlsReason => e.upstream_tls_reason().map(str::to_owned),
            Self::ConnectError => {
                up.transport_failure.as_ref().and_then(TransportFailure::connect_error).map(error_name)
            }
            Self::UpstreamFailure => up.transport_failure.as_ref().map(|f| f.as_str().to_owned()),
            Self::Attempts => up.attempts.filter(|n| *n > 1).map(|n| n.to_string()),
            Self::UpstreamFirstBytes => up.first_bytes.as_ref().map(|f| f.protocol.id().to_owned()),
            Self::Page => e.answer.page.map(|p| p.id().to_owned()),
            Self::Lived => e.lived.map(|ms| format!("{ms}ms")),
            // The upstream answered, so it was the retry that found no room.
            Self::Breaker => e.details.via_upstream().then(|| "max_retries".to_owned()),
            Self::GrpcStatus => e.answer.grpc_status.map(|status| status.0.to_string()),
            Self::Filter => e.details.detail().origin().and_then(Origin::filter).map(str::to_owned),
            Self::Substitute => (e.substitute == Some(true)).then(|| "wasm-default-deny".to_owned()),
            Self::Connect => (down.tunnel == Some(true)).then(|| "CONNECT".to_owned()),
            Self::PoolReady => up.pool_ready.map(|us| format!("{us}us")),
            Self::Promised => e.answer.promised.map(|n| n.to_string()),
            Self::Passed => e.answer.passed.map(|n| n.to_string()),
            Self::Port => down.port.map(|n| n.to_string()),
            Self::Principal => text(&down.principal),
            Self::ClosedBy => e.cut_off.then(|| "proxy".to_owned()),
            Self::ByProxy => e.answer.by_proxy.filter(|by| *by).map(|_| "true".to_owned()),
            Self::Listener => down.listener.map(|kind| kind.id().to_owned()),
            Self::AnswerVersion => version(up.first_bytes.as_ref()),
            Self::RuleFor => text(&e.past.rule_for),
            Self::Versions => text(&e.past.versions),
            Self::Split => text(&e.past.split),
            Self::FailedFor => e.past.failed_for.map(|n| n.to_string()),
            Self::Mixer => e.mixer.map(|status| status.id().to_owned()),
            Self::Unframed => e.answer.unframed.map(shown),
        }
    }
}

fn shown(is: bool) -> String {
    if is { "true" } else { "false" }.to_owned()
}

fn tls_version(version: Option<TlsVersion>) -> Option<String> {
    version?.name().map(str::to_owned)
}

fn version(first: Option<&FirstBytes>) -> Option<String> {
    let (major, minor) = first?.http.as_ref()?.version?;
    Some(format!("HTTP/{major}.{minor}"))
}

/// The server name from wherever it was seen: a ClientHello in the first bytes, or the proxy's own reading.
fn sni(e: &Evidence) -> Option<String> {
    let hello = e.downstream.first_bytes.as_ref().and_then(|f| f.tls.as_ref());
    hello.and_then(|h| h.sni.clone()).or_else(|| e.downstream.sni.clone())
}

fn error_name(error: ConnectError) -> String {
    let name = match error {
        ConnectError::Refused => "refused",
        ConnectError::Unreachable => "unreachable",
        ConnectError::TimedOut => "timed_out",
        ConnectError::Reset => "reset",
        ConnectError::NoSourceAddress => "no_source_address",
        ConnectError::NoSuchSocket => "no_such_socket",
        ConnectError::Other => "other",
    };
    name.to_owned()
}
