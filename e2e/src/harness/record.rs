//! What the filter collects on a real proxy, kept for native tests (`tests/recorded`): `MESHWHY_RECORD=1`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use meshwhy::diagnosis::{diagnose, observe};
use meshwhy::evidence::Evidence;
use meshwhy::record::{MARK, Record};
use serde_json::{Value, json};

use crate::harness::tools::{records, root};

/// Lines by scenario.
static KEPT: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

/// A log without the records in it.
pub fn without(log: &str) -> String {
    log.lines().filter(|line| !line.contains(MARK)).flat_map(|line| [line, "\n"]).collect()
}

/// Keeps the records in a log for this scenario; `ports` get numbers that are the same in every run.
pub fn keep(scenario: &str, log: &str, ports: &[u16]) -> Result<()> {
    if !records() {
        return Ok(());
    }
    let mut lines = BTreeSet::new();
    for (_, record) in log.lines().filter_map(|line| line.split_once(MARK)) {
        // Behind it Istio's proxies write the thread.
        let mut values = serde_json::Deserializer::from_str(record).into_iter::<Record>();
        let look = values.next().context("no record")?.with_context(|| format!("{scenario}: {record}"))?;
        let native = Record::of(look.evidence.clone(), look.soft);
        ensure!(look == native, "the module reports {:?}, native code {:?}", look.reports, native.reports);
        lines.insert(stable(look, ports)?.recorded(scenario)?);
    }
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).insert(scenario.to_owned(), lines);
    Ok(())
}

/// The same with what differs from run to run made equal; the reports follow.
fn stable(mut look: Record, ports: &[u16]) -> Result<Record> {
    let evidence = &mut look.evidence;
    even(evidence, |e| &mut e.lived, &LIVED);
    even(evidence, |e| &mut e.upstream.pool_ready, &POOL_READY);
    evidence.past.failed_for = evidence.past.failed_for.map(|_| 1);
    // Which of two endpoints is chosen first, and how often, is chance.
    evidence.upstream.version = evidence.upstream.version.take().map(|_| "v1".to_owned());
    evidence.past.split = evidence.past.split.take().map(|split| uncounted(&split));
    let mut value = serde_json::to_value(&look.evidence)?;
    renumber(&mut value, ports);
    Ok(Record::of(serde_json::from_value(value)?, look.soft))
}

/// Milliseconds that a stream lived: some time, none to speak of, longer than idle time-outs.
const LIVED: [u64; 3] = [1_000, 10, 3_600_000];
/// Microseconds until the pool had a connection: a new one, a reused one, one behind a connect time-out.
const POOL_READY: [u64; 3] = [1_000, 30, 10_000_000];

/// Takes the first of these times that leaves the verdict, in the place of the measured one.
fn even(evidence: &mut Evidence, time: fn(&mut Evidence) -> &mut Option<u64>, times: &[u64]) {
    let verdicts = |e: &Evidence| (diagnose(e), Vec::from_iter(observe(e)));
    let before = verdicts(evidence);
    let mut other = evidence.clone();
    for even in times {
        *time(&mut other) = time(evidence).map(|_| *even);
        if verdicts(&other) == before {
            *time(evidence) = *time(&mut other);
            return;
        }
    }
}

/// `CLUSTER:COUNT,CLUSTER:COUNT` with 1 for each count.
fn uncounted(split: &str) -> String {
    let one =
        |part: &str| part.rsplit_once(':').map_or(part.to_owned(), |(cluster, _)| format!("{cluster}:1"));
    split.split(',').map(one).collect::<Vec<_>>().join(",")
}

fn renumber(value: &mut Value, ports: &[u16]) {
    match value {
        Value::String(text) => *text = renumbered(text, ports),
        Value::Array(values) => values.iter_mut().for_each(|value| renumber(value, ports)),
        Value::Object(members) => {
            if let Some(port) = members.get_mut("port")
                && let Some(position) = ports.iter().position(|known| port.as_u64() == Some((*known).into()))
            {
                *port = json!(10_000 + position);
            }
            members.values_mut().for_each(|value| renumber(value, ports));
        }
        _ => {}
    }
}

