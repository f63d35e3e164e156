//! How a weighted route's requests were spread.

use core::hash::{Hash as _, Hasher as _};

use super::Bounded;
use crate::evidence::{Evidence, Spread};
use crate::hash::Fnv;

/// One named route's requests, by cluster.
#[derive(Debug)]
pub(super) struct Split {
    route: u64,
    clusters: Vec<(String, u64)>,
}

/// Clusters of one route that are told apart.
const MOST_CLUSTERS: usize = 8;

/// Istio's page: so many requests may be needed before weights show.
const SETTLED: u64 = 100;

/// The spread so far, of a route that is known to have weights, as long as it has seen too few requests and looks
/// uneven. A proxy can't read the weights: an even spread surprises nobody who wanted another, but beyond the first
/// hundred requests there is nothing to compare it with.
pub(super) fn judge(splits: &mut Bounded<Split>, e: &Evidence, every: u32) -> Option<Spread> {
    let cluster = e.upstream.cluster.as_ref()?;
    let route = key(e)?;
    let split = match splits.find(|split| split.route == route) {
        Some(split) => split,
        None => {
            splits.push(Split { route, clusters: Vec::new() });
            splits.find(|split| split.route == route)?
        }
    };
    let room = split.clusters.len() < MOST_CLUSTERS;
    match split.clusters.iter_mut().find(|(name, _)| name == cluster.as_str()) {
        Some((_, count)) => *count = count.saturating_add(1),
        None if room => {
            split.clusters.push((cluster.as_str().to_owned(), 1));
        }
        None => return None,
    }
    let seen = split.clusters.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let requests = seen.saturating_mul(u64::from(every));
    (requests < SETTLED && is_uneven(&split.clusters, seen))
        .then(|| Spread { seen, clusters: split.clusters.clone() })
}

/// Whether the fullest share is more than two standard deviations above an even one.
fn is_uneven(clusters: &[(String, u64)], seen: u64) -> bool {
    let shares = u64::try_from(clusters.len()).unwrap_or(u64::MAX);
    let fullest = clusters.iter().map(|(_, count)| *count).max().unwrap_or_default();
    // With k shares and n requests: (c - n/k)^2 > 4 n (1/k) (1 - 1/k).
    let above = fullest.saturating_mul(shares).saturating_sub(seen);
    let variance = seen.saturating_mul(shares.saturating_sub(1));
    above.saturating_mul(above) > variance.saturating_mul(4)
}

/// Only a route with a name is one route: those without all look alike.
fn key(e: &Evidence) -> Option<u64> {
    let name = e.route.name.as_ref().filter(|name| *name != "default")?;
    let mut hash = Fnv::default();
    (e.route.resource.as_ref()?, name, &e.route.virtual_host).hash(&mut hash);
    Some(hash.finish())
}
