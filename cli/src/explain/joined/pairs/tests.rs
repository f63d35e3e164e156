#![allow(clippy::arithmetic_side_effects, reason = "times and counts of a few")]

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::explain::{Column, Reader, Reading, Source};

static READER: LazyLock<Reader> = LazyLock::new(|| Reader::new(Vec::new()));

/// A request that nobody answered, by path; it ended `end` milliseconds after 10:00.
fn logged(path: &str, end: u64) -> String {
    logged_as("503 UF details - \"-\"", path, "10.0.0.7:1", end)
}

fn logged_as(what: &str, path: &str, endpoint: &str, end: u64) -> String {
    let (start, duration) = (end - 3, 3);
    format!(
        "[2026-11-20T10:{:02}:{:02}.{:03}Z] \"GET {path} HTTP/1.1\" {what} 0 0 {duration} - \"-\" \"-\" \"-\" \"a\" \"{endpoint}\" \
         outbound|81||a.b.svc.cluster.local - - - - -",
        start / 60_000,
        start / 1_000 % 60,
        start % 1_000
    )
    .replace("details", "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}")
}

const EVIDENCE: &str = "details=upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}; \
    connect_error=refused; cluster=outbound|81||a.b.svc.cluster.local; endpoint=10.0.0.7:1";

/// meshwhy's line of then.
fn own(at: u64) -> String {
    own_as("upstream_refused", EVIDENCE, at)
}

fn own_as(cause: &str, evidence: &str, at: u64) -> String {
    format!(
        "[2026-11-20 10:{:02}:{:02}.{:03}][7][warning][wasm] [context.cc:1154] wasm log m m m: {{\"event\":\"meshwhy\",\"cause\":\"{cause}\",\
         \"confidence\":\"certain\",\"side\":\"upstream\",\"evidence\":\"{evidence}\",\"fix\":\"x\",\"direction\":\"outbound\"}}",
        at / 60_000,
        at / 1_000 % 60,
        at % 1_000
    )
}

/// What is reported: whose word it is, and of which path; `-` where the request isn't known.
type Reported = Vec<(Source, String)>;

fn shown(Failure { line, finding, .. }: Failure<usize>) -> (Source, String) {
    (finding.source, line.get(Column::Path).unwrap_or("-").to_owned())
}

fn see(pairs: &mut Pairs<usize>, text: &str, place: usize) -> Reported {
    let mut reported = Reported::new();
    let mut emit = |failure| reported.push(shown(failure));
    match READER.read(text.as_bytes()) {
        Reading::Failed(line, finding) => pairs.line(line, finding, Some(place), &mut emit),
        Reading::Own(own) => pairs.own(*own, place, &mut emit),
        other => panic!("{other:?} {text}"),
    }
    reported
}

/// All that is reported of a log, in some order.
fn all(log: &[String]) -> Reported {
    let mut pairs = Pairs::default();
    let mut reported: Reported =
        log.iter().enumerate().flat_map(|(at, text)| see(&mut pairs, text, at)).collect();
    pairs.finish(&mut |failure| reported.push(shown(failure)));
    reported.sort_by(|a, b| a.1.cmp(&b.1));
    reported
}

fn by_filter(path: &str) -> (Source, String) {
    (Source::Filter, path.to_owned())
}

fn by_line(path: &str) -> (Source, String) {
    (Source::Line, path.to_owned())
}

#[test]
fn one_failure_is_reported_once_whichever_comes_first() {
    for log in [[own(5_001), logged("/a", 5_000)], [logged("/a", 5_000), own(5_001)]] {
        assert_eq!(all(&log), [by_filter("/a")]);
    }
}

#[test]
fn a_flush_of_the_access_log_is_sorted_out() {
    // As Envoy writes it: its own log at once, the access log every ten seconds.
    let owns = (0..300).map(|n| own(20_000 + n * 33 + 1));
    let lines = (0..300).map(|n| logged(&format!("/{n:03}"), 20_000 + n * 33));
    let reported = all(&owns.chain(lines).collect::<Vec<_>>());
    let expected: Reported = (0..300).map(|n| by_filter(&format!("/{n:03}"))).collect();
    assert_eq!(reported, expected);
}

#[test]
fn what_has_no_partner_is_told_by_itself() {
    let other = |column: &str, with: &str| logged("/a", 5_000).replace(column, with);
    for (line, own) in [
        // Not of this time, not of this endpoint, cluster, or outcome.
        (logged("/a", 5_000), own(5_000 + 1_001)),
        (logged("/a", 5_000), own(5_000 - 1_001)),
        (logged("/a", 5_000), own(5_001).replace("10.0.0.7:1", "10.0.0.8:1")),
        (logged("/a", 5_000), own(5_001).replace("81||a", "81||c")),
        (other("\"10.0.0.7:1\"", "\"-\""), own(5_001)),
        (logged_as("503 UH no_healthy_upstream - \"-\"", "/a", "-", 5_000), own(5_001)),
        // The facts fit, the cause doesn't.
        (logged("/a", 5_000), own_as("rate_limited", "cluster=outbound|81||a.b.svc.cluster.local", 5_001)),
        (logged("/a", 5_000), own(5_001).replace("outbound\"}", "inbound\"}")),
        // The cause fits, and they share no fact.
        (logged("/a", 5_000), own_as("upstream_refused", "connect_error=refused", 5_001)),
        // Whose they are.
        (
            format!("[pod/one/istio-proxy] {}", logged("/a", 5_000)),
            format!("[pod/two/istio-proxy] {}", own(5_001)),
        ),
        // When that was nobody knows.
        (other("0 0 3 -", "0 0 - -"), own(5_001)),
    ] {
        assert_eq!(all(&[own.clone(), line.clone()]), [by_filter("-"), by_line("/a")], "{own}\n{line}");
        assert_eq!(all(&[line, own]), [by_filter("-"), by_line("/a")]);
    }
}

