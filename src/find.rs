//! Finds words and characters in texts, without the standard library's searches and their panics: a tenth of the module.

/// Whether both are the same: in the module the standard library compares byte by byte, which takes long where texts are.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let (words, rest) = one.as_bytes().as_chunks::<8>();
    let (other_words, other_rest) = other.as_bytes().as_chunks::<8>();
    let mut pairs = words.iter().zip(other_words);
    one.len() == other.len()
        && pairs.all(|(word, other)| u64::from_le_bytes(*word) == u64::from_le_bytes(*other))
        && rest.iter().zip(other_rest).all(|(byte, other)| byte == other)
}

/// Whether `text` holds `word`.
pub(crate) fn holds(text: &[u8], word: &str) -> bool {
    position(text, word.as_bytes()).is_some()
}

/// What stands before and behind the first `word`.
pub(crate) fn split_once<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let (before, rest) = text.split_at_checked(position(text.as_bytes(), word.as_bytes())?)?;
    Some((before, rest.get(word.len()..)?))
}

fn position(text: &[u8], word: &[u8]) -> Option<usize> {
    let first = word.first()?;
    let mut beginnings = text.iter().enumerate().filter(|(_, byte)| *byte == first).map(|(at, _)| at);
    beginnings.find(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(word)))
}

/// What stands before and behind the first of these ASCII characters.
pub(crate) fn cut<'a>(text: &'a str, characters: &[u8]) -> Option<(&'a str, &'a str)> {
    // `contains` would bring the standard library's search for a byte along.
    #[allow(clippy::manual_contains, reason = "size")]
    let at = text.bytes().position(|byte| characters.iter().any(|character| *character == byte))?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

/// What stands before the first of these ASCII characters: all of it, if there is none.
pub(crate) fn before<'a>(text: &'a str, characters: &[u8]) -> &'a str {
    cut(text, characters).map_or(text, |(before, _)| before)
}

/// The parts between this ASCII character.
pub(crate) fn parts(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut left = Some(text);
    core::iter::from_fn(move || {
        let text = left?;
        let at = text.bytes().position(|byte| byte == separator).unwrap_or(text.len());
        left = text.get(at.saturating_add(1)..);
        text.get(..at)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_are_found_where_the_standard_library_finds_them(text in "[ab\u{e9}]{0,12}", word in "[ab\u{e9}]{1,3}") {
            prop_assert_eq!(super::holds(text.as_bytes(), &word), text.contains(&word));
            prop_assert_eq!(super::split_once(&text, &word), text.split_once(word.as_str()));
        }

        #[test]
        fn texts_are_the_same_or_not(one in "[ab]{0,20}", other in "[ab]{0,20}", at in 0_usize..20) {
            prop_assert_eq!(super::same(&one, &other), one == other);
            prop_assert!(super::same(&one, &one.clone()));
            let mut almost = one.clone().into_bytes();
            if let Some(byte) = almost.get_mut(at) {
                *byte = b'c';
                prop_assert!(!super::same(&one, str::from_utf8(&almost).unwrap()));
            }
        }

        #[test]
        fn so_are_characters(text in "[a,;\u{e9}]{0,12}") {
            prop_assert_eq!(super::cut(&text, b",;"), text.split_once([',', ';']));
            prop_assert_eq!(Some(super::before(&text, b",;")), text.split([',', ';']).next());
            prop_assert!(super::parts(&text, b',').eq(text.split(',')));
        }
    }
}
