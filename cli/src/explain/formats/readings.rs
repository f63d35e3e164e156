//! One line of text → all that it may say. Envoy escapes nothing in text, so a header with quotes can look like columns.

use std::borrow::Cow;
use std::collections::HashSet;

use memchr::{memchr_iter, memmem};

use super::format::{Format, Piece, Shape, TextFormat};
use super::json;
use crate::explain::{Column, Line};

/// How many ends of values are tried where the text behind them may be part of them.
const MOST_TRIES: usize = 20_000;
/// The same in a line without quotes in its values: a path may be 8 KB of spaces.
const MOST_PLAIN_TRIES: usize = 100_000;
/// No more readings than these are kept.
const MOST_READINGS: usize = 16;

/// What a format makes of a line.
#[derive(Debug)]
pub(in crate::explain) enum Parsed<'a> {
    /// It doesn't look like this.
    No,
    /// It can be read in one way.
    One(Line<'a>),
    /// It can be read in several ways, and nothing in it says which is right.
    Several(Readings<'a>),
}

/// The ways in which a line can be read.
#[derive(Debug)]
pub(in crate::explain) struct Readings<'a> {
    /// Each of them, unless there are too many.
    pub(in crate::explain) lines: Vec<Line<'a>>,
    /// Whether these are all.
    pub(in crate::explain) complete: bool,
    /// The columns that no stranger's text can reach.
    pub(in crate::explain) sure: Line<'a>,
    /// Why it is ambiguous.
    pub(in crate::explain) reason: &'static str,
}

/// It has a quote that is not the format's.
pub(in crate::explain) const QUOTES: &str = "more_quotes_than_the_format_has";
/// Its values are divided by what a value may hold.
pub(in crate::explain) const SEPARATORS: &str = "separators_within_values";
/// Two formats fit it.
pub(in crate::explain) const FORMATS: &str = "more_than_one_format_fits";

impl Format {
    /// Takes a line apart.
    pub(in crate::explain) fn read<'a>(&self, text: &'a str) -> Parsed<'a> {
        match self {
            Self::Text(format) => format.read(text),
            Self::Json(keys) => {
                let column = |key: &str| keys.iter().find(|(name, _)| name == key).map(|(_, column)| *column);
                json::read(text, column).map_or(Parsed::No, Parsed::One)
            }
        }
    }
}

