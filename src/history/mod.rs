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

use core::hash::Hasher as _;

use crate::evidence::{Direction, Evidence, Past};
use crate::hash::Fnv;

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
        let mut past = Past::default();
        match e.direction {
            // No VirtualService applies there.
            Direction::Inbound => return past,
            Direction::Outbound => services::known_rule(&mut self.rules, e, &mut past),
            Direction::Gateway => past.versions = services::versions(&mut self.versions, e),
        }
        past.split = split::judge(&mut self.splits, e, self.every);
        past
    }

    /// Failures that may end by themselves.
    pub fn recoveries(&mut self) -> &mut Recoveries {
        &mut self.recoveries
    }
}

/// One number for several parts. Two that have the same by chance would be one: nobody can choose them to.
fn hash_of(parts: &[impl AsRef<[u8]>]) -> u64 {
    let mut hash = Fnv::default();
    for part in parts {
        hash.write(part.as_ref());
        hash.write_u32(0x1_0000);
    }
    hash.finish()
}

#[cfg(test)]
mod tests;
