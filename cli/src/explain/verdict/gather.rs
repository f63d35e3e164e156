//! A line's columns → [`Evidence`]: what is shown, and nothing else.

use meshwhy::diagnosis::is_policy_denial;
use meshwhy::evidence;
use meshwhy::evidence::{
    Answer, ClusterName, Details, Downstream, Evidence, Flags, Layer, MixerStatus, Resource, Route,
    TlsVersion, TransportFailure, Upstream, covers, host_name, host_of,
};
use meshwhy::report::{LONGEST_FACT, escape};

use super::memory::Columns;
use super::{closed, lengths};
use crate::explain::{Column, Line, grpc};

/// Stands for a flag that this version doesn't know.
pub(in crate::explain) const UNKNOWN_FLAG: Flags = Flags::from_bits_retain(1 << 63);

/// Where these are the last word, no upstream has answered.
const NEVER_ANSWERED: Flags =
    Flags::UPSTREAM_CONNECTION_FAILURE.union(Flags::NO_HEALTHY_UPSTREAM).union(Flags::NO_ROUTE_FOUND);

/// What a TCP proxy never says; that attempts are used up it says of failed connects alone.
const OF_STREAMS: Flags = Flags::DOWNSTREAM_PROTOCOL_ERROR
    .union(Flags::UPSTREAM_PROTOCOL_ERROR)
    .union(Flags::UPSTREAM_REQUEST_TIMEOUT)
    .union(Flags::UPSTREAM_CONNECTION_TERMINATION)
    .union(Flags::LOCAL_RESET)
    .union(Flags::FAULT_INJECTED)
    .union(Flags::FAILED_LOCAL_HEALTH_CHECK)
    .union(Flags::INVALID_ENVOY_REQUEST_HEADERS)
    .union(Flags::UPSTREAM_MAX_STREAM_DURATION_REACHED);

/// What the line shows.
pub(in crate::explain) fn evidence(line: &Line<'_>) -> Evidence {
    let text = |column| line.get(column).map(str::to_owned);
    let flags = flags(line);
    let layer = layer(line, flags);
    // A connection without a filter chain is the only one with NR (1.40).
    let has_no_chain = flags.contains(Flags::NO_ROUTE_FOUND);
    let details = match (line.shows(Column::Details), layer) {
        (false, Layer::Listener) if has_no_chain => "filter_chain_not_found",
        _ => line.get(Column::Details).unwrap_or_default(),
    };
    // An answer of the upstream and a failure to get there don't go together; the flags are what people look at.
    let contradicts = details == "via_upstream" && flags.intersects(NEVER_ANSWERED);
    let details = if contradicts { Details::unseen() } else { Details::new(details) };
    let flags = flags | unshown(line, &details);
    let name = |column| text(column).map(evidence::name);
    let tls_version = |column| line.get(column).map(|name| TlsVersion::parse(name.as_bytes()));
    let host = name(Column::UpstreamHost);
    let in_tunnel = host.as_deref().is_some_and(|host| host.starts_with("envoy://"));
    let lived = line.get(Column::Duration).filter(|_| in_tunnel).and_then(|lived| lived.parse().ok());
    Evidence {
        layer,
        lived,
        code: line.code(),
        flags,
        termination: Details::new(line.get(Column::Termination).unwrap_or_default()),
        filter_chain: name(Column::FilterChain),
        downstream: Downstream {
            sni: text(Column::Sni).map(|sni| host_name(&sni)),
            tls_version: tls_version(Column::DownstreamTls),
            protocol: text(Column::Protocol),
            transport_failure: line.get(Column::DownstreamFailure).and_then(TransportFailure::new),
            grpc: line.get(Column::ContentType).map(|kind| kind.starts_with("application/grpc")),
            tunnel: line.get(Column::Method).map(|method| method == "CONNECT"),
            sni_is_authority: sni_is_authority(line),
            ..Downstream::default()
        },
        route: Route {
            virtual_host: name(Column::VirtualHost),
            name: name(Column::Route),
            ..Route::default()
        }
        .made_of(line.get(Column::RouteConfig).unwrap_or_default()),
        upstream: Upstream {
            cluster: name(Column::Cluster).and_then(ClusterName::new),
            resource: line.get(Column::ClusterConfig).and_then(Resource::from_config_path),
            endpoints: endpoints(line),
            tls_version: tls_version(Column::UpstreamTls),
            takes_istio_mtls: (line.shows(Column::TlsMode) && host.is_some())
                .then(|| line.get(Column::TlsMode) == Some("istio")),
            transport_failure: line
                .get(Column::UpstreamFailure)
                .and_then(TransportFailure::new)
                .or_else(|| details.transport_failure().cloned()),
            attempts: line.get(Column::Attempts).and_then(|n| n.parse().ok()),
            address: host,
            ..Upstream::default()
        },
        answer: Answer { grpc_status: grpc::status(line), ..Answer::default() },
        // In JSON it has quotes of its own.
        mixer: line.get(Column::Mixer).and_then(|status| MixerStatus::new(status.trim_matches('"'))),
        details,
        ..Evidence::default()
    }
}

