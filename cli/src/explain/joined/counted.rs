//! What counters and tables say of one cluster, together: how often something failed, and whether any endpoint gets requests.

use std::collections::BTreeMap;

use super::story::Held;
use crate::explain::Column;
use crate::explain::said::counters;

/// By the cluster's name; without one, all others.
#[derive(Debug, Default)]
pub(in crate::explain) struct Counted {
    clusters: BTreeMap<Option<String>, Of>,
}

/// What is known of one.
#[derive(Debug, Default)]
struct Of {
    /// The counter that decides most.
    counter: Option<Held>,
    /// The first endpoint that gets no requests.
    failing: Option<Held>,
    /// Whether another one does.
    has_sound: bool,
}

impl Counted {
    /// An endpoint of this cluster gets requests.
    pub(in crate::explain) fn sound(&mut self, cluster: String) {
        self.clusters.entry(Some(cluster)).or_default().has_sound = true;
    }

    /// Keeps what a row says until all are read.
    pub(in crate::explain) fn hold(&mut self, new: Held) {
        let of = self.clusters.entry(new.line.get(Column::Cluster).map(str::to_owned)).or_default();
        if counters::is_of_endpoint(&new.finding) {
            of.failing.get_or_insert(new);
            return;
        }
        let rank = |held: &Held| counters::rank(&held.finding);
        if of.counter.as_ref().is_none_or(|held| rank(&new) < rank(held)) {
            of.counter = Some(new);
        }
    }

    /// One row of each cluster, in their order; whether something failed, or the cluster has other endpoints.
    pub(in crate::explain) fn release(self) -> Vec<(Held, bool)> {
        let decide = |of: Of| match of {
            Of { counter: Some(held), has_sound: true, .. } => Some((held, true)),
            Of { counter, failing, has_sound } => Some((failing.or(counter)?, !has_sound)),
        };
        let mut held: Vec<(Held, bool)> = self.clusters.into_values().filter_map(decide).collect();
        held.sort_by_key(|(held, _)| held.number);
        held
    }
}

#[cfg(test)]
mod tests {
    use crate::explain::{Reader, Reading};

    fn causes(rows: &[&str]) -> Vec<&'static str> {
        let (text, mut causes) = (rows.join("\n"), Vec::new());
        Reader::new(Vec::new()).walk(text.as_bytes(), 1, false, |read| {
            match read.reading {
                Reading::Symptom(_, finding) => causes.push(finding.cause.id()),
                Reading::Application => {}
                other => panic!("{other:?}"),
            }
            true
        });
        causes
    }

    #[test]
    fn one_endpoint_speaks_for_no_cluster() {
        const A: &str = "outbound|80||a.b.svc.cluster.local";
        let unhealthy = format!("10.0.0.1:80  UNHEALTHY  OK  {A}");
        let healthy = format!("10.0.0.2:80  HEALTHY  OK  {A}");
        let other = "10.0.0.3:80  HEALTHY  OK  outbound|80||c.b.svc.cluster.local";
        let ejected = format!("10.0.0.2:80  HEALTHY  FAILED  {A}");
        for (rows, expected) in [
            (&[unhealthy.as_str(), &healthy][..], &[][..]),
            (&[&healthy, &unhealthy], &[]),
            (&[&unhealthy, other], &["no_healthy_endpoints"]),
            (&[&unhealthy, &ejected], &["no_healthy_endpoints"]),
            (
                &["a::10.0.0.1:80::health_flags::/failed_active_hc", "a::10.0.0.2:80::health_flags::healthy"],
                &[],
            ),
            (
                &[
                    "a::10.0.0.1:80::cx_connect_fail::3",
                    "a::10.0.0.1:80::health_flags::/failed_active_hc",
                    "a::10.0.0.2:80::cx_connect_fail::0",
                    "a::10.0.0.2:80::health_flags::healthy",
                ],
                &["upstream_refused"],
            ),
            (
                &["a::10.0.0.1:80::cx_connect_fail::3", "a::10.0.0.1:80::health_flags::/failed_active_hc"],
                &["no_healthy_endpoints"],
            ),
        ] {
            assert_eq!(causes(rows), expected, "{rows:?}");
        }
    }

    #[test]
    fn of_one_clusters_counters_the_one_that_says_why_is_told() {
        let rows = [
            "cluster.a.external.upstream_rq_503: 9",
            "cluster.b.upstream_rq_503: 9",
            "cluster.a.upstream_cx_connect_fail: 1",
            "cluster.a.upstream_rq_5xx: 9",
        ];
        assert_eq!(causes(&rows), ["upstream_closed_connection", "upstream_refused"]);
    }
}
