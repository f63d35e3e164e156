//! Routes: no route, no route table, no cluster, or a host that may not be reached.

use super::{Advice, Verdict, is_server_error};
use crate::causes::{Cause, Side};
use crate::evidence::{Detail, Direction, Evidence, Fact, Flags, GrpcStatus, Layer, Resource};

pub(super) fn rule(e: &Evidence) -> Option<Verdict> {
    match e.layer {
        Layer::Http => http(e),
        Layer::Tcp => tcp(e),
        Layer::Listener => None,
    }
}

fn http(e: &Evidence) -> Option<Verdict> {
    match e.details.detail() {
        Detail::RouteNotFound => route_not_found(e),
        // Never provoked on 1.40: neither RDS nor scoped routes that never arrive, nor a scope without a match, give
        // these details; all of them end as `route_not_found`.
        Detail::RouteConfigurationNotFound => {
            Some(Verdict::certain(Cause::RouteTableMissing, &[Fact::Details, Fact::Flags]))
        }
        // The cluster's name can't be read (1.40): the route and its VirtualService can. Only the router gives these details, and
        // for a cluster that a client's header chose, too (`cluster_header`, which Istio doesn't use).
        Detail::ClusterNotFound => {
            let facts = &[Fact::Details, Fact::VirtualHost, Fact::Route];
            Some(Verdict::certain(Cause::ClusterMissing, facts).blaming(&e.route.resource))
        }
        Detail::DirectResponse if is_block_all(e) => connect(e).or_else(|| {
            const FACTS: &[Fact] = &[Fact::Details, Fact::VirtualHost, Fact::Route];
            let how_sure = if e.route.virtual_host.is_some() { Verdict::certain } else { Verdict::likely };
            Some(how_sure(Cause::EgressBlocked, FACTS))
        }),
        Detail::DirectResponse if is_error_reply(e) => Some(configured(e)),
        // Istio's gateways answer 500 for Gateway API backends that don't exist, still as NC.
        _ if e.flags.contains(Flags::NO_CLUSTER_FOUND) => {
            let facts = &[Fact::Flags, Fact::Details, Fact::VirtualHost, Fact::Route];
            Some(Verdict::certain(Cause::ClusterMissing, facts).blaming(&e.route.resource))
        }
        _ => None,
    }
}

/// `404 NR`. The virtual host is the question: known or not (read on 1.40: it stays when no route matches).
fn route_not_found(e: &Evidence) -> Option<Verdict> {
    const HOST: &[Fact] = &[Fact::Details, Fact::Flags, Fact::Protocol, Fact::Sni, Fact::SniIsAuthority];
    const REUSED: &[Fact] = &[
        Fact::Details,
        Fact::Protocol,
        Fact::Sni,
        Fact::SniIsAuthority,
        Fact::CertificateCovers,
        Fact::TlsVersion,
    ];
    if let Some(reused) = reused_connection(e) {
        return Some(Verdict::new(reused, Cause::ConnectionReusedAcrossGateways, REUSED));
    }
    if let Some(verdict) = connect(e) {
        return Some(verdict);
    }
    Some(match e.route.virtual_host.as_deref() {
        // istiod's virtual host for a gateway port without any usable HTTP route.
        Some(name) if name.starts_with("blackhole:") => without_http_routes(e),
        // The virtual host is there and none of its routes fits; CONNECT is handled above.
        Some(_) => {
            let facts = &[Fact::Details, Fact::VirtualHost, Fact::FilterChain];
            Verdict::certain(Cause::RouteNoMatch, facts).blaming(&e.waypoints_service())
        }
        // A route table that never came over RDS looks the same, so this is never certain.
        None => Verdict::likely(Cause::RouteHostUnknown, HOST),
    })
}

/// CONNECT, as to a forward proxy, where no route takes it. Look-alike: a port that is one, for other hosts; istiod's own
/// virtual hosts of outbound ports are none.
fn connect(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[Fact::Connect, Fact::Details, Fact::Flags, Fact::VirtualHost, Fact::FirstBytes];
    (e.downstream.tunnel == Some(true)).then_some(())?;
    let istiods = matches!(e.route.virtual_host.as_deref(), Some("block_all" | "allow_any"));
    let how_sure = if istiods { Verdict::certain } else { Verdict::likely };
    Some(how_sure(Cause::ConnectToNonProxyPort, FACTS))
}

/// `blackhole:PORT`. Where TLS isn't terminated, `tls` routes are out of the question; a delegate that doesn't exist, and
/// hosts that no VirtualService shares with the Gateway, look the same.
fn without_http_routes(e: &Evidence) -> Verdict {
    const FACTS: &[Fact] = &[Fact::Details, Fact::VirtualHost, Fact::TlsVersion, Fact::Sni];
    static PLAINTEXT: Advice = Advice {
        side: Some(Side::Mesh),
        fix: "Bind a VirtualService with http routes to this gateway, with hosts of the Gateway's and delegates that exist, or an HTTPRoute that its listener allows.",
    };
    if e.downstream.tls_version.is_some() {
        return Verdict::certain(Cause::GatewayWithoutHttpRoutes, FACTS);
    }
    Verdict::likely(Cause::GatewayWithoutHttpRoutes, FACTS).advising(&PLAINTEXT)
}

