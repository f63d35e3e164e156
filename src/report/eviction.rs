//! Which series are evicted for others when the limit is reached.

use hashbrown::HashMap;

use super::labels::Labels;
use crate::host::MetricId;

/// A series that hasn't counted for this long may be evicted: 1 hour, in nanoseconds.
const OLD: u64 = 3_600_000_000_000;

/// How long to wait after a search that found none: 1 minute, in nanoseconds.
const PAUSE: u64 = 60_000_000_000;

/// Envoy keeps every counter: a worker defines at most this many times `max` in its life.
const LIVES: u32 = 4;

/// A defined series.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: MetricId,
    /// When it counted last, in nanoseconds.
    pub(super) used: u64,
}

/// The tenants (the resources' namespaces), each with the number of its series.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    held: HashMap<String, u32>,
    /// By the largest tenant.
    most: u32,
    /// Series defined over this worker's life.
    given: u32,
    search_again: u64,
}

impl Tenants {
    /// Counts a new series.
    pub(super) fn add(&mut self, labels: &Labels) {
        let Some(tenant) = labels.tenant() else { return };
        let held = self.held.entry_ref(tenant).or_insert(0);
        *held = held.saturating_add(1);
        self.most = self.most.max(*held);
        self.given = self.given.saturating_add(1);
    }

    /// Evicts a series for this one; whether there was any to evict. The least recently used of the
    /// largest tenant, if that has more than this one's tenant would have; else one that is old.
    pub(super) fn evict_for(
        &mut self,
        slots: &mut HashMap<Labels, Slot>,
        labels: &Labels,
        max: u32,
        now: u64,
    ) -> bool {
        let Some(tenant) = labels.tenant() else { return false };
        if self.given >= max.saturating_mul(LIVES) {
            return false;
        }
        let own = self.held.get(tenant).copied().unwrap_or_default();
        let unfair = self.most > own.saturating_add(1);
        if !unfair && now < self.search_again {
            return false;
        }
        let may_go = |labels: &Labels, slot: &Slot| {
            labels.tenant().is_some_and(|tenant| match unfair {
                true => self.held.get(tenant) == Some(&self.most),
                false => now.saturating_sub(slot.used) >= OLD,
            })
        };
        let oldest =
            slots.iter().filter(|(labels, slot)| may_go(labels, slot)).min_by_key(|(_, slot)| slot.used);
        let Some(gone) = oldest.map(|(labels, _)| labels.clone()) else {
            self.search_again = now.saturating_add(PAUSE);
            return false;
        };
        slots.remove(&gone);
        self.remove(&gone);
        true
    }

    fn remove(&mut self, labels: &Labels) {
        let Some(tenant) = labels.tenant() else { return };
        if let Some(held) = self.held.get_mut(tenant) {
            *held = held.saturating_sub(1);
        }
        self.held.retain(|_, held| *held > 0);
        self.most = self.held.values().copied().max().unwrap_or_default();
    }
}
