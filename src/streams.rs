//! What is kept of each stream or connection, by the number of its context.

// A table with open addressing, where an entry that is farther from its place goes first ("Robin Hood hashing", Celis 1986),
// and what follows moves up when one is taken out. hashbrown would do, and is three times as large as this.

use core::mem;

use crate::prelude::*;

/// The least number of slots, a power of two.
const SLOTS: usize = 256;

/// When there are so many, they are looked through for what has ended unseen.
const MANY: usize = 1024;

/// At most half of the slots are taken.
pub(crate) struct Streams<T> {
    slots: Vec<Option<(u32, T)>>,
    /// By how many bits a hash is too long for an index.
    shift: u32,
    taken: usize,
    /// For so many there is room.
    room: usize,
    many: usize,
}

impl<T> Streams<T> {
    /// None.
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), shift: 0, taken: 0, room: 0, many: MANY }
    }

    /// Puts one in, in the place of what this context had. `lives` tells whether a context still does: it is asked when there are
    /// so many that some must have ended without being taken out.
    #[inline(always)]
    pub(crate) fn insert(&mut self, context: u32, value: T, lives: impl Fn(u32) -> bool) {
        let at = self.index(context);
        match self.slots.get_mut(at) {
            Some(slot @ None) if self.taken < self.room => {
                self.taken = self.taken.saturating_add(1);
                *slot = Some((context, value));
            }
            _ => self.insert_beside(context, value, &lives),
        }
    }

    #[inline(never)]
    fn insert_beside(&mut self, context: u32, value: T, lives: &dyn Fn(u32) -> bool) {
        if let Some(known) = self.get_mut(context) {
            *known = value;
            return;
        }
        if self.taken >= self.many {
            self.sweep(lives);
        }
        if self.taken >= self.room {
            self.grow();
        }
        self.place((context, value));
    }

    /// Forgets what has ended.
    fn sweep(&mut self, lives: &dyn Fn(u32) -> bool) {
        self.rebuild(self.slots.len(), lives);
        // Where they do live there are so many: the next look comes when these have doubled.
        self.many = self.taken.saturating_mul(2).max(MANY);
    }

    fn grow(&mut self) {
        self.rebuild(self.slots.len().saturating_mul(2).max(SLOTS), |_| true);
    }

    fn rebuild(&mut self, slots: usize, stays: impl Fn(u32) -> bool) {
        let mut empty = Vec::new();
        empty.resize_with(slots, || None);
        let all = mem::replace(&mut self.slots, empty);
        (self.taken, self.room) = (0, slots / 2);
        self.shift = u32::BITS.saturating_sub(slots.trailing_zeros());
        all.into_iter().flatten().filter(|(context, _)| stays(*context)).for_each(|entry| self.place(entry));
    }

    /// Puts in what isn't there yet; there is room.
    fn place(&mut self, mut entry: (u32, T)) {
        let mut at = self.index(entry.0);
        loop {
            let far = self.distance(entry.0, at);
            let theirs = self.slots.get(at).and_then(Option::as_ref).map(|(of, _)| self.distance(*of, at));
            let Some(slot) = self.slots.get_mut(at) else { return };
            match slot {
                Some(other) if theirs < Some(far) => mem::swap(other, &mut entry),
                Some(_) => {}
                None => {
                    *slot = Some(entry);
                    self.taken = self.taken.saturating_add(1);
                    return;
                }
            }
            at = self.after(at);
        }
    }

    /// What this context has.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, context: u32) -> Option<&mut T> {
        let at = self.find(context)?;
        self.slots.get_mut(at)?.as_mut().map(|(_, value)| value)
    }

    /// Takes out what this context has.
    #[inline(always)]
    pub(crate) fn take(&mut self, context: u32) -> Option<T> {
        let at = self.find(context)?;
        let (_, value) = self.slots.get_mut(at)?.take()?;
        self.taken = self.taken.saturating_sub(1);
        if self.is_displaced(self.after(at)) {
            self.move_up(at);
        }
        Some(value)
    }

    /// Moves up what follows an empty slot, up to what is in its own place.
    #[inline(never)]
    fn move_up(&mut self, mut empty: usize) {
        let mut next = self.after(empty);
        while self.is_displaced(next) {
            let moved = self.slots.get_mut(next).and_then(Option::take);
            if let Some(slot) = self.slots.get_mut(empty) {
                *slot = moved;
            }
            (empty, next) = (next, self.after(next));
        }
    }

    /// Whether there is an entry that would rather be in a slot before.
    #[inline(always)]
    fn is_displaced(&self, at: usize) -> bool {
        matches!(self.slots.get(at), Some(Some((of, _))) if self.index(*of) != at)
    }

    /// Where this context is.
    #[inline(always)]
    fn find(&self, context: u32) -> Option<usize> {
        let at = self.index(context);
        match self.slots.get(at)? {
            Some((of, _)) if *of == context => Some(at),
            Some(_) => self.find_beside(context, at),
            None => None,
        }
    }

    #[inline(never)]
    fn find_beside(&self, context: u32, mut at: usize) -> Option<usize> {
        loop {
            at = self.after(at);
            let (of, _) = self.slots.get(at)?.as_ref()?;
            if *of == context {
                return Some(at);
            }
            // It would have gone before this one.
            if self.distance(*of, at) < self.distance(context, at) {
                return None;
            }
        }
    }

    /// A context's own place. They are numbered in turn; Fibonacci's hash (Knuth) spreads those, and those that outlive others
    /// in any rhythm.
    #[inline(always)]
    const fn index(&self, context: u32) -> usize {
        (context.wrapping_mul(0x9e37_79b9).unbounded_shr(self.shift)) as usize
    }

    #[inline(always)]
    const fn after(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.slots.len().wrapping_sub(1)
    }

    /// How many slots behind a context's own place this is.
    const fn distance(&self, context: u32, at: usize) -> usize {
        at.wrapping_sub(self.index(context)) & self.slots.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::{MANY, SLOTS, Streams};

    /// Contexts whose places are next to each other, at both ends of a table of the least size.
    fn neighbours() -> Vec<u32> {
        let mut one = Streams::new();
        one.insert(0, (), |_| true);
        let at_an_end = |context: &u32| !(4..SLOTS - 4).contains(&one.index(*context));
        (0..).filter(at_an_end).take(60).collect()
    }

    proptest! {
        #[test]
        fn it_holds_what_a_table_holds(steps in proptest::collection::vec((0_usize..60, any::<bool>()), 0..300)) {
            let (mut streams, mut table, contexts) = (Streams::new(), HashMap::new(), neighbours());
            for (at, (context, comes)) in steps.into_iter().enumerate() {
                let context = contexts[context];
                if comes {
                    streams.insert(context, at, |_| true);
                    table.insert(context, at);
                } else {
                    prop_assert_eq!(streams.take(context), table.remove(&context));
                }
                prop_assert_eq!(streams.taken, table.len());
                for context in &contexts {
                    prop_assert_eq!(streams.get_mut(*context), table.get_mut(context));
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
        let held = streams.slots.iter().flatten().count();
        assert!(held == streams.taken && held <= MANY, "{held}");
        assert!(streams.slots.len() <= 2 * MANY, "{}", streams.slots.len());
    }

    #[test]
    fn as_many_as_live_are_held() {
        let mut streams = Streams::new();
        (0..100_000_u32).for_each(|context| streams.insert(context, context, |_| true));
        assert!((0..100_000).all(|context| streams.take(context) == Some(context)));
    }
}
