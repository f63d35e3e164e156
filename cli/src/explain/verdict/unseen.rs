//! What a line doesn't show: each value that it may have had is tried, and only what all of them agree on is said.

mod columns;
mod values;

use std::borrow::Cow;
use std::sync::LazyLock;

use meshwhy::causes::{Cause, LogShape};
use meshwhy::diagnosis::{Confidence, Verdict, diagnose, is_policy_denial};
use meshwhy::evidence::{
    ClusterName, Detail, Details, Direction, Evidence, FALL_THROUGH, Flags, GrpcStatus, Layer, ListenerKind,
    Page, TlsVersion, TransportFailure, host_name, host_of,
};
use meshwhy::report::Report;
use meshwhy::wire::{FirstBytes, Protocol};

use self::columns::unseen;
use super::judgement::{Agreed, Judgement};
use super::memory::{Columns, Question, remembered};
use super::{gather, others, rank};
use crate::explain::{Column, Finding, Line};

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

/// Possibilities that are combined, at the most.
const MOST_WORLDS: usize = 4_096;

/// Names the cause, as far as the line lets one know it; nothing where it shows no failure.
pub(in crate::explain) fn judge(shown: &Evidence, line: &Line<'_>) -> Option<Finding> {
    // A client that left in the middle of an answer: no log shows whether more was to come. Streams of events end so, too.
    let good = shown.code.is_some_and(|code| code < 400) || shown.details.via_upstream();
    if shown.left_midway() && good {
        return None;
    }
    // Before there was a flag for it (Envoy 1.9), a request without a status was a client's that left.
    let had_status = line.shows(Column::Code) && line.shows(Column::Flags) && !line.shows(Column::Details);
    if had_status && shown.code.is_none() && shown.flags.is_empty() && gather::is_plain_request(line) {
        let named = (Cause::ClientDisconnected, Confidence::Possible);
        return Some(Finding {
            evidence: "code=0".to_owned(),
            ..Finding::of_line(named, Vec::new(), None, None)
        });
    }
    // Before there was a flag for what the codec refuses (Envoy 1.13), such a request was a client's that left, too.
    let no_request = had_status && line.shows(Column::Method) && !gather::has_request(line);
    if no_request
        && shown.code.is_none()
        && shown.flags == Flags::DOWNSTREAM_CONNECTION_TERMINATION
        && over_http(line)
    {
        let named = (Cause::InvalidHttpRequest, Confidence::Possible);
        let others = vec![
            Cause::RequestTooLarge,
            Cause::ClientDisconnected,
            Cause::TlsOnPlaintextPort,
            Cause::ProxyClosedConnection,
        ];
        return Some(Finding {
            evidence: gather::flags_fact(line),
            ..Finding::of_line(named, others, None, None)
        });
    }
    let no_flags = !line.shows(Column::Flags) && !line.shows(Column::FlagsLong);
    if shown.code.is_none() && no_flags {
        // Envoy writes such a reason of connections to the upstream that failed, Mixer's status of what it denied.
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
    // Envoy writes such a reason of connections to the upstream that failed, whatever else the line lacks.
    if gather::is_streams_connection(shown) && shown.upstream.transport_failure.is_some() {
        let mut said = shown.clone();
        said.flags |= Flags::UPSTREAM_CONNECTION_FAILURE;
        return conclude(&said, line);
    }
    if gather::is_streams_connection(shown) {
        return gather::failed_all_the_same(shown, line).then(|| by_flags(shown, line));
    }
    if let Some(finding) = by_itself(shown, line) {
        return Some(finding);
    }
    conclude(shown, line).filter(|finding| !(finding.cause == Cause::UpstreamReset && answered(shown, line)))
}

/// How long Mixer's reply is where Envoy's own to the question stands in it: `UNAVAILABLE:no healthy upstream`, `UNAVAILABLE:upstream connect
/// error or disconnect/reset before headers`, the same with a reset's reason (connection failure, connection termination).
const MIXERS: [&str; 4] = ["31", "69", "103", "107"];

/// A status that a proxy gave by itself, without a flag, where the format has no details: a gateway's own 404 (Istio 1.7 and before), or a limit's 429.
fn by_itself(shown: &Evidence, line: &Line<'_>) -> Option<Finding> {
    let went_nowhere = |column| line.shows(column) && line.get(column).is_none();
    // Of a log without the endpoint, the cluster's place says it.
    let to_nobody = went_nowhere(Column::UpstreamHost)
        || (!line.shows(Column::UpstreamHost) && went_nowhere(Column::Cluster));
    let is_its_own = line.shows(Column::Flags)
        && shown.flags.is_empty()
        && !line.shows(Column::Details)
        && to_nobody
        && !gather::got_to_an_upstream(shown);
    let (cause, others): (Cause, &[Cause]) = match shown.code.filter(|_| is_its_own)? {
        404 if line.get(Column::BytesSent) == Some("0") => (
            Cause::RouteNoMatch,
            &[Cause::RouteHostUnknown, Cause::ConfiguredErrorReply, Cause::FilterRejected],
        ),
        429 => (Cause::RateLimited, &[Cause::FilterRejected]),
        503 if line.get(Column::BytesSent).is_some_and(|sent| MIXERS.contains(&sent)) => {
            (Cause::MixerUnavailable, &[Cause::ConfiguredErrorReply, Cause::FilterRejected])
        }
        _ => return None,
    };
    let mut finding = Finding::of_line((cause, Confidence::Possible), others.to_vec(), None, None);
    finding.evidence = format!("code={}; upstream=none", shown.code.unwrap_or_default());
    Some(finding)
}

fn over_http(line: &Line<'_>) -> bool {
    line.get(Column::Protocol).is_some_and(|protocol| protocol.starts_with("HTTP/"))
}

/// Whether the server of a TCP connection has answered, as far as the line shows: some end with a reset what is done.
fn answered(shown: &Evidence, line: &Line<'_>) -> bool {
    let sent = line.get(Column::BytesSent).and_then(|sent| sent.parse::<u64>().ok());
    shown.layer == Layer::Tcp && sent.is_none_or(|sent| sent > 0)
}

fn conclude(shown: &Evidence, line: &Line<'_>) -> Option<Finding> {
    let Judgement { verdict, agreed, would_tell } = remembered(Question::new(shown, line), weigh)?;
    let report = Report::new(&verdict, shown);
    let named = (agreed.cause, agreed.confidence);
    let only_advice = verdict.advice.is_none() || agreed.alternatives.is_empty();
    let fits = agreed.cause == verdict.cause && only_advice;
    let at_gateway = is_sidecars(shown, agreed.cause).then_some(false);
    let evidence = if report.evidence.is_empty() { gather::flags_fact(line) } else { report.evidence };
    Some(Finding {
        resource: report.resource.filter(|_| agreed.cause == verdict.cause),
        evidence,
        would_tell,
        named_fix: fits.then(|| asked_for(&verdict, shown, line).unwrap_or(report.fix).into_owned()),
        ..Finding::of_line(named, agreed.alternatives, at_gateway, verdict.advice)
    })
}

/// The fix with the request's own host, where a host that the mesh doesn't know is what it needs: in plaintext no server name has it.
fn asked_for(verdict: &Verdict, shown: &Evidence, line: &Line<'_>) -> Option<Cow<'static, str>> {
    (verdict.cause == Cause::EgressBlocked && shown.downstream.sni.is_none()).then_some(())?;
    let mut e = shown.clone();
    e.downstream.sni = Some(host_name(host_of(line.get(Column::Authority)?)));
    Some(Report::new(verdict, &e).fix)
}

/// What the flags alone say, of a line that shows neither a request nor where it went.
fn by_flags(shown: &Evidence, line: &Line<'_>) -> Finding {
    let agreed = rank::settle(Vec::new(), Confidence::Possible, shown, Columns::of(line));
    let mut finding = Finding::of_line((agreed.cause, agreed.confidence), agreed.alternatives, None, None);
    finding.evidence = gather::flags_fact(line);
    finding
}

/// Whether this is a sidecar's line: gateways have no such clusters, chain or default.
fn is_sidecars(shown: &Evidence, cause: Cause) -> bool {
    let cluster = shown.upstream.cluster.as_ref();
    cluster.is_some_and(|c| c.is_passthrough() || c.is_black_hole() || c.as_str().starts_with("inbound|"))
        || shown.filter_chain.as_deref() == Some(FALL_THROUGH)
        || cause == Cause::EgressBlocked
}

fn weigh(question: &Question) -> Option<Judgement> {
    let (shown, line) = (&question.evidence, question.columns);
    let first = assumed(shown, line);
    let verdict = diagnose(&first)?;
    let unseen = unseen(&first, line);
    let (agreed, verdict) = agree(verdict, worlds(&first, &unseen).iter().map(diagnose), shown, line);
    let would_tell =
        if agreed.alternatives.is_empty() { Vec::new() } else { decisive(&first, &unseen, line) };
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
fn decisive(first: &Evidence, unseen: &[Unseen], line: Columns) -> Vec<&'static str> {
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
    let decides = |one: &&Unseen| !is_there(one.shown_by) && one.values.iter().any(differs);
    let mut columns: Vec<&'static str> = unseen.iter().filter(decides).map(|one| one.shown_by).collect();
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
        e.downstream.tls_version = Some(TlsVersion::Unknown);
    }
    if !line.shows(Column::Details) && e.layer == Layer::Http {
        let answered = gather::was_answered(&e, line);
        e.details = match if answered { "via_upstream" } else { details_without_column(&e) } {
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
    // Whoever gave it, a call that failed isn't fine.
    let is_failed_call = e.answer.grpc_status.is_some_and(GrpcStatus::is_server_error);
    match (e.flags.any_failure(), &e.upstream.address) {
        (false, Some(_)) => "via_upstream",
        (false, None) if is_failed_call => "via_upstream",
        (false, None) if !by_proxy => "direct_response",
        _ => "",
    }
}
