//! The counters: names in the form whose labels Istio's tag extraction reads, and a bound on how many.

use hashbrown::HashMap;

use super::eviction::{Slot, Tenants};
use super::labels::Labels;
use crate::host::{Host, MetricId, MetricKind, Result, Status};

/// The label of all resources beyond the limit.
const OTHER: &str = "_other";

/// The stat whose label is the version.
pub const fn build_info_name() -> &'static str {
    concat!("version=.=", env!("CARGO_PKG_VERSION"), ";.;meshwhy_build_info")
}

/// The stat that counts failures whose own series was refused.
pub const fn dropped_name() -> &'static str {
    "meshwhy_series_dropped_total"
}

/// The series of this worker. Sums lose nothing: beyond `max` label sets an old series is evicted
/// for a new one, or the resource becomes `_other`; the number of such sets is bounded by the
/// causes. The counter of an evicted series stays in the proxy, and goes on from there when the
/// series comes back.
#[derive(Debug, Default)]
pub struct Series {
    slots: HashMap<Labels, Slot>,
    tenants: Tenants,
    dropped: Option<MetricId>,
    refused: bool,
}

impl Series {
    /// Adds one at this time (nanoseconds).
    ///
    /// # Errors
    /// The host's status, when it refuses the metric.
    pub fn count(&mut self, host: &impl Host, mut labels: Labels, max: u32, now: u64) -> Result<()> {
        if self.refused {
            return Ok(());
        }
        if let Some(slot) = self.slots.get_mut(&labels) {
            slot.used = now;
            return host.increment(slot.id, 1);
        }
        let full = u32::try_from(self.slots.len()).is_ok_and(|len| len >= max);
        if full && !labels.resource.is_empty() && !self.tenants.evict_for(&mut self.slots, &labels, max, now)
        {
            OTHER.clone_into(&mut labels.resource);
            let dropped = match self.dropped {
                Some(id) => id,
                None => self.define(host, dropped_name())?,
            };
            self.dropped = Some(dropped);
            host.increment(dropped, 1)?;
        }
        let id = match self.slots.get(&labels) {
            Some(slot) => slot.id,
            None => {
                let id = self.define(host, &labels.stat_name())?;
                self.tenants.add(&labels);
                self.slots.insert(labels, Slot { id, used: now });
                id
            }
        };
        host.increment(id, 1)
    }

