//! Reaching the upstream: endpoints, sockets, names, limits.

use super::{Advice, Verdict, passthrough};
use crate::causes::{Cause, Side};
use crate::evidence::{ConnectError, Detail, Direction, Evidence, Fact, Flags, Layer, TransportFailure};

/// A tunnel of the ambient mesh that can't be had.
pub(super) static NO_TUNNEL: Advice = Advice {
    side: Some(Side::Platform),
    fix: "Let port 15008 (HBONE) through to the endpoint (NetworkPolicy, firewall), where ztunnel or a waypoint ends tunnels: connect_originate in this log has the error.",
};

/// Shorter than any connect time-out that people set, in microseconds; Envoy's default is 5 s, istiod's 10 s.
const SHORTEST_TIMEOUT: u64 = 40_000;

pub(super) fn rule(e: &Evidence) -> Option<Verdict> {
    if e.layer == Layer::Listener {
        return None;
    }
    dns(e).or_else(|| overflow(e)).or_else(|| endpoints(e)).or_else(|| connection(e))
}

fn dns(e: &Evidence) -> Option<Verdict> {
    let named = e.details.detail() == Detail::DnsResolutionFailure;
    (named || e.flags.contains(Flags::DNS_RESOLUTION_FAILED)).then_some(())?;
    // Only a dynamic forward proxy resolves while a request waits; names of clusters show as no endpoints.
    Some(Verdict::certain(Cause::UpstreamDnsFailure, &[Fact::Details, Fact::Flags, Fact::Cluster]))
}

fn overflow(e: &Evidence) -> Option<Verdict> {
    let overflowed = e.details.reset_reason() == Some("overflow");
    (overflowed || e.flags.contains(Flags::UPSTREAM_OVERFLOW)).then_some(())?;
    // `maintenance_mode` and `drop_overload` are flagged UO too, and are configured.
    if matches!(
        e.details.detail(),
        Detail::MaintenanceMode | Detail::DropOverload | Detail::UnconditionalDropOverload
    ) {
        return None;
    }
    const FACTS: &[Fact] = &[Fact::Details, Fact::Flags, Fact::Breaker, Fact::Cluster, Fact::Endpoint];
    // A retry that found no room: what it was to repeat came from the upstream. Without details that can't be excluded;
    // TCP has none.
    let may_be_retry = e.layer == Layer::Http && (e.details.via_upstream() || e.details.is_empty());
    let verdict = if may_be_retry { Verdict::likely } else { Verdict::certain };
    Some(verdict(Cause::CircuitBreakerOverflow, FACTS).blaming(&e.upstream.resource))
}

/// `503 UH`. A name that doesn't resolve (STRICT_DNS) has no endpoints either, and a load
/// balancer's subset may select none of many: no attribute shows it, so neither is certain.
fn endpoints(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] =
        &[Fact::Details, Fact::Flags, Fact::Cluster, Fact::Endpoints, Fact::EndpointFailed];
    let named = e.details.detail() == Detail::NoHealthyUpstream;
    (named || e.flags.contains(Flags::NO_HEALTHY_UPSTREAM)).then_some(())?;
    if e.upstream.cluster.as_ref().is_some_and(|cluster| cluster.is_passthrough()) {
        // It has no endpoints but each connection's own.
        static UNREDIRECTED: Advice = Advice {
            side: Some(Side::Mesh),
            fix: "Have iptables redirect this connection, or route it elsewhere: PassthroughCluster goes to its original destination, and it has none.",
        };
        return Some(Verdict::likely(Cause::NoEndpoints, FACTS).advising(&UNREDIRECTED));
    }
    let istios = e.upstream.cluster.as_ref().is_some_and(|cluster| cluster.is_service());
    let counted = e.upstream.endpoints.is_some();
    // One that has failed may be ejected, or removed since. In Istio nothing else makes
    // endpoints unhealthy; another worker may have seen the failures.
    if e.upstream.endpoints.map_or(e.past.endpoint_failed == Some(true), |count| count > 0) {
        let how_sure = if counted { Verdict::likely } else { Verdict::possible };
        return Some(how_sure(Cause::NoHealthyEndpoints, FACTS).blaming(&e.upstream.resource));
    }
    let none_failed = istios && e.past.endpoint_failed.is_some();
    let how_sure = if counted || none_failed { Verdict::likely } else { Verdict::possible };
    Some(how_sure(Cause::NoEndpoints, FACTS))
}

