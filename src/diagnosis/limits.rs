//! Limits of this proxy, and clients that leave.

use super::{Advice, Verdict};
use crate::causes::{Cause, Side};
use crate::evidence::{Detail, Evidence, Fact, Flags, Layer};
use crate::text;

pub(super) fn rule(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[
        Fact::Details,
        Fact::Lived,
        Fact::Flags,
        Fact::Code,
        Fact::Promised,
        Fact::Passed,
        Fact::Cluster,
        Fact::Endpoint,
    ];
    if e.layer == Layer::Listener {
        return None;
    }
    if e.is_cut_off() && !e.flags.any_failure() {
        return Some(cut_off(e));
    }
    if e.closed_by_this_proxy() {
        return Some(closed_here(e, FACTS));
    }
    let by_details = match e.details.detail() {
        Detail::StreamIdleTimeout | Detail::RequestHeaderTimeout | Detail::DownstreamHeaderTimeout => {
            Some(Cause::IdleTimeout)
        }
        Detail::MaxDurationTimeout
        | Detail::DurationTimeout
        | Detail::RequestOverallTimeout
        | Detail::UpstreamMaxStreamDurationReached => Some(Cause::MaxDurationReached),
        Detail::Overload => Some(Cause::ProxyOverloaded),
        Detail::DownstreamRemoteDisconnect
        | Detail::Http2RemoteReset
        | Detail::Http2RemoteRefuse
        | Detail::Http3RemoteReset
        | Detail::Http3RemoteRefuse => Some(Cause::ClientDisconnected),
        _ => None,
    };
    // What the upstream did came first.
    let reset = e.details.reset_reason().is_some();
    let flags = if reset { e.flags.difference(Flags::CLIENT_LEFT) } else { e.flags };
    let cause = by_details.or_else(|| by_flag(flags))?;
    if e.details.detail() == Detail::MaxDurationTimeout && e.downstream.grpc == Some(true) {
        // istiod's routes have no other maximum than what `grpc-timeout` asks for (1.31).
        static DEADLINE: Advice = Advice {
            side: None,
            fix: "Raise the client's gRPC deadline (grpc-timeout), or the maximum duration, or make the upstream answer sooner.",
        };
        return Some(Verdict::certain(cause, FACTS).advising(&DEADLINE));
    }
    if cause == Cause::ClientDisconnected && e.layer == Layer::Http && e.code.is_some() {
        // Clients stop reading when they have enough. Without a promised length nothing shows that
        // they hadn't.
        let how_sure = if e.answer.promised.is_some() { Verdict::likely } else { Verdict::possible };
        return Some(how_sure(cause, FACTS));
    }
    // On a TCP chain the flag shows how it ended, not why; and a client without a complete request
    // may have sent another protocol.
    let request_seen = e.upstream.cluster.is_some()
        || e.downstream.first_bytes.as_ref().is_some_and(|first| first.protocol.is_http());
    // A brief report reads less: another cause may have shown in the rest.
    let brief = e.brief && request_seen;
    let left = cause == Cause::ClientDisconnected;
    let sure = e.layer == Layer::Http && !brief && (!left || request_seen);
    let unseen = left && !brief && e.code.is_none() && e.downstream.first_bytes.is_none();
    let by_rule = e.layer == Layer::Tcp && cause == Cause::MaxDurationReached;
    let verdict = match (sure, unseen) {
        // Details and flags that only the connection manager, the router and the overload manager
        // give. A half-closed connection counts as disconnected, too (1.40, HTTP/1).
        (true, _) => Verdict::certain(cause, FACTS),
        (false, false) => Verdict::likely(cause, FACTS),
        // Bytes of another protocol end like that, too.
        (false, true) => Verdict::possible(cause, FACTS),
    };
    // istiod sets a TCP proxy's by DestinationRules alone (1.31).
    Some(if by_rule { verdict.blaming(&e.upstream.resource) } else { verdict })
}

