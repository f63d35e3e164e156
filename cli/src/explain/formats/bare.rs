//! Lines of formats without quotes around the request: `GET /a HTTP/1.1 503 UF ...`, `GET | /a | HTTP/1.1 | 503 | UF`, `503 UF GET /a HTTP/1.1`.
//!
//! As in other formats that nobody knows, what stands in front counts and nothing else.

use std::borrow::Cow;

use memchr::memmem;
use meshwhy::diagnosis::Confidence;
use meshwhy::evidence::{Detail, Details, Flags};

use super::{front, readings};
use crate::explain::around::prefix;
use crate::explain::outcome::{explain, finding};
use crate::explain::{Column, Finding, Line, Reading};

/// No words are looked at behind these: headers may be long.
const MOST_WORDS: usize = 256;

pub(in crate::explain) const METHODS: &[&str] =
    &["GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "PROPFIND", "REPORT"];

/// Reads such a line.
pub(in crate::explain) fn read(text: &str, keep: bool) -> Option<Reading> {
    memmem::find(text.as_bytes(), b"HTTP/").or_else(|| memmem::find(text.as_bytes(), b" /"))?;
    let words: Vec<Word<'_>> = Words::of(text).take(MOST_WORDS).collect();
    let at = words.iter().position(|word| METHODS.contains(&word.text))?;
    let (before, request) = words.split_at_checked(at)?;
    let front = text.get(..words.get(at)?.at)?;
    let in_front = answer(before.get(before.len().saturating_sub(3)..)?).filter(|answer| answer.is_whole);
    let (answers, place) = match in_front {
        Some(answer) => {
            let begin = before.len().checked_sub(answer.words)?;
            (vec![answer], text.get(..before.get(begin)?.at)?)
        }
        None => (behind(request)?, front),
    };
    // Wherever another status and flags follow a protocol, a path or a header may be the one of them.
    is_place(place).then_some(())?;
    let lines: Vec<Line<'_>> = answers.iter().map(|answer| line(request, answer)).collect();
    let [line] = lines.as_slice() else {
        let fails = lines.iter().any(|line| finding(line).is_some());
        return Some(match fails {
            true => Reading::Failed(Box::default(), Box::new(Finding::ambiguous(readings::QUOTES))),
            false => Reading::Ambiguous,
        });
    };
    let mut line = line.clone();
    front::place(&mut line, place);
    Some(front::at_most(Confidence::Possible, explain(&line, keep)))
}

/// Whether nothing but a prefix stands here; what divides the columns may divide it from them.
fn is_place(text: &str) -> bool {
    prefix::is_prefix(text.trim_end_matches(['"', ' ']))
}

/// A status, flags and perhaps details.
struct Answer<'a> {
    code: &'a str,
    flags: &'a str,
    details: Option<&'a str>,
    /// How many words it is.
    words: usize,
    /// Whether it is all of the words that were looked at.
    is_whole: bool,
}

/// The answer in front of these words.
fn answer<'a>(words: &[Word<'a>]) -> Option<Answer<'a>> {
    // In front of the request a prefix may stand before it.
    let begins = |words: &[Word<'a>]| {
        let [code, flags, rest @ ..] = words else { return None };
        let is_code =
            code.text == "0" || (code.text.len() == 3 && code.text.bytes().all(|b| b.is_ascii_digit()));
        let is_flags = flags.text == "-" || are_flags(flags.text);
        (is_code && is_flags).then_some(())?;
        let known = |text: &&str| {
            !matches!(Details::new(*text).detail(), Detail::None | Detail::Other | Detail::Unseen)
        };
        let details = rest.first().map(|word| word.text).filter(known);
        let count = 2_usize.saturating_add(usize::from(details.is_some()));
        Some(Answer {
            code: code.text,
            flags: flags.text,
            details,
            words: count,
            is_whole: count == words.len(),
        })
    };
    begins(words).or_else(|| begins(words.get(1..)?))
}

fn are_flags(text: &str) -> bool {
    text.split(',').all(|name| !Flags::from_short(name).is_empty())
}

/// The answers behind a request: the method, its path, and its protocol where the format has one.
fn behind<'a>(request: &[Word<'a>]) -> Option<Vec<Answer<'a>>> {
    let [_, path, rest @ ..] = request else { return None };
    (path.text.starts_with('/') || path.text == "*" || path.text.contains(':')).then_some(())?;
    let after = |at: usize| {
        let words = rest.get(at.checked_add(1)?..)?;
        // Not the second word: what divides them is no column.
        answer(words.get(..3).unwrap_or(words))
            .filter(|found| words.first().map(|w| w.text) == Some(found.code))
    };
    let protocols: Vec<usize> = rest
        .iter()
        .enumerate()
        .filter(|(_, word)| word.text.starts_with("HTTP/"))
        .map(|(at, _)| at)
        .collect();
    // The first one that stands elsewhere or that no answer follows is none of Envoy's.
    match protocols.first() {
        Some(0) => after(0)?,
        Some(_) => return None,
        None => {
            // Without a protocol any server's log may look like this, but for the flags.
            let alone = answer(rest.get(..3).unwrap_or(rest))?;
            let is_first = rest.first().map(|word| word.text) == Some(alone.code);
            return (is_first && alone.flags != "-").then(|| vec![alone]);
        }
    };
    Some(protocols.into_iter().filter_map(after).collect())
}