/// The flag of an answer that broke off, in a log without flags: its status is the upstream's.
fn unshown(line: &Line<'_>, details: &Details) -> Flags {
    if !details.reset_after_response() || line.shows(Column::Flags) || line.shows(Column::FlagsLong) {
        return Flags::empty();
    }
    match details.reset_reason() {
        Some("protocol_error") => Flags::UPSTREAM_PROTOCOL_ERROR,
        Some("connection_termination") => Flags::UPSTREAM_CONNECTION_TERMINATION,
        Some("remote_reset") => Flags::UPSTREAM_REMOTE_RESET,
        _ => Flags::empty(),
    }
}

/// Istio's proxies keep no gauges of clusters, and say 0 whatever is there (1.31).
fn endpoints(line: &Line<'_>) -> Option<u64> {
    let istios = line.get(Column::Cluster).and_then(ClusterName::new).is_some_and(|c| c.is_service());
    line.get(Column::Endpoints).and_then(|n| n.parse().ok()).filter(|count| *count > 0 || !istios)
}

/// Whether the codec had put a request together.
pub(in crate::explain) fn has_request(line: &Line<'_>) -> bool {
    line.get(Column::Method).is_some()
}

/// Whether it is a request and no tunnel.
pub(in crate::explain) fn is_plain_request(line: &Line<'_>) -> bool {
    line.get(Column::Method).is_some_and(|method| method != "CONNECT")
        && line.get(Column::Protocol).is_some_and(|protocol| protocol.starts_with("HTTP/"))
}

/// Whether it took too short, or nothing like whole seconds, for a usual time-out and its repetitions; `None` where the log doesn't say how long
/// it took.
pub(in crate::explain) fn is_short(line: &Line<'_>) -> Option<bool> {
    const SECOND: u64 = 1_000;
    const LONG: u64 = 5_000;
    // Before each repetition Envoy waits up to 25 ms, then 75 ms.
    const AROUND: std::ops::RangeInclusive<u64> = 250..=979;
    let duration: u64 = line.get(Column::Duration)?.parse().ok()?;
    Some(duration < SECOND || (duration < LONG && AROUND.contains(&duration.wrapping_rem(SECOND))))
}

/// Whether the answer is as long as one of Envoy's own, of those that it gives with this status.
pub(in crate::explain) fn is_as_long_as_a_reply(line: &Line<'_>) -> bool {
    let sent = line.get(Column::BytesSent).and_then(|sent| sent.parse().ok());
    line.code().zip(sent).is_some_and(|(code, sent)| lengths::is_reply(code, sent))
}

/// Whether an upstream has answered, as far as a log without details shows it.
pub(in crate::explain) fn was_answered(e: &Evidence, line: Columns) -> bool {
    let retried = Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED;
    line.has(Column::ServiceTime) && e.layer == Layer::Http && !e.flags.difference(retried).any_failure()
}

