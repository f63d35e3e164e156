//! What a line doesn't show: each value that it may have had is tried, and only what all of them agree on is said.

use std::sync::LazyLock;

use meshwhy::causes::{Cause, LogShape};
use meshwhy::diagnosis::{Confidence, Verdict, diagnose, is_policy_denial};
use meshwhy::evidence::{
    ClusterName, Detail, Details, Direction, Evidence, FALL_THROUGH, Flags, GrpcStatus, Layer, ListenerKind,
    Page, TransportFailure,
};
use meshwhy::report::Report;
use meshwhy::wire::{FirstBytes, Protocol};

use super::judgement::{Agreed, Judgement};
use super::memory::{Columns, Question, remembered};
use super::{Column, Finding, Line, gather, rank};

/// One thing that a line doesn't show.
struct Unseen {
    /// What would show it.
    shown_by: &'static str,
    /// What it may have been, other than what is assumed first.
    values: Vec<Change>,
}

type Change = Box<dyn Fn(&mut Evidence)>;

const MTLS: &str = "%METADATA(UPSTREAM_HOST:envoy.transport_socket_match:tlsMode)%";
const BYTES: &str = "meshwhy's connection role";
const LISTENERS: &str = "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%";

/// So many possibilities are combined at the most.
const MOST_WORLDS: usize = 4_096;

/// Names the cause, as far as the line lets one know it; nothing where it shows no failure.
pub(super) fn judge(shown: &Evidence, line: &Line<'_>) -> Option<Finding> {
    // A client that left in the middle of an answer: no log shows whether more was to come. Streams of events end so, too.
    let good = shown.code.is_some_and(|code| code < 400) || shown.details.via_upstream();
    if shown.left_midway() && good {
        return None;
    }
    let no_flags = !line.shows(Column::Flags) && !line.shows(Column::FlagsLong);
    if shown.code.is_none() && no_flags {
        // Only a connection to the upstream that failed has a reason, and only what was denied has Mixer's.
        let mut said = shown.clone();
        said.flags |= match (&shown.upstream.transport_failure, &shown.mixer) {
            (Some(_), _) => Flags::UPSTREAM_CONNECTION_FAILURE,
            (None, Some(_)) => Flags::UNAUTHORIZED_EXTERNAL_SERVICE,
            (None, None) => Flags::empty(),
        };
        if said.flags.any_failure() {
            return conclude(&said, line);
        }
    }
    if gather::is_streams_connection(shown) {
        return gather::failed_all_the_same(shown, line).then(|| by_flags(shown, line));
    }
    conclude(shown, line)
}

fn conclude(shown: &Evidence, line: &Line<'_>) -> Option<Finding> {
    let Judgement { verdict, agreed, would_tell } = remembered(Question::new(shown, line), weigh)?;
    let report = Report::new(&verdict, shown);
    let named = (agreed.cause, agreed.confidence);
    let only_advice = verdict.advice.is_none() || agreed.alternatives.is_empty();
    let fits = agreed.cause == verdict.cause && only_advice;
    let evidence = if report.evidence.is_empty() { gather::flags_fact(line) } else { report.evidence };
    Some(Finding {
        resource: report.resource.filter(|_| agreed.cause == verdict.cause),
        evidence,
        would_tell,
        named_fix: Some(report.fix.into_owned()).filter(|_| fits),
        ..Finding::of_line(named, agreed.alternatives, at_gateway(shown, agreed.cause), verdict.advice)
    })
}

/// What the flags alone say, of a line that shows neither a request nor where it went.
fn by_flags(shown: &Evidence, line: &Line<'_>) -> Finding {
    let agreed = rank::settle(Vec::new(), Confidence::Possible, shown, Columns::of(line));
    let mut finding = Finding::of_line((agreed.cause, agreed.confidence), agreed.alternatives, None, None);
    finding.evidence = gather::flags_fact(line);
    finding
}

