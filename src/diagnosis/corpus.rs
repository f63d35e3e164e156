//! Failures from public issue trackers, and what the rules make of the little that people report.
//!
//! A filter reads more: details always, and virtual host, number of endpoints and first bytes where they decide. What people
//! leave out is `meshwhy explain`'s to supply (`cli/src/explain/corpus.rs`, with the target for all). Here the target is for
//! the reports that give details.
//!
//! `cargo test -p meshwhy --lib corpus -- --nocapture` prints them all.

use serde_json::Value;

use super::{Confidence, Verdict, diagnose};
use crate::causes::Cause;
use crate::evidence::{
    ClusterName, Details, Direction, Evidence, Flags, GrpcStatus, Layer, MixerStatus, Page, TlsVersion,
    TransportFailure,
};

/// What is known of a thread's end, against the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Score {
    /// The cause that the thread ended on.
    Right,
    /// A more general one, and nothing better was to be seen.
    General,
    /// Another one.
    Wrong,
    /// None, or `unclassified`.
    Silent,
    /// The thread has no end.
    Open,
}

/// What the rules have to reach of the threads with an end. Raise it when they do better.
const RIGHT_AT_LEAST: usize = 84;
/// Of those that give details: a share right or more general, in percent, and how many at most are wrong. All of these
/// depend on what the filter reads and no thread quotes: the virtual host, the number of endpoints.
const OF_DETAILED: (usize, usize) = (90, 2);

fn entries() -> Vec<Value> {
    serde_norway::from_str(include_str!("corpus.yaml")).unwrap()
}

fn evidence(entry: &Value) -> Evidence {
    const KNOWN: &[&str] = &[
        "thread",
        "cause",
        "general",
        "layer",
        "direction",
        "code",
        "flags",
        "details",
        "upstream_failure",
        "cluster",
        "route",
        "sni",
        "tls",
        "protocol",
        "grpc",
        "grpc_status",
        "mixer_status",
        "page",
        "sni_is_authority",
        "certificate_covers_authority",
    ];
    let unknown = entry.as_object().unwrap().keys().find(|key| !KNOWN.contains(&key.as_str()));
    assert_eq!(unknown, None, "{entry}");
    let text = |key: &str| entry[key].as_str().map(str::to_owned);
    let details = entry["details"].as_str().map_or_else(Details::unseen, Details::new);
    let mut e = Evidence {
        layer: match entry["layer"].as_str() {
            None => Layer::Http,
            Some("tcp") => Layer::Tcp,
            Some("listener") => Layer::Listener,
            Some(other) => panic!("{other}"),
        },
        direction: match entry["direction"].as_str() {
            None => Direction::Gateway,
            Some("inbound") => Direction::Inbound,
            Some(other) => panic!("{other}"),
        },
        code: entry["code"].as_u64().and_then(|code| u16::try_from(code).ok()),
        flags: Flags::from_short(entry["flags"].as_str().unwrap_or_default()),
        ..Evidence::default()
    };
    e.route.name = text("route");
    e.downstream.sni = text("sni");
    e.downstream.tls_version = entry["tls"].as_bool().map(|_| TlsVersion::Unknown);
    e.downstream.protocol = text("protocol");
    e.downstream.grpc = entry["grpc"].as_bool();
    e.downstream.sni_is_authority = entry["sni_is_authority"].as_bool();
    e.downstream.certificate_covers_authority = entry["certificate_covers_authority"].as_bool();
    e.upstream.cluster = text("cluster").and_then(|name| ClusterName::new(&name));
    e.upstream.transport_failure = text("upstream_failure")
        .and_then(|reason| TransportFailure::new(&reason))
        .or_else(|| details.transport_failure().cloned());
    e.answer.grpc_status = entry["grpc_status"].as_u64().and_then(|n| u8::try_from(n).ok()).map(GrpcStatus);
    e.mixer = entry["mixer_status"].as_str().and_then(MixerStatus::new);
    e.answer.page = entry["page"].as_str().map(|id| {
        assert_eq!(id, Page::PlaintextToTlsPort.id());
        Page::PlaintextToTlsPort
    });
    e.details = details;
    e
}

/// Causes that are right as well.
fn general(entry: &Value) -> Vec<Cause> {
    let ids = entry["general"].as_array().into_iter().flatten();
    ids.map(|id| id.as_str().and_then(Cause::from_id).unwrap()).collect()
}

fn score(entry: &Value, verdict: Option<&Verdict>) -> Score {
    let expected = entry["cause"].as_str().unwrap();
    if expected == "open" {
        return Score::Open;
    }
    assert!(Cause::from_id(expected).is_some(), "no such cause: {expected}");
    match verdict.map(|v| v.cause) {
        None | Some(Cause::Unclassified) => Score::Silent,
        Some(cause) if cause.id() == expected => Score::Right,
        Some(cause) if general(entry).contains(&cause) => Score::General,
        Some(_) => Score::Wrong,
    }
}

#[test]
fn the_corpus_is_classified_and_no_certainty_is_wrong() {
    let (mut scores, mut detailed) = (Vec::new(), Vec::new());
    for entry in entries() {
        let verdict = diagnose(&evidence(&entry));
        let score = score(&entry, verdict.as_ref());
        let said =
            verdict.as_ref().map_or("-".to_owned(), |v| format!("{} {}", v.cause.id(), v.confidence.id()));
        let (thread, expected) = (entry["thread"].as_str().unwrap(), entry["cause"].as_str().unwrap());
        println!("{:7} {thread:34} {said:42} {expected}", format!("{score:?}").to_lowercase());
        let certain = verdict.is_some_and(|v| v.confidence == Confidence::Certain);
        assert!(!(certain && matches!(score, Score::Wrong | Score::General)), "{entry}");
        scores.push(score);
        if !entry["details"].is_null() && score != Score::Open {
            detailed.push(score);
        }
    }
    let good = detailed.iter().filter(|score| **score <= Score::General).count();
    let wrong = detailed.iter().filter(|score| **score == Score::Wrong).count();
    println!("{} with details and a known end: {good} right or general, {wrong} wrong", detailed.len());
    assert!(good * 100 >= detailed.len() * OF_DETAILED.0 && wrong <= OF_DETAILED.1);
    let count = |wanted| scores.iter().filter(|score| **score == wanted).count();
    println!(
        "{} failures: {} right, {} general, {} wrong, {} silent; {} without a known end",
        scores.len(),
        count(Score::Right),
        count(Score::General),
        count(Score::Wrong),
        count(Score::Silent),
        count(Score::Open),
    );
    assert!(count(Score::Right) >= RIGHT_AT_LEAST, "{} right", count(Score::Right));
}