/// `503 UF`, and the socket's error.
fn connection(e: &Evidence) -> Option<Verdict> {
    const SOCKET: &[Fact] =
        &[Fact::Details, Fact::ConnectError, Fact::Answered, Fact::Cluster, Fact::Endpoint, Fact::Attempts];
    static STOPPED: Advice = Advice {
        side: None,
        fix: "Find out why the application stopped listening (crash, restart, rollout): it answered before, so the port is right.",
    };
    const FACTS: &[Fact] = &[
        Fact::Details,
        Fact::UpstreamFailure,
        Fact::PoolReady,
        Fact::Flags,
        Fact::Cluster,
        Fact::Endpoint,
        Fact::Attempts,
    ];
    static SOURCE: Advice = Advice {
        side: None,
        fix: "Free local ports of this proxy (ip_local_port_range, connections that never close), or correct the address it binds to.",
    };
    static SOCKET_FILE: Advice = Advice {
        side: None,
        fix: "Start the application that makes this Unix domain socket, or correct its path or mount: it isn't there.",
    };
    static TUNNEL: Advice = Advice {
        side: None,
        fix: "Give the forward proxy what its status in the evidence wants: 407 credentials, 403 a destination it allows.",
    };
    static HUNG_UP: Advice = Advice {
        side: None,
        fix: "See whether the server takes the TLS that this proxy begins (Postgres has its own way), or, as a forward proxy, the tunnel.",
    };
    let reason = e.details.reset_reason();
    let failure = e.upstream.transport_failure.as_ref();
    let failed = e.flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE)
        || matches!(
            reason,
            Some("remote_connection_failure" | "local_connection_failure" | "connection_failure")
        );
    if failure.is_some_and(TransportFailure::is_no_socket) {
        return Some(Verdict::likely(Cause::FileDescriptorsExhausted, FACTS));
    }
    if failure.is_some_and(TransportFailure::is_refused_tunnel) {
        let refused = Verdict::likely(Cause::UpstreamProxyError, FACTS);
        // In the ambient mesh that proxy is ztunnel.
        return Some(if e.upstream.is_tunneled() { refused } else { refused.advising(&TUNNEL) });
    }
    if reason == Some("connection_timeout") {
        let late = Verdict::likely(Cause::UpstreamConnectTimeout, FACTS);
        return Some(if e.upstream.is_tunneled() {
            late.advising(&NO_TUNNEL)
        } else {
            to_the_unknown(e, late)
        });
    }
    failed.then_some(())?;
    if let Some(verdict) = passthrough::unreached(e) {
        return Some(verdict);
    }
    let error = failure.and_then(TransportFailure::connect_error);
    if let Some(verdict) = internal(e, error) {
        return Some(verdict);
    }
    match error {
        // Look-alike: kube-proxy refuses for a Service's address that has no endpoint. istiod's clusters have pods' addresses.
        Some(ConnectError::Refused) if e.upstream.cluster.as_ref().is_none_or(|c| c.is_passthrough()) => {
            Some(Verdict::likely(Cause::UpstreamRefused, SOCKET))
        }
        // The kernel's own error: no filter and no client can word it.
        Some(ConnectError::Refused) => {
            let refused = Verdict::certain(Cause::UpstreamRefused, SOCKET);
            Some(if e.past.answered { refused.advising(&STOPPED) } else { refused })
        }
        Some(ConnectError::Unreachable) => {
            Some(to_the_unknown(e, Verdict::certain(Cause::UpstreamUnreachable, SOCKET)))
        }
        Some(ConnectError::TimedOut) => {
            Some(to_the_unknown(e, Verdict::certain(Cause::UpstreamConnectTimeout, SOCKET)))
        }
        // Closed while connecting, often in the middle of a TLS handshake.
        Some(ConnectError::Reset) => Some(Verdict::likely(Cause::UpstreamClosedConnection, SOCKET)),
        Some(ConnectError::NoSourceAddress) => {
            Some(Verdict::likely(Cause::UpstreamUnreachable, SOCKET).advising(&SOURCE))
        }
        Some(ConnectError::NoSuchSocket) => {
            Some(Verdict::likely(Cause::UpstreamRefused, SOCKET).advising(&SOCKET_FILE))
        }
        Some(ConnectError::Other) => None,
        None if failure.is_some() => None,
        None if is_closed_in_handshake(e) => {
            // On TCP a forward proxy that refuses a tunnel looks the same (1.36; later ones leave its status) or hangs up on it (1.40).
            if e.layer == Layer::Tcp && e.upstream.resource.is_none() {
                return Some(Verdict::possible(Cause::UpstreamClosedConnection, FACTS).advising(&HUNG_UP));
            }
            Some(Verdict::likely(Cause::UpstreamTlsFailed, FACTS).blaming(&e.upstream.resource))
        }
        None if e.layer == Layer::Tcp => {
            let late = Verdict::possible(Cause::UpstreamConnectTimeout, FACTS);
            Some(if e.upstream.is_tunneled() { late.advising(&NO_TUNNEL) } else { late })
        }
        None => None,
    }
}