/// Gateways and clients' sidecars have the same clusters, but for those that only sidecars have.
fn at_gateway(shown: &Evidence, cause: Cause) -> Option<bool> {
    let cluster = shown.upstream.cluster.as_ref();
    let sidecars = cluster
        .is_some_and(|c| c.is_passthrough() || c.is_black_hole() || c.as_str().starts_with("inbound|"))
        || shown.filter_chain.as_deref() == Some(FALL_THROUGH)
        // Gateways have no such default.
        || cause == Cause::EgressBlocked;
    sidecars.then_some(false)
}

fn weigh(question: &Question) -> Option<Judgement> {
    let (shown, line) = (&question.evidence, question.columns);
    let first = assumed(shown, line);
    let verdict = diagnose(&first)?;
    let unseen = unseen(&first, line);
    let (agreed, verdict) = agree(verdict, worlds(&first, &unseen).iter().map(diagnose), shown, line);
    let would_tell = if agreed.alternatives.is_empty() { Vec::new() } else { telling(&first, &unseen, line) };
    Some(Judgement { verdict, agreed, would_tell })
}

/// What holds whichever of the verdicts is the true one, or the most probable of them.
fn agree(
    first: Verdict,
    others: impl Iterator<Item = Option<Verdict>>,
    shown: &Evidence,
    line: Columns,
) -> (Agreed, Verdict) {
    let mut least = first.confidence.min(ceiling(line));
    let mut verdicts = vec![first.clone()];
    for verdict in others {
        match verdict {
            Some(verdict) => {
                least = least.min(verdict.confidence);
                if !verdicts.iter().any(|known| known.cause == verdict.cause) {
                    verdicts.push(verdict);
                }
            }
            // It may be that nothing failed.
            None => least = Confidence::Possible,
        }
    }
    let causes = verdicts.iter().map(|verdict| verdict.cause).collect();
    let agreed = rank::settle(causes, least, shown, line);
    let verdict = verdicts.into_iter().find(|verdict| verdict.cause == agreed.cause).unwrap_or(first);
    (agreed, verdict)
}

/// How sure one can be at the most where the columns are missing that say what happened.
fn ceiling(line: Columns) -> Confidence {
    let shows = |column| line.shows(column);
    let all = shows(Column::Code)
        && shows(Column::Details)
        && (shows(Column::Flags) || shows(Column::FlagsLong))
        && (shows(Column::UpstreamFailure) || line.has(Column::Details));
    if all { Confidence::Certain } else { Confidence::Likely }
}

/// The columns that alone make the rules name another cause, and that the line doesn't have.
fn telling(first: &Evidence, unseen: &[Unseen], line: Columns) -> Vec<&'static str> {
    let cause = diagnose(first).map(|verdict| verdict.cause);
    let differs = |change: &Change| {
        let mut world = first.clone();
        change(&mut world);
        diagnose(&world).is_some_and(|v| Some(v.cause) != cause)
    };
    let is_there = |name: &str| {
        let operator = name.trim_matches('%').to_ascii_uppercase();
        Column::of_operator(&operator).is_some_and(|column| line.shows(column))
    };
    let tells = |one: &&Unseen| !is_there(one.shown_by) && one.values.iter().any(differs);
    let mut columns: Vec<&'static str> = unseen.iter().filter(tells).map(|one| one.shown_by).collect();
    columns.dedup();
    columns
}

/// Every combination; the first is what is assumed. Beyond the bound each of the rest is changed alone.
fn worlds(first: &Evidence, unseen: &[Unseen]) -> Vec<Evidence> {
    let mut worlds = vec![first.clone()];
    for one in unseen {
        let all = worlds.len().saturating_mul(one.values.len().saturating_add(1));
        let combined = if all > MOST_WORLDS { 1 } else { worlds.len() };
        for at in 0..combined {
            for change in &one.values {
                let Some(mut world) = worlds.get(at).cloned() else { continue };
                change(&mut world);
                worlds.push(world);
            }
        }
    }
    worlds
}

