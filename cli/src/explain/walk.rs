//! Whole lines → what each record of them is: objects over several lines, many lines in one object, lines that a terminal has wrapped.

use memchr::memmem;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;

use super::around::{pasted, prefix};
use super::formats::{front, grid, many, scattered, vertical};
use super::joined::counted::Counted;
use super::joined::story::{Held, Story};
use super::outcome::explain;
use super::reader::lead;
use super::said::client::calm::says_of_no_failure;
use super::said::{agentgateway, counters, lead, reply, transcript, ztunnel};
use super::{Column, Reader, Reading};
use crate::input::records::{Record, records};

/// The most rows of one line.
pub(super) const MOST_ROWS: usize = 100;

/// Within these rows behind an answer the proxy's line of it is looked for.
const FEW: usize = 16;

/// What stands around a row: some consoles draw a box.
const AROUND: [char; 5] = [' ', '\t', '\r', '\n', '\u{2502}'];

/// What was read.
#[derive(Debug)]
pub struct Read<'a> {
    /// The number of its first line.
    pub number: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// What it is.
    pub reading: Reading,
    /// Whether it was put together of what had been wrapped.
    pub mended: bool,
}

impl Reader {
    /// Reads whole lines, of which the first has this number; `keep` as in [`Reader::read_all`]. Ends where `see` says false.
    pub fn walk(&self, bytes: &[u8], first: u64, keep: bool, mut see: impl FnMut(Read<'_>) -> bool) {
        let mut rest = records(bytes, first);
        // The agent prints it over many lines when it starts.
        let mut in_configuration = false;
        // An application's message goes on in rows that are set in.
        let mut in_message = false;
        let mut story = Story::default();
        let mut counted = Counted::default();
        // Why Envoy's reply has it that a connection failed, and where that stood.
        let mut reason: Option<(u64, String)> = None;
        while let Some(Record { bytes, number }) = rest.next() {
            let mut reading = self.read_strictly(&bytes, keep);
            if reading != Reading::Unreadable && reading != Reading::Blank {
                story.end();
                if !give(story.release(), &mut see) {
                    return;
                }
            }
            if reading == Reading::ProxyLog
                && lead::may_begin_head(&bytes)
                && let Some(answered) = head(&bytes, rest.clone())
            {
                reading = answered;
            }
            // Whose error stands in the next rows.
            let goes_on = || match &reading {
                Reading::Fine(_) => ztunnel::begins(&bytes) && is_followed(rest.clone()),
                Reading::Failed(_, finding) if finding.cause == Cause::ApplicationError => {
                    agentgateway::begins(&bytes) && is_followed(rest.clone())
                }
                _ => false,
            };
            let is_whole = reading != Reading::Unreadable && !goes_on();
            if is_whole {
                let reading = reasoned(reading, number, &mut reason, keep);
                let is_own = reading == Reading::ProxyLog;
                in_message = false;
                in_configuration = is_own && memmem::find(&bytes, b"Effective config: ").is_some();
                if !see(Read { number, bytes: &bytes, reading, mended: false }) {
                    return;
                }
                continue;
            }
            let text = String::from_utf8_lossy(&bytes);
            let lines = many::lines(&text);
            let many = lines.iter().map(|line| self.read_whole(line.as_bytes(), keep));
            let many: Vec<Reading> = many.collect();
            if many.iter().any(|reading| *reading != Reading::Unreadable) {
                for reading in many {
                    if !see(Read { number, bytes: &bytes, reading, mended: false }) {
                        return;
                    }
                }
                continue;
            }
            if let Some((readings, rows)) = drawn(&text, rest.clone(), keep) {
                rest.by_ref().take(rows).for_each(drop);
                for reading in readings {
                    if !see(Read { number, bytes: &bytes, reading, mended: false }) {
                        return;
                    }
                }
                continue;
            }
            let together = self.continued(&text, rest.clone(), keep);
            let mended = || {
                // Without its last columns it is a line, and what comes next may be anybody's.
                (begins(&text) && !front::lacks_its_end(&text, &self.known)).then_some(())?;
                self.mended(&text, rest.clone(), keep).or_else(|| self.broken(&text, rest.clone(), keep))
            };
            let (reading, rows, mended) = match together {
                Some((reading, rows)) => (reading, rows, false),
                None => match mended() {
                    Some((reading, rows)) => (reading, rows, true),
                    None => match answer(&text, rest.clone(), keep)
                        .or_else(|| good_answer(&text, rest.clone()))
                        .or_else(|| upright(&text, rest.clone(), keep))
                        .or_else(|| cut(&text, rest.clone(), keep))
                    {
                        Some((reading, rows)) => (reading, rows, false),
                        None => (self.read_front(&bytes, keep), 0, false),
                    },
                },
            };
            rest.by_ref().take(rows).for_each(drop);
            let reading = match reading {
                // Whoever shows an answer and the proxy's line behind it speaks of one request.
                Reading::Failed(line, finding)
                    if line.is_answers() && self.is_before_a_line(rest.clone(), keep) =>
                {
                    let words = line.get(Column::UpstreamFailure);
                    reason = words.map(|words| (number, words.to_owned())).or(reason);
                    Reading::Symptom(line, finding)
                }
                reading => reasoned(reading, number, &mut reason, keep),
            };
            in_configuration = in_configuration && reading == Reading::Unreadable;
            let mut reading = if in_configuration { Reading::ProxyLog } else { reading };
            let is_set_in = in_message && text.starts_with([' ', '\t']);
            if reading == Reading::Unreadable && story.hear(&text) {
                reading = Reading::Blank;
            } else if reading == Reading::Unreadable && is_set_in && says_of_no_failure(&text) {
                reading = Reading::Application;
            }
            in_message = reading == Reading::Application;
            if let Reading::Symptom(line, finding) | Reading::Failed(line, finding) = &mut reading {
                story.complete(line, finding);
            }
            if reading == Reading::Application
                && let Some(cluster) = counters::sound(&text)
            {
                counted.sound(cluster);
            }
            match reading {
                // What a cluster's other rows say may be that it is well.
                Reading::Symptom(line, finding) if counters::is_one(&finding) => {
                    counted.hold(Held { number, bytes: bytes.to_vec(), line, finding });
                }
                // A client may write several rows of one failure.
                Reading::Symptom(line, finding) if !line.shows_an_end() => {
                    let held = story.hold(Held { number, bytes: bytes.to_vec(), line, finding });
                    if !give(held, &mut see) {
                        return;
                    }
                    if text.trim_start().starts_with("curl: (") {
                        story.end();
                    }
                }
                Reading::Unreadable | Reading::Blank | Reading::Application => {
                    if !see(Read { number, bytes: &bytes, reading, mended }) {
                        return;
                    }
                }
                reading => {
                    story.end();
                    if !give(story.release(), &mut see)
                        || !see(Read { number, bytes: &bytes, reading, mended })
                    {
                        return;
                    }
                }
            }
        }
        if !give(story.release(), &mut see) {
            return;
        }
        for (Held { number, bytes, line, finding }, has_failed) in counted.release() {
            let reading = if has_failed { Reading::Symptom(line, finding) } else { Reading::Application };
            if !see(Read { number, bytes: &bytes, reading, mended: false }) {
                return;
            }
        }
    }

    /// Whether a line of an access log about something that failed comes next, in a few rows.
    fn is_before_a_line<'a>(&self, rest: impl Iterator<Item = Record<'a>>, keep: bool) -> bool {
        rest.take(FEW).any(|record| {
            let text = String::from_utf8_lossy(&record.bytes);
            let text = text.trim();
            (begins(text) || front::begins(text))
                && matches!(self.read_whole(text.as_bytes(), keep), Reading::Failed(..))
        })
    }