#[test]
fn a_proxy_may_be_held_up_between_the_two() {
    for at in [4_900, 5_335] {
        assert_eq!(all(&[own(at), logged("/a", 5_000)]), [by_filter("/a")]);
        assert_eq!(all(&[logged("/a", 5_000), own(at)]), [by_filter("/a")]);
    }
    // Whoever is closer has it.
    let reported = all(&[own(5_200), logged("/a", 5_000), logged("/b", 5_199)]);
    assert_eq!(reported, [by_line("/a"), by_filter("/b")]);
}

#[test]
fn of_failures_that_are_all_alike_none_is_hidden() {
    // The filter's limit: of five it wrote two.
    let log: Vec<String> = [own(5_001), own(5_003)]
        .into_iter()
        .chain((0..5).map(|n| logged(&format!("/{n}"), 5_000 + n)))
        .collect();
    let reported = all(&log);
    assert_eq!(reported.len(), 5);
    assert_eq!(reported.iter().filter(|(source, _)| *source == Source::Filter).count(), 2);
    // The other way round: of five the access log has two.
    let log: Vec<String> =
        (0..5).map(|n| own(5_001 + n)).chain([logged("/a", 5_000), logged("/b", 5_003)]).collect();
    let reported = all(&log);
    let paths: Vec<&str> = reported.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(paths, ["-", "-", "-", "/a", "/b"]);
    assert!(reported.iter().all(|(source, _)| *source == Source::Filter));
}

#[test]
fn connections_have_no_request_and_are_joined_all_the_same() {
    let evidence = "connect_error=refused; cluster=outbound|81||a.b.svc.cluster.local; endpoint=10.0.0.7:1";
    let line =
        logged_as("0 UF,URX - - \"delayed_connect_error:_Connection_refused\"", "-", "10.0.0.7:1", 5_000);
    let line = line.replace("\"GET - HTTP/1.1\"", "\"- - -\"");
    assert_eq!(all(&[own_as("upstream_refused", evidence, 5_000), line]), [by_filter("-")]);
}

#[test]
fn who_reads_along_waits_for_seconds_and_hears_of_it_once() {
    let (mut pairs, mut reported) = (Pairs::default(), Reported::new());
    assert!(see(&mut pairs, &own(5_001), 1).is_empty());
    (0..=PATIENCE_OWN).for_each(|_| pairs.tick(&mut |failure| reported.push(shown(failure))));
    assert_eq!(reported, [by_filter("-")]);
    // The access log comes ten seconds later.
    assert!(see(&mut pairs, &logged("/a", 5_000), 2).is_empty());
    assert!(see(&mut pairs, &logged("/b", 5_004), 3).is_empty());
    (0..=PATIENCE_LINE).for_each(|_| pairs.tick(&mut |failure| reported.push(shown(failure))));
    assert_eq!(reported, [by_filter("-"), by_line("/b")]);
    assert!(see(&mut pairs, &own(5_004), 4).is_empty());
    pairs.finish(&mut |failure| reported.push(shown(failure)));
    assert_eq!(reported.len(), 2);
}

#[test]
fn what_is_kept_is_bounded_by_time_and_number() {
    let mut pairs = Pairs::default();
    for n in 0..10_000 {
        see(&mut pairs, &own(300_000 + n), 0);
    }
    assert_eq!(pairs.owns.by_time.len(), MOST);
    for n in 0..10_000 {
        see(&mut pairs, &logged_as("503 UH no_healthy_upstream - \"-\"", "/a", "-", 300_000 + n / 10), 0);
    }
    assert_eq!(pairs.lines.by_time.len(), MOST);
    assert_eq!(see(&mut pairs, &own(1_000_000), 0).len(), 2 * MOST);
    // Logs that were put together: time goes back, and goes on there.
    assert_eq!(see(&mut pairs, &own(5_001), 0), [by_filter("-")]);
    assert_eq!(see(&mut pairs, &logged("/a", 5_000), 0), [by_filter("/a")]);
}

proptest! {
    /// However they come and whoever's clock ticks: each line is reported once or not at all, and no more of either are reported than there are.
    #[test]
    fn none_is_lost_and_none_reported_twice(log in prop::collection::vec((0_u64..4_000, any::<bool>(), 0_u8..3), 0..60)) {
        let (mut pairs, mut reported, mut counts) = (Pairs::default(), Vec::new(), [0, 0]);
        for (place, (time, is_own, endpoint)) in log.into_iter().enumerate() {
            let text = if is_own { own(5_000 + time) } else { logged("/a", 5_000 + time) };
            let mut emit = |failure: Failure<usize>| reported.push(failure.place);
            match READER.read(text.replace("10.0.0.7", &format!("10.0.0.{endpoint}")).as_bytes()) {
                Reading::Own(own) => pairs.own(*own, place, &mut emit),
                Reading::Failed(line, finding) => pairs.line(line, finding, Some(place), &mut emit),
                other => panic!("{other:?}"),
            }
            counts[usize::from(is_own)] += 1;
            if place % 7 == 6 {
                pairs.tick(&mut emit);
            }
        }
        pairs.finish(&mut |failure| reported.push(failure.place));
        let count = reported.len();
        reported.sort_unstable();
        reported.dedup();
        prop_assert_eq!(reported.len(), count);
        prop_assert!(counts[0].max(counts[1]) <= count && count <= counts[0] + counts[1]);
    }
}