/// The line's evidence, with what follows from it.
fn assumed(shown: &Evidence, line: Columns) -> Evidence {
    let mut e = shown.clone();
    // A request on a connection whose client named a server in TLS: only this proxy can have ended that TLS.
    if line.has(Column::Method) && e.downstream.sni.is_some() && e.downstream.tls_version.is_none() {
        e.downstream.tls_version = Some(String::new());
    }
    if !line.shows(Column::Details) && e.layer == Layer::Http {
        e.details = match details_without_column(&e) {
            "" => Details::unseen(),
            text => Details::new(text),
        };
    }
    e
}

/// Without details, an answer without flags from behind an endpoint is the upstream's, and one from nowhere may be
/// configured (`direct_response`), unless its status is one that proxies give.
fn details_without_column(e: &Evidence) -> &'static str {
    let by_proxy = matches!(e.code, Some(401 | 403 | 426 | 431 | 500..));
    match (e.flags.any_failure(), &e.upstream.address) {
        (false, Some(_)) => "via_upstream",
        (false, None) if !by_proxy => "direct_response",
        _ => "",
    }
}

fn unseen(e: &Evidence, line: Columns) -> Vec<Unseen> {
    let mut all = Vec::new();
    let mut add = |shown_by, values: Vec<Change>| all.push(Unseen { shown_by, values });
    let lacks = |column| !line.shows(column);
    match e.layer {
        Layer::Listener => {
            // The inspector leaves no note where it read a server name.
            if lacks(Column::DownstreamFailure) && e.downstream.sni.is_none() {
                add(LISTENERS, listener_notes());
            } else {
                let at = |direction| -> Change { Box::new(move |e| e.direction = direction) };
                add("meshwhy's access_log role", vec![at(Direction::Inbound), at(Direction::Outbound)]);
            }
            return all;
        }
        Layer::Http => http(e, line, &mut add),
        Layer::Tcp => tcp(e, line, &mut add),
    }
    let denied = |details: &Details| is_policy_denial(details) && details.inner() == Some("none");
    let outbound = e.upstream.cluster.as_ref().is_some_and(|c| c.as_str().starts_with("outbound|"));
    if outbound && (denied(&e.details) || denied(&e.termination)) {
        // A gateway's policy, or a sidecar's stand-in for a Wasm module.
        add("meshwhy's direction", vec![Box::new(|e| e.direction = Direction::Outbound)]);
    }
    // Older versions have no reason either where they have the column.
    let older = lacks(Column::Details) || e.details.reset_reason() == Some("connection_failure");
    let unexplained = (lacks(Column::UpstreamFailure) || older) && e.upstream.transport_failure.is_none();
    if unexplained && gather::failed_to_connect(e) {
        add("%UPSTREAM_TRANSPORT_FAILURE_REASON%", failures());
    }
    let no_host =
        e.flags.contains(Flags::NO_HEALTHY_UPSTREAM) || e.details.detail() == Detail::NoHealthyUpstream;
    if no_host && e.upstream.endpoints.is_none() {
        add("%CEL(upstream.num_endpoints)%", vec![endpoints(0), endpoints(3)]);
    }
    // Behind a socket that never connected there was no TLS, and no endpoint to be asked where none was picked.
    let connected = e.upstream.address.is_some() || lacks(Column::UpstreamHost);
    if connected && lacks(Column::TlsMode) {
        add(MTLS, vec![mtls(true), mtls(false)]);
    }
    // No log tells what an endpoint took before. Hosts outside of the mesh took nothing of it.
    let failed_tls = e.upstream.transport_failure.as_ref().is_some_and(TransportFailure::is_tls);
    let of_mesh = match &e.upstream.cluster {
        Some(cluster) => cluster.host().is_some_and(|host| host.contains(".svc.")),
        None => true,
    };
    if failed_tls && of_mesh && e.upstream.takes_istio_mtls != Some(true) {
        add(MTLS, vec![own_tls()]);
    }
    if connected && lacks(Column::UpstreamTls) && !e.flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE) {
        let agreed: Change = Box::new(|e| e.upstream.tls_version = Some(String::new()));
        add("%UPSTREAM_TLS_VERSION%", vec![agreed]);
    }
    all
}

