//! Requests that failed for want of configuration, and whether the same requests succeed soon after.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::Bounded;

/// What makes two requests the same one: method, host and path. Only a hash is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestKey(u64);

/// The last failures.
#[derive(Debug)]
pub struct Recoveries(Bounded<Failing>);

#[derive(Debug)]
struct Failing {
    request: RequestKey,
    first: u64,
    last: u64,
    /// It has succeeded since.
    succeeded: bool,
    /// It has been reported, or was no propagation: what follows is ignored.
    done: bool,
}

/// How many requests are tracked.
const CAPACITY: usize = 16;
const SECOND: u64 = 1_000_000_000;
/// Istio's page speaks of seconds.
const LONGEST: u64 = 30_000_000_000;
/// A route that leads to a missing cluster for some requests only fails again soon.
const QUIET: u64 = 3_000_000_000;

impl RequestKey {
    /// The key of a request.
    pub fn new(method: &[u8], host: &[u8], path: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        (method, host, path).hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Recoveries {
    pub(super) const fn new() -> Self {
        Self(Bounded::new(CAPACITY))
    }

    /// Whether any request may still recover.
    pub fn awaited(&mut self) -> bool {
        self.0.iter().any(|failing| !failing.done)
    }

    /// Records a failure at this time in nanoseconds.
    pub fn failed(&mut self, request: RequestKey, now: u64) {
        match self.0.find(|failing| failing.request == request) {
            Some(failing) => {
                // Alternating failures and successes are no propagation.
                failing.done |= failing.succeeded || now.saturating_sub(failing.last) > LONGEST;
                failing.last = now;
            }
            None => self.0.push(Failing { request, first: now, last: now, succeeded: false, done: false }),
        }
    }

    /// Records a success; for how many seconds the request had failed, if it has recovered. Once
    /// only.
    pub fn succeeded(&mut self, request: RequestKey, now: u64) -> Option<u64> {
        let failing = self.0.find(|failing| failing.request == request && !failing.done)?;
        failing.succeeded = true;
        if now.saturating_sub(failing.last) < QUIET {
            return None;
        }
        failing.done = true;
        let soon = now.saturating_sub(failing.first) <= LONGEST;
        let lasted = failing.last.saturating_sub(failing.first);
        soon.then(|| lasted.checked_div(SECOND).unwrap_or_default())
    }
}
