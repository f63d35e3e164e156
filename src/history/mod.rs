//! What earlier requests of this worker showed: the only memory from one request to the next, and bounded.
//!
//! It holds what was looked at, so 1 in `observe_every` successes, and every failure that may end by itself.

mod bounded;
mod recovery;
mod services;
mod split;

use bounded::{Bounded, Known};
use recovery::Recoveries;
pub use recovery::RequestKey;

use crate::evidence::{Direction, Evidence, Past};

/// Services, virtual hosts and routes that are remembered, each.
const MOST: usize = 64;

/// One plugin's memory on one worker thread.
#[derive(Debug)]
pub struct History {
    every: u32,
    rules: Bounded<services::Rule>,
    versions: Bounded<services::Versions>,
    splits: Bounded<split::Split>,
    /// Endpoints with which Istio's mutual TLS was agreed.
    mutual: Known,
    /// Endpoints that could have it and answered without.
    plain: Known,
    /// Clusters of which an endpoint failed.
    failed: Known,
    recoveries: Recoveries,
}

impl History {
    /// Nothing yet; 1 in `every` successes will be told.
    pub fn new(every: u32) -> Self {
        Self {
            every,
            rules: Bounded::new(MOST),
            versions: Bounded::new(MOST),
            splits: Bounded::new(MOST),
            mutual: Known::default(),
            plain: Known::default(),
            failed: Known::default(),
            recoveries: Recoveries::new(),
        }
    }

    /// Whether any VirtualService is known whose service others may reach without it.
    pub fn compares(&self) -> bool {
        self.rules.iter().next().is_some()
    }

    /// A stream that succeeded: remembers it, and tells what earlier ones say about it.
    pub fn success(&mut self, e: &Evidence) -> Past {
        let mut past = Past::default();
        match e.direction {
            // No VirtualService applies there.
            Direction::Inbound => return past,
            Direction::Outbound => services::known_rule(&mut self.rules, e, &mut past),
            Direction::Gateway => past.versions = services::versions(&mut self.versions, e),
        }
        self.remember_mutual(e);
        past.split = split::judge(&mut self.splits, e, self.every);
        past
    }

    /// A stream that failed: remembers it, and tells what earlier ones say about it.
    pub fn failure(&mut self, e: &Evidence) -> Past {
        let past = self.before(e);
        if let Some(cluster) = e.upstream.cluster.as_ref().filter(|_| e.upstream.address.is_some()) {
            self.failed.remember(cluster.as_str());
        }
        past
    }

    /// What earlier streams say about one that fails.
    pub fn before(&self, e: &Evidence) -> Past {
        let known = e.upstream.address.as_deref();
        let cluster = e.upstream.cluster.as_ref();
        Past {
            took_mtls: known.is_some_and(|known| self.mutual.knows(known)),
            took_plaintext: known.is_some_and(|known| self.plain.knows(known)),
            // Whether an endpoint of the cluster has failed before.
            endpoint_failed: Some(cluster.is_some_and(|cluster| self.failed.knows(cluster.as_str()))),
            ..Past::default()
        }
    }

    /// Whether its endpoint took Istio's mutual TLS or plaintext.
    fn remember_mutual(&mut self, e: &Evidence) {
        let able = e.upstream.takes_istio_mtls == Some(true);
        let Some(address) = e.upstream.address.as_ref().filter(|_| able) else { return };
        let endpoints = if e.upstream.tls_version.is_some() { &mut self.mutual } else { &mut self.plain };
        endpoints.remember(address);
    }

    /// Failures that may end by themselves.
    pub fn recoveries(&mut self) -> &mut Recoveries {
        &mut self.recoveries
    }
}

#[cfg(test)]
mod tests;
