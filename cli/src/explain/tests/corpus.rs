//! The failures from public issue trackers again, as lines of a log that has just what was reported of them.

use meshwhy::causes::Cause;
use serde_json::{Map, Value, json};

use crate::explain::{Finding, Reader, Reading};

/// What is known of a thread's end, against what the tool says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::explain) enum Score {
    /// The cause that the thread ended on.
    Right,
    /// A more general one.
    General,
    /// Several, and it is among them.
    Among,
    /// That it failed, and no more.
    LeftOpen,
    /// Another one.
    Wrong,
}

/// What the tool has to reach of the threads with an end; the wrong ones are an old Envoy's, which had other flags.
const WRONG_AT_MOST: usize = 2;
const RIGHT_AT_LEAST: usize = 100;

/// The reports, as the rules are tested with them.
fn entries() -> Vec<Value> {
    serde_norway::from_str(include_str!("../../../../src/diagnosis/corpus.yaml")).unwrap()
}

/// Causes that are right as well.
fn general(entry: &Value) -> Vec<Cause> {
    let ids = entry["general"].as_array().into_iter().flatten();
    ids.map(|id| id.as_str().and_then(Cause::from_id).unwrap()).collect()
}

/// The reported columns; all others are as if the format didn't have them.
fn line(entry: &Value) -> String {
    const COLUMNS: &[(&str, &str)] = &[
        ("code", "response_code"),
        ("flags", "response_flags"),
        ("details", "response_code_details"),
        ("upstream_failure", "upstream_transport_failure_reason"),
        ("cluster", "upstream_cluster"),
        ("route", "route_name"),
        ("sni", "requested_server_name"),
        ("protocol", "protocol"),
        ("grpc_status", "grpc_status_number"),
        ("mixer_status", "istio_policy_status"),
    ];
    let is_http = entry["layer"].is_null();
    let mut line = Map::new();
    line.insert("method".into(), if is_http { json!("GET") } else { Value::Null });
    line.insert("protocol".into(), if is_http { json!("HTTP/1.1") } else { Value::Null });
    line.insert("response_code".into(), json!(0));
    for (key, column) in COLUMNS.iter().filter(|(key, _)| !entry[*key].is_null()) {
        line.insert((*column).into(), entry[*key].clone());
    }
    // The reports say whether it was another host than the server name.
    if let (Some(sni), Some(same)) = (entry["sni"].as_str(), entry["sni_is_authority"].as_bool()) {
        line.insert("authority".into(), json!(if same { sni } else { "another.example" }));
    }
    Value::Object(line).to_string()
}

pub(in crate::explain) fn score(finding: Option<&Finding>, expected: Cause, general: &[Cause]) -> Score {
    let Some(finding) = finding else { return Score::LeftOpen };
    let covers = |cause: &Cause| general.contains(cause) || cause.is_broader_than(expected);
    match finding.cause {
        Cause::Unclassified => Score::LeftOpen,
        cause if cause == expected => Score::Right,
        cause if covers(&cause) => Score::General,
        _ if finding.alternatives.iter().any(|cause| *cause == expected || covers(cause)) => Score::Among,
        _ => Score::Wrong,
    }
}

#[test]
fn what_was_reported_is_named_or_left_open() {
    let reader = Reader::new(Vec::new());
    let mut scores = Vec::new();
    for entry in entries() {
        let Some(expected) = entry["cause"].as_str().and_then(Cause::from_id) else { continue };
        let line = line(&entry);
        let finding = match reader.read_all(line.as_bytes()) {
            Reading::Failed(_, finding) => Some(*finding),
            Reading::Fine(_) => None,
            other => panic!("{line}: {other:?}"),
        };
        let score = score(finding.as_ref(), expected, &general(&entry));
        let causes = finding.iter().flat_map(|f| std::iter::once(&f.cause).chain(&f.alternatives));
        let said: Vec<&str> = causes.map(|cause| cause.id()).collect();
        let sure = finding.as_ref().map_or("", |finding| finding.confidence.id());
        println!(
            "{score:?} {} {} {sure}; {}",
            entry["thread"].as_str().unwrap(),
            said.join(" or "),
            expected.id()
        );
        assert!(score != Score::Wrong || sure == "possible", "{entry}: {said:?}, {sure}");
        scores.push(score);
    }
    let count = |wanted| scores.iter().filter(|score| **score == wanted).count();
    println!(
        "{} failures with a known end: {} right, {} general, {} among several, {} left open, {} wrong",
        scores.len(),
        count(Score::Right),
        count(Score::General),
        count(Score::Among),
        count(Score::LeftOpen),
        count(Score::Wrong),
    );
    assert!(count(Score::Wrong) <= WRONG_AT_MOST && count(Score::Right) >= RIGHT_AT_LEAST);
}
