//! The result as text and as JSON.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use meshwhy::diagnosis::Confidence;
use serde_json::{Value, json};

use super::input::Input;
use super::{CLUSTER, FailOn, Format, Report, github, junit, sarif};
use crate::check::{Checked, Finding, json, visible, visible_json, with};
use crate::command::output::{BOLD, DIM, FIX};
use crate::command::text::counted;

/// The version of `--format json`.
const VERSION: u32 = 1;

/// From the surest.
const CONFIDENCES: [Confidence; 3] = [Confidence::Certain, Confidence::Likely, Confidence::Possible];

/// Prints the result on standard output.
pub(super) fn print(report: &Report, format: Format) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match format {
        Format::Text => text(&mut out, report)?,
        Format::Json => writeln!(out, "{}", visible_json(&whole(report).to_string()))?,
        Format::Jsonl => {
            for finding in &report.checked.findings {
                writeln!(out, "{}", visible_json(&json(finding).to_string()))?;
            }
        }
        Format::Sarif => writeln!(out, "{}", visible_json(&sarif::log(report).to_string()))?,
        Format::Github => github::print(&mut out, report)?,
        Format::Junit => junit::print(&mut out, report)?,
    }
    out.flush()
}

/// What was not checked or not read as one may think, on standard error.
pub(super) fn notes(checked: &Checked, input: &Input) {
    for unreadable in &checked.unreadable {
        let error = &unreadable.error;
        warn!("{}:{}: no YAML: {}", unreadable.file, error.line, error.message);
    }
    for origin in &checked.templates {
        warn!(
            "{}:{}: {} has placeholders: not checked (render the template first)",
            origin.file,
            origin.line,
            origin.id()
        );
    }
    for origin in &checked.redefined {
        let place = format!("{}:{}", origin.file, origin.line);
        warn!("{place}: {} is defined more than once; this definition was checked", origin.id());
    }
    for note in &checked.notes {
        warn!("{}:{}: {}", note.file, note.line, note.message);
    }
    for (path, why) in &input.passed_over {
        warn!("{path}: {why}");
    }
    for file in input.named.iter().filter(|file| !checked.files.contains(*file)) {
        warn!("{file}: no Kubernetes resource in it");
    }
}

fn text(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for one in &report.checked.findings {
        finding(out, one)?;
    }
    let found = report.checked.findings.len();
    let resources = counted(report.checked.resources as u64, "resource");
    let mut summary = format!("{resources} checked, {}", counted(found as u64, "finding"));
    let parts = CONFIDENCES.map(|confidence| (report.count(confidence), confidence.id()));
    let parts: Vec<_> = parts.iter().filter(|(count, _)| *count > 0 && *count < found).collect();
    if !parts.is_empty() {
        let parts = parts.iter().map(|(count, id)| format!("{count} {id}")).collect::<Vec<_>>().join(", ");
        summary.push_str(&format!(" ({parts})"));
    }
    for (count, what) in
        [(report.checked.allowed.len(), "allowed by comments"), (report.known, "in the baseline")]
    {
        if count > 0 {
            summary.push_str(&format!(", {count} {what}"));
        }
    }
    writeln!(out, "{BOLD}{summary}{BOLD:#}")?;
    if let Some((count, confidence)) = uncounted(report) {
        let (findings, make) =
            if count == 1 { ("finding doesn't", "makes it") } else { ("findings don't", "makes them") };
        let option = FailOn::of(confidence);
        writeln!(
            out,
            "{DIM}{count} {} {findings} fail the check; --fail-on {option} {make} count{DIM:#}",
            confidence.id()
        )?;
    }
    Ok(())
}

/// The surest findings that the exit code says nothing of.
fn uncounted(report: &Report) -> Option<(usize, Confidence)> {
    if report.fail_on == FailOn::Never {
        return None;
    }
    let left = CONFIDENCES.into_iter().filter(|confidence| !report.fail_on.includes(*confidence));
    left.map(|confidence| (report.count(confidence), confidence)).find(|(count, _)| *count > 0)
}

/// One finding, in five lines or so.
fn finding(out: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let Finding { cause, confidence, origin, line, what, fix, related } = finding;
    let colour = match confidence {
        Confidence::Certain => AnsiColor::Red,
        Confidence::Likely => AnsiColor::Yellow,
        Confidence::Possible => AnsiColor::Cyan,
    };
    let strong: Style = colour.on_default().bold();
    let id = visible(&origin.id());
    let place = match origin.file.as_str() {
        CLUSTER => String::new(),
        file => format!("{BOLD}{}:{line}{BOLD:#}: ", visible(file)),
    };
    writeln!(out, "{place}{id}: {strong}{} ({}){strong:#}", cause.id(), confidence.id())?;
    writeln!(out, "  {}", visible(what))?;
    writeln!(out, "  Fix: {FIX}{}{FIX:#}", visible(fix))?;
    for origin in related {
        let place = match origin.file.as_str() {
            CLUSTER => String::new(),
            file => format!(" ({file}:{})", origin.line),
        };
        writeln!(out, "  With: {}", visible(&(origin.id() + &place)))?;
    }
    writeln!(out, "  {DIM}More: meshwhy causes {}{DIM:#}\n", cause.id())
}

/// All of it as one JSON object.
fn whole(report: &Report) -> Value {
    let Checked { findings, allowed, unreadable, resources, redefined, templates, notes, .. } =
        &report.checked;
    let place = |file: &str, line: usize| json!({ "file": file, "line": line });
    let named = |origin: &crate::check::Origin| json!({ "file": origin.file, "line": origin.line, "resource": origin.id() });
    let mut summary = json!({
        "resources": resources,
        "findings": findings.len(),
        "allowed": allowed.len(),
        "baseline": report.known,
        "fails": report.fails(),
    });
    for confidence in CONFIDENCES {
        summary = with(summary, confidence.id(), report.count(confidence));
    }
    json!({
        "version": VERSION,
        "findings": findings.iter().map(json).collect::<Vec<_>>(),
        "allowed": allowed.iter().map(|(finding, reason)| with(json(finding), "reason", reason.as_str())).collect::<Vec<_>>(),
        "unreadable": unreadable.iter()
            .map(|one| with(place(&one.file, one.error.line), "error", one.error.message.as_str())).collect::<Vec<_>>(),
        "templates": templates.iter().map(|origin| named(origin)).collect::<Vec<_>>(),
        "redefined": redefined.iter().map(|origin| named(origin)).collect::<Vec<_>>(),
        "notes": notes.iter().map(|note| with(place(&note.file, note.line), "note", note.message.as_str())).collect::<Vec<_>>(),
        "summary": summary,
    })
}
