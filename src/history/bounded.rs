//! A list that forgets its oldest item rather than grow.

use hashbrown::HashSet;

/// At most so many items.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    items: Vec<T>,
    most: usize,
    next: usize,
}

impl<T> Bounded<T> {
    /// Holds `most` items.
    pub(super) const fn new(most: usize) -> Self {
        Self { items: Vec::new(), most, next: 0 }
    }

    pub(super) fn items(&self) -> &[T] {
        &self.items
    }

    pub(super) fn find(&mut self, is: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.items.iter_mut().find(|item| is(item))
    }

    /// Puts it in, in the place of the one that was put in longest ago if there is no room.
    pub(super) fn push(&mut self, item: T) {
        if self.items.len() < self.most {
            return self.items.push(item);
        }
        if let Some(slot) = self.items.get_mut(self.next) {
            *slot = item;
        }
        self.next = self.next.saturating_add(1).checked_rem(self.most).unwrap_or_default();
    }
}

/// What was seen: when there is no room, any of it is forgotten.
#[derive(Debug, Default)]
pub(super) struct Known(HashSet<String>);

impl Known {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    pub(super) fn remember(&mut self, name: &str) {
        if self.0.contains(name) {
            return;
        }
        if self.0.len() >= super::MOST
            && let Some(one) = self.0.iter().next().cloned()
        {
            self.0.remove(&one);
        }
        self.0.insert(name.to_owned());
    }
}