    /// Envoy refuses a counter only to a VM that may have none (`capability_restriction_config`),
    /// and logs an error for every attempt: there is no second one.
    fn define(&mut self, host: &impl Host, name: &str) -> Result<MetricId> {
        let id = host.define_metric(MetricKind::Counter, name);
        self.refused = id == Err(Status::INTERNAL_FAILURE);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::{Cause, Side};
    use crate::diagnosis::Confidence;
    use crate::evidence::Direction;
    use crate::host::fake::FakeHost;
    use crate::report::Counter;

    const HOUR: u64 = 3_600_000_000_000;

    fn labels(resource: &str) -> Labels {
        Labels {
            counter: Counter::Failures,
            cause: Cause::RouteNoMatch,
            side: Side::Mesh,
            confidence: Confidence::Certain,
            direction: Direction::Outbound,
            resource: resource.to_owned(),
        }
    }

    /// The sum over the series whose names hold this.
    fn sum(host: &FakeHost, part: &str) -> i64 {
        host.metrics().iter().filter(|(name, _)| name.contains(part)).map(|(_, value)| value).sum()
    }

    #[test]
    fn where_no_metrics_are_allowed_it_asks_once() {
        let (host, mut series) = (FakeHost::new(), Series::default());
        host.fail_with(Some(Status::INTERNAL_FAILURE));
        assert!(series.count(&host, labels(""), 4, 0).is_err());
        host.take_calls();
        assert!(series.count(&host, labels("VirtualService/ns/x"), 4, 0).is_ok());
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
        let (host, mut series) = (FakeHost::new(), Series::default());
        for i in 0..10_000_u64 {
            series.count(&host, labels(&format!("VirtualService/ns/{}", i % 1_000)), 4, i).unwrap();
        }
        assert_eq!(host.metrics().len(), 4 + 1 + 1, "four, _other, and the count of what was refused");
        assert_eq!(sum(&host, "failures_total"), 10_000);
        assert_eq!(sum(&host, "_other"), 10_000 - 40);
        assert_eq!(sum(&host, "series_dropped"), 10_000 - 40);
    }

    #[test]
    fn one_tenant_cannot_keep_all_places() {
        let (host, mut series) = (FakeHost::new(), Series::default());
        let mut sent = 0;
        let mut fail = |tenant: &str, number: u64| {
            sent += 1;
            series.count(&host, labels(&format!("VirtualService/{tenant}/{number}")), 8, sent).unwrap();
        };
        // The greedy one never pauses.
        for round in 0..100 {
            (0..50).for_each(|number| fail("greedy", number));
            (0..3).for_each(|number| fail("modest", number));
            if round == 50 {
                (0..2).for_each(|number| fail("late", number));
            }
        }
        for (resource, times) in
            [("modest/0", 100), ("modest/1", 100), ("modest/2", 100), ("late/0", 1), ("late/1", 1)]
        {
            assert_eq!(sum(&host, &format!("VirtualService/{resource};")), times, "{resource}");
        }
        assert_eq!(sum(&host, "failures_total"), i64::try_from(sent).unwrap());
        assert_eq!(sum(&host, "series_dropped"), sum(&host, "_other"));
    }

    #[test]
    fn whoever_holds_most_makes_place_and_not_whose_series_is_oldest() {
        let (host, mut series) = (FakeHost::new(), Series::default());
        let resources = ["modest/0", "greedy/0", "greedy/1", "greedy/2", "late/0"];
        for (now, resource) in (1..).zip(resources) {
            series.count(&host, labels(&format!("VirtualService/{resource}")), 4, now).unwrap();
        }
        let mut held: Vec<_> =
            series.slots.keys().filter_map(|labels| labels.resource.split_once('/')).collect();
        held.sort_unstable();
        assert_eq!(
            held.iter().map(|(_, name)| *name).collect::<Vec<_>>(),
            ["greedy/1", "greedy/2", "late/0", "modest/0"]
        );
    }

    #[test]
    fn an_old_series_makes_place_and_goes_on_when_it_comes_back() {
        let (host, mut series) = (FakeHost::new(), Series::default());
        let mut fail = |name: &str, now: u64| {
            series.count(&host, labels(&format!("VirtualService/ns/{name}")), 2, now).unwrap();
        };
        fail("a", HOUR);
        fail("b", HOUR + 1);
        fail("c", HOUR + 2);
        assert_eq!(sum(&host, "_other"), 1, "none is old yet");
        fail("b", 2 * HOUR);
        fail("c", 2 * HOUR + 10);
        fail("d", 2 * HOUR + 20);
        assert_eq!((sum(&host, "ns/c;"), sum(&host, "_other")), (1, 2), "a was old, b is not");
        fail("a", 4 * HOUR);
        assert_eq!(sum(&host, "ns/a;"), 2, "it goes on");
        assert_eq!(sum(&host, "failures_total"), 7);
    }

    #[test]
    fn however_long_it_runs_the_proxy_gets_a_bounded_number_of_counters() {
        let (host, mut series) = (FakeHost::new(), Series::default());
        for i in 0..1_000_u64 {
            series.count(&host, labels(&format!("VirtualService/ns-{}/{i}", i % 7)), 8, i * HOUR).unwrap();
        }
        assert!((9..=4 * 8 + 2).contains(&host.metrics().len()), "{}", host.metrics().len());
        assert_eq!(sum(&host, "failures_total"), 1_000);
    }
}