/// Whether the log has it that TLS failed, be it without saying how.
pub(in crate::explain) fn failed_in_tls(line: &Line<'_>) -> bool {
    let is_tls = |text: &str| text.contains("TLS_error") || text.contains("TLS error");
    [Column::Details, Column::UpstreamFailure].iter().any(|column| line.get(*column).is_some_and(is_tls))
}

/// Whether the request's host is a name without a domain, as only workloads of the mesh use it.
pub(in crate::explain) fn asks_by_service_name(line: &Line<'_>) -> bool {
    let host = line.get(Column::Authority).map(host_of).unwrap_or_default();
    !host.is_empty() && host != "localhost" && !host.contains(['.', ':', '['])
}

/// Whether the codec read no whole request at a port where clients speak TLS. A log without the method doesn't say so.
pub(in crate::explain) fn read_nothing_at_tls_port(line: &Line<'_>) -> bool {
    let port = line.get(Column::LocalAddress).and_then(|address| address.rsplit_once(':'));
    let at_tls_port = port.is_some_and(|(_, port)| closed::TLS.contains(&port));
    at_tls_port && line.code() == Some(400) && line.shows(Column::Method) && !has_request(line)
}

/// Whether this is a connection manager's connection, in a listener's log: its streams have lines of their own.
pub(in crate::explain) fn is_streams_connection(e: &Evidence) -> bool {
    const BY_TCP_PROXY: Flags = Flags::NO_HEALTHY_UPSTREAM
        .union(Flags::UPSTREAM_CONNECTION_FAILURE)
        .union(Flags::UPSTREAM_OVERFLOW)
        .union(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED)
        .union(Flags::NO_CLUSTER_FOUND);
    let refused = is_policy_denial(&e.termination);
    e.layer == Layer::Tcp && !e.flags.intersects(BY_TCP_PROXY) && e.upstream.cluster.is_none() && !refused
}

fn layer(line: &Line<'_>, flags: Flags) -> Layer {
    let failure = line.get(Column::DownstreamFailure).and_then(TransportFailure::new);
    // Where the log has no status, a flag that no TCP proxy sets is known to be a stream's.
    let by_flag = !line.shows(Column::Code)
        && (flags.intersects(OF_STREAMS) || flags == Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED);
    // Mixer was asked for requests.
    let by_mixer = line.get(Column::Mixer).is_some();
    let is_stream = line.code().is_some()
        || has_request(line)
        || line.get(Column::Details).is_some()
        || by_flag
        || by_mixer;
    let no_chain = match line.get(Column::Details) {
        Some(details) => details == "filter_chain_not_found",
        None => !line.shows(Column::Details) && !is_stream && flags.contains(Flags::NO_ROUTE_FOUND),
    };
    if no_chain || (!is_stream && failure.is_some_and(|reason| !reason.is_inspectors_note())) {
        return Layer::Listener;
    }
    // Only streams have a code or details; a connection manager leaves its protocol on the connection, too (1.40).
    if is_stream { Layer::Http } else { Layer::Tcp }
}

/// Whether a line that looks like a connection manager's connection shows a failure that no other line shows.
pub(in crate::explain) fn failed_all_the_same(e: &Evidence, line: &Line<'_>) -> bool {
    // A connection with a protocol of HTTP's has had streams, and those have lines of their own.
    let has_streams = line.get(Column::Protocol).is_some();
    // Either side may leave a connection as it likes; of a log without a status nobody knows that it was one.
    let left = if line.shows(Column::Code) { Flags::CLIENT_LEFT } else { Flags::empty() };
    // What stands in a status's or a flag's place may be anything else.
    let unknown = if line.shows(Column::Code) { UNKNOWN_FLAG } else { Flags::empty() };
    !has_streams && !line.shows(Column::Method) && e.flags.difference(left | unknown).any_failure()
}

