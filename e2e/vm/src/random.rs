//! Numbers that look random and are the same for the same seed, on every machine.

/// A generator, and the choices that the tests make with it.
pub struct Random(fastrand::Rng);

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// From 0 to just below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.u64(..end)
    }

    /// True once in `times` calls.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = self.below(from.len() as u64);
        &from[index as usize]
    }

    /// Some of them in a row, mostly one; now and then with a byte that doesn't belong there.
    pub fn pieces(&mut self, from: &[&[u8]], most: u64) -> Vec<u8> {
        let count = if self.one_in(2) { 1 } else { self.below(most + 1) };
        let mut bytes: Vec<u8> = (0..count).flat_map(|_| self.pick(from).to_vec()).collect();
        if self.one_in(8) {
            self.spoil(&mut bytes);
        }
        bytes
    }

    /// Changes, inserts or removes a byte, or cuts the end off.
    pub fn spoil(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() as u64 + 1) as usize;
        let byte = self.number() as u8;
        match self.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, byte),
            _ if at == bytes.len() => bytes.push(byte),
            2 => bytes[at] = byte,
            _ => drop(bytes.remove(at)),
        }
    }
}
