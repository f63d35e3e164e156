//! SARIF 2.1.0 (OASIS), as code scanning takes it.

use std::collections::BTreeSet;

use meshwhy::causes::{Cause, manual};
use meshwhy::diagnosis::Confidence;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

use super::Report;
use crate::check::{Finding, Origin, plain_path, with};

/// What has a meaning in a URI, or can't be in its path.
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The log of one run.
pub(super) fn log(report: &Report) -> Value {
    let checked = &report.checked;
    let allowed = checked.allowed.iter().map(|(finding, _)| finding);
    let causes: BTreeSet<Cause> =
        checked.findings.iter().chain(allowed).map(|finding| finding.cause).collect();
    let mut results: Vec<Value> = checked.findings.iter().map(result).collect();
    results.extend(checked.allowed.iter().map(|(finding, reason)| {
        with(result(finding), "suppressions", json!([{ "kind": "inSource", "justification": reason }]))
    }));
    let notification = |level: &str, text: String, file: &str, line: usize| json!({ "level": level, "message": { "text": text }, "locations": [place(file, line)] });
    let unreadable = checked.unreadable.iter().map(|one| {
        notification("error", format!("no YAML: {}", one.error.message), &one.file, one.error.line)
    });
    let templates = checked.templates.iter().map(|origin| {
        let text = format!("{} has placeholders: not checked", origin.id());
        notification("warning", text, &origin.file, origin.line)
    });
    let redefined = checked.redefined.iter().map(|origin| {
        let text = format!("{} is defined more than once; this definition was checked", origin.id());
        notification("warning", text, &origin.file, origin.line)
    });
    let notes =
        checked.notes.iter().map(|note| notification("note", note.message.clone(), &note.file, note.line));
    let notifications: Vec<Value> = unreadable.chain(templates).chain(redefined).chain(notes).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "meshwhy",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": causes.into_iter().map(rule).collect::<Vec<_>>(),
            } },
            "invocations": [{
                "executionSuccessful": checked.unreadable.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    })
}

fn rule(cause: Cause) -> Value {
    let entry = manual::entry(cause);
    json!({
        "id": cause.id(),
        "shortDescription": { "text": entry.title },
        "fullDescription": { "text": entry.happened },
        "help": { "text": format!("{}\n\nRun `meshwhy causes {}` for more.", entry.fix, cause.id()) },
        "properties": { "tags": ["istio"] },
    })
}

fn result(finding: &Finding) -> Value {
    let level = match finding.confidence {
        Confidence::Certain => "error",
        Confidence::Likely => "warning",
        Confidence::Possible => "note",
    };
    let related =
        |origin: &Origin| with(place(&origin.file, origin.line), "message", json!({ "text": origin.id() }));
    json!({
        "ruleId": finding.cause.id(),
        "level": level,
        "message": { "text": format!("{}: {} Fix: {}", finding.origin.id(), finding.what, finding.fix) },
        "locations": [place(&finding.origin.file, finding.line)],
        "relatedLocations": finding.related.iter().map(|origin| related(origin)).collect::<Vec<_>>(),
        // Lines move: the same mistake of the same resource stays the same alert.
        "partialFingerprints": { "resource/v1": format!("{} {}", finding.cause.id(), finding.origin.id()) },
        "properties": { "confidence": finding.confidence.id() },
    })
}

fn place(file: &str, line: usize) -> Value {
    let file = plain_path(file).replace('\\', "/");
    let uri = utf8_percent_encode(&file, RESERVED).to_string();
    json!({ "physicalLocation": { "artifactLocation": { "uri": uri }, "region": { "startLine": line.max(1) } } })
}
