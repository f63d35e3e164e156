//! The counters: names in the form whose labels Istio's tag extraction reads, and a bound on how many.

use hashbrown::HashMap;

use crate::catalogue::Cause;
use crate::diagnosis::Confidence;
use crate::evidence::Direction;
use crate::host::{Host, MetricId, MetricKind, Result, Status};

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

/// A label set. The side follows from cause and direction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Labels {
    /// The metric.
    pub counter: Counter,
    /// `cause` and `side`.
    pub cause: Cause,
    /// `confidence`.
    pub confidence: Confidence,
    /// `direction`.
    pub direction: Direction,
    /// `resource`; empty where the proxy doesn't know it or the label is off.
    pub resource: String,
}

/// What stands for all resources beyond the bound.
const OTHER: &str = "_other";

impl Labels {
    /// The stat's name, without the prefix `wasmcustom.` that Envoy puts before it.
    pub fn stat_name(&self) -> String {
        format!(
            "cause=.={};.;confidence=.={};.;side=.={};.;direction=.={};.;resource=.={};.;{}",
            self.cause.id(),
            self.confidence.id(),
            self.cause.side_at(self.direction).id(),
            self.direction.id(),
            self.resource,
            self.counter.name(),
        )
    }
}

/// The stat that says which version runs.
pub const fn build_info_name() -> &'static str {
    concat!("version=.=", env!("CARGO_PKG_VERSION"), ";.;meshwhy_build_info")
}

/// The stat that counts failures whose own series was refused.
pub const fn dropped_name() -> &'static str {
    "meshwhy_series_dropped_total"
}

/// The series of this worker. Nothing is ever dropped from the sums: beyond `max` label sets the
/// resource becomes `_other`, and the number of such sets is bounded by the catalogue.
#[derive(Debug, Default)]
pub struct Series {
    ids: HashMap<Labels, MetricId>,
    dropped: Option<MetricId>,
    refused: bool,
}

impl Series {
    /// Adds one; beyond `max` label sets the resource becomes `_other`.
    ///
    /// # Errors
    /// The host's status, when it refuses the metric.
    pub fn count(&mut self, host: &impl Host, mut labels: Labels, max: u32) -> Result<()> {
        if self.refused {
            return Ok(());
        }
        if let Some(id) = self.ids.get(&labels) {
            return host.increment(*id, 1);
        }
        let full = u32::try_from(self.ids.len()).is_ok_and(|len| len >= max);
        if full && !labels.resource.is_empty() {
            OTHER.clone_into(&mut labels.resource);
            let dropped = match self.dropped {
                Some(id) => id,
                None => self.define(host, dropped_name())?,
            };
            self.dropped = Some(dropped);
            host.increment(dropped, 1)?;
        }
        let id = match self.ids.get(&labels) {
            Some(id) => *id,
            None => {
                let id = self.define(host, &labels.stat_name())?;
                self.ids.insert(labels, id);
                id
            }
        };
        host.increment(id, 1)
    }

    /// Envoy refuses a counter only to a VM that may have none (`capability_restriction_config`), and writes an error for every
    /// attempt: the first is the last.
    fn define(&mut self, host: &impl Host, name: &str) -> Result<MetricId> {
        let id = host.define_metric(MetricKind::Counter, name);
        self.refused = id == Err(Status::INTERNAL_FAILURE);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    fn labels(resource: &str) -> Labels {
        Labels {
            counter: Counter::Failures,
            cause: Cause::RouteNoMatch,
            confidence: Confidence::Certain,
            direction: Direction::Outbound,
            resource: resource.to_owned(),
        }
    }

    #[test]
    fn where_no_metrics_are_allowed_it_asks_once() {
        let (host, mut series) = (MemoryHost::new(), Series::default());
        host.fail_with(Some(Status::INTERNAL_FAILURE));
        assert!(series.count(&host, labels(""), 4).is_err());
        host.take_calls();
        assert!(series.count(&host, labels("VirtualService/ns/x"), 4).is_ok());
        assert_eq!(host.take_calls().other, 0);
    }

    #[test]
    fn the_name_is_istios_form() {
        assert_eq!(
            labels("VirtualService/default/reviews").stat_name(),
            "cause=.=route_no_match;.;confidence=.=certain;.;side=.=mesh;.;direction=.=outbound;.;\
             resource=.=VirtualService/default/reviews;.;meshwhy_failures_total"
        );
    }

    #[test]
    fn beyond_the_bound_nothing_is_lost_from_the_sum() {
        let (host, mut series) = (MemoryHost::new(), Series::default());
        for i in 0..10_000 {
            series.count(&host, labels(&format!("VirtualService/ns/{}", i % 1_000)), 4).unwrap();
        }
        let metrics = host.metrics();
        assert_eq!(metrics.len(), 4 + 1 + 1, "four, _other, and the count of what was refused");
        let sum = |part: &str| metrics.iter().filter(|(n, _)| n.contains(part)).map(|(_, v)| v).sum::<i64>();
        assert_eq!(sum("failures_total"), 10_000);
        assert_eq!(sum("_other"), 10_000 - 40);
        assert_eq!(sum("series_dropped"), 10_000 - 40);
    }
}