    /// A line that goes on in lines that are set in.
    fn continued<'a>(
        &self,
        first: &str,
        rest: impl Iterator<Item = Record<'a>> + Clone,
        keep: bool,
    ) -> Option<(Reading, usize)> {
        let is_reply = reply::begins(first);
        // A column in each row.
        let is_request = front::is_request(first);
        // Of most lines the next one isn't set in.
        let next = rest.clone().find(|record| !record.bytes.trim_ascii().is_empty())?;
        let next = String::from_utf8_lossy(&next.bytes);
        // A value that is quoted ends in a later row.
        let is_open = |whole: &str| whole.contains("error=\"") && whole.matches('"').count() % 2 == 1;
        let may_go_on = next.starts_with([' ', '\t'])
            || is_reply
            || is_request
            || front::is_cut_before(&next)
            || next.starts_with("error=")
            || is_open(first);
        may_go_on.then_some(())?;
        let is_line = begins(first) || front::begins(first);
        let is_agentgateways = agentgateway::begins(first.as_bytes());
        let is_connection = ztunnel::begins(first.as_bytes()) || is_agentgateways;
        (is_line || is_connection || is_reply || is_request || is_open(first)).then_some(())?;
        let indent = |row: &str| row.len().saturating_sub(row.trim_start().len());
        let (mut whole, mut rows) = (first.trim_end_matches(AROUND).to_owned(), 0);
        for (row, record) in rest.take(MOST_ROWS).enumerate() {
            let text = String::from_utf8_lossy(&record.bytes);
            let inner = text.trim_matches(AROUND);
            // Envoy's own reply goes over several lines.
            let goes_on =
                inner.starts_with("reset reason: ") || (is_reply && reply::is_cut(&whole)) || is_open(&whole);
            let goes_on = goes_on || (is_connection && inner.starts_with("error="));
            let is_deeper = !is_agentgateways || indent(&text) > indent(first);
            let is_set_in = text.starts_with([' ', '\t'])
                && !is_reply
                && is_deeper
                && !begins(inner)
                && !front::begins(inner);
            let is_column = is_request && !inner.contains(char::is_whitespace) && !pasted::is_fence(inner);
            let goes_on = goes_on || is_column || (is_line && front::is_cut_before(inner));
            match inner {
                "" => {}
                _ if !(is_set_in || goes_on) => break,
                inner => {
                    whole = whole + " " + inner;
                    rows = row.saturating_add(1);
                }
            }
        }
        (rows > 0).then_some(())?;
        let reading = self.read_whole(whole.as_bytes(), keep);
        (reading != Reading::Unreadable).then_some((reading, rows))
    }
}

