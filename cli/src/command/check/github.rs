//! Annotations, as GitHub's runners read them from a step's output.

use std::io::{self, Write};

use meshwhy::diagnosis::Confidence;

use super::Report;
use crate::check::{plain_path, visible};
use crate::command::text::counted;

/// Prints one annotation for each finding.
pub(super) fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for one in &report.checked.unreadable {
        let message = format!("no YAML: {}", one.error.message);
        writeln!(
            out,
            "::error file={},line={}::{}",
            property(plain_path(&one.file)),
            one.error.line,
            data(&message)
        )?;
    }
    for finding in &report.checked.findings {
        let level = match finding.confidence {
            _ if report.fail_on.includes(finding.confidence) => "error",
            Confidence::Certain | Confidence::Likely => "warning",
            Confidence::Possible => "notice",
        };
        let title = format!("{} ({}): {}", finding.cause.id(), finding.confidence.id(), finding.origin.id());
        let message = format!("{}\nFix: {}", finding.what, finding.fix);
        writeln!(
            out,
            "::{level} file={},line={},title={}::{}",
            property(plain_path(&finding.origin.file)),
            finding.line,
            property(&title),
            data(&message)
        )?;
    }
    let resources = counted(report.checked.resources as u64, "resource");
    writeln!(out, "{resources} checked, {}", counted(report.checked.findings.len() as u64, "finding"))
}

/// The runner takes a line's end for the command's.
fn data(text: &str) -> String {
    let lines = text.lines().map(|line| visible(line).replace('%', "%25"));
    lines.collect::<Vec<_>>().join("%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
