//! Reports: filter state for the access log, counters, and lines in the proxy's own log.

mod eviction;
mod fix;
mod json;
mod labels;
mod rate_limit;
mod sanitize;
mod series;

pub use labels::{Counter, Labels};
pub use rate_limit::LogLimiter;
pub use sanitize::{clean, escape};
pub use series::{Series, build_info_name, dropped_name};

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::causes::{Cause, Side};
use crate::diagnosis::{Confidence, Verdict};
use crate::evidence::{Direction, Evidence, Fact};
use json::Member;
use json::Value::{Number, Text};

/// Longest value of any filter-state key but `meshwhy` itself, in bytes.
pub const LONGEST_VALUE: usize = 512;

/// Longest value of a single fact within the evidence, in bytes.
pub const LONGEST_FACT: usize = 160;

/// A diagnosed failure, ready to be written. All strings are printable ASCII without `"` and `\`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The cause.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
    /// Who has to act.
    pub side: Side,
    /// What to change.
    pub fix: Cow<'static, str>,
    /// Which way the traffic went.
    pub direction: Direction,
    /// `Kind/namespace/name`.
    pub resource: Option<String>,
    /// `key=value; key=value`.
    pub evidence: String,
    json: OnceCell<String>,
}

impl Report {
    /// Puts a verdict and what it rests on into words.
    pub fn new(verdict: &Verdict, e: &Evidence) -> Self {
        Self {
            cause: verdict.cause,
            confidence: verdict.confidence,
            side: verdict.advice.and_then(|advice| advice.side).unwrap_or(verdict.cause.side_at(e.direction)),
            fix: fix::fix(verdict, e),
            direction: e.direction,
            resource: verdict.resource.as_ref().map(|r| clean(r.path(), LONGEST_VALUE)),
            evidence: evidence(verdict.facts, e),
            json: OnceCell::new(),
        }
    }

    /// The filter-state keys and their values, without the JSON object.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> + Clone {
        [
            ("meshwhy.cause", Some(self.cause.id())),
            ("meshwhy.confidence", Some(self.confidence.id())),
            ("meshwhy.side", Some(self.side.id())),
            ("meshwhy.resource", self.resource.as_deref()),
            ("meshwhy.evidence", Some(self.evidence.as_str()).filter(|e| !e.is_empty())),
            ("meshwhy.fix", Some(&*self.fix)),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.map(|v| (key, v)))
    }

    fn members(&self) -> impl Iterator<Item = Member<'_>> + Clone {
        self.fields().map(|(key, value)| (key.strip_prefix("meshwhy.").unwrap_or(key), Text(value)))
    }

    /// All of it as one JSON object.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| json::object(self.members()))
    }

    /// The line for the proxy's own log; `suppressed` earlier ones of this cause were left out.
    pub fn log_line(&self, counter: Counter, suppressed: u64) -> String {
        let event = match counter {
            Counter::Failures => "meshwhy",
            Counter::Observations => "meshwhy_observation",
        };
        let suppressed = (suppressed > 0).then_some(("suppressed", Number(suppressed)));
        let members = [("event", Text(event))].into_iter().chain(self.members());
        json::object(members.chain([("direction", Text(self.direction.id()))]).chain(suppressed))
    }
}

/// The facts that were seen, in the rule's order, as far as they fit.
fn evidence(facts: &[Fact], e: &Evidence) -> String {
    let mut out = String::with_capacity(LONGEST_VALUE);
    for fact in facts {
        let Some(value) = fact.value(e) else { continue };
        let separator = if out.is_empty() { "" } else { "; " };
        let pair = [separator, fact.key(), "=", &escape(&value, LONGEST_FACT)];
        let length: usize = pair.iter().map(|part| part.len()).sum();
        if out.len().saturating_add(length) > LONGEST_VALUE {
            break;
        }
        out.extend(pair);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::diagnose;
    use crate::evidence::{ClusterName, Details};

    #[test]
    fn no_value_is_longer_than_it_may_be_and_none_is_cut_in_its_middle() {
        let long = |part: &str| part.repeat(LONGEST_VALUE);
        let mut e = Evidence { code: Some(504), ..Evidence::default() };
        e.details = Details::new("upstream_response_timeout");
        e.upstream.cluster = ClusterName::new(long("c"));
        e.upstream.address = Some(long("\u{e9}"));
        e.route.name = Some(long("r"));
        let report = Report::new(&diagnose(&e).unwrap(), &e);
        assert!(report.fields().all(|(_, value)| value.len() <= LONGEST_VALUE), "{report:?}");
        // Cluster and endpoint fit, and the route doesn't any more.
        let facts: Vec<_> = report.evidence.split("; ").map(|fact| fact.split_once('=').unwrap()).collect();
        let sizes: Vec<_> = facts.iter().map(|(key, value)| (*key, value.len())).collect();
        assert_eq!(sizes, [("details", 25), ("cluster", LONGEST_FACT), ("endpoint", LONGEST_FACT - 1)]);
    }
}
