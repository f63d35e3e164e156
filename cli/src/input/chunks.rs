//! A stream of bytes → pieces of whole lines, in bounded memory.

use std::io::{self, ErrorKind, Read};

use std::sync::Arc;

use memchr::{memchr, memchr_iter, memchr2_iter, memmem, memrchr};

use super::records::{lines, unfinished};

/// The most that is held of a stream at once; a longer line is passed over.
pub const SIZE: usize = 1 << 20;

const EVENT: &[u8] = b"event";

/// Names of clusters and listeners that are in no other proxy's log than a waypoint's (Istio 1.31).
const WAYPOINTS: [&[u8]; 2] = [b"inbound-vip|", b"envoy://main_internal/"];

/// Whole lines of one input.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Which input.
    pub input: usize,
    /// The lines.
    pub bytes: Vec<u8>,
    /// The number of the first one, from 1.
    pub first_line: u64,
    /// Numbers of lines behind these that were too long to be read.
    pub too_long: Vec<u64>,
    /// Whether meshwhy has written into the proxy's own log here or before.
    pub has_own: bool,
    /// Whether a waypoint has written into the log here or before.
    pub of_waypoint: bool,
    /// The first line of the stream, if it may name a table's columns. Pieces of tables end where rows do.
    pub head: Option<Arc<[u8]>>,
}

/// Cuts a stream.
#[derive(Debug)]
pub struct Chunks {
    input: usize,
    held: Vec<u8>,
    line: u64,
    in_long_line: bool,
    of_waypoint: bool,
    /// Known once the first line is there.
    head: Option<Option<Arc<[u8]>>>,
}

impl Chunk {
    /// Whether a line of meshwhy may be in it: `{"event":"meshwhy"`, with as many backslashes as it was wrapped in JSON.
    pub fn mentions_own(&self) -> bool {
        let is_own = |at: usize| {
            let rest = self.bytes.get(at + EVENT.len()..).unwrap_or_default();
            let skipped = rest.iter().take_while(|byte| matches!(byte, b'"' | b':' | b'\\')).count();
            rest.get(skipped..).is_some_and(|rest| rest.starts_with(b"meshwhy"))
        };
        memmem::find_iter(&self.bytes, EVENT).any(is_own)
    }
}

impl Chunks {
    /// For the input of this number.
    pub fn new(input: usize) -> Self {
        Self { input, held: Vec::new(), line: 1, in_long_line: false, of_waypoint: false, head: None }
    }

    /// Reads until the stream has nothing more for now, giving each chunk on; `live` ones as soon as a line is whole.
    /// Returns whether to go on: `give` says no when nobody wants more.
    pub fn read(
        &mut self,
        stream: &mut impl Read,
        live: bool,
        give: &mut impl FnMut(Chunk) -> bool,
    ) -> io::Result<bool> {
        loop {
            let from = self.held.len();
            self.held.resize(SIZE, 0);
            let space = self.held.get_mut(from..).unwrap_or_default();
            let read = match stream.read(space) {
                Err(error) if error.kind() == ErrorKind::Interrupted => Ok(usize::MAX),
                other => other,
            };
            let taken = *read.as_ref().unwrap_or(&0);
            self.held.truncate(from.saturating_add(if taken == usize::MAX { 0 } else { taken }));
            match read? {
                0 => return Ok(true),
                usize::MAX => continue,
                _ => {}
            }
            // Who pastes a few lines ends the last one with the stream.
            let is_paste = self.line == 1 && !self.held.ends_with(b"\n");
            let due = (live && !is_paste) || self.held.len() >= SIZE;
            if due && !self.give_whole_lines(give) {
                return Ok(false);
            }
        }
    }

    /// The stream is over: what has no end is a line, too.
    pub fn finish(&mut self, give: &mut impl FnMut(Chunk) -> bool) -> bool {
        if self.in_long_line && !self.give_whole_lines(give) {
            return false;
        }
        let bytes = std::mem::take(&mut self.held);
        if self.in_long_line || bytes.is_empty() {
            return true;
        }
        self.see_head(&bytes);
        give(self.chunk(bytes))
    }

    /// A new file begins (rotated): a line begun in the old one has ended.
    pub fn begin_anew(&mut self, give: &mut impl FnMut(Chunk) -> bool) -> bool {
        let going = self.finish(give);
        (self.line, self.in_long_line, self.head) = (1, false, None);
        going
    }

    fn give_whole_lines(&mut self, give: &mut impl FnMut(Chunk) -> bool) -> bool {
        if self.in_long_line {
            match memchr(b'\n', &self.held) {
                Some(at) => {
                    self.held.drain(..=at);
                    self.in_long_line = false;
                    self.line += 1;
                }
                None => self.held.clear(),
            }
        }
        if let Some(at) = memrchr(b'\n', &self.held) {
            let held = std::mem::take(&mut self.held);
            let is_table = self.see_head(&held);
            self.held = held;
            let whole = self.held.get(..=at).unwrap_or_default();
            // What goes over several lines is kept until it ends, unless it is as long as all that is held.
            let is_full = self.held.len() >= SIZE;
            let rest = self.held.get(at + 1..).unwrap_or_default();
            let end = if is_table {
                rows_end(whole)
            } else {
                unfinished(whole).unwrap_or_else(|| goes_on_at(whole, rest))
            };
            let cut = if end == 0 && is_full { at + 1 } else { end };
            let rest = self.held.split_off(cut);
            let bytes = std::mem::replace(&mut self.held, rest);
            if !bytes.is_empty() && !give(self.chunk(bytes)) {
                return false;
            }
        }
        if self.held.len() >= SIZE {
            self.held.clear();
            self.in_long_line = true;
            let chunk = Chunk { input: self.input, too_long: vec![self.line], ..Chunk::default() };
            return give(chunk);
        }
        true
    }