/// TLS was agreed for one host, the request asks for another that this proxy's certificate covers too:
/// browsers reuse the connection then (RFC 9113, section 9.1.1).
///
/// A client that sets a wrong Host on a fresh connection looks the same, so this is never certain.
fn reused_connection(e: &Evidence) -> Option<super::Confidence> {
    let down = &e.downstream;
    let terminated = down.tls_version.is_some() && down.sni.is_some();
    if !terminated || down.sni_is_authority != Some(false) || e.route.virtual_host.is_some() {
        return None;
    }
    // Only HTTP/2 and later are reused by browsers; other proxies in front reuse HTTP/1.1 as well.
    let multiplexed = matches!(down.protocol.as_deref(), Some("HTTP/2" | "HTTP/3"));
    match (down.certificate_covers_authority, multiplexed) {
        (Some(true), true) => Some(super::Confidence::Likely),
        (Some(true), false) => Some(super::Confidence::Possible),
        _ => None,
    }
}

/// istiod's virtual host for hosts outside the registry under REGISTRY_ONLY, whose only route is a
/// direct 502. Look-alike: a VirtualService's route that somebody named so; its virtual host is
/// called after host and port.
pub(super) fn is_block_all(e: &Evidence) -> bool {
    match &e.route.virtual_host {
        Some(name) => name == "block_all",
        None => e.route.name.as_deref() == Some("block_all") && e.code == Some(502),
    }
}

/// Whether a direct response says that the server failed. For gRPC Envoy makes UNAVAILABLE of 429 and 502 to 504, and UNKNOWN of
/// all that gRPC has no word for, 500 among them: the call fails, whatever was meant.
pub(super) fn is_error_reply(e: &Evidence) -> bool {
    e.code.is_some_and(is_server_error)
        || matches!(e.answer.grpc_status, Some(GrpcStatus::UNKNOWN | GrpcStatus::UNAVAILABLE))
}

/// A direct response, which only a route gives (or a plugin that uses Envoy's details: configured
/// as well).
fn configured(e: &Evidence) -> Verdict {
    const FACTS: &[Fact] = &[Fact::Details, Fact::Code, Fact::Route, Fact::VirtualHost];
    // Rules of the Gateway API know no direct response (Envoy Gateway has a filter of its own for that).
    let is_500 = e.code == Some(500) || e.answer.grpc_status == Some(GrpcStatus::UNKNOWN);
    if e.route.gateway_api && is_500 {
        return Verdict::likely(Cause::RouteWithoutBackend, FACTS).blaming(&e.route.resource);
    }
    // Where no backend of a rule has a ready endpoint. Look-alike: an HTTPRouteFilter's direct response.
    static BY_ENVOY_GATEWAY: Advice = Advice {
        side: None,
        fix: "Give the route's backends ready endpoints (selector, readiness): without one Envoy Gateway answers 503 itself, as an HTTPRouteFilter's direct response does.",
    };
    let is_503 = e.code == Some(503) || e.answer.grpc_status == Some(GrpcStatus::UNAVAILABLE);
    if is_503 && e.route.name.as_deref().is_some_and(Resource::is_envoy_gateway) {
        return Verdict::possible(Cause::NoEndpoints, FACTS)
            .blaming(&e.route.resource)
            .advising(&BY_ENVOY_GATEWAY);
    }
    let nameless = e.route.virtual_host.is_none() && e.route.name.is_none() && e.route.resource.is_none();
    if nameless && e.code == Some(502) {
        // istiod's own, for hosts outside of the registry, is the commonest by far.
        return Verdict::possible(Cause::EgressBlocked, FACTS);
    }
    let how_sure = if e.route.virtual_host.is_some() { Verdict::certain } else { Verdict::likely };
    how_sure(Cause::ConfiguredErrorReply, FACTS).blaming(&e.route.resource)
}

fn tcp(e: &Evidence) -> Option<Verdict> {
    // At a sidecar's inbound listener that cluster takes what came to the proxy's own port, 15006, as port scans do.
    if e.upstream.cluster.as_ref().is_some_and(|c| c.is_black_hole()) && e.direction == Direction::Inbound {
        return Some(Verdict::possible(
            Cause::Unclassified,
            &[Fact::Cluster, Fact::FilterChain, Fact::Flags],
        ));
    }
    if e.upstream.cluster.as_ref().is_some_and(|c| c.is_black_hole()) {
        if let Some(verdict) = super::passthrough::blocked(e) {
            return Some(verdict);
        }
        let facts = &[Fact::Cluster, Fact::FilterChain, Fact::Flags, Fact::Sni, Fact::DownstreamFailure];
        // Without the chain's name it may have been that default chain.
        let verdict = if e.filter_chain.is_some() { Verdict::certain } else { Verdict::possible };
        return Some(verdict(Cause::EgressBlocked, facts));
    }
    if e.flags.contains(Flags::NO_CLUSTER_FOUND) {
        return Some(Verdict::certain(
            Cause::ClusterMissing,
            &[Fact::Flags, Fact::FilterChain, Fact::Termination],
        ));
    }
    None
}
