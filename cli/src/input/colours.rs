//! A terminal's colours (`stern`, `docker compose logs`, `jq -C`), passed over.

use std::io::{self, Read};

use memchr::memchr;

const ESCAPE: u8 = 0x1b;
/// Bytes taken at once.
const BLOCK: usize = 1 << 16;
/// A longer sequence is none.
const LONGEST: usize = 32;

/// What stands at an escape.
enum Sequence {
    /// A colour's, and its length in bytes.
    Whole(usize),
    /// Perhaps a colour's, whose end isn't there.
    Begun,
    /// Anything else.
    Other,
}

impl Sequence {
    fn at(bytes: &[u8]) -> Self {
        let inner = match bytes {
            [ESCAPE, b'[', inner @ ..] => inner,
            [ESCAPE] => return Self::Begun,
            _ => return Self::Other,
        };
        let length = inner.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        match inner.get(length) {
            // A colour, or grep's clearing of the line's rest.
            Some(b'm' | b'K') => Self::Whole(length.saturating_add(3)),
            None if length < LONGEST => Self::Begun,
            _ => Self::Other,
        }
    }
}

/// Appends the text without its colours; returns the beginning of one whose end isn't there.
fn append<'a>(out: &mut Vec<u8>, text: &'a [u8]) -> &'a [u8] {
    let mut rest = text;
    while let Some((before, escape)) = memchr(ESCAPE, rest).and_then(|at| rest.split_at_checked(at)) {
        out.extend_from_slice(before);
        let passed = match Sequence::at(escape) {
            Sequence::Whole(length) => length,
            Sequence::Begun => return escape,
            Sequence::Other => {
                out.push(ESCAPE);
                1
            }
        };
        rest = escape.get(passed..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    &[]
}

/// A whole text without them, if it has any.
pub fn without_colours(text: &[u8]) -> Option<Vec<u8>> {
    memchr(ESCAPE, text)?;
    let mut out = Vec::with_capacity(text.len());
    let rest = append(&mut out, text);
    out.extend_from_slice(rest);
    Some(out)
}

/// A stream without them.
pub(super) struct Plain<R> {
    stream: R,
    block: Vec<u8>,
    /// The beginning of a sequence.
    begun: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
}

impl<R> Plain<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, block: vec![0; BLOCK], begun: Vec::new(), ready: Vec::new(), given: 0 }
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.ready.len() {
            let read = self.stream.read(&mut self.block)?;
            if read == 0 && self.begun.is_empty() {
                return Ok(0);
            }
            self.ready.clear();
            self.given = 0;
            let mut text = std::mem::take(&mut self.begun);
            if read == 0 {
                self.ready = text;
                continue;
            }
            text.extend_from_slice(self.block.get(..read).unwrap_or_default());
            self.begun = append(&mut self.ready, &text).to_vec();
        }
        let mut ready = self.ready.get(self.given..).unwrap_or_default();
        let count = ready.read(buffer)?;
        self.given = self.given.saturating_add(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let end = buffer.len().min(1);
            self.0.read(&mut buffer[..end])
        }
    }

    #[test]
    fn colours_go_and_all_else_stays() {
        let long = format!("\u{1b}[{}x", "1".repeat(100));
        for (text, expected) in [
            ("\u{1b}[36mweb-1  |\u{1b}[0m {\u{1b}[K\n", "web-1  | {\n"),
            ("\u{1b}[38;5;12ma\u{1b}[m", "a"),
            ("a\u{1b}", "a\u{1b}"),
            ("a\u{1b}[1;", "a\u{1b}[1;"),
            ("\u{1b}]8;;x\u{1b}[2J\u{1b}\u{1b}[0mb", "\u{1b}]8;;x\u{1b}[2J\u{1b}b"),
            (&long, &long),
            ("plain", "plain"),
            ("", ""),
        ] {
            for stream in [Box::new(Drops(text.as_bytes())) as Box<dyn Read>, Box::new(text.as_bytes())] {
                let mut out = String::new();
                Plain::new(stream).read_to_string(&mut out).unwrap();
                assert_eq!(out, expected, "{text:?}");
            }
            let whole = without_colours(text.as_bytes()).unwrap_or_else(|| text.into());
            assert_eq!(whole, expected.as_bytes());
        }
    }
}
