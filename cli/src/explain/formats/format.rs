//! Envoy's format strings, read backwards: which part of a line is which column.

use std::fmt;

use memchr::memchr_iter;
use memchr::memmem::Finder;
use serde_json::Value;

use crate::explain::Column;

/// What a log's lines look like.
#[derive(Debug, Clone)]
pub enum Format {
    /// Text with values in between.
    Text(TextFormat),
    /// JSON whose keys are named.
    Json(Vec<(String, Column)>),
}

/// A format string taken apart.
#[derive(Debug, Clone)]
pub struct TextFormat {
    pub(in crate::explain) start: String,
    pub(in crate::explain) values: Vec<Piece>,
    /// Quotes in its literal text. A line with as many has none in its values.
    pub(in crate::explain) quotes: usize,
    /// Whether each value that a stranger may choose stands in quotes.
    pub(in crate::explain) quoted: bool,
    /// Whether a quote that isn't its own is a reason to doubt.
    pub(in crate::explain) counts_quotes: bool,
}

/// A value and the literal text behind it.
#[derive(Debug, Clone)]
pub(in crate::explain) struct Piece {
    pub(in crate::explain) column: Option<Column>,
    pub(in crate::explain) shape: Shape,
    /// Whether a client or a server may choose the value. Envoy escapes nothing in text (1.36, 1.40).
    pub(in crate::explain) foreign: bool,
    /// The longest that the value may be (`:Z`).
    longest: Option<usize>,
    pub(in crate::explain) end: Finder<'static>,
}

/// What the value of an operator may look like in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::explain) enum Shape {
    /// A number, or `-`.
    Number,
    /// No space and no quote.
    Word,
    /// Whatever somebody sent or configured.
    Free,
}

/// What is wrong with a format string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError(String);

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FormatError {}

impl Format {
    /// Reads a format string: `accessLogFormat` as Istio takes it, text or JSON.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let text = text.strip_suffix("\\n").unwrap_or(text).trim_end_matches('\n');
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(keys)) => Self::from_keys(&keys),
            _ => Ok(Self::Text(TextFormat::parse(text)?)),
        }
    }

    fn from_keys(keys: &serde_json::Map<String, Value>) -> Result<Self, FormatError> {
        let columns: Vec<(String, Column)> = keys
            .iter()
            .filter_map(|(key, operator)| {
                let operator = operator.as_str()?.strip_prefix('%')?.strip_suffix('%')?;
                Some((key.clone(), operator_column(operator).0?))
            })
            .collect();
        let format = Self::Json(columns);
        format.checked()
    }

    fn checked(self) -> Result<Self, FormatError> {
        let decisive = [Column::Code, Column::Flags, Column::Details, Column::Cause, Column::Meshwhy];
        if decisive.iter().any(|column| self.has(*column)) {
            return Ok(self);
        }
        Err(FormatError(
            "the format has none of %RESPONSE_CODE%, %RESPONSE_FLAGS% and %RESPONSE_CODE_DETAILS%: \
            nothing in it says whether a request failed"
                .into(),
        ))
    }

    pub(in crate::explain) fn has(&self, column: Column) -> bool {
        match self {
            Self::Text(text) => text.values.iter().any(|piece| piece.column == Some(column)),
            Self::Json(keys) => keys.iter().any(|(_, c)| *c == column),
        }
    }
}

