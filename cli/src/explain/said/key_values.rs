//! Lines of a time, a level, a message and pairs of a key and a value.

use crate::explain::around::prefix;

/// The first word, and what stands behind it.
pub(super) fn word(text: &str) -> Option<(&str, &str)> {
    text.trim_start().split_once([' ', '\t'])
}

/// What stands behind a line's level. Whoever shows it to others may leave out the time.
pub(super) fn behind_level(line: &str) -> Option<&str> {
    let (mut level, mut rest) = word(line)?;
    if prefix::date_and(level, "T") {
        (level, rest) = word(rest)?;
    }
    prefix::LEVELS.contains(&level.to_ascii_lowercase().as_str()).then_some(rest)
}

/// `key=value` and `key="value"`, with backslashes before what is quoted.
pub(super) fn pairs(text: &str) -> Vec<(&str, String)> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        // What has no value is passed over.
        let key = key.rsplit([' ', '\t']).next().unwrap_or(key);
        let (value, behind) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            // The last one, in words.
            None if is_error(key) && !after.contains('=') => (after.trim_end().to_owned(), ""),
            None => {
                let end = after.find([' ', '\t']).unwrap_or(after.len());
                let (value, behind) = after.split_at_checked(end).unwrap_or((after, ""));
                (value.to_owned(), behind)
            }
        };
        pairs.push((key, value));
        rest = behind.trim_start();
    }
    pairs
}

/// Up to the quote that ends it, and what is behind.
pub(super) fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, one)) = characters.next() {
        match one {
            '"' => return (value, text.get(at.saturating_add(1)..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(one),
        }
    }
    (value, "")
}

/// Whether a value may be words without quotes.
pub(super) fn is_error(key: &str) -> bool {
    matches!(key, "error" | "err")
}
