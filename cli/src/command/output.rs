//! One failure in words, for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use meshwhy::causes::Cause;

use super::text;
use crate::explain::{ACCESS_LOG, Column, Destination, Finding, Line, Source};

/// The request's line.
pub const BOLD: Style = Style::new().bold();
/// A cause's id.
pub const CAUSE: Style = AnsiColor::Red.on_default().bold();
/// Labels and places.
pub const DIM: Style = Style::new().dimmed();
/// What to do.
pub const FIX: Style = AnsiColor::Green.on_default();

/// Appends the story of one failure.
pub fn describe(out: &mut String, line: &Line<'_>, finding: &Finding, place: &str) {
    let time = text::column(line, Column::Time).map(|time| time + "  ").unwrap_or_default();
    let at = line.proxy.as_ref().map(|proxy| format!("  at {proxy}")).unwrap_or_default();
    push(out, format_args!("{BOLD}{time}{}{BOLD:#}{DIM}{at}  {place}{DIM:#}\n", text::request(line)));
    label(out, "cause", &cause(finding));
    if let Some(side) = finding.side() {
        label(out, "side", side.id());
    }
    if let Some(resource) = &finding.resource {
        label(out, "resource", resource);
    }
    if let Some(to) = text::column(line, Column::Cluster).and_then(|name| Destination::of_cluster(&name)) {
        label(out, "sent to", &to.to_string());
    } else if let Some(to) = came_to(line) {
        label(out, "came to", &to);
    }
    if !finding.evidence.is_empty() {
        label(out, "evidence", &finding.evidence);
    }
    if let Some(text) = text::free_details(line) {
        label(out, "the log", &format!("{DIM}details={text}{DIM:#}"));
    }
    for (number, fix) in fixes(finding).iter().enumerate() {
        label(out, if number == 0 { "fix" } else { "" }, &format!("{FIX}{fix}{FIX:#}"));
    }
    if let Some(how) = to_know(finding) {
        label(out, "to know", &how);
    }
    out.push('\n');
}

/// Where the client wanted to go, of what was sent nowhere.
fn came_to(line: &Line<'_>) -> Option<String> {
    let address = text::column(line, Column::LocalAddress);
    match (address, text::column(line, Column::Sni)) {
        (Some(address), Some(name)) => Some(format!("{address} ({name} in TLS)")),
        (None, Some(name)) => Some(format!("{name} in TLS")),
        (address, None) => address,
    }
}

/// What to do: the cause's fix first, then those of a few others that it may be instead.
pub fn fixes(finding: &Finding) -> Vec<String> {
    const FEW: usize = 3;
    if finding.source == Source::Ambiguous {
        return vec!["Log in JSON: text formats escape nothing.".into()];
    }
    let first = finding.fix().map(str::to_owned);
    let others = finding.alternatives.iter().filter(|_| !finding.covers_alternatives()).take(FEW);
    first.into_iter().chain(others.map(|other| format!("if {}: {}", other.id(), other.fix()))).collect()
}

/// What would tell apart the causes that fit.
fn to_know(finding: &Finding) -> Option<String> {
    if finding.would_tell.as_slice() == [ACCESS_LOG] {
        return Some(
            "read the proxy's access log (meshConfig.accessLogFile: /dev/stdout turns it on)".into(),
        );
    }
    let (columns, roles): (Vec<&str>, Vec<&str>) =
        finding.would_tell.iter().partition(|name| name.starts_with('%'));
    let log = (!columns.is_empty()).then(|| format!("add {} to the log's format", columns.join(" ")));
    let install = (!roles.is_empty()).then(|| format!("install {}", roles.join(" and ")));
    let ways: Vec<String> = log.into_iter().chain(install).collect();
    (!ways.is_empty()).then(|| ways.join(", or "))
}

/// The cause, how sure it is, and what else fits.
fn cause(finding: &Finding) -> String {
    let id = |cause: &Cause| format!("{CAUSE}{}{CAUSE:#}", cause.id());
    let ids = |causes: &[Cause]| causes.iter().map(id).collect::<Vec<_>>().join(" or ");
    let confidence = finding.confidence.id();
    let by = match finding.source {
        Source::Filter => ", by meshwhy's filter",
        Source::Line | Source::Ambiguous => "",
    };
    if finding.source == Source::Ambiguous {
        return format!("{}: the line can be read in several ways", id(&finding.cause));
    }
    match (finding.cause, finding.alternatives.as_slice()) {
        (_, []) => format!("{} ({confidence}{by})", id(&finding.cause)),
        (general, several) if finding.covers_alternatives() => {
            format!("{} ({confidence}); perhaps {}", id(&general), ids(several))
        }
        (first, several) => format!("{} ({confidence}); or else {}", id(&first), ids(several)),
    }
}

fn label(out: &mut String, name: &str, value: &str) {
    push(out, format_args!("  {DIM}{name:<9}{DIM:#} {value}\n"));
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = out.write_fmt(text);
}
