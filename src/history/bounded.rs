//! Memory that forgets rather than grow.

use std::collections::VecDeque;

use hashbrown::HashMap;

/// The last items that were put in, at most so many.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    items: VecDeque<T>,
    most: usize,
}

impl<T> Bounded<T> {
    /// Holds `most` items.
    pub(super) const fn new(most: usize) -> Self {
        Self { items: VecDeque::new(), most }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    pub(super) fn find(&mut self, is: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.items.iter_mut().find(|item| is(item))
    }

    /// Keeps those items only.
    pub(super) fn retain(&mut self, is: impl Fn(&T) -> bool) {
        self.items.retain(is);
    }

    /// Puts it in; where there is no room, the oldest goes.
    pub(super) fn push(&mut self, item: T) {
        if self.items.len() >= self.most {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }
}

/// Names that were seen, at most `MOST`: where there is no room, the one that came first is
/// forgotten.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Each with its number.
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
        if self.names.len() >= super::MOST
            && let Some(first) = self.names.iter().min_by_key(|(_, number)| **number)
        {
            let first = first.0.clone();
            self.names.remove(&first);
        }
        self.names.insert(name.to_owned(), self.next);
        self.next = self.next.saturating_add(1);
    }
}
