//! Tables (CSV) as Kibana, Datadog, BigQuery and Cloud Logging export them: a first line names the columns.

use std::borrow::Cow;

use csv::{ByteRecord, Position, ReaderBuilder};
use jiff::civil::DateTime;
use memchr::memchr_iter;

use super::json;
use crate::explain::outcome::explain;
use crate::explain::verdict::waypoint;
use crate::explain::{Column, Line, Read, Reader, Reading};
use crate::input::chunks::Chunk;
use crate::input::records::lines;
use crate::input::records::records;

/// What divides the cells of a row.
const DELIMITERS: &[u8] = b",;\t";

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// A line of a log, or an object.
    Whole,
    /// One of an access log's own columns.
    Column(Column),
    /// The same, where another is one of Envoy's.
    Common(Column),
    /// The pod's name.
    Pod,
    /// None of these.
    Nothing,
}

/// What the rows of a table hold.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::explain) struct Table {
    delimiter: u8,
    uses: Vec<Use>,
}

impl Table {
    /// Of a first line; none where it names no column that shows failures.
    pub(in crate::explain) fn of_head(head: &[u8]) -> Option<Self> {
        let tables = DELIMITERS.iter().map(|delimiter| Self::divided(head, *delimiter));
        tables.flatten().max_by_key(|table| table.uses.len())
    }

    fn divided(head: &[u8], delimiter: u8) -> Option<Self> {
        let mut names = ByteRecord::new();
        rows(head, delimiter).read_byte_record(&mut names).ok()?;
        let names = names.iter().map(|name| String::from_utf8_lossy(name.trim_ascii()));
        let mut uses: Vec<Use> = names.map(|name| Use::of(&name)).collect();
        let has = |wanted: &[Use]| uses.iter().any(|one| wanted.contains(one));
        // One's own short names: flags or details beside a request's status.
        let is_requests = has(&[Use::Common(Column::Code)])
            && has(&[Use::Column(Column::Path), Use::Column(Column::Method)])
            && has(&[Use::Common(Column::Flags), Use::Common(Column::Details)]);
        let is_envoys =
            is_requests || uses.iter().any(|one| matches!(one, Use::Column(column) if column.is_envoys()));
        for one in &mut uses {
            if let Use::Common(column) = *one {
                *one = if is_envoys { Use::Column(column) } else { Use::Nothing };
            }
        }
        let shows_failures = |one: &Use| *one == Use::Whole || *one == Use::Column(Column::Code);
        // `Local: Broker transport failure` is a sentence.
        let is_sentence = uses.len() == 1 && head.trim_ascii().contains(&b' ');
        (!is_sentence).then_some(())?;
        (is_envoys || uses.iter().any(shows_failures)).then_some(Self { delimiter, uses })
    }
}

impl Use {
    fn of(name: &str) -> Self {
        let name = name.trim_start_matches('@');
        let (parent, last) = name.rsplit_once('.').unwrap_or(("", name));
        // Elastic's is in nanoseconds.
        if name == "event.duration" {
            return Self::Nothing;
        }
        if matches!(name, "podName" | "PodName")
            || matches!(last, "pod" | "pod_name")
            || name.ends_with("pod.name")
        {
            return Self::Pod;
        }
        // Not `user_agent.original`, which is a client's.
        const TEXTS: &[&str] = &["log", "message", "msg", "textPayload", "line", "body"];
        if (parent.is_empty() && json::may_hold_a_line(last))
            || (!parent.is_empty() && TEXTS.contains(&last))
            || name == "event.original"
        {
            return Self::Whole;
        }
        let (_, above) = parent.rsplit_once('.').unwrap_or(("", parent));
        let two = format!("{above}.{last}");
        let known = [name, &two, last].into_iter().find_map(Column::of_key);
        match (known, Column::of_common_key(last)) {
            (Some(column), _) => Self::Column(column),
            (None, Some(column)) => Self::Common(column),
            (None, None) if matches!(name, "Date" | "Timestamp" | "_time") => Self::Column(Column::Time),
            (None, None) => Self::Nothing,
        }
    }
}

fn rows(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes)
}

