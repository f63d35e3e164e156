//! What is said of one line.

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::{Advice, Confidence};
use meshwhy::evidence::{ClusterName, Direction};
use meshwhy::report::{LONGEST_VALUE, clean};

/// Who found the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The rules, from the line's columns.
    Line,
    /// meshwhy's filter, when it happened.
    Filter,
    /// The line can be read in several ways, in one of which it failed: no cause is named.
    Ambiguous,
}

/// The cause of one failure, as far as a line lets one know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The cause; the most probable one where several fit and none covers the others.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
    /// `Kind/namespace/name`.
    pub resource: Option<String>,
    /// `key=value; key=value`.
    pub evidence: String,
    /// Other causes that fit the line as well, the most probable first.
    pub alternatives: Vec<Cause>,
    /// What would tell them apart.
    pub would_tell: Vec<&'static str>,
    /// Who found it.
    pub source: Source,
    pub(super) side: Option<Side>,
    /// Who has to act and how, where the evidence says more than the cause.
    pub advice: Option<&'static Advice>,
    /// The fix with the line's own names in it.
    pub(super) named_fix: Option<String>,
}

/// Where a request was sent, as istiod's cluster names say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The service's host, or the name of the cluster where it isn't one of istiod's.
    pub host: String,
    /// The port.
    pub port: Option<String>,
    /// The DestinationRule's subset.
    pub subset: Option<String>,
    /// `inbound` or `outbound`.
    pub direction: Option<String>,
}

impl Finding {
    /// What the filter said.
    pub(super) fn by_filter(
        cause: Cause,
        confidence: Confidence,
        side: Option<Side>,
        resource: Option<String>,
        evidence: Option<String>,
        fix: Option<String>,
    ) -> Self {
        Self {
            cause,
            confidence,
            // As the filter writes them; whoever wrote the log may not be the filter.
            resource: resource.map(|text| clean(&text, LONGEST_VALUE)),
            evidence: evidence.map(|text| clean(&text, LONGEST_VALUE)).unwrap_or_default(),
            alternatives: Vec::new(),
            would_tell: Vec::new(),
            source: Source::Filter,
            side: side.or_else(|| common_side(&[cause], None)),
            advice: None,
            named_fix: fix.map(|text| clean(&text, LONGEST_VALUE)).filter(|text| !text.is_empty()),
        }
    }

    /// What the rules make of a line, at a gateway or not, or where that is unknown.
    pub(super) fn of_line(
        (cause, confidence): (Cause, Confidence),
        alternatives: Vec<Cause>,
        at_gateway: Option<bool>,
        advice: Option<&'static Advice>,
    ) -> Self {
        let advice = advice.filter(|_| alternatives.is_empty());
        let mut finding = Self {
            cause,
            confidence,
            resource: None,
            evidence: String::new(),
            alternatives,
            would_tell: Vec::new(),
            source: Source::Line,
            side: None,
            advice,
            named_fix: None,
        };
        let causes = [&[cause], finding.alternatives.as_slice()].concat();
        finding.side = match advice {
            Some(Advice { side: Some(side), .. }) => Some(*side),
            _ => common_side(&causes, at_gateway),
        };
        finding
    }

    /// That it may have failed, of a line that can be read in several ways.
    pub(super) fn ambiguous(reason: &str) -> Self {
        Self {
            cause: Cause::Unclassified,
            confidence: Confidence::Possible,
            resource: None,
            evidence: format!("ambiguous={reason}"),
            alternatives: Vec::new(),
            would_tell: Vec::new(),
            source: Source::Ambiguous,
            side: None,
            advice: None,
            named_fix: None,
        }
    }

    /// Whether it may have begun elsewhere, where others know more of it: of several such a one comes last.
    pub fn peer_may_know(&self) -> bool {
        self.cause.definition().peer_may_know
    }

    /// Whether the cause is true of the alternatives, too, and only less telling.
    pub fn covers_alternatives(&self) -> bool {
        self.alternatives.iter().all(|other| self.cause.is_broader_than(*other))
    }

    /// What to change, if it is this cause.
    pub fn fix(&self) -> Option<&str> {
        self.named_fix.as_deref().or(self.general_fix())
    }

    /// The same without names, for lines that may have others.
    pub fn general_fix(&self) -> Option<&'static str> {
        let fix = self.advice.map_or(self.cause.fix(), |advice| advice.fix);
        (self.source != Source::Ambiguous).then_some(fix)
    }

    /// Who has to act, where all causes that fit agree on it, at a gateway as well as within the mesh if the line doesn't
    /// show which of them it is.
    pub const fn side(&self) -> Option<Side> {
        self.side
    }
}

fn common_side(causes: &[Cause], at_gateway: Option<bool>) -> Option<Side> {
    let places: &[Direction] = match at_gateway {
        Some(true) => &[Direction::Gateway],
        Some(false) => &[Direction::Outbound],
        None => &[Direction::Gateway, Direction::Outbound],
    };
    let mut sides = causes.iter().flat_map(|cause| places.iter().map(|place| cause.side_at(*place)));
    let first = sides.next()?;
    sides.all(|side| side == first).then_some(first)
}

impl Destination {
    /// Takes a cluster's name apart.
    pub fn of_cluster(name: &str) -> Option<Self> {
        let cluster = ClusterName::new(name)?;
        let parts: Vec<&str> = name.split('|').collect();
        let part = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
        Some(match parts.as_slice() {
            [direction, port, ..] if parts.len() == 4 => Self {
                host: cluster.host().unwrap_or("this workload").to_owned(),
                port: part(port),
                // A sidecar's own (up to Istio 1.7) has the port's name there.
                subset: cluster.subset().filter(|_| *direction != "inbound").map(str::to_owned),
                direction: part(direction),
            },
            _ => Self { host: name.to_owned(), port: None, subset: None, direction: None },
        })
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = &self.port {
            write!(f, ":{port}")?;
        }
        if let Some(subset) = &self.subset {
            write!(f, " subset {subset}")?;
        }
        Ok(())
    }
}