/// Port number N of the list becomes 10000 + N, where it stands for itself.
fn renumbered(text: &str, ports: &[u16]) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_digit) {
        let (before, from) = rest.split_at(at);
        let (number, after) = from.split_at(from.find(|c| !is_digit(c)).unwrap_or(from.len()));
        let known =
            number.parse::<u16>().ok().and_then(|number| ports.iter().position(|port| *port == number));
        out.push_str(before);
        match known {
            Some(position) => out.push_str(&(10_000 + position).to_string()),
            None => out.push_str(number),
        }
        rest = after;
    }
    out + rest
}

/// Writes what was kept to `tests/recorded/NAME.jsonl`. Scenarios that were not played stay as they are, unless
/// `all` were to be.
pub fn write(name: &str, versions: &str, all: bool) -> Result<()> {
    if !records() {
        return Ok(());
    }
    let folder = root().join("tests/recorded");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.jsonl"));
    let mut lines = if all { BTreeMap::new() } else { read(&fs::read_to_string(&file).unwrap_or_default())? };
    lines.extend(std::mem::take(&mut *KEPT.lock().unwrap_or_else(PoisonError::into_inner)));
    let mut text = format!("{}\n", json!({ "recorded": versions }));
    let lines: BTreeSet<String> = lines.into_values().flatten().collect();
    lines.iter().for_each(|line| text.extend([line, "\n"]));
    fs::write(&file, text).with_context(|| file.display().to_string())
}

fn read(text: &str) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut scenarios: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let value: Value = serde_json::from_str(line)?;
        let scenario = value["scenario"].as_str().context("no scenario")?.to_owned();
        scenarios.entry(scenario).or_default().insert(line.to_owned());
    }
    Ok(scenarios)
}

#[cfg(test)]
mod tests {
    use meshwhy::evidence::{Details, Evidence, Flags};
    use serde_json::json;

    use super::{LIVED, POOL_READY, even, renumber, renumbered, without};

    #[test]
    fn times_are_made_equal_where_the_verdict_stays() {
        let closed = |lived, ready| {
            let mut e = Evidence {
                code: Some(503),
                flags: Flags::UPSTREAM_CONNECTION_TERMINATION,
                details: Details::new("upstream_reset_before_response_started{connection_termination}"),
                lived: Some(lived),
                ..Evidence::default()
            };
            e.upstream.pool_ready = Some(ready);
            even(&mut e, |e| &mut e.lived, &LIVED);
            even(&mut e, |e| &mut e.upstream.pool_ready, &POOL_READY);
            (e.lived, e.upstream.pool_ready)
        };
        // The server was closing a connection that the pool had.
        assert_eq!(closed(2, 18), (Some(10), Some(30)));
        // A new one was closed at once, or later.
        assert_eq!(closed(2, 400), (Some(10), Some(1_000)));
        assert_eq!(closed(200, 400), (Some(1_000), Some(1_000)));
    }

    #[test]
    fn ports_that_stand_for_themselves_get_the_same_numbers() {
        let ports = [40123, 401];
        let text = "127.0.0.1:40123; outbound|401||a; 401234; 140123; v1";
        let expected = "127.0.0.1:10000; outbound|10001||a; 401234; 140123; v1";
        assert_eq!(renumbered(text, &ports), expected);
        let mut evidence = json!({"downstream": {"port": 40123}, "lived": 40123, "other": {"port": 443}});
        renumber(&mut evidence, &ports);
        assert_eq!(evidence, json!({"downstream": {"port": 10000}, "lived": 40123, "other": {"port": 443}}));
    }

    #[test]
    fn a_log_without_its_records() {
        assert_eq!(without("a\nwasm log: meshwhy-record {}\nb"), "a\nb\n");
    }
}