    /// Whether the stream begins like a table.
    fn see_head(&mut self, bytes: &[u8]) -> bool {
        let of = || lines(bytes).next().filter(|line| is_head(line)).map(Arc::from);
        self.head.get_or_insert_with(of).is_some()
    }

    fn chunk(&mut self, bytes: Vec<u8>) -> Chunk {
        let first_line = self.line;
        self.line += memchr_iter(b'\n', &bytes).count() as u64;
        let head = self.head.clone().flatten();
        let is_waypoint = || WAYPOINTS.iter().any(|mark| memmem::find(&bytes, mark).is_some());
        self.of_waypoint = self.of_waypoint || is_waypoint();
        let of_waypoint = self.of_waypoint;
        Chunk { input: self.input, bytes, first_line, of_waypoint, head, ..Chunk::default() }
    }
}

/// Whether a line may name a table's columns: it has names and what divides them, and nothing else.
fn is_head(line: &[u8]) -> bool {
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.@:/ -[]()\",;\t\r".contains(byte);
    let first = line.iter().find(|byte| **byte != b'"');
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'@'))
        && line.iter().all(named)
}

/// Where a line begins whose last row, which is set in, isn't whole yet.
fn goes_on_at(whole: &[u8], rest: &[u8]) -> usize {
    const MOST_ROWS: usize = 20;
    let is_set_in = |line: &[u8]| matches!(line.first(), Some(b' ' | b'\t' | b'\n'));
    let mut end = whole.len();
    if !is_set_in(rest) {
        return end;
    }
    for _ in 0..MOST_ROWS {
        let before = whole.get(..end.saturating_sub(1)).unwrap_or_default();
        let begins = memrchr(b'\n', before).map_or(0, |at| at + 1);
        if end == 0 || !is_set_in(whole.get(begins..).unwrap_or_default()) {
            return begins;
        }
        end = begins;
    }
    whole.len()
}

/// Where the last whole row of a table ends: a quoted cell may go over several lines.
fn rows_end(bytes: &[u8]) -> usize {
    let (mut quoted, mut end) = (false, 0);
    for at in memchr2_iter(b'"', b'\n', bytes) {
        match bytes.get(at) {
            Some(b'"') => quoted = !quoted,
            _ if !quoted => end = at + 1,
            _ => {}
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &[u8], live: bool) -> Vec<Chunk> {
        let mut all = Vec::new();
        let mut give = |chunk| {
            all.push(chunk);
            true
        };
        let mut chunks = Chunks::new(0);
        let mut stream = text;
        chunks.read(&mut stream, live, &mut give).unwrap();
        chunks.finish(&mut give);
        all
    }

    #[test]
    fn lines_stay_whole_and_numbered() {
        let line = "x".repeat(300_000) + "\n";
        let chunks = cut(line.repeat(10).as_bytes(), false);
        assert!(chunks.len() > 2);
        assert!(chunks.iter().all(|c| c.bytes.ends_with(b"\n") && c.bytes.len() <= SIZE));
        assert_eq!(chunks.iter().map(|c| c.bytes.len()).sum::<usize>(), line.len() * 10);
        assert_eq!(chunks[1].first_line, 4);
    }

    #[test]
    fn meshwhys_own_lines_are_found_however_they_are_wrapped() {
        let mentions = |text: &str| Chunk { bytes: text.into(), ..Chunk::default() }.mentions_own();
        assert!(mentions("x\n[..] wasm log meshwhy: {\"event\":\"meshwhy\",\"cause\":"));
        assert!(mentions(r#"{"msg":"wasm log: {\"event\":\"meshwhy\","}"#));
        assert!(mentions(r#"{"log":"{\"msg\":\"{\\\"event\\\":\\\"meshwhy\\\","}"#));
        assert!(!mentions("GET /event?meshwhy HTTP/1.1 event") && !mentions("") && !mentions("event"));
    }

    #[test]
    fn a_line_without_an_end_is_a_line() {
        let chunks = cut(b"one\ntwo", true);
        let texts: Vec<&[u8]> = chunks.iter().map(|c| c.bytes.as_slice()).collect();
        assert_eq!(texts, [b"one\ntwo".as_slice()]);
        assert!(cut(b"", false).is_empty());
    }

    #[test]
    fn a_line_too_long_is_passed_over_and_the_next_is_read() {
        let text = "before\n".to_owned() + &"x".repeat(10 << 20) + "\nafter\n";
        let chunks = cut(text.as_bytes(), false);
        let long: Vec<u64> = chunks.iter().flat_map(|c| c.too_long.clone()).collect();
        assert_eq!(long, [2]);
        let last = chunks.last().unwrap();
        assert_eq!((last.bytes.as_slice(), last.first_line), (b"after\n".as_slice(), 3));
        assert!(chunks.iter().map(|c| c.bytes.len()).sum::<usize>() < 100);
    }
}
