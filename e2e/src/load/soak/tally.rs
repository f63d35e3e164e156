//! What was sent, and what has to be counted of it.

use std::collections::BTreeMap;

use super::calls::Named;
use crate::load::generator::Record;

/// What came of some acts.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests, and connections that carry none.
    pub requests: u64,
    /// Streams that the connection managers log.
    pub streams: u64,
    /// Failures that meshwhy has to count.
    pub failures: BTreeMap<Named, u64>,
    /// What did not go as it must.
    pub deviations: Vec<String>,
}

impl Tally {
    /// One more request.
    pub fn add(&mut self, streams: u64, named: Option<Named>) {
        self.requests += 1;
        self.streams += streams;
        if let Some(named) = named {
            *self.failures.entry(named).or_default() += 1;
        }
    }

    /// Healthy requests alone.
    pub fn healthy(requests: u64, streams: u64) -> Self {
        Self { requests, streams, ..Self::default() }
    }

    /// One that fails.
    pub fn failed(streams: u64, named: Named) -> Self {
        let mut tally = Self::default();
        tally.add(streams, Some(named));
        tally
    }
}

impl Record for Tally {
    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.streams += other.streams;
        for (named, count) in other.failures {
            *self.failures.entry(named).or_default() += count;
        }
        self.deviations.extend(other.deviations);
    }
}
