//! Pairs of a key and a value in a line.

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
