//! JUnit's XML: a test for each finding, failed where it counts.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::Report;
use crate::check::{Finding, visible};
use crate::command::text::counted;

/// Prints it.
pub(super) fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut suite = TestSuite::new("meshwhy check");
    for one in &report.checked.unreadable {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(format!("line {}: no YAML: {}", one.error.line, visible(&one.error.message)));
        suite.add_test_case(TestCase::new(visible(&one.file), status));
    }
    if report.checked.findings.is_empty() && report.checked.unreadable.is_empty() {
        let name = format!("{} checked", counted(report.checked.resources as u64, "resource"));
        suite.add_test_case(TestCase::new(name, TestCaseStatus::success()));
    }
    for finding in &report.checked.findings {
        suite.add_test_case(test(finding, report.fail_on.includes(finding.confidence)));
    }
    let mut junit = quick_junit::Report::new("meshwhy");
    junit.add_test_suite(suite);
    junit.serialize(&mut *out).map_err(io::Error::other)?;
    writeln!(out)
}

fn test(finding: &Finding, fails: bool) -> TestCase {
    let mut status = match fails {
        true => TestCaseStatus::non_success(NonSuccessKind::Failure),
        false => TestCaseStatus::skipped(),
    };
    let text = format!(
        "{}:{}\n{}\nFix: {}",
        visible(&finding.origin.file),
        finding.line,
        visible(&finding.what),
        visible(&finding.fix)
    );
    status.set_message(visible(&finding.what)).set_type(finding.confidence.id()).set_description(text);
    let name = format!("{}: {}", finding.cause.id(), visible(&finding.origin.id()));
    let mut test = TestCase::new(name, status);
    test.set_classname(visible(&finding.origin.file));
    test
}