fn line<'a>(request: &[Word<'a>], answer: &Answer<'a>) -> Line<'a> {
    let mut line = Line::default();
    let mut set = |column: Column, value: &'a str| {
        if column.takes(value) {
            line.set(column, Cow::Borrowed(value));
        }
    };
    set(Column::Code, answer.code);
    set(Column::Flags, answer.flags);
    if let Some(details) = answer.details {
        set(Column::Details, details);
    }
    let columns = [Column::Method, Column::Path, Column::Protocol];
    for (column, word) in columns.into_iter().zip(request) {
        set(column, word.text);
    }
    line
}

/// A word, without what divides columns, and where it begins.
#[derive(Clone, Copy)]
struct Word<'a> {
    at: usize,
    text: &'a str,
}

struct Words;

impl Words {
    /// Divided by spaces, tabs and bars; commas and semicolons divide where they stand before a space.
    fn of(text: &str) -> impl Iterator<Item = Word<'_>> {
        let start = text.as_ptr() as usize;
        // Columns that commas alone divide: none has a space.
        let is_dense = !text.contains([' ', '\t', '|']);
        let divides = move |c: char| c.is_whitespace() || c == '|' || (is_dense && matches!(c, ',' | ';'));
        text.split(divides).filter_map(move |word| {
            let word = word.trim_matches(['"', ',', ';', '[', ']', '`']);
            let at = (word.as_ptr() as usize).saturating_sub(start);
            (!word.is_empty()).then_some(Word { at, text: word })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_it(text: &str) -> Option<(String, String)> {
        match read(text, true)? {
            Reading::Failed(line, finding) => {
                Some((finding.cause.id().to_owned(), line.get(Column::Path).unwrap_or_default().to_owned()))
            }
            Reading::Fine(_) => Some(("fine".to_owned(), String::new())),
            Reading::Ambiguous => Some(("ambiguous".to_owned(), String::new())),
            _ => None,
        }
    }

    #[test]
    fn a_request_without_quotes_is_read() {
        for text in [
            "GET /a HTTP/1.1 503 UF",
            "2024-01-01T10:00:00.000Z GET /a HTTP/1.1 503 UF upstream_reset_before_response_started{remote_connection_failure} 0 91",
            "[2024-01-01T10:00:00.000Z] GET /a HTTP/1.1 | 503 | UF | 10.0.0.1:80",
            "2024-01-01T10:00:00.000Z | GET | /a | HTTP/2 | 503 | UF",
            "[2024-01-01T10:00:00.000Z] \"GET\" \"/a\" HTTP/1.1 503 UF 0 91 1 \"-\"",
            "10.0.0.9 GET /a 503 UF 12ms",
            "503 UF GET /a HTTP/1.1 10.0.0.9",
            "2024-01-01T10:00:00.000Z,GET,/a,HTTP/1.1,503,UF,91",
            "[pod/a-1/istio-proxy] GET /a HTTP/1.1 503 UF,URX -",
        ] {
            assert_eq!(read_it(text), Some(("upstream_refused".into(), "/a".into())), "{text}");
        }
        assert_eq!(read_it("GET /a HTTP/1.1 200 - via_upstream"), Some(("fine".into(), String::new())));
    }

    #[test]
    fn what_others_write_is_none() {
        for text in [
            "GET /a 200 - 1.2 ms",
            "GET / 200 3.2 ms - 12",
            "GET /a HTTP/1.1",
            "GET /a HTTP/1.1 503 0 19",
            "curl x y z 'GET /a HTTP/1.1 503 UF'",
            "I GET /a lot of 503 UF",
            "see GET /a HTTP/1.1, then 503 UF",
            "/path GET /a HTTP/1.1 503 UF",
            "GET /a 200 503 UF",
        ] {
            assert_eq!(read_it(text), None, "{text}");
        }
    }

    #[test]
    fn a_path_or_a_header_that_looks_like_columns_is_doubted() {
        let forged = "GET /a HTTP/1.1 200 - HTTP/1.1 503 UF";
        assert_eq!(read_it(forged), Some(("unclassified".into(), String::new())));
        assert_eq!(
            read_it("GET /a HTTP/1.1 200 - 3 x HTTP/1.1 204 -"),
            Some(("ambiguous".into(), String::new()))
        );
        // What stands before the method is no answer of another request.
        assert_eq!(read_it("x y 200 - GET /a HTTP/1.1 503 UF").map(|found| found.0), Some("fine".into()));
    }
}
