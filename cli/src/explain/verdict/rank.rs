//! Which of the causes that fit a line is the most probable, and which can't be at all.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use meshwhy::causes::{Cause, Place, Softness};
use meshwhy::diagnosis::{Confidence, is_server_error};
use meshwhy::evidence::{ClusterName, Detail, Details, Evidence, Flags, GrpcStatus, Layer, TransportFailure};

use super::judgement::Agreed;
use super::memory::Columns;
use super::{gather, others};
use crate::check::yaml::{Node, Room, documents};
use crate::explain::Column;

/// Threads of public issue trackers, and what they ended on: how often a cause is the one.
static THREADS: LazyLock<Vec<Thread>> = LazyLock::new(|| {
    let corpus = include_str!("../../../../src/diagnosis/corpus.yaml");
    let entries = documents(corpus, &mut Room::default()).nodes;
    entries.iter().flat_map(Node::items).filter_map(Thread::new).collect()
});

#[derive(Debug, PartialEq, Eq)]
struct Thread {
    cause: Cause,
    layer: Layer,
    flags: Flags,
    detail: Option<Detail>,
    /// Whether Envoy gave a reason for the connection that failed.
    explained: bool,
}

impl Thread {
    /// Of an entry of the corpus; none where nobody knows how the thread ended.
    fn new(entry: &Node) -> Option<Self> {
        let details = entry.text("details").map(Details::new);
        Some(Self {
            cause: Cause::from_id(entry.text("cause")?)?,
            layer: match entry.text("layer") {
                Some("tcp") => Layer::Tcp,
                Some("listener") => Layer::Listener,
                _ => Layer::Http,
            },
            flags: Flags::from_short(entry.text("flags").unwrap_or_default()),
            detail: details.as_ref().map(Details::detail),
            explained: entry.text("upstream_failure").is_some()
                || details.is_some_and(|details| details.transport_failure().is_some()),
        })
    }

    /// How much it says of a line like this.
    fn weight(&self, e: &Evidence) -> u32 {
        // It says that others were tried, and not of what.
        const RETRIED: Flags = Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED;
        let mut weight: u32 = 1;
        // Where Envoy knows a reason, it says so.
        if self.explained && gather::failed_to_connect(e) && e.upstream.transport_failure.is_none() {
            return weight;
        }
        if self.layer == e.layer {
            weight = weight.saturating_add(2);
        }
        if self.flags.difference(RETRIED).intersects(e.flags) {
            weight = weight.saturating_add(8);
        }
        if self.detail.is_some_and(|detail| detail == e.details.detail() && detail != Detail::None) {
            weight = weight.saturating_add(8);
        }
        weight
    }
}

/// What is said of a line of which several verdicts are possible: the one cause that is true of all, or else the most probable first.
pub(in crate::explain) fn settle(
    causes: Vec<Cause>,
    least: Confidence,
    shown: &Evidence,
    line: Columns,
) -> Agreed {
    let unexplained = causes.contains(&Cause::Unclassified);
    // Double TLS ends without a flag of its own.
    const ENDS: Flags = Flags::CLIENT_LEFT
        .union(Flags::UPSTREAM_REMOTE_RESET)
        .union(Flags::UPSTREAM_CONNECTION_FAILURE)
        .union(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED);
    let is_other = shown.layer == Layer::Tcp && shown.flags.difference(ENDS).any_failure();
    let is_known = |cause: &Cause| *cause != Cause::Unclassified && !(is_other && *cause == Cause::DoubleTls);
    let mut fit: Vec<Cause> = causes.into_iter().filter(is_known).collect();
    let mut least = least;
    if fit.iter().any(|cause| is_impossible(*cause, shown)) && !fit.iter().all(|c| is_impossible(*c, shown)) {
        fit.retain(|cause| !is_impossible(*cause, shown));
        // The rules themselves don't exclude it.
        least = least.min(Confidence::Likely);
    }
    if fit.is_empty() {
        fit = leads(shown, line);
        fit.retain(|cause| !is_impossible(*cause, shown));
    }
    if line.in_tls && fit.iter().any(|cause| is_tls(*cause)) {
        fit.retain(|cause| is_tls(*cause));
    }
    let covers_all =
        |general: &Cause| fit.iter().all(|cause| cause == general || general.is_broader_than(*cause));
    // What comes to a port of TLS is TLS, however little of it this proxy took for a request.
    let by_port = line.nothing_at_tls_port && fit.contains(&Cause::TlsOnPlaintextPort);
    // An answer as long as Envoy's own with this status is the next proxy's.
    let by_length =
        line.like_a_reply && shown.details.via_upstream() && fit.contains(&Cause::UpstreamProxyError);
    let general = fit.iter().copied().find(covers_all).filter(|_| !by_port && !by_length);
    sort(&mut fit, shown, line);
    let Some(cause) = general.or_else(|| fit.first().copied()) else {
        return Agreed {
            cause: Cause::Unclassified,
            confidence: Confidence::Possible,
            alternatives: Vec::new(),
        };
    };
    let sure = fit.len() == 1 && !unexplained;
    fit.retain(|other| *other != cause);
    if general.is_none() {
        // One that is true of another one, too, stands for both.
        let all: Vec<Cause> = fit.iter().copied().filter(|cause| !is_unusual(*cause, shown)).collect();
        fit.retain(|special| !all.iter().any(|general| general.is_broader_than(*special)));
    }
    let confidence = if sure { least } else { Confidence::Possible };
    Agreed { cause, confidence, alternatives: fit }
}

