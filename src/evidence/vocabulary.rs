//! Lists of known texts, as hashes: the module has no room for the texts, and what it shows is
//! what it was given.

/// FNV-1a, 32 bits, of small letters. Of free text, one in twenty million would pass for one of a
/// few hundred names by chance; whoever looks for such a text could as well choose a name.
pub(super) const fn hash(text: &str) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut bytes = text.as_bytes();
    while let [byte, rest @ ..] = bytes {
        hash = (hash ^ byte.to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193);
        bytes = rest;
    }
    hash
}

/// The hashes of a list.
macro_rules! hashes {
    ($($text:literal),* $(,)?) => {
        &[$(const { $crate::evidence::vocabulary::hash($text) }),*]
    };
}
pub(super) use hashes;

/// Where the text stands in the list: for tokens only, which hold no spaces and are not long.
pub(super) fn position(list: &[u32], token: &str) -> Option<usize> {
    let is_token = token.len() <= LONGEST && token.bytes().all(|byte| byte.is_ascii_graphic());
    let hash = hash(token);
    list.iter().position(|known| *known == hash).filter(|_| is_token)
}

/// The longest of them is shorter.
const LONGEST: usize = 80;

/// The text before and behind the first `at`.
// Out of line: the search is large, and many look for something.
#[inline(never)]
pub(super) fn cut<'a>(text: &'a str, at: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(at)
}

/// Adds a text.
// Out of line, for there are many.
#[inline(never)]
pub(super) fn push(kept: &mut String, text: &str) {
    kept.push_str(text);
}

/// Adds a text with one byte in the place of another; both, and what is kept, are ASCII.
#[inline(never)]
pub(super) fn push_replaced(kept: &mut String, text: &str, from: u8, to: u8) {
    kept.extend(text.bytes().map(|byte| char::from(if byte == from { to } else { byte })));
}
