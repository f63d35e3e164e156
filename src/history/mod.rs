//! What earlier requests of this worker showed: the only memory from one request to the next, and bounded.
//!
//! It holds what was looked at, so 1 in `observe_every` successes, and every failure that may end by itself.

mod bounded;
mod recovery;
mod services;
mod split;

use bounded::Bounded;
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
            recoveries: Recoveries::new(),
        }
    }

    /// A stream that succeeded: remembers it, and tells what earlier ones say about it.
    pub fn success(&mut self, e: &Evidence) -> Past {
        match e.direction {
            Direction::Outbound => Past {
                rule: services::known_rule(&mut self.rules, e),
                split: split::judge(&mut self.splits, e, self.every),
                ..Past::default()
            },
            Direction::Gateway => Past {
                versions: services::versions(&mut self.versions, e),
                split: split::judge(&mut self.splits, e, self.every),
                ..Past::default()
            },
            Direction::Inbound => Past::default(),
        }
    }

    /// Failures that may end by themselves.
    pub fn recoveries(&mut self) -> &mut Recoveries {
        &mut self.recoveries
    }
}

#[cfg(test)]
mod tests;
