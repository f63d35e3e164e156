//! What the filter collected on real proxies (`tests/recorded`), and what the rules make of it.
//!
//! `make record` plays scenarios and stories anew; `MESHWHY_BLESS=1` keeps the evidence and writes what the rules say now.

use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;

use super::fetch_plan::only;
use crate::diagnosis::fetch_plan;
use crate::evidence::Layer;
use crate::record::Record;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    files.sort();
    files
}

/// The records of all files, each with its scenario.
fn records() -> Vec<(String, Record)> {
    let parsed = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let name = value["scenario"].as_str().unwrap().to_owned();
        (name, serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}: {line}")))
    };
    let texts = files().into_iter().map(|file| fs::read_to_string(file).unwrap());
    texts.flat_map(|text| text.lines().skip(1).map(parsed).collect::<Vec<_>>()).collect()
}

#[test]
fn the_rules_say_what_they_said() {
    if env::var_os("MESHWHY_BLESS").is_some_and(|value| value == "1") {
        files().iter().for_each(|file| bless(file));
    }
    let all = records();
    assert!(all.len() > 300, "{} looks are recorded", all.len());
    let changed: Vec<_> = all
        .iter()
        .filter_map(|(scenario, record)| {
            let now = Record::of(record.evidence.clone(), record.soft);
            (now.reports != record.reports).then(|| {
                format!(
                    "{}\nnow {}\n",
                    record.recorded(scenario).unwrap(),
                    serde_json::to_string(&now.reports).unwrap()
                )
            })
        })
        .collect();
    assert!(
        changed.is_empty(),
        "{} differ (MESHWHY_BLESS=1 keeps these)\n{}",
        changed.len(),
        changed.concat()
    );
}

/// The same evidence, with the reports as they are now.
fn bless(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let (head, lines) = text.split_once('\n').unwrap();
    let mut lines: Vec<String> = lines
        .lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            let scenario = value["scenario"].as_str().unwrap().to_owned();
            let record: Record = serde_json::from_value(value).unwrap();
            Record::of(record.evidence, record.soft).recorded(&scenario).unwrap() + "\n"
        })
        .collect();
    lines.sort();
    fs::write(file, format!("{head}\n{}", lines.concat())).unwrap();
}

/// Of a failed HTTP stream the filter reads what is wanted of its kind: all that was recorded, and the report needs no more.
#[test]
fn what_was_recorded_is_what_is_wanted() {
    for (scenario, record) in records() {
        let e = &record.evidence;
        if record.soft || e.layer != Layer::Http {
            continue;
        }
        let groups = fetch_plan(&e.details, e.flags, &e.answer);
        assert_eq!(only(groups, e.clone()), *e, "{scenario}");
    }
}

#[test]
fn evidence_is_the_same_when_read_again() {
    for (scenario, record) in records() {
        let line = record.line().unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record, "{scenario}");
    }
}

/// The proxy knew a resource and the report names none: each is meant.
#[test]
fn a_resource_that_is_known_is_named() {
    /// By cause, and why the known resource is not to blame.
    const NAMELESS: &[(&str, &str)] = &[
        ("succeeded_after_retries", "Istio retries by default, and what failed was the upstream"),
        ("max_duration_reached", "the connection manager's limit has the same details as the route's"),
        ("upstream_closed_connection", "the application crashed, as far as anybody knows"),
        (
            "upstream_protocol_error",
            "the answer breaks HTTP, unless the rule has h2UpgradePolicy: the fix asks",
        ),
        ("upstream_connect_timeout", "nothing answered, whatever the rule says"),
    ];
    let is_meant = |cause: &str| NAMELESS.iter().any(|(nameless, _)| *nameless == cause);
    let mut seen = 0;
    for (scenario, record) in records() {
        let e = &record.evidence;
        let Some(known) = e.upstream.resource.as_ref().or(e.route.resource.as_ref()) else { continue };
        for report in &record.reports {
            let cause = report["cause"].as_str().unwrap_or_default();
            assert!(
                report.contains_key("resource") || is_meant(cause),
                "{scenario}: {cause}: {}",
                known.path()
            );
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}
