//! A small hash of texts, to know them again without keeping them.

/// FNV-1a of several parts, each with its end. Two that have the same by chance would be one: nobody can choose them to.
pub(crate) fn hash_of(parts: &[&[u8]]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    const END: u64 = 0x1_0000;
    let words = parts.iter().flat_map(|part| part.iter().map(|byte| u64::from(*byte)).chain([END]));
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(PRIME))
}