/// The most probable first.
fn sort(causes: &mut [Cause], shown: &Evidence, line: Columns) {
    let weight = |cause: Cause| -> u32 {
        THREADS.iter().filter(|thread| thread.cause == cause).map(|thread| thread.weight(shown)).sum()
    };
    // Stable: of equals the order of the rules.
    causes.sort_by_cached_key(|cause| {
        let first = first_by_line(shown, line).iter().position(|known| known == cause);
        (first.unwrap_or(usize::MAX), is_unusual(*cause, shown), std::cmp::Reverse(weight(*cause)))
    });
}

/// What a line's own columns put first.
fn first_by_line(e: &Evidence, line: Columns) -> &'static [Cause] {
    if line.nothing_at_tls_port {
        return &[Cause::TlsOnPlaintextPort];
    }
    // What the next proxy answered isn't the application's.
    if line.like_a_reply && e.details.via_upstream() {
        return &[Cause::UpstreamProxyError];
    }
    // A status without a word of who gave it is most often the application's, and a time-out the proxy's.
    if e.layer == Layer::Http && !line.shows(Column::Details) && !e.flags.any_failure() {
        let by_flags = line.shows(Column::Flags) || line.shows(Column::FlagsLong);
        match e.code {
            Some(504) if !by_flags => return &[Cause::UpstreamTimeout, Cause::ApplicationError],
            Some(503) if !by_flags => {}
            Some(403) => return &[Cause::AuthorizationPolicyDenied],
            Some(200 | 500..) => return &[Cause::ApplicationError, Cause::UpstreamProxyError],
            _ => {}
        }
    }
    // A client names its host in TLS and in the request: over HTTP/2 they differ where it uses a connection again.
    let multiplexed = matches!(e.downstream.protocol.as_deref(), Some("HTTP/2" | "HTTP/3"));
    if multiplexed && e.downstream.sni_is_authority == Some(false) {
        return &[Cause::ConnectionReusedAcrossGateways];
    }
    if e.layer == Layer::Listener && line.shows(Column::Sni) {
        return match &e.downstream.sni {
            // Plaintext, or a client that gives no name.
            None => &[Cause::PlaintextToStrictMtls],
            Some(_) => &[Cause::NoFilterChainForSni],
        };
    }
    // Envoy's own timer, be it that TLS was what took so long.
    if e.details.reset_reason() == Some("connection_timeout") {
        return &[Cause::UpstreamConnectTimeout];
    }
    let unexplained = gather::failed_to_connect(e) && e.upstream.transport_failure.is_none();
    if e.details.reset_reason() == Some("connection_termination") {
        // As long as a tunnel's other end may take to be connected.
        let by_timer = e.lived.is_some_and(|lived| (9_900..10_500).contains(&lived));
        if by_timer {
            return &[Cause::UpstreamConnectTimeout];
        }
        if unexplained {
            return &[Cause::UpstreamClosedConnection];
        }
    }
    if unexplained {
        let cluster = e.upstream.cluster.as_ref().map(ClusterName::as_str).unwrap_or_default();
        // To the application beside it no packet is lost.
        return if cluster.starts_with("inbound|") { &[Cause::UpstreamRefused] } else { by_duration(line) };
    }
    // Its number says more to those who know the kernel; TLS never began.
    if e.upstream.transport_failure.as_ref().is_some_and(TransportFailure::is_connect_error) {
        return &[Cause::UpstreamUnreachable, Cause::UpstreamRefused];
    }
    // Who got a certificate has spoken TLS, whatever the log leaves out.
    let of_certificate = |failure: &TransportFailure| failure.as_str().contains("CERTIFICATE_VERIFY_FAILED");
    if e.upstream.transport_failure.as_ref().is_some_and(of_certificate) {
        return &[Cause::UpstreamCertificateRejected];
    }
    // Older versions reset what took too long to connect.
    if e.details.reset_reason() == Some("local_reset") && line.short == Some(true) {
        return &[Cause::UpstreamReset];
    }
    // Of what a flag alone is left, nobody can tell whether it was a connection to a host that nobody knows.
    if e.flags == Flags::NO_HEALTHY_UPSTREAM && !line.shows(Column::Code) && e.upstream.cluster.is_none() {
        return &[Cause::NoEndpoints];
    }
    if e.flags.contains(Flags::NO_CLUSTER_FOUND) {
        return &[Cause::ClusterMissing];
    }
    // A short name is the mesh's own: a sidecar has a route for each host, be it the one that blocks all.
    if e.code == Some(404) && e.flags.contains(Flags::NO_ROUTE_FOUND) && line.by_service_name {
        return &[Cause::RouteNoMatch];
    }
    // Who denies says so with 401 or 403.
    if e.flags.contains(Flags::UNAUTHORIZED_EXTERNAL_SERVICE)
        && (e.answer.grpc_status == Some(GrpcStatus::UNAVAILABLE) || e.code.is_some_and(is_server_error))
    {
        return &[Cause::ExtAuthzUnavailable];
    }
    &[]
}

