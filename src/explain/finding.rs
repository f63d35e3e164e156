//! What is said of one line.

use crate::catalogue::{Cause, Side};
use crate::diagnosis::Confidence;
use crate::evidence::ClusterName;

/// Who found the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The rules, from the line's columns.
    Line,
    /// meshwhy's filter, when it happened.
    Filter,
}

/// The cause of one failure, as far as a line lets one know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The cause; [`Cause::Unclassified`] where several fit and none covers the others.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
    /// `Kind/namespace/name`.
    pub resource: Option<String>,
    /// `key=value; key=value`.
    pub evidence: String,
    /// Other causes that fit the line as well.
    pub alternatives: Vec<Cause>,
    /// What would tell them apart.
    pub would_tell: Vec<&'static str>,
    /// Who found it.
    pub source: Source,
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
    pub(super) fn told(
        cause: Cause,
        confidence: Confidence,
        resource: Option<String>,
        evidence: Option<String>,
    ) -> Self {
        Self {
            cause,
            confidence,
            resource,
            evidence: evidence.unwrap_or_default(),
            alternatives: Vec::new(),
            would_tell: Vec::new(),
            source: Source::Filter,
        }
    }

    /// The causes that it comes down to: one, or several where only they are known.
    pub fn causes(&self) -> &[Cause] {
        match (self.cause, self.alternatives.is_empty()) {
            (Cause::Unclassified, false) => &self.alternatives,
            _ => core::slice::from_ref(&self.cause),
        }
    }

    /// What to change, where it comes down to one cause.
    pub fn fix(&self) -> Option<&'static str> {
        match self.causes() {
            [one] => Some(one.fix()),
            _ => None,
        }
    }

    /// Who has to act, where all causes that fit agree on it.
    pub fn side(&self) -> Option<Side> {
        let (first, others) = self.causes().split_first()?;
        let agrees = |cause: &Cause| cause.side() == first.side();
        (others.iter().all(agrees) && self.alternatives.iter().all(agrees)).then(|| first.side())
    }
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
                subset: cluster.subset().map(str::to_owned),
                direction: part(direction),
            },
            _ => Self { host: name.to_owned(), port: None, subset: None, direction: None },
        })
    }
}

impl core::fmt::Display for Destination {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
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