/// Whether it was sent on, or tried to be: whatever this proxy has to say of the client was said before.
pub(in crate::explain) fn got_to_an_upstream(e: &Evidence) -> bool {
    const TRIED: Flags = Flags::NO_HEALTHY_UPSTREAM
        .union(Flags::UPSTREAM_CONNECTION_FAILURE)
        .union(Flags::UPSTREAM_CONNECTION_TERMINATION)
        .union(Flags::UPSTREAM_REMOTE_RESET)
        .union(Flags::UPSTREAM_REQUEST_TIMEOUT)
        .union(Flags::UPSTREAM_OVERFLOW)
        .union(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED)
        .union(Flags::UPSTREAM_PROTOCOL_ERROR)
        .union(Flags::NO_CLUSTER_FOUND);
    e.flags.intersects(TRIED) || failed_to_connect(e)
}

/// Whether no connection to the upstream came to be.
pub(in crate::explain) fn failed_to_connect(e: &Evidence) -> bool {
    e.flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE)
        || e.details.reset_reason().is_some_and(|reason| reason.ends_with("connection_failure"))
}

/// The failure flags, as the line has them.
pub(in crate::explain) fn flags_fact(line: &Line<'_>) -> String {
    let names = line.get(Column::Flags).or_else(|| line.get(Column::FlagsLong));
    names.map(|names| format!("flags={}", escape(names, LONGEST_FACT))).unwrap_or_default()
}

fn flags(line: &Line<'_>) -> Flags {
    let names = line.get(Column::Flags).or_else(|| line.get(Column::FlagsLong)).unwrap_or_default();
    names.split(',').filter(|name| !name.is_empty()).fold(Flags::default(), |all, name| {
        let known = Flags::from_short(short(name));
        all | if known.is_empty() { UNKNOWN_FLAG } else { known }
    })
}

/// Whether the line has a flag that this version doesn't know.
pub(in crate::explain) fn has_unknown_flag(line: &Line<'_>) -> bool {
    let is_flag = |name: &str| {
        (2..=6).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let mut names = line.get(Column::Flags).unwrap_or_default().split(',');
    names.any(|name| is_flag(name) && Flags::from_short(name).is_empty())
}

/// The short name of a long one (`%RESPONSE_FLAGS_LONG%`).
fn short(name: &str) -> &str {
    const NAMES: &[(&str, &str)] = &[
        ("FailedLocalHealthCheck", "LH"),
        ("NoHealthyUpstream", "UH"),
        ("UpstreamRequestTimeout", "UT"),
        ("LocalReset", "LR"),
        ("UpstreamRemoteReset", "UR"),
        ("UpstreamConnectionFailure", "UF"),
        ("UpstreamConnectionTermination", "UC"),
        ("UpstreamOverflow", "UO"),
        ("NoRouteFound", "NR"),
        ("DelayInjected", "DI"),
        ("FaultInjected", "FI"),
        ("RateLimited", "RL"),
        ("UnauthorizedExternalService", "UAEX"),
        ("RateLimitServiceError", "RLSE"),
        ("DownstreamConnectionTermination", "DC"),
        ("UpstreamRetryLimitExceeded", "URX"),
        ("StreamIdleTimeout", "SI"),
        ("InvalidEnvoyRequestHeaders", "IH"),
        ("DownstreamProtocolError", "DPE"),
        ("UpstreamMaxStreamDurationReached", "UMSDR"),
        ("ResponseFromCacheFilter", "RFCF"),
        ("NoFilterConfigFound", "NFCF"),
        ("DurationTimeout", "DT"),
        ("UpstreamProtocolError", "UPE"),
        ("NoClusterFound", "NC"),
        ("OverloadManagerTerminated", "OM"),
        ("DnsResolutionFailed", "DF"),
        ("DropOverload", "DO"),
        ("DownstreamRemoteReset", "DR"),
        ("UnconditionalDropOverload", "UDO"),
    ];
    NAMES.iter().find(|(long, _)| *long == name).map_or(name, |(_, short)| short)
}

fn sni_is_authority(line: &Line<'_>) -> Option<bool> {
    let (sni, authority) = (line.get(Column::Sni)?, line.get(Column::Authority)?);
    Some(covers(sni, host_of(authority)))
}
