//! Lines → records: a JSON object over several lines is one.

use std::borrow::Cow;

use memchr::{memchr, memmem};

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
            // The sign in front of an element that goes on in the next lines.
            let signs = if element(line.trim_ascii()).is_none() { sign(line) } else { 0 };
            let (inner, text) = (line.get(signs..)?, rest.get(signs..)?);
            if let Object::Closed(length, count) = object(text, inner) {
                let (object, after) = text.split_at_checked(length).unwrap_or((text, &[]));
                (rest, next) = (after, number.saturating_add(count));
                return Some(Record { bytes: Cow::Owned(one_line(object, inner)), number });
            }
            rest = behind(rest, line);
            next = number.saturating_add(1);
            let trimmed = line.trim_ascii();
            match trimmed {
                b"[" | b"]" | b"]," | b"," => {}
                _ => {
                    let bytes = Cow::Borrowed(element(trimmed).unwrap_or(line));
                    return Some(Record { bytes, number });
                }
            }
        }
    })
}

/// The one element of an array on this line, which may be its first or last.
fn element(line: &[u8]) -> Option<&[u8]> {
    let inner = match line {
        [b'[', .., b']'] => return None,
        [b'[' | b',', inner @ .., b',' | b']'] | [b'[' | b',', inner @ ..] | [inner @ .., b',' | b']'] => {
            inner.trim_ascii()
        }
        _ => return None,
    };
    matches!(inner, [b'{', _, .., b'}']).then_some(inner)
}

/// How long what stands in front of an element is: of an array's first, and of others where the comma begins the line.
fn sign(line: &[u8]) -> usize {
    let inner = line.trim_ascii_start();
    let Some(behind) = inner.strip_prefix(b"[").or_else(|| inner.strip_prefix(b",")) else { return 0 };
    let is_element = behind.trim_ascii_start().starts_with(b"{");
    if is_element { line.len().saturating_sub(behind.len()) } else { 0 }
}

/// Where an object begins that these whole lines don't end.
pub fn unfinished(bytes: &[u8]) -> Option<usize> {
    // Looked at from the last line: most logs have no object over several lines.
    let end = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let last = end.get(memchr::memrchr(b'\n', end).map_or(0, |at| at.saturating_add(1))..)?;
    if !goes_on(last) && !is_member(last) && opening(last).is_none() {
        return None;
    }
    let mut rest = bytes;
    while let Some(line) = lines(rest).next() {
        let signs = if element(line.trim_ascii()).is_none() { sign(line) } else { 0 };
        match object(rest.get(signs..)?, line.get(signs..)?) {
            Object::Closed(length, _) => rest = rest.get(signs.saturating_add(length)..)?,
            Object::Open => return bytes.len().checked_sub(rest.len()),
            Object::None => rest = behind(rest, line),
        }
    }
    None
}

/// What begins with a line.
enum Object {
    /// An object over several lines: its bytes and its lines.
    Closed(usize, u64),
    /// One whose end isn't there.
    Open,
    /// None.
    None,
}

/// The longest prefix of an object's lines.
const LONGEST_PREFIX: usize = 512;

/// What stands before an object that begins with this line and goes on in the next: nothing, or what `kubectl logs --prefix`, stern,
/// compose or a quote in a mail puts before each of its lines.
fn opening(line: &[u8]) -> Option<&[u8]> {
    let trimmed = line.trim_ascii();
    let begins = matches!(trimmed, b"{" | b"[{") || trimmed.starts_with(b"{\"");
    if begins {
        return (!trimmed.ends_with(b"}") && !trimmed.ends_with(b"]")).then_some(b"");
    }
    let prefix = line.trim_ascii_end().strip_suffix(b"{")?;
    let proper = |byte: &u8| !matches!(byte, b'"' | b'{' | b'}');
    (prefix.len() <= LONGEST_PREFIX && prefix.iter().all(proper)).then_some(prefix)
}