impl TextFormat {
    /// Reads a format string.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let mut rest = text;
        let (start, after) = literal(rest)?;
        let mut format = Self { start, values: Vec::new(), quotes: 0, quoted: true, counts_quotes: true };
        rest = after;
        while !rest.is_empty() {
            let (operator, after) = operator(rest)?;
            let (column, longest) = operator_column(operator);
            let (end, after) = literal(after)?;
            if end.is_empty() && !after.is_empty() {
                return Err(FormatError(format!(
                    "%{operator}% is followed by another operator with nothing in between: a line can't be taken apart there"
                )));
            }
            let end = Finder::new(&end).into_owned();
            let shape = Shape::of(operator);
            format.values.push(Piece { column, shape, foreign: is_foreign(operator, shape), longest, end });
            rest = after;
        }
        format.quotes = format.literals().map(|text| memchr_iter(b'"', text).count()).sum();
        // The whole verdict is an object, with quotes of its own.
        let has_object = format.values.iter().any(|piece| piece.column == Some(Column::Meshwhy));
        format.counts_quotes = format.quotes > 0 && !has_object;
        format.quoted = format.counts_quotes && format.each_foreign_is_quoted();
        let Format::Text(format) = Format::Text(format).checked()? else {
            return Err(FormatError("no text".into()));
        };
        Ok(format)
    }

    /// The literal text, from left to right: one piece more than there are values.
    fn literals(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.start.as_bytes()).chain(self.values.iter().map(|piece| piece.end.needle()))
    }

    fn each_foreign_is_quoted(&self) -> bool {
        // Within one pair of quotes may stand several, as in `"%REQ(:METHOD)% %REQ(:PATH)%"`.
        let mut open = false;
        let opens = self.literals().map(|text| {
            open ^= memchr_iter(b'"', text).count() % 2 == 1;
            open
        });
        opens.zip(&self.values).all(|(open, piece)| open || !piece.foreign)
    }
}

/// Whether a client or a server may choose what the operator prints. Not the server name: Envoy replaces all but letters, digits, dots and
/// dashes in it (since 1.31.2, 1.30.6, 1.29.9 and 1.28.7).
fn is_foreign(operator: &str, shape: Shape) -> bool {
    const OWN: &[&str] = &[
        "START_TIME",
        "EMIT_TIME",
        "UPSTREAM_CLUSTER",
        "UPSTREAM_CLUSTER_RAW",
        "ROUTE_NAME",
        "VIRTUAL_HOST_NAME",
        "VIRTUAL_CLUSTER_NAME",
        "FILTER_CHAIN_NAME",
        "REQUESTED_SERVER_NAME",
        "CONNECTION_TERMINATION_DETAILS",
        "ENVIRONMENT",
        "GRPC_STATUS",
    ];
    const TOO: &[&str] = &["FILTER_STATE(wasm.meshwhy", "METADATA(", "RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)"];
    let name = operator.split(['(', ':']).next().unwrap_or(operator);
    shape == Shape::Free && !OWN.contains(&name) && !TOO.iter().any(|start| operator.starts_with(start))
}

impl Shape {
    fn of(operator: &str) -> Self {
        const FREE: &[&str] = &[
            "REQ",
            "RESP",
            "TRAILER",
            "PATH",
            "FILTER_STATE",
            "UPSTREAM_FILTER_STATE",
            "DYNAMIC_METADATA",
            "CLUSTER_METADATA",
            "UPSTREAM_METADATA",
            "METADATA",
            "CEL",
            "ENVIRONMENT",
            "LOCAL_REPLY_BODY",
            "CONNECTION_TERMINATION_DETAILS",
            "ROUTE_NAME",
            "UPSTREAM_CLUSTER",
            "UPSTREAM_CLUSTER_RAW",
            "VIRTUAL_HOST_NAME",
            "VIRTUAL_CLUSTER_NAME",
            "FILTER_CHAIN_NAME",
            "REQUESTED_SERVER_NAME",
            "START_TIME",
            "EMIT_TIME",
            "GRPC_STATUS",
        ];
        /// Tokens and identifiers have neither.
        const WORDS: &[&str] = &[
            "REQ(:METHOD)",
            "FILTER_STATE(wasm.meshwhy.cause:",
            "FILTER_STATE(wasm.meshwhy.confidence:",
            "FILTER_STATE(wasm.meshwhy.side:",
            "FILTER_STATE(wasm.meshwhy.resource:",
        ];
        if WORDS.iter().any(|start| operator.starts_with(start)) {
            return Self::Word;
        }
        let name = operator.split(['(', ':']).next().unwrap_or(operator);
        let free = FREE.contains(&name)
            || ["REQ_", "RESP_"].iter().any(|start| name.starts_with(start))
            || ["_REASON", "_SUBJECT", "_ISSUER", "_SAN", "_CERT", "_START", "_END"]
                .iter()
                .any(|end| name.ends_with(end));
        let number = name.starts_with("BYTES_") || name.ends_with("DURATION") || name.ends_with("_COUNT");
        match (free, number) {
            (true, _) => Self::Free,
            (false, true) => Self::Number,
            (false, false) => Self::Word,
        }
    }

