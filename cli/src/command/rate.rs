//! How often something happened over time, in bounded memory.

use std::collections::BTreeMap;

/// No more pieces of time than these are kept apart; then two become one.
const MOST: usize = 96;
/// Pieces of time that are shown.
pub const CELLS: usize = 24;
/// From few to many; nothing is a point.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Counts by time.
#[derive(Debug, Clone)]
pub struct Rate {
    /// The length of a piece, in milliseconds.
    width: i64,
    counts: BTreeMap<i64, u64>,
}

impl Default for Rate {
    fn default() -> Self {
        Self { width: 100, counts: BTreeMap::new() }
    }
}

/// From when to when, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: i64,
    /// The last.
    pub to: i64,
}

impl Span {
    /// The length of one cell.
    pub fn cell(self) -> i64 {
        (self.to - self.from) / CELLS as i64 + 1
    }

    /// Both.
    pub fn and(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }
}

impl Rate {
    /// Counts one.
    pub fn add(&mut self, millis: i64) {
        *self.counts.entry(millis.div_euclid(self.width)).or_default() += 1;
        while self.counts.len() > MOST {
            self.widen();
        }
    }

    /// Adds another's.
    pub fn merge(&mut self, mut other: Self) {
        while self.width < other.width {
            self.widen();
        }
        while other.width < self.width {
            other.widen();
        }
        for (at, count) in other.counts {
            *self.counts.entry(at).or_default() += count;
        }
        while self.counts.len() > MOST {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.width *= 2;
        for (at, count) in std::mem::take(&mut self.counts) {
            *self.counts.entry(at.div_euclid(2)).or_default() += count;
        }
    }

    /// From the first to the last.
    pub fn span(&self) -> Option<Span> {
        let (first, _) = self.counts.first_key_value()?;
        let (last, _) = self.counts.last_key_value()?;
        Some(Span { from: first * self.width, to: last * self.width })
    }

    /// How many there were in each piece of a span.
    pub fn cells(&self, span: Span) -> [u64; CELLS] {
        let mut cells = [0; CELLS];
        for (at, count) in &self.counts {
            let cell = (at * self.width - span.from) / span.cell();
            let cell = usize::try_from(cell).unwrap_or_default().min(CELLS - 1);
            if let Some(cell) = cells.get_mut(cell) {
                *cell += count;
            }
        }
        cells
    }

    /// A bar for each of them.
    pub fn bar(&self, span: Span) -> String {
        let cells = self.cells(span);
        let most = cells.iter().copied().max().unwrap_or_default().max(1);
        let of = |count: u64| match count {
            0 => '.',
            // The smallest is seen, too.
            count => {
                let level = (count * BARS.len() as u64).div_ceil(most).saturating_sub(1);
                BARS.get(usize::try_from(level).unwrap_or_default()).copied().unwrap_or('█')
            }
        };
        cells.into_iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_failures_stays_small_and_none_is_lost() {
        let mut rate = Rate::default();
        let day = 86_400_000;
        (0..day).step_by(1_000).for_each(|millis| rate.add(millis));
        (day / 2..day / 2 + 3_000).for_each(|millis| rate.add(millis));
        assert!(rate.counts.len() <= MOST);
        let span = rate.span().unwrap();
        assert_eq!(rate.cells(span).iter().sum::<u64>(), 86_400 + 3_000);
        let bar = rate.bar(span);
        assert_eq!((bar.chars().count(), bar.chars().filter(|c| *c == '█').count()), (CELLS, 1), "{bar}");
    }

    #[test]
    fn two_that_differ_in_length_are_added() {
        let (mut short, mut long) = (Rate::default(), Rate::default());
        short.add(5_000);
        (0..1_000).for_each(|second| long.add(second * 1_000));
        let mut other_way = long.clone();
        other_way.merge(short.clone());
        short.merge(long);
        assert_eq!((short.span(), &short.counts), (other_way.span(), &other_way.counts));
        assert_eq!(short.counts.values().sum::<u64>(), 1_001);
        let mut one = Rate::default();
        one.add(7);
        let span = one.span().unwrap();
        assert_eq!(one.bar(span), "█.......................");
    }
}