fn http(e: &Evidence, line: Columns, add: &mut impl FnMut(&'static str, Vec<Change>)) {
    let lacks = |column| !line.shows(column);
    if lacks(Column::Details) {
        add(
            "%RESPONSE_CODE_DETAILS%",
            details(e, line.shows(Column::Flags) || line.shows(Column::FlagsLong)),
        );
    }
    // Who got as far as an upstream sent a request, whether the log shows it or not.
    let asked = line.has(Column::Method) || gather::got_to_an_upstream(e);
    if !asked {
        let kinds = [
            Protocol::TlsClientHello,
            Protocol::TlsOther,
            Protocol::Http1,
            Protocol::Ssh,
            Protocol::ProxyV1,
            Protocol::Binary,
            Protocol::Text,
        ];
        add(BYTES, kinds.map(client_bytes).into());
        if lacks(Column::Sni) {
            add("%REQUESTED_SERVER_NAME%", vec![Box::new(|e| e.downstream.sni = Some("a".into()))]);
        }
        // A name of the mesh's proxies that somebody else gave: no log shows who had a certificate.
        if e.downstream.is_mesh_tls() {
            let strangers: Change = Box::new(|e| {
                (e.downstream.tls_version, e.downstream.mutual) = (Some(String::new()), Some(false));
            });
            add("meshwhy's http role", vec![strangers]);
        }
    }
    if e.downstream.tunnel.is_none() && e.ended_like_a_tunnel() {
        add("%REQ(:METHOD)%", vec![Box::new(|e| e.downstream.tunnel = Some(true))]);
    }
    if lacks(Column::DownstreamTls) && e.downstream.tls_version.is_none() {
        let agreed: Change = Box::new(|e| e.downstream.tls_version = Some(String::new()));
        add("%DOWNSTREAM_TLS_VERSION%", vec![agreed]);
    }
    if matches!(
        e.details.detail(),
        Detail::RouteNotFound | Detail::DirectResponse | Detail::None | Detail::Unseen
    ) {
        no_route(e, line, add);
    }
    // Whether the connection was used before is in no log.
    if e.details.closed_before_response() {
        let reused: Change = Box::new(|e| (e.upstream.pool_ready, e.lived) = (Some(30), Some(1)));
        add("meshwhy's http role", vec![reused]);
    }
    // Whether the error page is another proxy's is in no log.
    let unavailable = e.answer.grpc_status == Some(GrpcStatus(14));
    if e.details.via_upstream() && (matches!(e.code, Some(502..=504)) || unavailable) {
        let reply: Change =
            Box::new(|e| (e.answer.page, e.answer.by_proxy) = (Some(Page::ProxyReply), Some(true)));
        add("meshwhy's http role", vec![reply]);
    }
    // A body that broke off: whether it was shorter than its length said is in no log.
    if e.details.reset_after_response() || e.details.is_empty() {
        let cut_short: Change = Box::new(|e| (e.answer.promised, e.answer.passed) = (Some(2), Some(1)));
        add("meshwhy's http role", vec![cut_short]);
    }
}

fn no_route(e: &Evidence, line: Columns, add: &mut impl FnMut(&'static str, Vec<Change>)) {
    let lacks = |column| !line.shows(column);
    if lacks(Column::VirtualHost) {
        let is =
            |name: &'static str| -> Change { Box::new(move |e| e.route.virtual_host = Some(name.into())) };
        // istiod's own answer to blocked hosts: nobody else calls a route so and answers 502.
        let blocked = e.details.detail() == Detail::DirectResponse
            && e.code == Some(502)
            && e.route.name.as_deref() == Some("block_all");
        let unnamed = e.code == Some(502) && e.route.name.is_none();
        let values = match (blocked, unnamed) {
            (true, _) => vec![is("block_all")],
            (false, true) => vec![is("a"), is("block_all")],
            (false, false) => vec![is("a"), is("blackhole:443")],
        };
        add("%CEL(xds.virtual_host_name)%", values);
    }
    if lacks(Column::Protocol) {
        add("%PROTOCOL%", vec![Box::new(|e| e.downstream.protocol = Some("HTTP/2".into()))]);
    }
    if lacks(Column::Sni) || (e.downstream.sni.is_some() && e.downstream.sni_is_authority.is_none()) {
        let differs: Change = Box::new(|e| {
            e.downstream.sni = Some("a".into());
            e.downstream.sni_is_authority = Some(false);
        });
        add("%REQUESTED_SERVER_NAME%", vec![differs]);
    }
    // What a route was made of is in no default log. Istio names all routes of the Gateway API.
    let named = e.route.name.is_some() && !e.route.gateway_api;
    let answered = e.details.detail() == Detail::DirectResponse
        || (lacks(Column::Details) && matches!(e.code, Some(500..)));
    if answered && lacks(Column::RouteConfig) && named {
        add("%CEL(xds.route_metadata)%", vec![Box::new(|e| e.route.gateway_api = true)]);
    }
    // The filter reads this proxy's certificate; no log does.
    add("meshwhy's http role", vec![Box::new(|e| e.downstream.certificate_covers_authority = Some(true))]);
}

fn tcp(e: &Evidence, line: Columns, add: &mut impl FnMut(&'static str, Vec<Change>)) {
    let lacks = |column| !line.shows(column);
    let tried = e.flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE);
    if lacks(Column::Termination) && !tried {
        let denied = "rbac_access_denied_matched_policy[none]";
        add(
            "%CONNECTION_TERMINATION_DETAILS%",
            vec![Box::new(move |e| e.termination = Details::new(denied))],
        );
    }
    // Istio's default chain leads to either.
    let undeclared = e.upstream.cluster.as_ref().is_some_and(|c| c.is_black_hole() || c.is_passthrough());
    if undeclared && (lacks(Column::FilterChain) || e.filter_chain.as_deref() == Some(FALL_THROUGH)) {
        add("%FILTER_CHAIN_NAME%", fell_through(lacks(Column::DownstreamFailure)));
    }
    // Older versions take the cluster's name from the endpoint, and have none without.
    if e.upstream.cluster.is_none() {
        let hole: Change = Box::new(|e| e.upstream.cluster = ClusterName::new("BlackHoleCluster"));
        add("%UPSTREAM_CLUSTER_RAW%", vec![hole]);
    }
    // Older versions write no reason for TCP: a time-out is one of many.
    let unexplained =
        e.flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE) && e.upstream.transport_failure.is_none();
    if unexplained && !lacks(Column::UpstreamFailure) {
        add("a newer Envoy", failures());
    }
    // A TCP proxy reads nothing from the client before the upstream is connected (1.40).
    if !e.flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE) {
        let kinds = [Protocol::TlsClientHello, Protocol::Http1, Protocol::ProxyV1, Protocol::Binary];
        add(BYTES, kinds.map(client_bytes).into());
        let kinds = [Protocol::TlsServerHello, Protocol::Binary, Protocol::Http1];
        add(BYTES, kinds.map(server_bytes).into());
    }
    if lacks(Column::Sni) {
        add("%REQUESTED_SERVER_NAME%", vec![Box::new(|e| e.downstream.sni = Some("a".into()))]);
    }
    if lacks(Column::DownstreamTls) {
        let agreed: Change = Box::new(|e| e.downstream.tls_version = Some(String::new()));
        add("%DOWNSTREAM_TLS_VERSION%", vec![agreed]);
    }
}