/// `downstream_local_disconnect(REASON)`: this proxy ended the connection, and says why. The flag is the client's, DC.
fn closed_here(e: &Evidence, facts: &'static [Fact]) -> Verdict {
    static DEAF: Advice = Advice {
        side: Some(Side::Downstream),
        fix: "Find out why the client answered no HTTP/2 PING, or raise the keepalive timeout.",
    };
    let reason = e.details.inner().unwrap_or_default();
    match reason {
        // In both the listener manager closes what has not ended in the drain time; no filter or
        // client gives these details.
        "filter_chain_is_being_removed" | "purging_socket_that_have_not_progressed_to_connections" => {
            Verdict::certain(Cause::ProxyClosedConnection, facts)
        }
        "http2_ping_timeout" => Verdict::likely(Cause::ProxyClosedConnection, facts).advising(&DEAF),
        _ => {
            const OTHERS: &[(&str, Cause)] = &[
                ("codec_error", Cause::InvalidHttpRequest),
                ("protocol_violation", Cause::InvalidHttpRequest),
                ("overload", Cause::ProxyOverloaded),
                ("idle_timeout", Cause::IdleTimeout),
                ("duration_reached", Cause::MaxDurationReached),
            ];
            let other = OTHERS.iter().find(|(word, _)| text::contains(reason, word));
            Verdict::likely(other.map_or(Cause::ProxyClosedConnection, |(_, cause)| *cause), facts)
        }
    }
}

/// The longest that a connection lives that a filter turns away, in milliseconds. Measured: 0 (1.40). No idle timeout is so short.
pub(crate) const AT_ONCE: u64 = 20;

/// The idle timeout of a TCP proxy where nothing sets another, in milliseconds (Envoy 1.36 to 1.40, Istio 1.31).
const USUAL_IDLE_TIMEOUT: u64 = 3_600_000;

/// A TCP session in use that this proxy closed. No attribute gives the reason (1.40), only the access log's
/// `DOWNSTREAM_LOCAL_CLOSE_REASON`: the idle timeout, a listener or filter chain that was replaced or removed, or another network filter.
fn cut_off(e: &Evidence) -> Verdict {
    const FACTS: &[Fact] =
        &[Fact::ClosedBy, Fact::Lived, Fact::FirstBytes, Fact::Cluster, Fact::Endpoint, Fact::FilterChain];
    static IDLE: Advice = Advice {
        side: None,
        fix: "Raise tcp.idleTimeout in a DestinationRule (1h unless set), or have the client's pool end idle connections sooner.",
    };
    static EITHER: Advice = Advice {
        side: None,
        fix: "Raise the rule's tcp.idleTimeout, unless the proxy ended or its listener changed: %DOWNSTREAM_LOCAL_CLOSE_REASON% says which.",
    };
    static TURNED_AWAY: Advice = Advice {
        side: None,
        fix: "Raise the limit of connections that this proxy has for the port: %DOWNSTREAM_LOCAL_CLOSE_REASON% in its log says which filter refused.",
    };
    static CHANGED: Advice = Advice {
        side: None,
        fix: "See whether its listener changed, or an idle timeout is set: %DOWNSTREAM_LOCAL_CLOSE_REASON% in the TCP log says which.",
    };
    // Look-alike: a listener that is removed just as its client connects.
    if e.lived.is_some_and(|lived| lived <= AT_ONCE) && e.downstream.first_bytes.is_none() {
        return Verdict::possible(Cause::ProxyClosedConnection, FACTS).advising(&TURNED_AWAY);
    }
    if e.lived.is_none_or(|lived| lived >= USUAL_IDLE_TIMEOUT) {
        let verdict = if e.lived.is_some() { Verdict::likely } else { Verdict::possible };
        return verdict(Cause::IdleTimeout, FACTS).advising(&IDLE).blaming(&e.upstream.resource);
    }
    // Too young for the usual one: another may be set. A proxy that exits looks the same (1.40).
    if e.upstream.resource.is_some() {
        return Verdict::possible(Cause::IdleTimeout, FACTS).advising(&EITHER).blaming(&e.upstream.resource);
    }
    Verdict::likely(Cause::ProxyClosedConnection, FACTS).advising(&CHANGED)
}

fn by_flag(flags: Flags) -> Option<Cause> {
    const CAUSES: &[(Flags, Cause)] = &[
        (Flags::NO_FILTER_CONFIG_FOUND, Cause::FilterConfigMissing),
        (Flags::OVERLOAD_MANAGER, Cause::ProxyOverloaded),
        (Flags::FAILED_LOCAL_HEALTH_CHECK, Cause::LocalHealthCheckFailed),
        (Flags::STREAM_IDLE_TIMEOUT, Cause::IdleTimeout),
        (Flags::UPSTREAM_MAX_STREAM_DURATION_REACHED, Cause::MaxDurationReached),
        (Flags::DURATION_TIMEOUT, Cause::MaxDurationReached),
        (Flags::DOWNSTREAM_CONNECTION_TERMINATION, Cause::ClientDisconnected),
        (Flags::DOWNSTREAM_REMOTE_RESET, Cause::ClientDisconnected),
    ];
    CAUSES.iter().find(|(flag, _)| flags.intersects(*flag)).map(|(_, cause)| *cause)
}
