//! Findings as JSON, and text that is safe to print.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Finding;
use super::resource::Origin;

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

/// A JSON object with one member more.
pub fn with(mut object: Value, key: &str, member: impl Into<Value>) -> Value {
    if let Value::Object(members) = &mut object {
        members.insert(key.to_owned(), member.into());
    }
    object
}

/// A file's path as others write it: without the `./` before it.
pub fn plain_path(file: &str) -> &str {
    file.strip_prefix("./").unwrap_or(file)
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