    pub(in crate::explain) fn takes(self, value: &str) -> bool {
        match self {
            Self::Number => value == "-" || value.bytes().all(|b| b.is_ascii_digit()),
            Self::Word => !value.contains([' ', '"']),
            Self::Free => true,
        }
    }
}

impl Piece {
    pub(in crate::explain) fn takes(&self, value: &str) -> bool {
        self.longest.is_none_or(|longest| value.len() <= longest)
            && self.shape.takes(value)
            && self.column.is_none_or(|column| column.takes(value))
    }
}

/// The literal text up to the next operator. `%%` is a percent sign.
fn literal(text: &str) -> Result<(String, &str), FormatError> {
    let mut out = String::new();
    let mut rest = text;
    loop {
        let Some((before, after)) = rest.split_once('%') else {
            out.push_str(rest);
            return Ok((out, ""));
        };
        out.push_str(before);
        match after.strip_prefix('%') {
            Some(after) => {
                out.push('%');
                rest = after;
            }
            None => return Ok((out, rest.get(before.len()..).unwrap_or_default())),
        }
    }
}

/// `%OPERATOR(argument):length%` at the beginning, without its percent signs, and what follows.
fn operator(text: &str) -> Result<(&str, &str), FormatError> {
    let broken =
        || FormatError(format!("{text:?}: an operator looks like %NAME% or %NAME(ARGUMENT):LENGTH%"));
    let inside = text.strip_prefix('%').ok_or_else(broken)?;
    // Times have percent signs of their own: %START_TIME(%Y/%m/%d)%.
    let end = match (inside.find('('), inside.find('%')) {
        (Some(open), Some(percent)) if open < percent => {
            let close = inside.rfind_after(")", open).ok_or_else(broken)?;
            let behind = inside.get(close..).unwrap_or_default();
            close.saturating_add(behind.find('%').ok_or_else(broken)?)
        }
        (_, Some(percent)) => percent,
        (_, None) => return Err(broken()),
    };
    let (name, after) = inside.split_at_checked(end).ok_or_else(broken)?;
    let known = !name.is_empty() && name.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
    if !known {
        return Err(broken());
    }
    Ok((name, after.strip_prefix('%').unwrap_or(after)))
}

trait FindAfter {
    /// Where the bracket ends that opens at `open`.
    fn rfind_after(&self, close: &str, open: usize) -> Option<usize>;
}

impl FindAfter for str {
    fn rfind_after(&self, close: &str, open: usize) -> Option<usize> {
        let rest = self.get(open..)?;
        // The first bracket that is followed by the operator's end: a percent sign or a length.
        rest.match_indices(close).find_map(|(at, _)| {
            let behind = rest.get(at.saturating_add(1)..)?;
            let ends = behind.starts_with('%')
                || behind.strip_prefix(':').and_then(|b| b.split_once('%')).is_some_and(|(length, _)| {
                    !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit())
                });
            ends.then(|| open.saturating_add(at))
        })
    }
}

/// The column of an operator, and the longest value it prints.
fn operator_column(operator: &str) -> (Option<Column>, Option<usize>) {
    let (name, length) = match operator.rsplit_once(':') {
        Some((name, length)) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {
            (name, length.parse().ok())
        }
        _ => (operator, None),
    };
    let upper = name.to_ascii_uppercase();
    let column = match upper.split_once('(') {
        Some(("START_TIME" | "EMIT_TIME", _)) => Some(Column::Time),
        _ => Column::of_operator(&upper),
    };
    (column, length)
}
