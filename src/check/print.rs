//! Findings as text for people and as JSON for programs.

use serde_json::{Value, json};

use super::Finding;
use super::resource::Origin;
use crate::catalogue::manual;

/// One finding, in four lines or so.
pub fn text(finding: &Finding) -> String {
    let Finding { cause, confidence, origin, line, what, fix, related } = finding;
    let mut text = format!(
        "{file}:{line}: {id}: {cause} ({confidence})\n  {what}\n  Fix: {fix}\n",
        file = plain(&origin.file),
        id = plain(&origin.id()),
        cause = cause.id(),
        confidence = confidence.id(),
        what = plain(what),
        fix = plain(fix),
    );
    for origin in related {
        let place = plain(&format!("{} ({}:{})", origin.id(), origin.file, origin.line));
        text.push_str(&format!("  With: {place}\n"));
    }
    text
}

/// One finding as a JSON object.
pub fn json(finding: &Finding) -> Value {
    let place = |origin: &Origin| json!({"resource": origin.id(), "file": origin.file, "line": origin.line});
    let section = manual::entry(finding.cause).section;
    json!({
        "cause": finding.cause.id(),
        "confidence": finding.confidence.id(),
        "side": finding.cause.side().id(),
        "resource": finding.origin.id(),
        "file": finding.origin.file,
        "line": finding.line,
        "what": finding.what,
        "fix": finding.fix,
        "related": finding.related.iter().map(|origin| place(origin)).collect::<Vec<_>>(),
        "section": section.map(|section| section.title()),
    })
}

/// Names come from files, and control characters in them could make a terminal lie.
fn plain(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { '?' } else { one }).collect()
}
