//! Soft causes: seen on traffic that works, and yet isn't what was meant.

use super::{Rule, Verdict, passthrough};
use crate::catalogue::Cause;
use crate::evidence::{Evidence, Fact, Layer};

/// All are asked.
pub(super) const RULES: &[Rule] = &[bypass, treated_as_tcp, http10_upstream];

/// Istio's clusters and routes for what no service or ServiceEntry claims (names of 1.29 and 1.31).
fn bypass(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] =
        &[Fact::Cluster, Fact::Route, Fact::FilterChain, Fact::FirstBytes, Fact::RequestVersion, Fact::Sni];
    let allowed = matches!(e.route.name.as_deref(), Some("allow_any" | "allow_any_dynamic_dns"));
    let passes = e.upstream.cluster.as_ref().is_some_and(|c| c.is_passthrough());
    (passes || (allowed && e.layer == Layer::Http)).then_some(())?;
    passthrough::by_bytes(e).or_else(|| Verdict::certain(Cause::TrafficBypassesMesh, FACTS))
}

/// HTTP on a TCP proxy's chain to a service: the port is declared as TCP, or the protocol wasn't detected.
fn treated_as_tcp(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] =
        &[Fact::FirstBytes, Fact::RequestVersion, Fact::Cluster, Fact::FilterChain, Fact::AnswerVersion];
    let http = e.downstream.first_bytes.as_ref().is_some_and(|first| first.protocol.is_http());
    let service = e.upstream.cluster.as_ref().is_some_and(|c| c.is_service());
    (e.layer == Layer::Tcp && http && service).then_some(())?;
    Verdict::certain(Cause::HttpTreatedAsTcp, FACTS)
}

/// The upstream answers in HTTP/1.0: on TCP its first bytes say so. On HTTP nothing does (1.40), but a body without
/// length, chunks or announced end is what such servers send; an HTTP/2 server may send it too.
fn http10_upstream(e: &Evidence) -> Option<Verdict> {
    if e.layer == Layer::Tcp {
        const FACTS: &[Fact] = &[Fact::AnswerVersion, Fact::RequestVersion, Fact::Cluster, Fact::Endpoint];
        let version = |first: &Option<crate::wire::FirstBytes>| first.as_ref()?.http?.version;
        let asked = version(&e.downstream.first_bytes);
        // Asked in HTTP/1.0, many servers answer in it.
        let old = asked == Some((1, 1)) && version(&e.upstream.first_bytes) == Some((1, 0));
        return old.then(|| Verdict::certain(Cause::Http10Upstream, FACTS)).flatten();
    }
    const FACTS: &[Fact] =
        &[Fact::Unframed, Fact::Code, Fact::Protocol, Fact::UpstreamTls, Fact::Cluster, Fact::Endpoint];
    // "Length Required": such servers don't know chunks. An HTTP/1.1 server may refuse them, too.
    if e.code == Some(411) && e.details.via_upstream() {
        return Verdict::possible(Cause::Http10Upstream, FACTS);
    }
    let http1 = e.downstream.protocol.as_deref() == Some("HTTP/1.1") && e.upstream.tls_version.is_none();
    let old = e.answer.unframed == Some(true)
        && e.details.via_upstream()
        && http1
        && e.downstream.grpc != Some(true);
    old.then(|| Verdict::possible(Cause::Http10Upstream, FACTS)).flatten()
}
