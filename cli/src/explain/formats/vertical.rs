//! One line of an access log shown upright, a column in each row: `response_code | 503`, as consoles and tickets have it.

use std::borrow::Cow;

use crate::explain::{Column, Line};

/// Fewer rows are none, unless a status and what Envoy says of it are all that there is.
const FEWEST: usize = 3;
/// What stands between a key and its value.
const SIGNS: &[&str] = &[" | ", "\t", ": "];

/// What the rows say, and how many of them.
pub(in crate::explain) fn read<'a>(rows: impl Iterator<Item = &'a str>) -> Option<(Line<'static>, usize)> {
    let (mut line, mut count, mut sign) = (Line::default(), 0_usize, None);
    for row in rows {
        if let Some(code) = status(row).filter(|_| count == 0) {
            line.set(Column::Code, Cow::Owned(code.to_owned()));
            count = 1;
            continue;
        }
        let Some((key, value, found)) =
            pair(row).filter(|(.., found)| sign.is_none_or(|sign| sign == *found))
        else {
            break;
        };
        let column = Column::of_key(key);
        // A key that comes again is the next line's.
        if column.is_some_and(|column| line.shows(column)) {
            break;
        }
        sign = Some(found);
        count = count.saturating_add(1);
        if let Some(column) = column.filter(|column| column.takes(value)) {
            line.set(column, Cow::Owned(value.to_owned()));
        }
    }
    let is_envoys = Column::ALL.iter().any(|column| column.is_envoys() && line.shows(*column));
    let is_whole = count >= FEWEST || (count > 1 && line.shows(Column::Code));
    (is_whole && is_envoys).then_some((line, count))
}

/// A failure's status, as it is called: `500 Internal Server Error`.
pub(in crate::explain) fn status(row: &str) -> Option<&str> {
    let (code, name) = row.trim().split_once(' ')?;
    let is_failure = code.len() == 3 && code.starts_with(['4', '5']) && Column::Code.takes(code);
    let is_name = name.split(' ').all(|word| {
        word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
    });
    (is_failure && is_name).then_some(code)
}

/// A key, its value and what stands between them.
pub(in crate::explain) fn pair(row: &str) -> Option<(&str, &str, &'static str)> {
    let row = row.trim();
    let (key, value, sign) = SIGNS.iter().find_map(|sign| {
        let (key, value) = row.split_once(sign)?;
        Some((key.trim().trim_matches('"'), value.trim(), *sign))
    })?;
    let proper = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:@".contains(&byte));
    // Of an object's members.
    let value = value.strip_suffix(',').unwrap_or(value);
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    (proper && !key.is_empty()).then_some((key, quoted.unwrap_or(value), sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Option<(Option<String>, usize)> {
        let (line, count) = read(text.lines())?;
        Some((line.get(Column::Code).map(str::to_owned), count))
    }

    #[test]
    fn rows_of_keys_and_values_are_a_line() {
        let expected = Some((Some("503".to_owned()), 3));
        assert_eq!(rows("method | GET\nresponse_code | 503\nresponse_flags | UH\nmethod | GET"), expected);
        assert_eq!(rows("method: GET\nresponse_code: \"503\"\nresponse_flags: UH\n\nx"), expected);
        let two = Some((Some("503".to_owned()), 2));
        assert_eq!(rows("response_code: 503\nresponse_flags: UH"), two);
        assert_eq!(rows("response_flags: UH\nresponse_code: 503\n\nresponse_flags: UH"), two);
        for text in [
            "response_flags: UH\na: 1",
            "response_code: 503\na: 1",
            "a: 1\nb: 2\nresponse_code: 503",
            "a\nb\nc",
            "",
        ] {
            assert_eq!(rows(text), None, "{text}");
        }
    }
}