/// What is behind the prefix, if the line has the same one; clocks go on.
fn without_prefix<'a>(line: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let mut rest = line;
    for word in prefix.split_inclusive(|byte| matches!(byte, b' ' | b'\t')) {
        if is_clock(word.trim_ascii_end()) {
            let end = memchr::memchr2(b' ', b'\t', rest)?;
            let (time, behind) = rest.split_at_checked(end.saturating_add(1))?;
            is_clock(time.trim_ascii_end()).then_some(())?;
            rest = behind;
        } else {
            rest = match rest.strip_prefix(word) {
                Some(behind) => behind,
                // Editors cut spaces off the ends of lines.
                None if rest == word.trim_ascii_end() => &[],
                None => return None,
            };
        }
    }
    Some(rest)
}

/// A time, or one of the day.
fn is_clock(word: &[u8]) -> bool {
    word.contains(&b':')
        && word.iter().filter(|byte| byte.is_ascii_digit()).count() >= 4
        && word.iter().all(|byte| byte.is_ascii_digit() || b"-:.+TZ,[]".contains(byte))
}

/// Whether a line behind a prefix may be of an object's inside: `web-1   "key": 1,`, `web-1   },`.
fn is_member(line: &[u8]) -> bool {
    let (before, behind) = match memchr(b'"', line) {
        Some(at) => line.split_at_checked(at).unwrap_or_default(),
        None => return line.trim_ascii_end().ends_with(b"}") || line.ends_with(b"},"),
    };
    !before.contains(&b'{') && memmem::find(behind, b"\": ").is_some()
}

/// A line that isn't set in begins something new: nothing of a log is swallowed.
fn goes_on(line: &[u8]) -> bool {
    line.first().is_none_or(|first| matches!(first, b' ' | b'\t' | b'}' | b']' | b'\r'))
}

fn object(text: &[u8], first: &[u8]) -> Object {
    let Some(prefix) = opening(first) else { return Object::None };
    let mut depth = Depth::default();
    let (mut length, mut count, mut rest) = (0_usize, 0_u64, text);
    for (number, line) in lines(text).enumerate() {
        let Some(inner) = without_prefix(line, prefix) else { return Object::None };
        if number > 0 && !goes_on(inner) {
            return Object::None;
        }
        let begin = length;
        let after = behind(rest, line);
        length = length.saturating_add(rest.len().saturating_sub(after.len()));
        rest = after;
        count = count.saturating_add(1);
        match depth.feed(inner) {
            State::Within => {}
            State::Ended if number > 0 => return Object::Closed(length, count),
            // `}, {`: the next one begins on the same line.
            State::EndedAt(end) if number > 0 && prefix.is_empty() => {
                return Object::Closed(begin.saturating_add(end), count.saturating_sub(1));
            }
            State::Ended | State::EndedAt(_) | State::Broken => return Object::None,
        }
    }
    Object::Open
}

/// An object over several lines as one, with the prefix of the first.
fn one_line(object: &[u8], first: &[u8]) -> Vec<u8> {
    let prefix = opening(first).unwrap_or_default();
    if prefix.is_empty() {
        return compact(object);
    }
    let inner: Vec<u8> = lines(object)
        .filter_map(|line| without_prefix(line, prefix))
        .flat_map(|line| line.iter().copied().chain(std::iter::once(b'\n')))
        .collect();
    [prefix, &compact(&inner)].concat()
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
    /// Behind these bytes of the line, on which another begins.
    EndedAt(usize),
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
                        let end = at.saturating_add(1);
                        let rest = line.get(end..).unwrap_or_default();
                        return match rest.trim_ascii() {
                            b"" | b"," | b"]" => State::Ended,
                            _ if sign(rest) > 0
                                && opening(rest.get(sign(rest)..).unwrap_or_default()).is_some() =>
                            {
                                State::EndedAt(end)
                            }
                            _ => State::Broken,
                        };
                    }
                }
                _ => {}
            }
        }
        // No string goes over lines.
        if quoted || self.open == 0 { State::Broken } else { State::Within }
    }
}

