//! Strings in short texts. The standard library's search for strings is made for long ones: with what
//! it needs to print where it fails it takes 8 KB of the module. Single characters are found without it.

/// What stands before the first such part of the text, and what behind it.
pub(crate) fn split_once<'a>(text: &'a str, part: &str) -> Option<(&'a str, &'a str)> {
    let is = |window: &[u8]| window == part.as_bytes();
    let at = text.as_bytes().windows(part.len().max(1)).position(is)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.strip_prefix(part)?))
}

/// Whether the text has such a part.
pub(crate) fn contains(text: &str, part: &str) -> bool {
    split_once(text, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_the_standard_library_finds(text in "[aé-]{0,8}", part in "[aé-]{1,3}") {
            prop_assert_eq!(split_once(&text, &part), text.split_once(&part));
            prop_assert_eq!(contains(&text, &part), text.contains(&part));
        }
    }
}