/// A line that has flags alone, with the reason that the client was given for it in the rows before.
fn reasoned(reading: Reading, number: u64, reason: &mut Option<(u64, String)>, keep: bool) -> Reading {
    let Reading::Failed(line, finding) = reading else { return reading };
    let near = reason.take_if(|(at, _)| number.saturating_sub(*at) <= FEW.saturating_mul(2) as u64);
    let is_open = line.get(Column::Flags).is_some_and(|flags| flags.split(',').any(|flag| flag == "UF"))
        && line.get(Column::Details).is_none()
        && line.get(Column::UpstreamFailure).is_none();
    let Some((_, words)) = near.filter(|_| is_open && finding.confidence == Confidence::Possible) else {
        return Reading::Failed(line, finding);
    };
    let mut whole = (*line).clone();
    whole.forget(Column::UpstreamFailure);
    whole.set(Column::UpstreamFailure, words.into());
    match front::at_most(Confidence::Possible, explain(&whole, keep)) {
        Reading::Failed(_, found) => Reading::Failed(line, found),
        _ => Reading::Failed(line, finding),
    }
}

/// Gives on what was held back.
fn give(held: Option<Held>, see: &mut impl FnMut(Read<'_>) -> bool) -> bool {
    let Some(Held { number, bytes, line, finding }) = held else { return true };
    see(Read { number, bytes: &bytes, reading: Reading::Symptom(line, finding), mended: false })
}

/// An answer's head in Envoy's own log: its headers stand in the next rows, which are read as ever.
fn head<'a>(first: &[u8], rest: impl Iterator<Item = Record<'a>>) -> Option<Reading> {
    let mut whole = String::from_utf8_lossy(first.trim_ascii_end()).into_owned();
    for record in rest.take(MOST_ROWS) {
        let text = String::from_utf8_lossy(record.bytes.trim_ascii_end());
        if !prefix::is_logged_header(&text) {
            break;
        }
        whole = whole + "\n" + &text;
    }
    let (_, message) = prefix::own_log(&whole)?;
    Some(lead(message))
}

