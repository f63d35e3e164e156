//! The JSON of a configuration: what the outermost object holds; what lies deeper is checked, and not kept.

// Instead of `serde_json`, which made up a quarter of the module; the tests hold it to the same judgement.

use crate::concat::concat;
use crate::number;
use crate::prelude::*;

use core::fmt;

/// A value, as far as a flat configuration cares.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Whole(u64),
    Negative(i64),
    /// With a point or an exponent, or too large for the others.
    Float(f64),
    Text(String),
    List,
    Object,
}

/// What is wrong, and where: line and column from 1, the column in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    problem: &'static str,
    line: u64,
    column: u64,
}

/// How deep lists and objects may nest.
const DEEPEST: u8 = 127;

type Result<T> = core::result::Result<T, &'static str>;
type Take<'a> = &'a mut dyn FnMut(String, Value);

/// Reads one document; `take` gets the members of its outermost object in their order.
pub(super) fn parse(bytes: &[u8], take: Take<'_>) -> core::result::Result<Value, SyntaxError> {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(SyntaxError::at(bytes, error.valid_up_to(), "not UTF-8")),
    };
    let mut parser = Parser { text, at: 0 };
    parser.document(take).map_err(|problem| SyntaxError::at(bytes, parser.at, problem))
}

/// Reads forwards; at an error it stays at the byte that it couldn't take.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn document(&mut self, take: Take<'_>) -> Result<Value> {
        let value = self.value(DEEPEST, take)?;
        self.skip_spaces();
        if self.peek().is_some() { Err("expected the end") } else { Ok(value) }
    }

    fn value(&mut self, depth: u8, take: Take<'_>) -> Result<Value> {
        self.skip_spaces();
        match self.peek() {
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'{') => self.object(deeper(depth)?, take),
            Some(b'[') => self.list(deeper(depth)?),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err("expected a value"),
        }
    }

    fn object(&mut self, depth: u8, take: Take<'_>) -> Result<Value> {
        self.at = self.at.saturating_add(1);
        self.skip_spaces();
        if self.took(b'}') {
            return Ok(Value::Object);
        }
        loop {
            self.skip_spaces();
            if self.peek() != Some(b'"') {
                return Err("expected a key in quotes");
            }
            let key = self.string()?;
            self.skip_spaces();
            if !self.took(b':') {
                return Err("expected `:`");
            }
            let value = self.value(depth, &mut |_, _| {})?;
            take(key, value);
            self.skip_spaces();
            if self.took(b'}') {
                return Ok(Value::Object);
            }
            if !self.took(b',') {
                return Err("expected `,` or `}`");
            }
        }
    }

    fn list(&mut self, depth: u8) -> Result<Value> {
        self.at = self.at.saturating_add(1);
        self.skip_spaces();
        if self.took(b']') {
            return Ok(Value::List);
        }
        loop {
            self.value(depth, &mut |_, _| {})?;
            self.skip_spaces();
            if self.took(b']') {
                return Ok(Value::List);
            }
            if !self.took(b',') {
                return Err("expected `,` or `]`");
            }
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err("expected null, true or false");
        }
        self.at = self.at.saturating_add(word.len());
        Ok(value)
    }

    fn string(&mut self) -> Result<String> {
        let mut out = String::new();
        self.at = self.at.saturating_add(1);
        loop {
            let start = self.at;
            self.skip(|b| !matches!(b, b'"' | b'\\' | 0..=0x1f));
            out.push_str(self.text.get(start..self.at).unwrap_or_default());
            if self.took(b'"') {
                return Ok(out);
            }
            match self.peek() {
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err("a control character within quotes"),
                None => return Err("expected `\"`"),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        self.at = self.at.saturating_add(1);
        let escaped = self.peek();
        let plain = match escaped {
            Some(b'"' | b'\\' | b'/') => escaped.map(char::from),
            Some(b'b') => Some('\u{8}'),
            Some(b'f') => Some('\u{c}'),
            Some(b'n') => Some('\n'),
            Some(b'r') => Some('\r'),
            Some(b't') => Some('\t'),
            Some(b'u') => None,
            _ => return Err("no escape sequence"),
        };
        self.at = self.at.saturating_add(1);
        plain.map_or_else(|| self.unicode(), Ok)
    }

    /// What follows `\u`: four digits, or a pair of surrogates.
    fn unicode(&mut self) -> Result<char> {
        const LONE: &str = "half of a surrogate pair";
        let first = self.four_digits()?;
        let code = match first {
            0xd800..=0xdbff => {
                if !(self.took(b'\\') && self.took(b'u')) {
                    return Err(LONE);
                }
                let low = self.four_digits()?;
                if !(0xdc00..=0xdfff).contains(&low) {
                    return Err(LONE);
                }
                0x1_0000_u32.saturating_add((first & 0x3ff) << 10) | low & 0x3ff
            }
            _ => first,
        };
        char::from_u32(code).ok_or(LONE)
    }

    fn four_digits(&mut self) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            code = code << 4 | digit.ok_or("expected four hexadecimal digits")?;
            self.at = self.at.saturating_add(1);
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Value> {
        let negative = self.took(b'-');
        let mut decimal = Decimal::default();
        let leading_zero = self.peek() == Some(b'0');
        let digits = self.digits(|digit| decimal.push(digit))?;
        if leading_zero && digits > 1 {
            return Err("a number that begins with 0");
        }
        let mut is_whole = true;
        if self.took(b'.') {
            is_whole = false;
            self.digits(|digit| decimal.push_behind_point(digit))?;
        }
        if self.took(b'e') || self.took(b'E') {
            is_whole = false;
            let down = self.took(b'-');
            if !down {
                self.took(b'+');
            }
            let mut exponent = 0_i32;
            self.digits(|digit| exponent = exponent.saturating_mul(10).saturating_add(i32::from(digit)))?;
            decimal.shift(if down { exponent.saturating_neg() } else { exponent });
        }
        if is_whole && let Some(value) = decimal.whole(negative) {
            return Ok(value);
        }
        let size = decimal.size();
        if size.is_infinite() {
            return Err("a number out of range");
        }
        Ok(Value::Float(if negative { -size } else { size }))
    }

    /// At least one digit; how many there were.
    fn digits(&mut self, mut take: impl FnMut(u8)) -> Result<usize> {
        let start = self.at;
        self.skip(|b| {
            let digit = b.is_ascii_digit();
            if digit {
                take(b & 0xf);
            }
            digit
        });
        match self.at.saturating_sub(start) {
            0 => Err("expected a digit"),
            count => Ok(count),
        }
    }

    fn skip_spaces(&mut self) {
        self.skip(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn skip(&mut self, mut skipped: impl FnMut(u8) -> bool) {
        while self.peek().is_some_and(&mut skipped) {
            self.at = self.at.saturating_add(1);
        }
    }

    fn took(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.at = self.at.saturating_add(1);
        }
        is_next
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

fn deeper(depth: u8) -> Result<u8> {
    depth.checked_sub(1).ok_or("nested too deep")
}

/// A number's digits: `significand * 10^exponent`. Those beyond 64 bits only count as zeros.
#[derive(Default)]
struct Decimal {
    significand: u64,
    exponent: i32,
    full: bool,
}

impl Decimal {
    fn push(&mut self, digit: u8) {
        if !self.took(digit) {
            self.shift(1);
        }
    }

    fn push_behind_point(&mut self, digit: u8) {
        if self.took(digit) {
            self.shift(-1);
        }
    }

    fn took(&mut self, digit: u8) -> bool {
        let next = self.significand.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit)));
        match next.filter(|_| !self.full) {
            Some(next) => self.significand = next,
            None => self.full = true,
        }
        !self.full
    }

    fn shift(&mut self, by: i32) {
        self.exponent = self.exponent.saturating_add(by);
    }

    /// As an integer, if it is one that fits. There is no integer -0.
    fn whole(&self, negative: bool) -> Option<Value> {
        if self.full {
            None
        } else if negative {
            0_i64.checked_sub_unsigned(self.significand).filter(|n| *n < 0).map(Value::Negative)
        } else {
            Some(Value::Whole(self.significand))
        }
    }

    /// As a float; exact where a double's powers of ten are, which is far beyond what any key takes.
    fn size(&self) -> f64 {
        let value = self.significand as f64;
        let power = (0..self.exponent.unsigned_abs().min(400)).fold(1.0, |power, _| power * 10.0);
        match self.exponent {
            _ if self.significand == 0 => 0.0,
            0.. => value * power,
            _ => value / power,
        }
    }
}

impl SyntaxError {
    pub(super) fn text(&self) -> String {
        let (line, column) = (number::shown(self.line), number::shown(self.column));
        concat(&[self.problem, " at line ", &line, " column ", &column])
    }

    fn at(bytes: &[u8], at: usize, problem: &'static str) -> Self {
        let before = bytes.get(..at).unwrap_or(bytes);
        let (mut line, mut column) = (1_u64, 1_u64);
        for byte in before {
            column = column.saturating_add(1);
            if *byte == b'\n' {
                (line, column) = (line.saturating_add(1), 1);
            }
        }
        Self { problem, line, column }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
