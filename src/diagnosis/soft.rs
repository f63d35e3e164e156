//! Soft causes: seen on traffic that works, and yet isn't what was meant.

use super::{Rule, Verdict, passthrough};
use crate::causes::Cause;
use crate::evidence::{Direction, Evidence, Fact, Flags, Layer};
use crate::wire::FirstBytes;

/// All rules run.
pub(super) const RULES: &[Rule] = &[
    bypass,
    treated_as_tcp,
    http10_upstream,
    rule_elsewhere,
    spread_over_versions,
    unsettled,
    recovered,
    retried,
    delayed,
];

/// Istio's clusters and routes for what no service or ServiceEntry claims (names of 1.29 and 1.31).
fn bypass(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] =
        &[Fact::Cluster, Fact::Route, Fact::FilterChain, Fact::FirstBytes, Fact::RequestVersion, Fact::Sni];
    let allowed = matches!(e.route.name.as_deref(), Some("allow_any" | "allow_any_dynamic_dns"));
    let passes = e.upstream.cluster.as_ref().is_some_and(|c| c.is_passthrough());
    (passes || (allowed && e.layer == Layer::Http)).then_some(())?;
    // The cluster or route is istiod's own for what it doesn't know; a VirtualService can't lead there.
    Some(passthrough::by_bytes(e).unwrap_or_else(|| Verdict::certain(Cause::TrafficBypassesMesh, FACTS)))
}

/// HTTP on a TCP proxy's chain to a service: the port is declared as TCP, or the protocol wasn't detected.
fn treated_as_tcp(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] =
        &[Fact::FirstBytes, Fact::RequestVersion, Fact::Cluster, Fact::FilterChain, Fact::AnswerVersion];
    let http = e.downstream.first_bytes.as_ref().is_some_and(|first| first.protocol.is_http());
    let service = e.upstream.cluster.as_ref().is_some_and(|c| c.is_service());
    (e.layer == Layer::Tcp && http && service).then_some(())?;
    // Istio's inbound detection passes it over (1.31), and a port that is named for HTTP would refuse it.
    if e.direction == Direction::Inbound && e.client_speaks_http10() {
        return Some(Verdict::likely(Cause::Http10Client, FACTS));
    }
    // The bytes are HTTP and the chain is a TCP proxy's, meant or not.
    Some(Verdict::certain(Cause::HttpTreatedAsTcp, FACTS))
}

/// The upstream answers in HTTP/1.0: on TCP its first bytes say so. On HTTP nothing does (1.40), but a body without
/// length, chunks or announced end is what such servers send; an HTTP/2 server may send it too.
fn http10_upstream(e: &Evidence) -> Option<Verdict> {
    if e.layer == Layer::Tcp {
        const FACTS: &[Fact] = &[Fact::AnswerVersion, Fact::RequestVersion, Fact::Cluster, Fact::Endpoint];
        let version = |first: &Option<FirstBytes>| first.as_ref().and_then(FirstBytes::http_version);
        let asked = version(&e.downstream.first_bytes);
        // Asked in HTTP/1.0, many servers answer in it.
        let old = asked == Some((1, 1)) && version(&e.upstream.first_bytes) == Some((1, 0));
        return old.then(|| Verdict::certain(Cause::Http10Upstream, FACTS));
    }
    const FACTS: &[Fact] =
        &[Fact::Unframed, Fact::Code, Fact::Protocol, Fact::UpstreamTls, Fact::Cluster, Fact::Endpoint];
    // "Length Required": such servers don't know chunks. An HTTP/1.1 server may refuse them, too.
    if e.code == Some(411) && e.details.via_upstream() {
        return Some(Verdict::possible(Cause::Http10Upstream, FACTS));
    }
    let http1 = e.downstream.protocol.as_deref() == Some("HTTP/1.1") && e.upstream.tls_version.is_none();
    let old = e.answer.unframed == Some(true)
        && e.details.via_upstream()
        && http1
        && e.downstream.grpc != Some(true)
        // What comes through a tunnel has no frame.
        && e.downstream.tunnel != Some(true);
    old.then(|| Verdict::possible(Cause::Http10Upstream, FACTS))
}

