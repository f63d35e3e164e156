//! Bounded collections that evict the oldest.

use std::collections::VecDeque;

use hashbrown::HashMap;

/// The last items that were pushed, up to a capacity.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    items: VecDeque<T>,
    capacity: usize,
}

impl<T> Bounded<T> {
    /// With this capacity.
    pub(super) const fn new(capacity: usize) -> Self {
        Self { items: VecDeque::new(), capacity }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    pub(super) fn find(&mut self, is: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.items.iter_mut().find(|item| is(item))
    }

    /// Keeps only the items for which this holds.
    pub(super) fn retain(&mut self, is: impl Fn(&T) -> bool) {
        self.items.retain(is);
    }

    /// Adds an item; at capacity the oldest is evicted.
    pub(super) fn push(&mut self, item: T) {
        if self.items.len() >= self.capacity {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }
}

/// Names that were seen, at capacity `CAPACITY`; then the oldest is evicted.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Each with its sequence number.
    names: HashMap<String, u32>,
    next: u32,
}

impl Known {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    pub(super) fn remember(&mut self, name: &str) {
        if self.knows(name) {
            return;
        }
        if self.names.len() >= super::CAPACITY
            && let Some(first) = self.names.iter().min_by_key(|(_, number)| **number)
        {
            let first = first.0.clone();
            self.names.remove(&first);
        }
        self.names.insert(name.to_owned(), self.next);
        self.next = self.next.saturating_add(1);
    }
}
