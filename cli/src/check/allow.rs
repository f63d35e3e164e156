//! Comments that allow a finding: `# meshwhy: allow CAUSE REASON`, in the document of the resource that has it.

use std::collections::HashMap;

use meshwhy::causes::Cause;

use super::Finding;
use super::resource::{Note, Source};

/// Before the cause.
const MARK: &str = "meshwhy: allow";

/// One such comment.
struct Allowance<'source> {
    cause: Cause,
    reason: &'source str,
    line: usize,
    /// The lines of its document.
    first: usize,
    last: usize,
    used: bool,
}

/// Takes the findings out that a comment allows. Comments that allow nothing, or can't, are noted.
pub(super) fn apart(
    findings: Vec<Finding>,
    sources: &[Source],
    notes: &mut Vec<Note>,
) -> (Vec<Finding>, Vec<(Finding, String)>) {
    let mut allowances: HashMap<&str, Vec<Allowance<'_>>> = HashMap::new();
    for source in sources.iter().filter(|source| source.text.contains(MARK)) {
        let own = allowances.entry(source.name.as_str()).or_default();
        own.extend(read(source, notes));
    }
    let (mut kept, mut allowed) = (Vec::new(), Vec::new());
    for finding in findings {
        let mut own = allowances.get_mut(finding.origin.file.as_str()).into_iter().flatten();
        let covers = |one: &&mut Allowance<'_>| {
            one.cause == finding.cause && (one.first..=one.last).contains(&finding.line)
        };
        match own.find(covers) {
            Some(allowance) => {
                allowance.used = true;
                allowed.push((finding, allowance.reason.to_owned()));
            }
            None => kept.push(finding),
        }
    }
    for (file, own) in allowances {
        notes.extend(own.iter().filter(|one| !one.used).map(|one| Note {
            file: file.to_owned(),
            line: one.line,
            message: format!("nothing to allow: this document has no {}", one.cause.id()),
        }));
    }
    notes.sort_by(|one, two| (&one.file, one.line).cmp(&(&two.file, two.line)));
    (kept, allowed)
}

fn read<'source>(source: &'source Source, notes: &mut Vec<Note>) -> Vec<Allowance<'source>> {
    let mut allowances: Vec<Allowance<'source>> = Vec::new();
    let (mut first, mut lines) = (1, 0);
    for (line, text) in (1..).zip(source.text.lines()) {
        lines = line;
        if text.starts_with("---") {
            allowances.iter_mut().filter(|one| one.last == usize::MAX).for_each(|one| one.last = line - 1);
            first = line;
        }
        let comment = text.split_once('#').map(|(_, comment)| comment.trim_start());
        let Some(words) = comment.and_then(|comment| comment.strip_prefix(MARK)) else { continue };
        let mut note = |message: String| notes.push(Note { file: source.name.clone(), line, message });
        let (id, reason) = words.trim().split_once(char::is_whitespace).unwrap_or((words.trim(), ""));
        match Cause::from_id(id) {
            None => note(format!("allows nothing: {id:?} is no cause (`meshwhy causes` lists them)")),
            Some(_) if reason.trim().is_empty() => {
                note(format!("allows nothing without a reason behind {id}"));
            }
            Some(cause) => {
                let reason = reason.trim();
                allowances.push(Allowance { cause, reason, line, first, last: usize::MAX, used: false });
            }
        }
    }
    allowances.iter_mut().for_each(|one| one.last = one.last.min(lines));
    allowances
}