/// An answer as curl shows it.
fn answer<'a>(first: &str, rest: impl Iterator<Item = Record<'a>>, keep: bool) -> Option<(Reading, usize)> {
    transcript::begins(first).then_some(())?;
    let rest = rest.take(MOST_ROWS).map(|record| String::from_utf8_lossy(&record.bytes).into_owned());
    let rows: Vec<String> = std::iter::once(first.to_owned()).chain(rest).collect();
    let (reading, rows) = transcript::read(rows.iter().map(String::as_str), keep)?;
    Some((reading, rows.saturating_sub(1)))
}

/// A good one.
fn good_answer<'a>(first: &str, rest: impl Iterator<Item = Record<'a>>) -> Option<(Reading, usize)> {
    let headers = transcript::good(first)?;
    let rest = rest.take(MOST_ROWS).map(|record| String::from_utf8_lossy(&record.bytes).into_owned());
    let count = rest.take_while(|row| headers(row)).count();
    (count > 0).then_some((Reading::Answered, count))
}

/// The rows of a table that is drawn with bars.
fn drawn<'a>(
    first: &str,
    rest: impl Iterator<Item = Record<'a>>,
    keep: bool,
) -> Option<(Vec<Reading>, usize)> {
    (first.contains('|') || first.contains('\u{2502}')).then_some(())?;
    let rest = rest.map(|record| String::from_utf8_lossy(&record.bytes).into_owned());
    let (lines, rows) = grid::read(first, rest)?;
    let reading = |line| front::at_most(Confidence::Possible, explain(line, keep));
    Some((lines.iter().map(reading).collect(), rows))
}

/// A line whose columns stand one under the other.
fn upright<'a>(first: &str, rest: impl Iterator<Item = Record<'a>>, keep: bool) -> Option<(Reading, usize)> {
    if vertical::pair(first).is_none() {
        vertical::status(first)?;
    }
    let rest = rest.take(MOST_ROWS).map(|record| String::from_utf8_lossy(&record.bytes).into_owned());
    let rows: Vec<String> = std::iter::once(first.to_owned()).chain(rest).collect();
    let (line, rows) = vertical::read(rows.iter().map(String::as_str))?;
    Some((explain(&line, keep), rows.saturating_sub(1)))
}

/// An object over several rows of which the end is missing.
fn cut<'a>(first: &str, rest: impl Iterator<Item = Record<'a>>, keep: bool) -> Option<(Reading, usize)> {
    (first.trim() == "{").then_some(())?;
    let mut whole = String::new();
    let mut rows = 0_usize;
    for record in rest.take(MOST_ROWS) {
        let text = String::from_utf8_lossy(&record.bytes);
        if !text.trim_start().starts_with(['"', '{', '}', '[', ']']) {
            break;
        }
        whole = whole + " " + text.trim();
        rows = rows.saturating_add(1);
    }
    let line = scattered::read(&whole)?;
    Some((front::at_most(Confidence::Possible, explain(&line, keep)), rows))
}

/// Whether the next row is set in.
fn is_followed<'a>(mut rest: impl Iterator<Item = Record<'a>>) -> bool {
    rest.next().is_some_and(|next| matches!(next.bytes.first(), Some(b' ' | b'\t')))
}

/// Whether a line begins here.
pub(super) fn begins(text: &str) -> bool {
    prefix::bracketed_time(text).is_some() || prefix::object(text).is_some()
}
