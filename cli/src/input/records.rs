//! Lines → records: a JSON object over several lines is one.

use std::borrow::Cow;

use super::chunks::lines;

/// One record of a log, and the number of the line where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its bytes; of an object over several lines without the space between its parts.
    pub bytes: Cow<'a, [u8]>,
    /// The line's number.
    pub number: u64,
}

/// The records of whole lines, of which the first has this number. The brackets around the elements of an array are none.
pub fn records(bytes: &[u8], first: u64) -> impl Iterator<Item = Record<'_>> + Clone {
    let mut rest = bytes;
    let mut next = first;
    std::iter::from_fn(move || {
        loop {
            let line = lines(rest).next()?;
            let number = next;
            let trimmed = line.trim_ascii();
            if let Object::Closed(length, count) = object(rest, trimmed) {
                let (object, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                (rest, next) = (after, number.saturating_add(count));
                return Some(Record { bytes: Cow::Owned(compact(object)), number });
            }
            rest = behind(rest, line);
            next = number.saturating_add(1);
            match trimmed {
                b"[" | b"]" | b"]," | b"," => {}
                // An element of an array.
                [b'{', inner @ .., b'}', b','] if !inner.is_empty() => {
                    let end = trimmed.len().saturating_sub(1);
                    let bytes = Cow::Borrowed(trimmed.get(..end).unwrap_or(trimmed));
                    return Some(Record { bytes, number });
                }
                _ => return Some(Record { bytes: Cow::Borrowed(line), number }),
            }
        }
    })
}

/// Where an object begins that these whole lines don't end.
pub fn unfinished(bytes: &[u8]) -> Option<usize> {
    // Looked at from the last line: most logs have no object over several lines.
    let end = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let last = end.get(memchr::memrchr(b'\n', end).map_or(0, |at| at.saturating_add(1))..)?;
    let inside = last.first().is_some_and(|first| matches!(first, b' ' | b'\t' | b'}' | b']'));
    if !inside && !opens(last.trim_ascii()) {
        return None;
    }
    let mut rest = bytes;
    while let Some(line) = lines(rest).next() {
        match object(rest, line.trim_ascii()) {
            Object::Closed(length, _) => rest = rest.get(length..)?,
            Object::Open => return bytes.len().checked_sub(rest.len()),
            Object::None => rest = behind(rest, line),
        }
    }
    None
}

/// What begins with a line.
enum Object {
    /// An object over several lines: so many bytes, and so many lines.
    Closed(usize, u64),
    /// One whose end isn't there.
    Open,
    /// None.
    None,
}

/// Whether an object may begin with this line and go on in the next.
fn opens(trimmed: &[u8]) -> bool {
    let begins = matches!(trimmed, b"{" | b"[{") || trimmed.starts_with(b"{\"");
    begins && !trimmed.ends_with(b"}") && !trimmed.ends_with(b"]")
}

fn object(text: &[u8], trimmed: &[u8]) -> Object {
    if !opens(trimmed) {
        return Object::None;
    }
    let mut depth = Depth::default();
    let (mut length, mut count, mut rest) = (0_usize, 0_u64, text);
    for (number, line) in lines(text).enumerate() {
        // A line that isn't set in begins something new: nothing of a log is swallowed.
        let goes_on = line.first().is_none_or(|first| matches!(first, b' ' | b'\t' | b'}' | b']' | b'\r'));
        if number > 0 && !goes_on {
            return Object::None;
        }
        let after = behind(rest, line);
        length = length.saturating_add(rest.len().saturating_sub(after.len()));
        rest = after;
        count = count.saturating_add(1);
        match depth.feed(line) {
            State::Within => {}
            State::Ended if number > 0 => return Object::Closed(length, count),
            State::Ended | State::Broken => return Object::None,
        }
    }
    Object::Open
}

fn behind<'a>(text: &'a [u8], line: &[u8]) -> &'a [u8] {
    text.get(line.len().saturating_add(1)..).unwrap_or_default()
}

/// How deep in brackets the text is.
#[derive(Default)]
struct Depth {
    open: u32,
}

enum State {
    Within,
    Ended,
    Broken,
}

impl Depth {
    fn feed(&mut self, line: &[u8]) -> State {
        let (mut quoted, mut escaped) = (false, false);
        for (at, byte) in line.iter().enumerate() {
            match (quoted, byte) {
                (true, _) if escaped => escaped = false,
                (true, b'\\') => escaped = true,
                (_, b'"') => quoted = !quoted,
                (false, b'{' | b'[') => self.open = self.open.saturating_add(1),
                (false, b'}' | b']') => {
                    self.open = self.open.saturating_sub(1);
                    if self.open == 0 {
                        let rest = line.get(at.saturating_add(1)..).unwrap_or_default().trim_ascii();
                        return if matches!(rest, b"" | b"," | b"]") { State::Ended } else { State::Broken };
                    }
                }
                _ => {}
            }
        }
        // No string goes over lines.
        if quoted || self.open == 0 { State::Broken } else { State::Within }
    }
}

/// Without the space outside of its strings, and the comma behind it.
fn compact(object: &[u8]) -> Vec<u8> {
    let (mut quoted, mut escaped) = (false, false);
    let kept = object.iter().copied().filter(|byte| {
        let keep = quoted || !byte.is_ascii_whitespace();
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        keep
    });
    let mut kept: Vec<u8> = kept.collect();
    if kept.ends_with(b",") {
        kept.pop();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(u64, String)> {
        records(text.as_bytes(), 1)
            .map(|record| (record.number, String::from_utf8(record.bytes.into_owned()).unwrap()))
            .collect()
    }

    #[test]
    fn an_object_over_several_lines_is_one_record() {
        let pretty = "first\n{\n  \"a\": \"b  {\\\" c\",\n  \"d\": {\n    \"e\": [1, 2]\n  }\n}\nlast\n";
        let expected = [(1, "first"), (2, r#"{"a":"b  {\" c","d":{"e":[1,2]}}"#), (8, "last")];
        assert_eq!(all(pretty), expected.map(|(number, text)| (number, text.to_owned())));
        let array = "[\n  {\n    \"a\": 1\n  },\n  {\n    \"a\": 2\n  }\n]\n";
        assert_eq!(all(array), [(2, r#"{"a":1}"#.to_owned()), (5, r#"{"a":2}"#.to_owned())]);
        assert_eq!(
            all("[\n{\"a\":1},\n{\"a\":2}\n]"),
            [(2, r#"{"a":1}"#.to_owned()), (3, r#"{"a":2}"#.to_owned())]
        );
    }

    #[test]
    fn what_is_no_object_hides_no_line() {
        for text in [
            "{ 503 UF\n[2026-11-20T10:00:01.000Z] x\n}",
            "{\n{\"a\":1}\nplain",
            "{\n  \"a\": \"b\nplain",
            "{\"a\": 1\n  \"b\": 2",
            "{} x\n  y\n}",
        ] {
            assert_eq!(all(text).len(), text.lines().count(), "{text}");
        }
    }

    #[test]
    fn the_end_of_an_object_is_waited_for() {
        for (text, expected) in [
            ("a\n{\n  \"b\": 1,\n", Some(2)),
            ("a\n{\n", Some(2)),
            ("{\n  \"b\": 1\n}\n", None),
            ("{\n  \"b\": 1\n}\n{\n  \"b\": 1,\n", Some(13)),
            ("{\"a\":1}\n", None),
            ("a\n  at b\n", None),
        ] {
            assert_eq!(unfinished(text.as_bytes()), expected, "{text}");
        }
    }
}