impl TextFormat {
    fn read<'a>(&self, text: &'a str) -> Parsed<'a> {
        let text = text.trim_end_matches(['\r', '\n']);
        let Some(rest) = text.strip_prefix(self.start.as_str()) else { return Parsed::No };
        let quotes = memchr_iter(b'"', text.as_bytes()).count();
        let end = self.values.last().map(|piece| piece.end.needle()).unwrap_or_default();
        if quotes < self.quotes || !text.as_bytes().ends_with(end) {
            return Parsed::No;
        }
        // No value has a quote then, and where one ends is beyond doubt.
        let plain = self.quoted && quotes == self.quotes;
        let telling = self.values.iter().rposition(|piece| piece.column.is_some_and(Line::is_decisive));
        let decided = telling.map_or(0, |at| at.saturating_add(1));
        let length = if plain { 0 } else { rest.len() };
        let dead = Dead::new(self.values.len(), length);
        let mut search = Search { format: self, tries: 0, lines: Vec::new(), dead, plain, decided };
        search.find(&self.values, rest, &mut Vec::with_capacity(self.values.len()));
        let complete = search.is_complete();
        let lines = search.lines;
        let excess = if self.has_quoted_mixer_status(&lines) { 2 } else { 0 };
        let usual = !self.counts_quotes || quotes == self.quotes.saturating_add(excess);
        let alike = complete && lines.iter().skip(1).all(|line| line.says_the_same(lines.first()));
        match lines.first() {
            None if complete => Parsed::No,
            Some(first) if usual && (plain || alike) => Parsed::One(first.clone()),
            _ => {
                let reason = if usual { SEPARATORS } else { QUOTES };
                Parsed::Several(Readings { lines, complete, sure: self.sure(rest), reason })
            }
        }
    }

    /// Envoy prints a string of the metadata as JSON, within the format's quotes.
    fn has_quoted_mixer_status(&self, lines: &[Line<'_>]) -> bool {
        let is_quoted = |line: &Line<'_>| {
            let status = line.get(Column::Mixer)?.strip_prefix('"')?.strip_suffix('"')?;
            Some(!status.contains('"'))
        };
        lines.first().and_then(is_quoted).unwrap_or(false)
    }

    fn line<'a>(&self, values: &[&'a str]) -> Line<'a> {
        let mut line = Line::default();
        for (piece, value) in self.values.iter().zip(values) {
            if let Some(column) = piece.column {
                line.set(column, Cow::Borrowed(value));
            }
        }
        line
    }

    /// The columns in front of the first that a stranger may choose, read from the left, and those behind the last, read from the right.
    fn sure<'a>(&self, text: &'a str) -> Line<'a> {
        let mut line = Line::default();
        let mut rest = text;
        for piece in self.values.iter().take_while(|piece| !piece.foreign) {
            let found = memmem::find(rest.as_bytes(), piece.end.needle());
            let Some(end) = found.filter(|_| !piece.end.needle().is_empty()) else { break };
            let (value, after) = rest.split_at_checked(end).unwrap_or_default();
            if !piece.put(value, &mut line) {
                break;
            }
            rest = after.get(piece.end.needle().len()..).unwrap_or_default();
        }
        // Each value ends where the one behind it began.
        let mut text = text;
        let fronts = self.values.iter().rev().skip(1).map(|piece| piece.end.needle());
        for (piece, front) in self.values.iter().rev().zip(fronts).take_while(|(piece, _)| !piece.foreign) {
            let end = text.len().saturating_sub(piece.end.needle().len());
            let Some(inside) = text.get(..end).filter(|_| text.as_bytes().ends_with(piece.end.needle()))
            else {
                break;
            };
            let Some(at) = memmem::rfind(inside.as_bytes(), front) else { break };
            let value = inside.get(at.saturating_add(front.len())..).unwrap_or_default();
            // Where it can't be known how far a value goes, nothing is sure from there on.
            if (piece.shape == Shape::Free && !front.contains(&b'"')) || !piece.put(value, &mut line) {
                break;
            }
            text = inside.get(..at.saturating_add(front.len())).unwrap_or_default();
        }
        line
    }
}

impl Piece {
    /// Sets its column, unless the value can't be one of it.
    fn put<'a>(&self, value: &'a str, line: &mut Line<'a>) -> bool {
        let takes = self.takes(value);
        if let Some(column) = self.column.filter(|_| takes) {
            line.set(column, Cow::Borrowed(value));
        }
        takes
    }
}

/// Finds the values of all pieces in the text, trying further ends where a value itself may hold the text behind it.
struct Search<'f, 'a> {
    format: &'f TextFormat,
    tries: usize,
    /// Those that differ in what they say.
    lines: Vec<Line<'a>>,
    dead: Dead,
    /// Whether the first reading is the only one.
    plain: bool,
    /// From this piece on it makes no difference where a value ends.
    decided: usize,
}

/// Most lines of a format that is none of the known ones are searched again and again: up to here a bit for each place is quicker.
const MOST_BITS: usize = 1 << 16;

/// Pieces and lengths of the rest that lead nowhere.
enum Dead {
    /// A bit for each, and how many bits each number of pieces has.
    Bits(Vec<u64>, usize),
    Set(HashSet<(usize, usize)>),
}

impl Dead {
    /// For this number of pieces, and a text of this length.
    fn new(pieces: usize, length: usize) -> Self {
        let row = length.saturating_add(1);
        match pieces.saturating_add(1).saturating_mul(row) {
            bits @ ..=MOST_BITS => Self::Bits(vec![0; bits.div_ceil(64)], row),
            _ => Self::Set(HashSet::new()),
        }
    }

