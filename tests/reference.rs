//! `docs/reference.md` against the code: what it says of names and defaults is true.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::{env, fs};

use meshwhy::causes::{Cause, markdown};
use meshwhy::config::{Config, ConfigError, LogMode, Role};
use meshwhy::diagnosis::diagnose;
use meshwhy::evidence::{Details, Direction, Evidence};
use meshwhy::record::Record;
use meshwhy::report::{Counter, Labels, Report, build_info_name, dropped_name};

const CAUSES: &str = "<!-- causes: written by `make docs` -->\n";
const END: &str = "<!-- end of causes -->\n";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md")
}

fn text() -> String {
    fs::read_to_string(path()).unwrap()
}

/// The rows of the first table under a heading: each cell without the backticks around it.
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = text();
    let section = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}")).1;
    let section = section.split("\n## ").next().unwrap();
    let rows =
        section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| plain(cell).to_owned()).collect();
    rows.skip(2).map(cells).collect()
}

fn plain(cell: &str) -> &str {
    cell.trim().trim_matches(['|', ' ']).trim_matches('`')
}

fn column(table: &[Vec<String>], index: usize) -> Vec<&str> {
    table.iter().map(|row| row[index].as_str()).collect()
}

#[test]
fn roles() {
    let table = table("Roles");
    assert_eq!(column(&table, 0), ["http", "connection", "access_log"]);
    for role in column(&table, 0) {
        assert!(Config::parse(format!(r#"{{"role":"{role}"}}"#).as_bytes()).is_ok(), "{role}");
    }
}

#[test]
fn configuration() {
    let table = table("Configuration");
    let Err(ConfigError::UnknownKey(_)) = Config::parse(br#"{"no":1}"#) else { panic!("`no` is no key") };
    let message = Config::parse(br#"{"no":1}"#).unwrap_err().to_string();
    let (_, keys) = message.split_once("expected one of ").unwrap();
    assert_eq!(column(&table, 0), keys.split(", ").collect::<Vec<_>>());

    let Config { role, log, log_per_minute, observe_every, resource_label, max_series, response_header } =
        Config::default();
    assert_eq!((role, log, response_header), (Role::Http, None, None));
    let defaults = [
        "\"http\"",
        "\"limited\"`; `\"off\"` for `http",
        &log_per_minute.to_string(),
        &observe_every.to_string(),
        &resource_label.to_string(),
        &max_series.to_string(),
        "none",
    ];
    assert_eq!(column(&table, 2), defaults);
    for (role, mode) in [
        (Role::Http, LogMode::Off),
        (Role::Connection, LogMode::Limited),
        (Role::AccessLog, LogMode::Limited),
    ] {
        assert_eq!(Config { role, ..Config::default() }.log_mode(), mode);
    }
}

/// The ends of each documented range are taken, what is beyond them is refused.
#[test]
fn ranges() {
    let numbers: Vec<_> = table("Configuration")
        .into_iter()
        .filter_map(|row| {
            let range = row[1].strip_prefix("whole number, ")?;
            let (least, most) = range.split_once(" to ")?;
            Some((row[0].clone(), least.parse::<i64>().unwrap(), most.parse::<i64>().unwrap()))
        })
        .collect();
    assert_eq!(numbers.len(), 3);
    let takes = |key: &str, value: i64| Config::parse(format!(r#"{{"{key}":{value}}}"#).as_bytes()).is_ok();
    for (key, least, most) in numbers {
        assert!(takes(&key, least) && takes(&key, most), "{key}");
        assert!(!takes(&key, least - 1) && !takes(&key, most + 1), "{key}");
    }
    let header =
        |length| Config::parse(format!(r#"{{"response_header":"{}"}}"#, "x".repeat(length)).as_bytes());
    assert!(header(64).is_ok() && header(65).is_err());
}

#[test]
fn the_refused_example() {
    let message = Config::parse(br#"{"log":"sometimes"}"#).unwrap_err().to_string();
    assert!(text().contains(&format!("{message}\n")), "{message}");
}

/// A report of any failure.
fn report() -> Report {
    let mut evidence = Evidence { code: Some(503), ..Evidence::default() };
    evidence.details = Details::new("no_healthy_upstream");
    Report::new(&diagnose(&evidence).unwrap(), &evidence)
}

#[test]
fn filter_state() {
    let table = table("Filter state");
    let mut documented = column(&table, 0);
    assert_eq!(documented.pop(), Some("meshwhy"));
    let mut report = report();
    report.resource = Some("VirtualService/default/reviews".to_owned());
    assert_eq!(report.fields().map(|(key, _)| key).collect::<Vec<_>>(), documented);
    for (key, _) in report.fields() {
        assert!(report.json().contains(&format!("\"{}\":", key.trim_start_matches("meshwhy."))), "{key}");
    }
}

/// Every key in the evidence that was recorded is explained.
#[test]
fn evidence_keys() {
    let text = text();
    let (_, section) = text.split_once("\n### Evidence\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let documented: Vec<_> =
        section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let mut seen = 0;
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")).unwrap() {
        for line in fs::read_to_string(file.unwrap().path()).unwrap().lines().skip(1) {
            let record: Record = serde_json::from_str(line).unwrap();
            let evidence = record.reports.iter().filter_map(|report| report.get("evidence")?.as_str());
            for fact in evidence.flat_map(|evidence| evidence.split("; ")) {
                let key = fact.split('=').next().unwrap();
                assert!(documented.contains(&key), "docs/reference.md doesn't explain {key}: {fact}");
                seen += 1;
            }
        }
    }
    assert!(seen > 1000, "{seen} facts");
}

#[test]
fn counters() {
    let table = table("Counters");
    let series = |counter| {
        let name = Labels {
            counter,
            cause: Cause::RouteNoMatch,
            side: Cause::RouteNoMatch.side(),
            confidence: meshwhy::diagnosis::Confidence::Likely,
            direction: Direction::Gateway,
            resource: String::new(),
        }
        .stat_name();
        row(&name)
    };
    let expected = [
        series(Counter::Failures),
        series(Counter::Observations),
        row(dropped_name()),
        row(build_info_name()),
    ];
    let labels = |cell: &str| if cell == "none" { String::new() } else { cell.replace("`, `", ",") };
    let documented: Vec<_> = table.iter().map(|row| (row[0].clone(), labels(&row[1]))).collect();
    assert_eq!(documented, expected);
}

/// A stat's name and its labels, as the table writes them.
fn row(stat: &str) -> (String, String) {
    let mut parts: Vec<&str> = stat.split(";.;").collect();
    let name = parts.pop().unwrap();
    let labels: Vec<_> = parts.iter().map(|part| part.split_once("=.=").unwrap().0).collect();
    (name.to_owned(), labels.join(","))
}

#[test]
fn log_line() {
    let mut report = report();
    report.resource = Some("VirtualService/default/reviews".to_owned());
    let line: serde_json::Value = serde_json::from_str(&report.log_line(Counter::Failures, 1)).unwrap();
    let table = table("Log lines");
    let documented: Vec<_> = column(&table, 0).iter().flat_map(|cell| cell.split("`, `")).collect();
    let mut written: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    written.sort_unstable_by_key(|key| documented.iter().position(|one| one == key));
    assert_eq!(written, documented);
}

#[test]
fn causes() {
    let text = text();
    let (head, rest) = text.split_once(CAUSES).unwrap();
    let (stored, tail) = rest.split_once(END).unwrap();
    // Also where it is written anew: an id is an interface.
    for id in stored.lines().filter_map(|line| line.strip_prefix("| [`")?.split('`').next()) {
        assert!(Cause::from_id(id).is_some(), "{id} is gone: ids stay, and keep their meaning");
    }
    let current = markdown::causes_tables();
    if env::var_os("MESHWHY_BLESS").is_some_and(|value| value == "1") {
        // The other tests read the file meanwhile: they get the old or the new one, whole.
        let new = path().with_extension("new");
        fs::write(&new, [head, CAUSES, &current, END, tail].concat()).unwrap();
        fs::rename(&new, path()).unwrap();
    } else {
        assert!(stored == current, "the causes in docs/reference.md are old: run `make docs`");
    }
}
