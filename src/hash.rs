//! A small hash of texts, to know them again without keeping them.

/// Of several parts, eight bytes at a time (FxHash), each part with its length. Two that have the same by chance would be one:
/// nobody can choose them to.
pub(crate) fn hash_of(parts: &[&[u8]]) -> u64 {
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
    let mut hash = 0_u64;
    let mut mix = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    for part in parts {
        let (words, rest) = part.as_chunks::<8>();
        words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
        mix(rest.iter().fold(part.len() as u64, |word, byte| word << 8 | u64::from(*byte)));
    }
    hash
}
