//! The same lines with fewer columns: less is known of them, and nothing else.

use serde_json::Value;

use super::*;
use crate::explain::outcome;
use meshwhy::causes::{Place, Softness};

/// Istio's columns, by the names that formats have.
const COLUMNS: &[&str] = &[
    "RESPONSE_CODE",
    "RESPONSE_FLAGS",
    "RESPONSE_CODE_DETAILS",
    "CONNECTION_TERMINATION_DETAILS",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "BYTES_SENT",
    "DURATION",
    "RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)",
    "REQ(:AUTHORITY)",
    "REQ(:METHOD)",
    "REQ(:PATH)",
    "PROTOCOL",
    "UPSTREAM_HOST",
    "UPSTREAM_CLUSTER",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "REQUESTED_SERVER_NAME",
    "ROUTE_NAME",
];

/// Lines of threads that have all columns of Istio's format.
fn whole() -> Vec<(Line<'static>, Finding)> {
    let entries: Vec<Value> =
        serde_norway::from_str(include_str!("../../../tests/threads/lines.yaml")).unwrap();
    let lines = entries.iter().flat_map(|entry| entry["text"].as_str().unwrap().lines());
    let failed = lines.filter_map(|line| match read(line) {
        Reading::Failed(line, finding) => Some((*line, *finding)),
        _ => None,
    });
    let has_all = |line: &Line<'_>| columns().all(|column| line.shows(column));
    // What nobody can tell of the line isn't known of a part of it; and flags of what an upstream answered Envoy never writes.
    let is_envoys = |line: &Line<'_>| {
        line.get(Column::Details) != Some("via_upstream")
            || line.get(Column::Flags).is_none_or(|flags| flags == "URX")
    };
    let whole: Vec<_> = failed.filter(|(line, _)| has_all(line) && is_envoys(line)).collect();
    assert!(whole.len() > 100, "{}", whole.len());
    whole
}

fn columns() -> impl Iterator<Item = Column> {
    COLUMNS.iter().map(|name| Column::of_operator(name).unwrap_or_else(|| panic!("{name}")))
}

fn without(line: &Line<'static>, columns: &[Column]) -> Option<Finding> {
    let mut less = line.clone();
    columns.iter().for_each(|column| less.forget(*column));
    outcome::finding(&less)
}

/// Whether the cause is named, or one that is more general.
fn has(finding: &Finding, cause: Cause) -> bool {
    let named = std::iter::once(&finding.cause).chain(&finding.alternatives);
    named.into_iter().any(|named| *named == cause || named.is_broader_than(cause))
}

#[test]
fn one_column_less_leaves_the_cause_among_those_that_are_named_and_makes_no_line_surer() {
    for (line, all) in whole() {
        for column in columns() {
            let what = || format!("{line:?} without {column:?}: {all:?}");
            let less = match without(&line, &[column]) {
                None => {
                    assert!(Line::is_decisive(column), "{}", what());
                    continue;
                }
                Some(less) => less,
            };
            assert!(less.cause != Cause::Unclassified || all.cause == Cause::Unclassified, "{}", what());
            // Without what says it first, what is named may be what usually looks so; and without the address nobody sees the tunnel.
            let in_tunnel = line.get(Column::UpstreamHost).is_some_and(|host| host.starts_with("envoy://"));
            if !(Line::is_decisive(column) || (in_tunnel && column == Column::UpstreamHost)) {
                assert!(has(&less, all.cause), "{} {less:?}", what());
            }
            // Whose policy it was can't be known of what goes outwards, and only of that.
            let of_policy = column == Column::Cluster && all.cause == Cause::AuthorizationPolicyDenied;
            assert!(
                less.cause != all.cause || less.confidence <= all.confidence || of_policy,
                "{} {less:?}",
                what()
            );
        }
    }
}

proptest! {
    #[test]
    fn fewer_columns_never_leave_open_what_more_name_and_none_that_is_there_is_asked_for(
        (at, gone) in (0_usize..10_000, 0_u32..(1 << COLUMNS.len()))
    ) {
        static WHOLE: LazyLock<Vec<(Line<'static>, Finding)>> = LazyLock::new(whole);
        let (line, all) = &WHOLE[at % WHOLE.len()];
        let gone: Vec<Column> = columns().enumerate().filter(|(bit, _)| gone & (1 << bit) != 0).map(|(_, c)| c).collect();
        let decisive = gone.iter().any(|column| Line::is_decisive(*column));
        match without(line, &gone) {
            None => prop_assert!(decisive, "{line:?} without {gone:?}: {all:?}"),
            Some(less) => {
                prop_assert!(less.cause != Cause::Unclassified || all.cause == Cause::Unclassified || decisive, "{line:?} without {gone:?}: {less:?}");
                let cluster = line.get(Column::Cluster).filter(|_| !gone.contains(&Column::Cluster)).unwrap_or_default();
                for cause in std::iter::once(&less.cause).chain(&less.alternatives) {
                    let other_side = match cause.definition().place {
                        Place::Either => "|",
                        Place::ServerSide => "outbound|",
                        Place::ClientSide => "inbound|",
                    };
                    prop_assert!(!cluster.starts_with(other_side), "{line:?} without {gone:?}: {cause:?} at {cluster}");
                    prop_assert!(cause.definition().soft != Softness::Only, "{line:?} without {gone:?}: {cause:?}");
                }
                let asks = less.would_tell.iter().filter_map(|name| Column::of_operator(name.trim_matches('%')));
                for column in asks {
                    prop_assert!(!line.shows(column) || gone.contains(&column), "{line:?} without {gone:?} asks for {column:?}");
                }
            }
        }
    }
}
