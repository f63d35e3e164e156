//! Findings as text for people and as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Finding;
use super::resource::Origin;

/// One finding, in four lines or so.
pub fn text(finding: &Finding) -> String {
    let Finding { cause, confidence, origin, line, what, fix, related } = finding;
    let mut text = format!(
        "{file}:{line}: {id}: {cause} ({confidence})\n  {what}\n  Fix: {fix}\n",
        file = visible(&origin.file),
        id = visible(&origin.id()),
        cause = cause.id(),
        confidence = confidence.id(),
        what = visible(what),
        fix = visible(fix),
    );
    for origin in related {
        let place = visible(&format!("{} ({}:{})", origin.id(), origin.file, origin.line));
        text.push_str(&format!("  With: {place}\n"));
    }
    text
}

/// One finding as a JSON object.
pub fn json(finding: &Finding) -> Value {
    let place = |origin: &Origin| json!({"resource": origin.id(), "file": origin.file, "line": origin.line});
    let section = finding.cause.definition().section;
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

/// Text from outside for a terminal: nothing in it moves the cursor, ends the line or turns its direction.
pub fn visible(text: &str) -> String {
    text.chars().map(|one| if is_visible(one) { one } else { '?' }).collect()
}

/// The same for what is JSON already, where such characters have escapes.
pub fn visible_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        if is_visible(one) {
            out.push(one);
        } else {
            // Writing to a String can't fail; all of these are of the basic plane.
            let _ = write!(out, "\\u{:04x}", u32::from(one));
        }
    }
    out
}

/// Whether a terminal shows it and does nothing else. The rest: control characters, C1's included, and what turns directions.
fn is_visible(one: char) -> bool {
    let turns = matches!(one, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !one.is_control() && !turns
}
