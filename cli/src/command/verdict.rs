//! What all objects of `--json` say of a cause.

use meshwhy::causes::Cause;
use serde::Serialize;

use crate::explain::Finding;

/// A cause and what to do.
#[derive(Debug, Serialize)]
pub struct Verdict<'a> {
    pub cause: &'static str,
    pub confidence: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub evidence: &'a str,
    /// The cause's; not where a line can be read in several ways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<&'a str>,
    /// Other causes that fit, the most probable first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub could_be: Vec<&'static str>,
}

impl<'a> Verdict<'a> {
    /// Of one failure.
    pub fn new(finding: &'a Finding) -> Self {
        Self {
            cause: finding.cause.id(),
            confidence: finding.confidence.id(),
            side: finding.side().map(|side| side.id()),
            resource: finding.resource.as_deref(),
            evidence: &finding.evidence,
            fix: finding.fix(),
            could_be: finding.alternatives.iter().map(|cause: &Cause| cause.id()).collect(),
        }
    }

    /// Of several that have the cause in common; names, evidence and who has to act may differ.
    pub fn of_group(finding: &'a Finding, fix: Option<&'a str>) -> Self {
        Self { side: None, resource: None, evidence: "", fix, ..Self::new(finding) }
    }
}
