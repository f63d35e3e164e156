//! What a series counts: its label set, as the stat's name.

use crate::causes::{Cause, Side};
use crate::diagnosis::Confidence;
use crate::evidence::Direction;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counter {
    /// `meshwhy_failures_total`
    Failures,
    /// `meshwhy_observations_total`
    Observations,
}

impl Counter {
    const fn name(self) -> &'static str {
        match self {
            Self::Failures => "meshwhy_failures_total",
            Self::Observations => "meshwhy_observations_total",
        }
    }
}

/// A label set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Labels {
    /// The metric.
    pub counter: Counter,
    /// `cause`.
    pub cause: Cause,
    /// `side`.
    pub side: Side,
    /// `confidence`.
    pub confidence: Confidence,
    /// `direction`.
    pub direction: Direction,
    /// `resource`; empty where the proxy doesn't know it or the label is off.
    pub resource: String,
}

impl Labels {
    /// The stat's name, without the prefix `wasmcustom.` that Envoy puts before it.
    pub fn stat_name(&self) -> String {
        format!(
            "cause=.={};.;confidence=.={};.;side=.={};.;direction=.={};.;resource=.={};.;{}",
            self.cause.id(),
            self.confidence.id(),
            self.side.id(),
            self.direction.id(),
            self.resource,
            self.counter.name(),
        )
    }

    /// Whose series it is: the resource's namespace. None without a resource.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.resource.split('/').nth(1)
    }
}
