//! How a weighted route's requests were spread.

use super::Bounded;
use crate::evidence::Evidence;

/// Its name and that of its virtual host.
type RouteKey = (String, String);

/// One named route's requests, by cluster.
#[derive(Debug)]
pub(super) struct Split {
    route: RouteKey,
    clusters: Vec<(String, u32)>,
    /// Where the latest one went.
    latest: usize,
    /// Whether one went where another had gone before the one in front of it. A route that was changed goes back to nothing.
    mixed: bool,
}

/// The most clusters that are counted for a route.
const MAX_CLUSTERS: usize = 8;

/// Istio's page: 100 requests may be needed before weights show.
const SETTLED: u32 = 100;

/// The spread so far of a route that has weights, while it has seen too few requests and is uneven.
/// A proxy can't read the weights, so an even spread is not reported, and beyond the first hundred
/// requests there is nothing to compare with.
pub(super) fn judge(splits: &mut Bounded<Split>, e: &Evidence, every: u32) -> Option<String> {
    let cluster = e.upstream.cluster.as_ref()?;
    let route = key(e)?;
    if splits.find(|split| split.route == route).is_none() {
        splits.push(Split { route: route.clone(), clusters: Vec::new(), latest: 0, mixed: false });
    }
    let split = splits.find(|split| split.route == route)?;
    let room = split.clusters.len() < MAX_CLUSTERS;
    let known = split.clusters.iter_mut().enumerate().find(|(_, (name, _))| name == cluster.as_str());
    match known {
        Some((at, (_, count))) => {
            *count = count.saturating_add(1);
            split.mixed |= at != split.latest;
            split.latest = at;
        }
        None if room => {
            split.latest = split.clusters.len();
            split.clusters.push((cluster.as_str().to_owned(), 1));
        }
        None => return None,
    }
    let seen = split.clusters.iter().fold(0_u32, |sum, (_, count)| sum.saturating_add(*count));
    let requests = seen.saturating_mul(every);
    (split.mixed && requests < SETTLED && is_uneven(&split.clusters, seen)).then(|| shown(&split.clusters))
}

fn shown(clusters: &[(String, u32)]) -> String {
    let counts = clusters.iter().map(|(cluster, count)| format!("{cluster}:{count}"));
    counts.collect::<Vec<_>>().join(",")
}

/// Whether the fullest share is more than two standard deviations above an even one.
fn is_uneven(clusters: &[(String, u32)], seen: u32) -> bool {
    let shares = u32::try_from(clusters.len()).unwrap_or(u32::MAX);
    let fullest = clusters.iter().map(|(_, count)| *count).max().unwrap_or_default();
    // With k shares and n requests: (c - n/k)^2 > 4 n (1/k) (1 - 1/k).
    let above = fullest.saturating_mul(shares).saturating_sub(seen);
    let variance = seen.saturating_mul(shares.saturating_sub(1));
    above.saturating_mul(above) > variance.saturating_mul(4)
}

/// Only a route with a name is one route: those without all look alike.
fn key(e: &Evidence) -> Option<RouteKey> {
    let name = e.route.name.as_ref().filter(|name| *name != "default")?;
    e.route.resource.as_ref()?;
    Some((name.clone(), e.route.virtual_host.clone()?))
}
