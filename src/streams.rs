//! What is kept of each stream or connection, by the number of its context.

use core::hash::BuildHasherDefault;

use hashbrown::HashMap;

use crate::prelude::*;

type Hasher = BuildHasherDefault<crate::hash::Fnv>;

/// Contexts are numbered in turn, so most streams have ended before the turn of their slot comes again.
const SLOTS: u32 = 256;

/// So many beside the slots are looked through for what has ended unseen.
const MANY: usize = 1024;

/// A slot for nearly all, found without hashing; a table for those whose slot is taken.
pub(crate) struct Streams<T> {
    slots: Vec<Option<(u32, T)>>,
    others: HashMap<u32, T, Hasher>,
    many: usize,
}

impl<T> Streams<T> {
    /// None.
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), others: HashMap::with_hasher(Hasher::new()), many: MANY }
    }

    /// Puts one in, in the place of what this context had. `lives` tells whether a context still does: it is asked when there are
    /// so many that some must have ended without being taken out.
    #[inline(always)]
    pub(crate) fn insert(&mut self, context: u32, value: T, lives: impl Fn(u32) -> bool) {
        match self.slots.get_mut(index(context)) {
            Some(slot @ None) if self.others.is_empty() => *slot = Some((context, value)),
            _ => self.insert_beside(context, value, &lives),
        }
    }

    #[inline(never)]
    fn insert_beside(&mut self, context: u32, value: T, lives: &dyn Fn(u32) -> bool) {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS as usize, || None);
        }
        if self.others.len() >= self.many {
            self.sweep(lives);
        }
        self.others.remove(&context);
        match self.slots.get_mut(index(context)) {
            Some(slot) if slot.as_ref().is_none_or(|(of, _)| *of == context) => {
                *slot = Some((context, value));
            }
            _ => {
                self.others.insert(context, value);
            }
        }
    }

    /// Forgets what has ended.
    fn sweep(&mut self, lives: &dyn Fn(u32) -> bool) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|(of, _)| !lives(*of)) {
                *slot = None;
            }
        }
        self.others.retain(|of, _| lives(*of));
        // Where they do live there are so many: the next look comes when these have doubled.
        self.many = self.others.len().saturating_mul(2).max(MANY);
    }

    /// What this context has.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, context: u32) -> Option<&mut T> {
        match self.slots.get_mut(index(context)) {
            Some(Some((of, value))) if *of == context => Some(value),
            _ => get_beside(&mut self.others, context),
        }
    }

    /// Takes out what this context has.
    #[inline(always)]
    pub(crate) fn take(&mut self, context: u32) -> Option<T> {
        match self.slots.get_mut(index(context)) {
            Some(slot) if slot.as_ref().is_some_and(|(of, _)| *of == context) => {
                slot.take().map(|(_, value)| value)
            }
            _ => self.take_beside(context),
        }
    }

    #[inline(never)]
    fn take_beside(&mut self, context: u32) -> Option<T> {
        self.others.remove(&context)
    }
}

#[inline(never)]
fn get_beside<T>(others: &mut HashMap<u32, T, Hasher>, context: u32) -> Option<&mut T> {
    others.get_mut(&context)
}

const fn index(context: u32) -> usize {
    (context & SLOTS.wrapping_sub(1)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::{MANY, SLOTS, Streams};

    proptest! {
        #[test]
        fn it_holds_what_a_table_holds(steps in proptest::collection::vec((0_u32..4, 0_u32..3, any::<bool>()), 0..64)) {
            let (mut streams, mut table) = (Streams::new(), HashMap::new());
            for (at, (slot, turn, comes)) in steps.into_iter().enumerate() {
                let context = slot + turn * SLOTS;
                if comes {
                    streams.insert(context, at, |_| true);
                    table.insert(context, at);
                } else {
                    prop_assert_eq!(streams.take(context), table.remove(&context));
                }
                for context in (0..3).flat_map(|turn| (0..4).map(move |slot| slot + turn * SLOTS)) {
                    prop_assert_eq!(streams.get_mut(context), table.get_mut(&context));
                }
            }
        }
    }

    #[test]
    fn what_ends_unseen_is_forgotten_and_what_lives_is_kept() {
        let (mut streams, few) = (Streams::new(), 50);
        for context in 0..1_000_000_u32 {
            // All but the first few end at once, and nobody says so.
            streams.insert(context, context, |of| of < few || of == context);
        }
        assert!((0..few).all(|context| streams.take(context) == Some(context)));
        let held = streams.slots.iter().flatten().count() + streams.others.len();
        assert!(held <= SLOTS as usize + MANY, "{held}");
    }

    #[test]
    fn as_many_as_live_are_held() {
        let mut streams = Streams::new();
        (0..100_000_u32).for_each(|context| streams.insert(context, context, |_| true));
        assert!((0..100_000).all(|context| streams.take(context) == Some(context)));
    }
}
