//! One scenario in a few lines, as soon as it was played.

use std::fmt::Write as _;

use super::{Played, Style};

/// What the client saw, what Envoy logged, and the whole report.
pub fn story(played: &Played, style: Style) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: &str| {
        let _ = writeln!(out, "  {label:<9} {text}");
    };
    line("client:", &played.client);
    line("Envoy:", &played.envoy);
    for seen in &played.observed {
        let said = format!("{} ({}), on traffic that works", style.cause(&seen.cause), seen.confidence);
        line("meshwhy:", &said);
        if !seen.resource.is_empty() {
            line("resource:", &seen.resource);
        }
    }
    match &played.report {
        None if played.observed.is_empty() => line("meshwhy:", "no cause: nothing failed"),
        None => {}
        Some(report) => {
            let text = |key: &str| report[key].as_str().unwrap_or("-");
            let said =
                format!("{} ({}), to act: {}", style.cause(text("cause")), text("confidence"), text("side"));
            line("meshwhy:", &said);
            if report["resource"].is_string() {
                line("resource:", text("resource"));
            }
            line("evidence:", text("evidence"));
            line("fix:", text("fix"));
        }
    }
    if !played.as_expected {
        line("WRONG:", "not what was expected");
    }
    out
}
