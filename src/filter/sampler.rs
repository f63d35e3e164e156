//! Which successes are observed: one in N.

/// Counts down a random distance, so that periodic traffic is sampled evenly.
#[derive(Debug)]
pub(super) struct Sampler {
    every: u32,
    left: u32,
    state: u32,
}

impl Sampler {
    /// One in `every`, on the average; 0 is never.
    pub(super) fn every(every: u32) -> Self {
        let mut sampler = Self { every, left: 0, state: 0x9e37_79b9 };
        sampler.left = sampler.distance();
        sampler
    }

    /// Whether this one is sampled.
    pub(super) fn take(&mut self) -> bool {
        if self.every == 0 {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        let taken = self.left == 0;
        if taken {
            self.left = self.distance();
        }
        taken
    }

    /// Evenly from 1 to `2 * every - 1` (xorshift, Marsaglia 2003): no clock and no host call.
    fn distance(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        let span = self.every.saturating_mul(2).saturating_sub(1).max(1);
        self.state.checked_rem(span).unwrap_or_default().saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::Sampler;

    fn taken(every: u32, of: u32) -> u32 {
        let mut sampler = Sampler::every(every);
        (0..of).map(|_| u32::from(sampler.take())).sum()
    }

    #[test]
    fn one_in_n() {
        assert_eq!(taken(0, 10_000), 0);
        assert_eq!(taken(1, 10_000), 10_000);
        assert!((950..=1_050).contains(&taken(100, 100_000)), "{}", taken(100, 100_000));
    }

    #[test]
    fn a_rhythm_is_seen_whole() {
        let mut sampler = Sampler::every(100);
        let beats: Vec<u32> = (0..100_000).filter(|_| sampler.take()).map(|i| i % 2).collect();
        let odd = beats.iter().sum::<u32>() as usize;
        assert!(odd * 3 > beats.len() && odd * 3 < beats.len() * 2, "{odd} of {}", beats.len());
    }
}