fn client_bytes(protocol: Protocol) -> Change {
    Box::new(move |e| e.downstream.first_bytes = Some(FirstBytes { protocol, tls: None, http: None }))
}

fn server_bytes(protocol: Protocol) -> Change {
    Box::new(move |e| e.upstream.first_bytes = Some(FirstBytes { protocol, tls: None, http: None }))
}

fn endpoints(number: u64) -> Change {
    Box::new(move |e| e.upstream.endpoints = Some(number))
}

fn mtls(takes: bool) -> Change {
    Box::new(move |e| e.upstream.takes_istio_mtls = Some(takes))
}

/// A DestinationRule with TLS of its own, to an endpoint that takes the mesh's.
fn own_tls() -> Change {
    Box::new(|e| {
        e.upstream.takes_istio_mtls = Some(false);
        e.past.took_mtls = true;
    })
}

/// What may have come to Istio's default chain before the black hole took it; with the inspector's notes, if the log
/// doesn't show them.
fn fell_through(notes: bool) -> Vec<Change> {
    let words: &[Option<&str>] = if notes { NOTES } else { &[None] };
    let mut all: Vec<Change> = Vec::new();
    for listener in [None, Some(ListenerKind::Http)] {
        for word in words.iter().copied() {
            all.push(Box::new(move |e| {
                e.direction = Direction::Outbound;
                e.filter_chain = Some(FALL_THROUGH.into());
                e.downstream.listener = listener;
                if notes {
                    e.downstream.transport_failure = word.and_then(inspectors_note);
                }
            }));
        }
    }
    all
}

