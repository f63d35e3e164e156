//! What a line comes to.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;
use meshwhy::report::{LONGEST_FACT, escape};

use super::said::own;
use super::verdict::{gather, hints, unseen};
use super::{Column, Finding, Line, Own};

/// What a line is.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Nothing is on it.
    Blank,
    /// A request or connection, and nothing failed as far as the line shows.
    Fine(Option<Box<Line<'static>>>),
    /// The same, of a line that can be read in several ways: nothing failed in any of them.
    Ambiguous,
    /// A good answer, as a client shows it: no log's.
    Answered,
    /// A request or connection that failed.
    Failed(Box<Line<'static>>, Box<Finding>),
    /// A failure that meshwhy's filter wrote into the proxy's own log.
    Own(Box<Own>),
    /// A line of the proxy's own log that says why a request failed, and which that is: it counts where there is no access log.
    Lead(Box<Line<'static>>, Box<Finding>, String),
    /// What somebody reports of a failure in Envoy's words, or a client in its own (then without columns): it counts where nothing else failed.
    Symptom(Box<Line<'static>>, Box<Finding>),
    /// Any other line of the proxy's own log.
    ProxyLog,
    /// A line of an application's log that says of no failure.
    Application,
    /// None of these.
    Unreadable,
}

pub(super) fn explain(line: &Line<'_>, keep: bool) -> Reading {
    let finding = finding(line);
    if finding.is_none() && !keep {
        return Reading::Fine(None);
    }
    judged(line.to_owned_line(), finding, keep)
}

pub(super) fn judged(line: Line<'static>, finding: Option<Finding>, keep: bool) -> Reading {
    match finding {
        Some(finding) => Reading::Failed(Box::new(line), Box::new(finding)),
        None => Reading::Fine(keep.then(|| Box::new(line))),
    }
}

pub(super) fn finding(line: &Line<'_>) -> Option<Finding> {
    if let Some(finding) = own::in_line(line) {
        return Some(finding);
    }
    if line.is_fine() {
        return None;
    }
    let shown = gather::evidence(line);
    let judged = unseen::judge(&shown, line).map(|mut finding| {
        if is_bare_reset(&finding, line) {
            let evidence = std::mem::take(&mut finding.evidence);
            finding =
                Finding::of_line((Cause::UpstreamReset, Confidence::Possible), RESETS.to_vec(), None, None);
            finding.evidence = evidence;
        }
        hints::add(&mut finding, line);
        finding
    });
    judged.or_else(|| {
        // A newer Envoy's flag on what was never answered: nobody knows what it is, but that it is.
        let unanswered = line.code().is_none() && gather::has_unknown_flag(line);
        let unknown = || {
            let mut finding =
                Finding::of_line((Cause::Unclassified, Confidence::Possible), Vec::new(), Some(false), None);
            finding.evidence =
                format!("flags={}", escape(line.get(Column::Flags).unwrap_or_default(), LONGEST_FACT));
            finding
        };
        unanswered.then(unknown)
    })
}

/// What else a reset may have been.
const RESETS: [Cause; 3] =
    [Cause::UpstreamClosedConnection, Cause::UpstreamRefused, Cause::UpstreamProtocolError];

/// Whether it is of details without the reason and without a flag: whoever counts by them leaves both out.
fn is_bare_reset(finding: &Finding, line: &Line<'_>) -> bool {
    const NAMES: [&str; 2] =
        ["upstream_reset_before_response_started", "upstream_reset_after_response_started"];
    finding.cause == Cause::Unclassified
        && line.get(Column::Details).is_some_and(|name| NAMES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::super::{Reader, Reading};

    #[test]
    fn details_without_the_reason_are_a_reset_all_the_same() {
        for (line, expected, side) in [
            (
                r#"{"response_code":503,"response_code_details":"upstream_reset_before_response_started"}"#,
                "upstream_reset",
                Some("upstream"),
            ),
            (
                r#"{"response_code":503,"response_code_details":"upstream_reset_before_response_started","response_flags":"UC"}"#,
                "upstream_closed_connection",
                Some("upstream"),
            ),
        ] {
            let Reading::Failed(_, finding) = Reader::new(Vec::new()).read_all(line.as_bytes()) else {
                panic!("{line}")
            };
            assert_eq!(finding.cause.id(), expected, "{line}");
            assert_eq!(finding.side.map(|side| side.id()), side, "{line}");
        }
    }
}
