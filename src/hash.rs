//! A small hash for keys that nobody outside can choose: context ids and the labels of series.

use core::hash::Hasher;

/// FNV-1a, a word at a time where the key is a word.
#[derive(Debug, Clone, Copy)]
pub struct Fnv(u64);

const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(PRIME);
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        // hashbrown looks at the topmost bits, too.
        self.0 ^ self.0.rotate_left(32)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }
}
