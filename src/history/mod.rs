//! What earlier requests of this worker showed: the only state between requests, and bounded.
//!
//! It is fed by the sampled successes (1 in `observe_every`) and by failures.

mod bounded;
mod recovery;
mod services;
mod split;

use bounded::{Bounded, Known};
use recovery::Recoveries;
pub use recovery::RequestKey;

use crate::evidence::{ClusterName, Direction, Evidence, Past};

/// The capacity of each collection.
const CAPACITY: usize = 64;

/// The history of one plugin on one worker thread.
#[derive(Debug)]
pub struct History {
    every: u32,
    rules: Bounded<services::Rule>,
    versions: Bounded<services::Versions>,
    splits: Bounded<split::Split>,
    /// Endpoints with which Istio's mutual TLS was agreed.
    mutual: Known,
    /// Endpoints that take it and have responded in plaintext.
    plain: Known,
    /// Clusters with an endpoint that answered.
    answered: Known,
    /// Clusters with an endpoint that failed.
    failed: Known,
    recoveries: Recoveries,
}

impl History {
    /// Empty; 1 in `every` successes is sampled.
    pub fn new(every: u32) -> Self {
        Self {
            every,
            rules: Bounded::new(CAPACITY),
            versions: Bounded::new(CAPACITY),
            splits: Bounded::new(CAPACITY),
            mutual: Known::default(),
            plain: Known::default(),
            answered: Known::default(),
            failed: Known::default(),
            recoveries: Recoveries::new(),
        }
    }

    /// Whether any VirtualService was seen whose service may be reached without it.
    pub fn compares(&self) -> bool {
        self.rules.iter().next().is_some()
    }

    /// Records that an endpoint of this cluster has answered, be it with an error. Behind Istio's passthrough clusters are
    /// many services.
    pub fn remember_answer(&mut self, cluster: Option<&ClusterName>) {
        if let Some(cluster) = cluster.filter(|cluster| !cluster.is_passthrough()) {
            self.answered.remember(cluster.as_str());
        }
    }

    /// Whether an endpoint of this cluster has answered.
    pub fn has_answered(&self, cluster: Option<&ClusterName>) -> bool {
        cluster.is_some_and(|cluster| self.answered.knows(cluster.as_str()))
    }

    /// Records a success, and returns what earlier streams showed.
    pub fn success(&mut self, e: &Evidence) -> Past {
        let mut past = Past::default();
        if e.details.via_upstream() {
            self.remember_answer(e.upstream.cluster.as_ref());
        }
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

    /// Records a failure, and returns what earlier streams showed.
    pub fn failure(&mut self, e: &Evidence) -> Past {
        let past = self.before(e);
        if let Some(cluster) = e.upstream.cluster.as_ref().filter(|_| e.upstream.address.is_some()) {
            self.failed.remember(cluster.as_str());
            if e.details.via_upstream() {
                self.remember_answer(Some(cluster));
            }
        }
        past
    }

    /// What earlier streams showed of this one's endpoint and cluster.
    pub fn before(&self, e: &Evidence) -> Past {
        let known = e.upstream.address.as_deref();
        let cluster = e.upstream.cluster.as_ref();
        Past {
            took_mtls: known.is_some_and(|known| self.mutual.knows(known)),
            took_plaintext: known.is_some_and(|known| self.plain.knows(known)),
            answered: self.has_answered(cluster),
            // Whether an endpoint of the cluster has failed before.
            endpoint_failed: Some(cluster.is_some_and(|cluster| self.failed.knows(cluster.as_str()))),
            ..Past::default()
        }
    }

    /// Records whether the endpoint took Istio's mutual TLS or plaintext.
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
