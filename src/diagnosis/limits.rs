//! Limits of this proxy, and clients that leave.

use super::Verdict;
use crate::catalogue::Cause;
use crate::evidence::{Evidence, Fact, Flags, Layer};

pub(super) fn rule(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] =
        &[Fact::Details, Fact::Lived, Fact::Flags, Fact::Code, Fact::Cluster, Fact::Endpoint];
    if e.layer == Layer::Listener {
        return None;
    }
    let by_details = match e.details.name() {
        "stream_idle_timeout" | "request_header_timeout" | "downstream_header_timeout" => {
            Some(Cause::IdleTimeout)
        }
        "max_duration_timeout"
        | "duration_timeout"
        | "request_overall_timeout"
        | "upstream_max_stream_duration_reached" => Some(Cause::MaxDurationReached),
        "overload" => Some(Cause::ProxyOverloaded),
        "downstream_remote_disconnect"
        | "http2.remote_reset"
        | "http2.remote_refuse"
        | "http3.remote_reset"
        | "http3.remote_refuse" => Some(Cause::ClientDisconnected),
        _ => None,
    };
    let cause = by_details.or_else(|| by_flag(e.flags))?;
    // On a TCP chain the flag says how it ended, not what went wrong inside; and a client whose request never came
    // together may have spoken something else.
    let request_seen = e.upstream.cluster.is_some()
        || e.downstream.first_bytes.as_ref().is_some_and(|first| first.protocol.is_http());
    let sure = e.layer == Layer::Http && (cause != Cause::ClientDisconnected || request_seen);
    let unseen = cause == Cause::ClientDisconnected && e.code.is_none() && e.downstream.first_bytes.is_none();
    match (sure, unseen) {
        (true, _) => Verdict::certain(cause, FACTS),
        (false, false) => Verdict::likely(cause, FACTS),
        // Bytes of another protocol end like that, too.
        (false, true) => Verdict::possible(cause, FACTS),
    }
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