impl Reader {
    /// Reads a piece of a stream as [`Reader::walk`] does, by its first line where that names columns.
    pub fn walk_chunk(&self, chunk: &Chunk, keep: bool, mut see: impl FnMut(Read<'_>) -> bool) {
        let mut see = |mut read: Read<'_>| {
            if chunk.of_waypoint {
                waypoint::reconsider(&mut read.reading);
            }
            see(read)
        };
        let Some(table) = chunk.head.as_deref().and_then(Table::of_head) else {
            return self.walk(&chunk.bytes, chunk.first_line, keep, see);
        };
        let mut reader = rows(&chunk.bytes, table.delimiter);
        let mut row = ByteRecord::new();
        let (mut counted, mut number) = (0, chunk.first_line);
        while let Ok(true) = reader.read_byte_record(&mut row) {
            let byte = |place: &Position| usize::try_from(place.byte()).unwrap_or(usize::MAX);
            let (begin, end) = (row.position().map_or(0, byte), byte(reader.position()));
            // The reader leaves the second half of a line's end to the next row.
            let bytes = chunk.bytes.get(begin..end).unwrap_or_default();
            let begin = begin.saturating_add(bytes.len().saturating_sub(bytes.trim_ascii_start().len()));
            let passed = chunk.bytes.get(counted..begin).unwrap_or_default();
            number = number.saturating_add(memchr_iter(b'\n', passed).count() as u64);
            counted = begin;
            if number == 1 {
                continue; // the head
            }
            let bytes = bytes.trim_ascii();
            let going = match self.row(&table, &row, keep) {
                // Something else may stand between the rows.
                Reading::Unreadable => lines(bytes).zip(number..).all(|(bytes, number)| {
                    let reading = self.read_whole(bytes, keep);
                    see(Read { number, bytes, reading, mended: false })
                }),
                reading => see(Read { number, bytes, reading, mended: false }),
            };
            if !going {
                return;
            }
        }
    }

    fn row(&self, table: &Table, row: &ByteRecord, keep: bool) -> Reading {
        let cells = || table.uses.iter().zip(row);
        let pod = cells().find(|(one, _)| **one == Use::Pod).map(|(_, cell)| String::from_utf8_lossy(cell));
        for (_, cell) in cells().filter(|(one, cell)| **one == Use::Whole && !cell.is_empty()) {
            for record in records(cell, 1) {
                let mut reading = self.read_whole(&record.bytes, keep);
                match &mut reading {
                    Reading::Unreadable | Reading::Blank => continue,
                    Reading::Failed(line, _) | Reading::Fine(Some(line)) => {
                        line.set_proxy(pod.clone().filter(|pod| !pod.is_empty()).map(Cow::into_owned), "");
                    }
                    _ => {}
                }
                return reading;
            }
        }
        let mut line = Line::default();
        for (one, cell) in cells() {
            let Use::Column(column) = *one else { continue };
            let value = match String::from_utf8_lossy(cell.trim_ascii()) {
                value if matches!(&*value, "null" | "NULL" | "(null)" | "(empty)") => Cow::Borrowed(""),
                value if column == Column::Time => iso(value),
                value => value,
            };
            if column.takes(&value) {
                line.set(column, value);
            }
        }
        const DECISIVE: &[Column] =
            &[Column::Code, Column::Flags, Column::Details, Column::Cause, Column::Meshwhy];
        if !DECISIVE.iter().any(|column| line.get(*column).is_some()) {
            return Reading::Unreadable;
        }
        line.set_proxy(pod.filter(|pod| !pod.is_empty()).map(Cow::into_owned), "");
        explain(&line, keep)
    }
}

/// Kibana's way to write a time, and BigQuery's, as access logs do.
fn iso(time: Cow<'_, str>) -> Cow<'_, str> {
    let kibanas = || DateTime::strptime("%b %d, %Y @ %H:%M:%S%.f", time.as_bytes()).ok();
    if time.contains('@') {
        return kibanas().map_or(time.clone(), |time| Cow::Owned(format!("{time:.3}Z")));
    }
    match time.strip_suffix(" UTC").and_then(|time| time.split_once(' ')) {
        Some((day, hour)) => Cow::Owned(format!("{day}T{hour}Z")),
        None => time,
    }
}