/// Without the space outside of its strings, and without the comma or the array's end behind it.
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
    while matches!(kept.as_slice(), [b'{', .., b',' | b']']) {
        kept.pop();
    }
    kept
}

/// The lines of a piece, without their ends.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(end)?;
        rest = after.get(1..).unwrap_or_default();
        Some(line)
    })
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
    fn a_comma_may_stand_in_front_of_an_element() {
        let one = |number: u64, text: &str| (number, text.to_owned());
        assert_eq!(
            all("[{\"a\":1}\n,{\"a\":2}\n, {\"a\":3}\n]"),
            [one(1, "{\"a\":1}"), one(2, "{\"a\":2}"), one(3, "{\"a\":3}")]
        );
        assert_eq!(all("[{\"a\":1}\n,{\"a\":2}]"), [one(1, "{\"a\":1}"), one(2, "{\"a\":2}")]);
        let pretty = "[{\n  \"a\": 1\n}, {\n  \"a\": 2\n}\n, {\n  \"a\": 3\n}]\nlast\n";
        let expected = [one(1, "{\"a\":1}"), one(3, "{\"a\":2}"), one(6, "{\"a\":3}"), one(9, "last")];
        assert_eq!(all(pretty), expected);
        for end in pretty.match_indices('\n').map(|(at, _)| at + 1) {
            let whole = unfinished(&pretty.as_bytes()[..end]).unwrap_or(end);
            let whole = all(pretty.get(..whole).unwrap());
            assert_eq!(whole, expected[..whole.len()], "{end}");
        }
        assert_eq!(all("[{\"a\":1},{\"a\":2}]"), [one(1, "[{\"a\":1},{\"a\":2}]")]);
    }

    #[test]
    fn each_of_its_lines_may_have_a_prefix() {
        let pretty = "{\n  \"a\": \"b  {\",\n  \"d\": {\n    \"e\": 1\n  },\n  \"f\": []\n}";
        for prefix in ["web-1 istio-proxy ", "[pod/web-1/istio-proxy] ", "web-1      | ", "> ", ">", "1 2 "] {
            let text: String = pretty.lines().map(|line| format!("{prefix}{line}\n")).collect();
            let whole = format!("{prefix}first\n{text}{prefix}last\n");
            let expected = [(1, "first"), (2, r#"{"a":"b  {","d":{"e":1},"f":[]}"#), (9, "last")];
            assert_eq!(all(&whole), expected.map(|(number, text)| (number, format!("{prefix}{text}"))));
            // Each piece of it is waited for.
            for end in 1..pretty.lines().count() {
                let part: String = text.split_inclusive('\n').take(end).collect();
                assert_eq!(unfinished(format!("a\n{part}").as_bytes()), Some(2), "{part}");
            }
            assert_eq!(unfinished(text.as_bytes()), None);
        }
        let text = "2026-11-20T10:00:01.5Z stdout F {\n2026-11-20T10:00:01.51Z stdout F   \"a\": 1\n2026-11-20T10:00:02Z stdout F }\n";
        assert_eq!(all(text), [(1, "2026-11-20T10:00:01.5Z stdout F {\"a\":1}".to_owned())]);
    }

    #[test]
    fn what_is_no_object_hides_no_line() {
        for text in [
            "{ 503 UF\n[2026-11-20T10:00:01.000Z] x\n}",
            "{\n{\"a\":1}\nplain",
            "{\n  \"a\": \"b\nplain",
            "{\"a\": 1\n  \"b\": 2",
            "{} x\n  y\n}",
            "web-1 {\nweb-2   \"a\": 1\nweb-1 }",
            "web-1 {\nweb-1 [2026-11-20T10:00:01.000Z] x\nweb-1 }",
            "web-1 \"x\" {\nweb-1 \"x\"   \"a\": 1\nweb-1 \"x\" }",
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