fn is_tls(cause: Cause) -> bool {
    cause == Cause::UpstreamTlsFailed || Cause::UpstreamTlsFailed.is_broader_than(cause)
}

/// What happens seldom, whatever else it is that the cause is known for.
fn is_unusual(cause: Cause, e: &Evidence) -> bool {
    match cause {
        // Browsers use connections again over HTTP/2; over HTTP/1.1 proxies may. Without the server name nothing speaks for it.
        Cause::ConnectionReusedAcrossGateways => {
            e.downstream.sni_is_authority.is_none()
                || e.downstream.protocol.as_deref().is_none_or(|protocol| protocol.starts_with("HTTP/1"))
        }
        Cause::UpstreamClosedConnection | Cause::FileDescriptorsExhausted => gather::failed_to_connect(e),
        _ => false,
    }
}

/// A connection that failed without a word: how long it took says which.
fn by_duration(line: Columns) -> &'static [Cause] {
    const LATE: &[Cause] = &[Cause::UpstreamConnectTimeout, Cause::UpstreamUnreachable];
    match line.short {
        // Time-outs are whole seconds.
        Some(false) => LATE,
        // Most often nobody listens there.
        Some(true) | None => &[Cause::UpstreamRefused],
    }
}

/// Causes that Envoy's flags stand for where no rule knows more.
fn leads(e: &Evidence, line: Columns) -> Vec<Cause> {
    let no_route = e.flags.contains(Flags::NO_ROUTE_FOUND);
    let is_set = |flag: &&str| e.flags.intersects(Flags::from_short(flag));
    let of_flags = Cause::ALL.iter().filter(|cause| cause.definition().flags.iter().any(is_set));
    let mut found: Vec<Cause> = of_flags.copied().collect();
    match e.code {
        // Before Envoy had NC, a missing cluster was one more NR.
        Some(503) if no_route => found.push(Cause::ClusterMissing),
        Some(_) if no_route => found.extend([Cause::RouteHostUnknown, Cause::RouteNoMatch]),
        None if no_route && line.shows(Column::Code) => {
            found.extend([Cause::NoFilterChainForSni, Cause::PlaintextToStrictMtls]);
        }
        None if no_route => found.extend([
            Cause::RouteHostUnknown,
            Cause::RouteNoMatch,
            Cause::NoFilterChainForSni,
            Cause::PlaintextToStrictMtls,
        ]),
        _ => {}
    }
    if e.details.reset_reason() == Some("local_reset") {
        found.extend([Cause::UpstreamConnectTimeout, Cause::UpstreamReset]);
    }
    // A connection that failed has a flag of its own beside it: what was tried again were answers.
    if e.flags == Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED && e.layer == Layer::Http {
        found.extend([Cause::UpstreamProxyError, Cause::ApplicationError]);
    }
    let found: BTreeSet<Cause> = found.into_iter().collect();
    found.into_iter().collect()
}