/// Nothing, plain HTTP, other plaintext, a broken ClientHello.
const NOTES: &[Option<&str>] =
    &[None, Some("HTTP_REQUEST"), Some("WRONG_VERSION_NUMBER"), Some("CLIENTHELLO_PARSE_FAILED")];

fn inspectors_note(word: &str) -> Option<TransportFailure> {
    TransportFailure::new(&format!("TLS_error|error:1:SSL routines:OPENSSL_internal:{word}"))
}

/// What a TLS inspector notes of plaintext, at each kind of listener.
fn listener_notes() -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    for direction in [Direction::Inbound, Direction::Outbound] {
        for word in NOTES.iter().copied() {
            all.push(Box::new(move |e| {
                e.direction = direction;
                e.downstream.transport_failure = word.and_then(inspectors_note);
            }));
        }
    }
    all
}

fn failures() -> Vec<Change> {
    const REASONS: &[&str] = &[
        "delayed connect error: 111",
        "delayed connect error: 113",
        "delayed connect error: 110",
        "delayed connect error: 104",
        "TLS_error:|1:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
        "TLS_error:|1:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end",
        "TLS_error:|1:SSL routines:OPENSSL_internal:TLSV1_ALERT_CERTIFICATE_REQUIRED:TLS_error_end",
        "TLS_error:|1:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL:TLS_error_end",
        "socket_creation_failure",
    ];
    let is = |reason: &'static str| -> Change {
        Box::new(move |e| e.upstream.transport_failure = TransportFailure::new(reason))
    };
    REASONS.iter().copied().map(is).collect()
}

/// What Envoy logs of all causes, each once, by status.
static SHAPES: LazyLock<Vec<LogShape>> = LazyLock::new(|| {
    let mut shapes: Vec<LogShape> = Vec::new();
    for shape in Cause::ALL.iter().flat_map(|cause| cause.definition().shapes) {
        if !shapes.contains(shape) {
            shapes.push(*shape);
        }
    }
    shapes.sort_by_key(|shape| shape.code);
    shapes
});

/// The details that go with a status and flags.
fn details(e: &Evidence, shows_flags: bool) -> Vec<Change> {
    let fits = |shape: &&LogShape| {
        e.code.unwrap_or(0) == shape.code
            && if !shows_flags && !e.flags.any_failure() && e.mixer.is_none() {
                // A reason is a failed connection's.
                e.upstream.transport_failure.is_none() || shape.flag == "UF"
            } else if shape.flag.is_empty() {
                !e.flags.any_failure()
            } else {
                e.flags.intersects(Flags::from_short(shape.flag))
            }
    };
    let is = |text: &'static str| -> Change { Box::new(move |e| set_details(e, text)) };
    // Where the connection to the upstream failed, nobody answered in its place.
    let own = |text: &str| matches!(text, "direct_response" | "lua_response");
    let tried = e.upstream.transport_failure.is_some() || e.upstream.address.is_some();
    // What takes too long to connect says no more than that.
    let reason = e.upstream.transport_failure.is_some();
    let excluded = |text: &str| (tried && own(text)) || (reason && text.contains("connection_timeout"));
    let all = SHAPES.iter().filter(fits).map(|shape| shape.details).filter(|text| !excluded(text));
    all.map(is).collect()
}

fn set_details(e: &mut Evidence, text: &str) {
    e.details = Details::new(text);
}
