//! Finds words in texts, without the standard library's search and its panics: a sixteenth of the module.

/// Whether `text` holds `word`.
pub(crate) fn holds(text: &str, word: &str) -> bool {
    split_once(text, word).is_some()
}

/// What stands before and behind the first `word`.
pub(crate) fn split_once<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    // Of a single character the standard library's search is small and fast.
    let beginnings = text.match_indices(word.chars().next()?);
    beginnings.map(|(at, _)| at).find_map(|at| {
        let (before, rest) = text.split_at_checked(at)?;
        Some((before, rest.strip_prefix(word)?))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_are_found_where_the_standard_library_finds_them(text in "[ab\u{e9}]{0,12}", word in "[ab\u{e9}]{1,3}") {
            prop_assert_eq!(super::holds(&text, &word), text.contains(&word));
            prop_assert_eq!(super::split_once(&text, &word), text.split_once(word.as_str()));
        }
    }
}
