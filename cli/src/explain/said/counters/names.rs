//! Counters of failures, and what is behind each most often.

use meshwhy::causes::Cause;
use meshwhy::causes::Cause::*;

/// Whose counter it is: the first word of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Cluster,
    /// One of a cluster's, in `/clusters`.
    Endpoint,
    Listener,
    Http,
    Tcp,
    Other,
}

use Scope::{Cluster, Endpoint, Http, Listener, Other, Tcp};

/// Filters are in several chains.
const ANY: &[Scope] = &[Cluster, Listener, Http, Tcp, Other];

/// Whose counter it is, what its name ends with and what is behind it, what decides most first.
pub(super) const NAMES: &[(&[Scope], &str, Cause, &[Cause])] = &[
    (ANY, "rbac.denied", AuthorizationPolicyDenied, &[]),
    (ANY, "jwt_authn.denied", JwtRejected, &[]),
    (ANY, "ext_authz.denied", ExtAuthzDenied, &[]),
    (ANY, "ext_authz.error", ExtAuthzUnavailable, &[]),
    (ANY, "ratelimit.over_limit", RateLimited, &[]),
    (ANY, "ratelimit.error", RateLimitServiceUnavailable, &[]),
    (ANY, "http_local_rate_limit.rate_limited", RateLimited, &[]),
    (ANY, "rate_limited", RateLimited, &[]),
    (ANY, "fault.aborts_injected", FaultInjected, &[]),
    (ANY, "fault.delays_injected", DelayInjected, &[]),
    (&[Listener], "no_filter_chain_match", NoFilterChainForSni, &[PlaintextToStrictMtls]),
    (&[Listener], "ssl.fail_verify_no_cert", ClientCertificateMissing, &[]),
    (&[Cluster], "ssl.fail_verify_no_cert", UpstreamCertificateRejected, &[]),
    (&[Listener], "ssl.fail_verify_san", ClientCertificateRejected, &[]),
    (&[Cluster], "ssl.fail_verify_san", UpstreamCertificateRejected, &[]),
    (&[Listener], "ssl.fail_verify_error", ClientCertificateRejected, &[]),
    (&[Cluster], "ssl.fail_verify_error", UpstreamCertificateRejected, &[]),
    (&[Listener], "ssl.fail_verify_cert_hash", ClientCertificateRejected, &[]),
    (&[Cluster], "ssl.fail_verify_cert_hash", UpstreamCertificateRejected, &[]),
    (&[Listener], "ssl.connection_error", DownstreamTlsFailed, &[PlaintextToStrictMtls]),
    (
        &[Cluster],
        "ssl.connection_error",
        UpstreamTlsFailed,
        &[UpstreamSpeaksPlaintext, UpstreamCertificateRejected],
    ),
    (&[Cluster], "upstream_rq_pending_overflow", CircuitBreakerOverflow, &[]),
    (&[Cluster], "upstream_cx_pool_overflow", CircuitBreakerOverflow, &[]),
    (&[Cluster], "rq_pending_open", CircuitBreakerOverflow, &[]),
    (&[Cluster], "cx_open", CircuitBreakerOverflow, &[]),
    (&[Cluster], "rq_open", CircuitBreakerOverflow, &[]),
    (&[Cluster], "upstream_cx_none_healthy", NoHealthyEndpoints, &[NoEndpoints]),
    (
        &[Cluster],
        "outlier_detection.ejections_active",
        NoHealthyEndpoints,
        &[UpstreamClosedConnection, ApplicationError],
    ),
    (&[Cluster], "upstream_cx_connect_timeout", UpstreamConnectTimeout, &[UpstreamUnreachable]),
    (&[Cluster], "upstream_cx_connect_fail", UpstreamRefused, UNCONNECTED),
    (&[Endpoint], "cx_connect_fail", UpstreamRefused, UNCONNECTED),
    (&[Cluster], "upstream_cx_protocol_error", UpstreamProtocolError, &[Http2ToHttp1Upstream]),
    (&[Cluster], "rx_messaging_error", UpstreamProtocolError, &[InvalidHttpRequest]),
    (&[Cluster], "upstream_rq_per_try_timeout", UpstreamTimeout, &[]),
    (&[Cluster], "upstream_rq_timeout", UpstreamTimeout, &[]),
    (&[Endpoint], "rq_timeout", UpstreamTimeout, &[]),
    (&[Cluster], "upstream_rq_504", UpstreamTimeout, &[]),
    (&[Cluster], "upstream_rq_max_duration_reached", MaxDurationReached, &[]),
    (&[Http], "downstream_rq_max_duration_reached", MaxDurationReached, &[]),
    (&[Http], "downstream_rq_idle_timeout", IdleTimeout, &[]),
    // The client was slow with its request.
    (&[Http], "downstream_rq_timeout", IdleTimeout, &[ClientDisconnected]),
    (&[Http], "downstream_rq_header_timeout", IdleTimeout, &[ClientDisconnected]),
    (&[Http], "no_cluster", ClusterMissing, &[]),
    (&[Http], "no_route", RouteNoMatch, &[RouteHostUnknown]),
    // A TCP proxy says so of a route's cluster that isn't there.
    (&[Tcp], "downstream_cx_no_route", ClusterMissing, &[RouteNoMatch]),
    (&[Http], "downstream_rq_overload_close", ProxyOverloaded, &[]),
    (&[Listener], "downstream_cx_overload_reject", ProxyOverloaded, &[]),
    (&[Http], "downstream_cx_protocol_error", InvalidHttpRequest, &[TlsOnPlaintextPort, Http10Client]),
    (ANY, REJECTED, VirtualServiceNotApplied, &[ConfigPropagating]),
    (
        &[Cluster],
        "upstream_cx_destroy_remote_with_active_rq",
        UpstreamClosedConnection,
        &[UpstreamClosedIdleConnection],
    ),
    (&[Cluster], "upstream_rq_rx_reset", UpstreamReset, &[UpstreamClosedConnection]),
    (
        &[Cluster],
        "upstream_cx_destroy_with_active_rq",
        UpstreamClosedConnection,
        &[ClientDisconnected, UpstreamTimeout],
    ),
    (&[Cluster], "upstream_rq_503", UpstreamClosedConnection, UNAVAILABLE),
    (&[Cluster], "upstream_rq_502", UpstreamProtocolError, &[ApplicationError]),
    (&[Cluster], "upstream_rq_500", ApplicationError, &[]),
    (&[Cluster], "upstream_rq_5xx", ApplicationError, UNAVAILABLE),
    (&[Endpoint], "rq_error", UpstreamClosedConnection, UNAVAILABLE),
    // The proxy's own answers as well.
    (&[Http, Listener], "downstream_rq_5xx", ApplicationError, UNAVAILABLE),
];

const UNAVAILABLE: &[Cause] = &[UpstreamRefused, NoEndpoints, ApplicationError];
const UNCONNECTED: &[Cause] = &[UpstreamConnectTimeout, UpstreamUnreachable, UpstreamTlsFailed];

/// Configuration that Envoy didn't take.
pub(super) const REJECTED: &str = "update_rejected";