/// Where the mesh doesn't know the destination, it may be a Service's address with a port that the Service lacks, such as its target port.
fn to_the_unknown(e: &Evidence, verdict: Verdict) -> Verdict {
    static UNKNOWN: Advice = Advice {
        side: None,
        fix: "Ask a port that the Service has (not its target port), or restore the network path: the mesh doesn't know this address and port.",
    };
    let unknown =
        e.direction == Direction::Outbound && e.upstream.cluster.as_ref().is_some_and(|c| c.is_passthrough());
    if unknown { verdict.advising(&UNKNOWN) } else { verdict }
}

/// Istio's ambient mesh: internal listeners for tunnels (HBONE) stand between a request and its endpoint. Of what a tunnel failed of, the
/// request sees EINVAL alone, which no network says (1.40); the tunnel has a line of its own in the log.
fn internal(e: &Evidence, error: Option<ConnectError>) -> Option<Verdict> {
    const FACTS: &[Fact] =
        &[Fact::Details, Fact::UpstreamFailure, Fact::Cluster, Fact::Endpoint, Fact::Attempts];
    static NOT_ATTACHED: Advice = Advice {
        side: Some(Side::Mesh),
        fix: "Attach the Service to this waypoint (label istio.io/use-waypoint), or ask another.",
    };
    let unknown = error == Some(ConnectError::Other);
    // No filter chain there is for that address. Look-alike: the listener itself is missing.
    if unknown && e.upstream.is_within_waypoint() {
        return Some(Verdict::likely(Cause::RouteHostUnknown, FACTS).advising(&NOT_ATTACHED));
    }
    e.upstream.is_tunneled().then_some(())?;
    let verdict = match error? {
        ConnectError::Refused => Verdict::certain(Cause::UpstreamRefused, FACTS),
        ConnectError::Other | ConnectError::Unreachable => Verdict::likely(Cause::UpstreamUnreachable, FACTS),
        ConnectError::TimedOut => Verdict::certain(Cause::UpstreamConnectTimeout, FACTS),
        _ => return None,
    };
    Some(verdict.advising(&NO_TUNNEL))
}

/// A connection that failed, and without an error of its socket.
fn is_closed_in_handshake(e: &Evidence) -> bool {
    match e.layer {
        // A connect time-out leaves neither details nor a reason, and neither does a server that hangs up on the
        // ClientHello. That takes a round trip or two (Postgres: 3 ms), and no time-out is so short.
        Layer::Tcp => e.upstream.pool_ready.is_some_and(|us| us < SHORTEST_TIMEOUT),
        // A socket that can't connect always has an error (1.40).
        Layer::Http | Layer::Listener => e.details.reset_reason() == Some("remote_connection_failure"),
    }
}