/// What can't be, wherever the line doesn't say enough for a rule.
fn is_impossible(cause: Cause, e: &Evidence) -> bool {
    let cluster = e.upstream.cluster.as_ref().map_or("", |cluster| cluster.as_str());
    let passthrough = e.upstream.cluster.as_ref().is_some_and(ClusterName::is_passthrough);
    let fell_through = passthrough && cause == Cause::TlsOnPlaintextPort && e.downstream.sni.is_some();
    let failed_to_connect = gather::failed_to_connect(e);
    let definition = cause.definition();
    let is_soft = match definition.soft {
        Softness::Only => true,
        // The bytes never got to anybody. TLS may have fallen through an HTTP port's chains to an address that nobody has.
        Softness::Also => failed_to_connect && e.layer == Layer::Tcp && !fell_through,
        Softness::Never => false,
    };
    // A policy lets no connection get so far.
    let denied = cause == Cause::AuthorizationPolicyDenied && gather::got_to_an_upstream(e);
    let elsewhere = match definition.place {
        Place::Either => false,
        Place::ServerSide => cluster.starts_with("outbound|"),
        Place::ClientSide => cluster.starts_with("inbound|"),
    };
    let without_tls = is_tls(cause)
        && e.upstream.transport_failure.as_ref().is_some_and(TransportFailure::is_connect_error);
    // A connection that ended had been one. In a mesh of tunnels that is the tunnel's.
    let was_connected = matches!(cause, Cause::UpstreamRefused | Cause::UpstreamUnreachable)
        && e.details.reset_reason() == Some("connection_termination");
    // Without Istio there is no DestinationRule.
    let no_istio = cause == Cause::DestinationRuleTlsConflict && others::is_anothers(cluster);
    // Nobody saw a request in what TLS carries to somebody else.
    let unseen = cause == Cause::Http10Client && e.layer == Layer::Tcp && e.downstream.sni.is_some();
    is_soft || denied || elsewhere || without_tls || no_istio || was_connected || unseen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_sees_a_request_in_what_tls_carries_past() {
        let mut e = Evidence { layer: Layer::Tcp, ..Evidence::default() };
        assert!(!is_impossible(Cause::Http10Client, &e));
        e.downstream.sni = Some("api.example.com".into());
        assert!(is_impossible(Cause::Http10Client, &e));
        // Where TLS ends at this proxy, it sees the request.
        e.layer = Layer::Http;
        assert!(!is_impossible(Cause::Http10Client, &e));
    }

    #[test]
    fn a_connection_that_ended_was_not_refused() {
        let mut e = Evidence {
            details: Details::new("upstream_reset_before_response_started{connection_termination}"),
            ..Evidence::default()
        };
        assert!(is_impossible(Cause::UpstreamRefused, &e));
        e.details = Details::new("upstream_reset_before_response_started{connection_failure}");
        assert!(!is_impossible(Cause::UpstreamRefused, &e));
    }

    #[test]
    fn a_reused_connection_comes_last_where_no_server_name_is_shown() {
        let mut e = Evidence::default();
        e.downstream.protocol = Some("HTTP/2".into());
        assert!(is_unusual(Cause::ConnectionReusedAcrossGateways, &e));
        e.downstream.sni_is_authority = Some(false);
        assert!(!is_unusual(Cause::ConnectionReusedAcrossGateways, &e));
    }

    #[test]
    fn each_thread_with_an_end_is_known() {
        let text = include_str!("../../../../src/diagnosis/corpus.yaml");
        let all: Vec<serde_json::Value> = serde_norway::from_str(text).unwrap();
        let known = all.iter().filter(|entry| Cause::from_id(entry["cause"].as_str().unwrap()).is_some());
        let expected = known.map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default();
            let detail = entry["details"].as_str().map(|details| Details::new(details).detail());
            (Cause::from_id(text("cause")).unwrap(), Flags::from_short(text("flags")), detail)
        });
        let read = THREADS.iter().map(|thread| (thread.cause, thread.flags, thread.detail));
        assert_eq!(read.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}