    fn contains(&self, place: (usize, usize)) -> bool {
        match self {
            Self::Bits(words, row) => {
                let (word, bit) = Self::bit(place, *row);
                words.get(word).is_some_and(|word| word & bit != 0)
            }
            Self::Set(set) => set.contains(&place),
        }
    }

    fn insert(&mut self, place: (usize, usize)) {
        match self {
            Self::Bits(words, row) => {
                let (word, bit) = Self::bit(place, *row);
                if let Some(word) = words.get_mut(word) {
                    *word |= bit;
                }
            }
            Self::Set(set) => {
                set.insert(place);
            }
        }
    }

    const fn bit((pieces, length): (usize, usize), row: usize) -> (usize, u64) {
        let at = pieces.saturating_mul(row).saturating_add(length);
        (at / 64, 1 << (at % 64))
    }
}

/// What came of a branch.
#[derive(PartialEq, Eq)]
enum Branch {
    /// It leads nowhere.
    Dead,
    /// There is a reading behind it.
    Found,
    /// No more are looked for.
    Enough,
}

impl<'a> Search<'_, 'a> {
    fn find(&mut self, pieces: &[Piece], text: &'a str, found: &mut Vec<&'a str>) -> Branch {
        let Some((piece, later)) = pieces.split_first() else {
            return if text.is_empty() { self.keep(found) } else { Branch::Dead };
        };
        if later.is_empty() && piece.end.needle().is_empty() {
            if !piece.takes(text) {
                return Branch::Dead;
            }
            found.push(text);
            let kept = self.keep(found);
            found.pop();
            return kept;
        }
        if !self.plain && self.dead.contains((pieces.len(), text.len())) {
            return Branch::Dead;
        }
        let branch = self.ends(piece, later, text, found);
        if !self.plain && branch == Branch::Dead {
            self.dead.insert((pieces.len(), text.len()));
        }
        branch
    }

    /// Tries the ends of one value.
    fn ends(&mut self, piece: &Piece, later: &[Piece], text: &'a str, found: &mut Vec<&'a str>) -> Branch {
        let (mut from, mut branch) = (0_usize, Branch::Dead);
        while self.is_within_bounds() {
            self.tries = self.tries.saturating_add(1);
            let Some(at) = text.as_bytes().get(from..).and_then(|rest| piece.end.find(rest)) else {
                return branch;
            };
            let end = from.saturating_add(at);
            let after = end.saturating_add(piece.end.needle().len());
            let (Some(value), Some(rest)) = (text.get(..end), text.get(after..)) else { return branch };
            if piece.takes(value) {
                let is_decided = found.len() >= self.decided;
                found.push(value);
                let behind = self.find(later, rest, found);
                found.pop();
                match behind {
                    Branch::Enough => return Branch::Enough,
                    Branch::Found if is_decided => return Branch::Found,
                    Branch::Found => branch = Branch::Found,
                    Branch::Dead => {}
                }
            }
            if piece.shape != Shape::Free {
                return branch;
            }
            from = end.saturating_add(1);
        }
        Branch::Enough
    }

    fn keep(&mut self, found: &[&'a str]) -> Branch {
        let line = self.format.line(found);
        if !self.lines.iter().any(|known| known.says_the_same(Some(&line))) {
            self.lines.push(line);
        }
        let enough = self.plain || self.lines.len() >= MOST_READINGS;
        if enough { Branch::Enough } else { Branch::Found }
    }

    fn is_within_bounds(&self) -> bool {
        self.tries <= if self.plain { MOST_PLAIN_TRIES } else { MOST_TRIES }
    }

    /// Whether all that there is was found, or all that is needed.
    fn is_complete(&self) -> bool {
        self.is_within_bounds() && self.lines.len() < MOST_READINGS
    }
}