/// The service's own route was taken, while a VirtualService leads to the same service from another host: perhaps
/// its `hosts` lack the name that is called. Both may be meant, and a VirtualService that applies nowhere in this
/// proxy is unknown to it.
fn rule_elsewhere(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[Fact::Route, Fact::VirtualHost, Fact::RuleFor, Fact::Cluster];
    e.past.rule.as_ref()?;
    let default = e.route.name.as_deref() == Some("default") && e.route.resource.is_none();
    (default && e.direction == Direction::Outbound).then_some(())?;
    Some(Verdict::possible(Cause::VirtualServiceNotApplied, FACTS).blaming(&e.past.rule))
}

/// A gateway's VirtualService leads to the service as a whole, several versions answer, and a DestinationRule is
/// there: perhaps its subsets are for a VirtualService that only the mesh's own calls follow. No gateway sees that.
fn spread_over_versions(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[Fact::Cluster, Fact::Versions, Fact::VirtualHost, Fact::Route];
    e.past.versions.as_ref()?;
    let at_gateway = e.direction == Direction::Gateway && e.route.resource.is_some();
    let whole = e.upstream.cluster.as_ref().is_some_and(|c| c.is_service() && c.subset().is_none());
    (at_gateway && whole && e.upstream.resource.is_some()).then_some(())?;
    Some(Verdict::possible(Cause::GatewayIgnoresMeshRoutes, FACTS).blaming(&e.route.resource))
}

/// Two clusters under one named route are weights; they can't be read.
fn unsettled(e: &Evidence) -> Option<Verdict> {
    e.past.split.as_ref()?;
    let facts = &[Fact::Split, Fact::Route, Fact::VirtualHost];
    Some(Verdict::possible(Cause::WeightsNotSettled, facts).blaming(&e.route.resource))
}

/// The same request failed for lack of a route or cluster, and works now. It may have been repaired
/// instead.
fn recovered(e: &Evidence) -> Option<Verdict> {
    e.past.failed_for?;
    let facts = &[Fact::FailedFor, Fact::Route, Fact::VirtualHost, Fact::Cluster];
    Some(Verdict::possible(Cause::ConfigPropagating, facts).blaming(&e.route.resource))
}

/// An answer that wasn't the first attempt's. Look-alike: hedged requests, which an EnvoyFilter may ask for.
fn retried(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[Fact::Attempts, Fact::Code, Fact::Cluster, Fact::Endpoint, Fact::Route];
    let again = e.upstream.attempts.is_some_and(|attempts| attempts > 1);
    // A gRPC call that failed says so behind a 200.
    let failed = e.code.is_none_or(|code| code >= 400) || e.answer.grpc_status.is_some();
    let good = !failed && e.details.via_upstream();
    (again && good).then(|| Verdict::likely(Cause::SucceededAfterRetries, FACTS))
}

/// Only the fault filter sets this flag (1.36, 1.40).
fn delayed(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[Fact::Flags, Fact::Code, Fact::Cluster, Fact::Route];
    e.flags.contains(Flags::DELAY_INJECTED).then_some(())?;
    Some(Verdict::certain(Cause::DelayInjected, FACTS).blaming(&e.route.resource))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Details, GrpcStatus};

    #[test]
    fn only_what_succeeded_in_the_end_is_said_to_have_been_retried() {
        let answered = |attempts, code, grpc_status| {
            let mut e =
                Evidence { code: Some(code), details: Details::new("via_upstream"), ..Evidence::default() };
            (e.upstream.attempts, e.answer.grpc_status) = (Some(attempts), grpc_status);
            retried(&e).map(|verdict| verdict.cause)
        };
        assert_eq!(answered(2, 200, None), Some(Cause::SucceededAfterRetries));
        assert_eq!(answered(1, 200, None), None);
        assert_eq!(answered(2, 404, None), None);
        assert_eq!(answered(2, 200, Some(GrpcStatus(1))), None, "the application's CANCELLED");
    }
}
