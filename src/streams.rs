//! What is kept of each stream or connection, by the number of its context.

use core::hash::BuildHasherDefault;

use hashbrown::HashMap;

use crate::prelude::*;

type Hasher = BuildHasherDefault<crate::hash::Fnv>;

/// Contexts are numbered in turn, so most streams have ended before the turn of their slot comes again.
const SLOTS: u32 = 256;

/// A slot for nearly all, found without hashing; a table for those whose slot is taken.
pub(crate) struct Streams<T> {
    slots: Vec<Option<(u32, T)>>,
    others: HashMap<u32, T, Hasher>,
}

impl<T> Streams<T> {
    /// None.
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), others: HashMap::with_hasher(Hasher::new()) }
    }

    /// Puts one in, in the place of what this context had.
    pub(crate) fn insert(&mut self, context: u32, value: T) {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS as usize, || None);
        }
        if !self.others.is_empty() {
            self.others.remove(&context);
        }
        match self.slots.get_mut(index(context)) {
            Some(slot) if slot.as_ref().is_none_or(|(of, _)| *of == context) => {
                *slot = Some((context, value))
            }
            _ => {
                self.others.insert(context, value);
            }
        }
    }

    /// What this context has.
    pub(crate) fn get_mut(&mut self, context: u32) -> Option<&mut T> {
        match self.slots.get_mut(index(context)) {
            Some(Some((of, value))) if *of == context => Some(value),
            _ => self.others.get_mut(&context),
        }
    }

    /// Whether there was anything to take out.
    pub(crate) fn remove(&mut self, context: u32) -> bool {
        match self.slots.get_mut(index(context)) {
            Some(slot) if slot.as_ref().is_some_and(|(of, _)| *of == context) => {
                *slot = None;
                true
            }
            _ => self.others.remove(&context).is_some(),
        }
    }
}

const fn index(context: u32) -> usize {
    (context & SLOTS.wrapping_sub(1)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_holds_what_a_table_holds(steps in proptest::collection::vec((0_u32..4, 0_u32..3, any::<bool>()), 0..64)) {
            let (mut streams, mut table) = (super::Streams::new(), HashMap::new());
            for (at, (slot, turn, comes)) in steps.into_iter().enumerate() {
                let context = slot + turn * super::SLOTS;
                if comes {
                    streams.insert(context, at);
                    table.insert(context, at);
                } else {
                    prop_assert_eq!(streams.remove(context), table.remove(&context).is_some());
                }
                for context in (0..3).flat_map(|turn| (0..4).map(move |slot| slot + turn * super::SLOTS)) {
                    prop_assert_eq!(streams.get_mut(context), table.get_mut(&context));
                }
            }
        }
    }
}
