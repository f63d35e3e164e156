//! What failed anywhere: whose lines are looked for.

use std::collections::{HashMap, HashSet};

use super::{MOST_LINES, is_ambiguous};
use crate::command::text;
use crate::explain::connection::Span;
use crate::explain::{Column, Line, Reading, connection};

/// No more requests than this are joined at once.
const MOST_REQUESTS: usize = 20_000;

/// What failed anywhere: whose lines are looked for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) ids: HashSet<String>,
    /// Sockets of failed connections, from where they were opened, as their two ends have them, and when.
    asked: HashMap<String, Vec<Span>>,
    was_asked: HashMap<String, Vec<Span>>,
    pub(super) counts: Counts,
}

/// No more failures of one connection are remembered: it may carry many requests.
const MOST_SPANS: usize = 64;

impl Wanted {
    pub(super) fn see(&mut self, reading: Reading, is_asked: impl Fn(&Line<'_>) -> bool) {
        let (line, finding) = match reading {
            Reading::Failed(line, finding) if is_asked(&line) => (line, finding),
            Reading::Unreadable => {
                self.counts.unreadable += 1;
                return;
            }
            _ => return,
        };
        if is_ambiguous(&finding) {
            self.counts.without_id += 1;
            return;
        }
        let keep = |all: &mut HashMap<String, Vec<Span>>, socket: Option<&str>| {
            if let Some(socket) = socket.filter(|_| all.len() < MOST_LINES) {
                let spans = all.entry(socket.to_owned()).or_default();
                spans.extend(Span::of(&line).filter(|_| spans.len() < MOST_SPANS));
            }
        };
        keep(&mut self.asked, connection::asked_from(&line));
        keep(&mut self.was_asked, connection::was_asked_from(&line));
        match line.get(Column::RequestId) {
            None => self.counts.without_id += 1,
            Some(id) if self.ids.len() < MOST_REQUESTS || self.ids.contains(id) => {
                self.ids.insert(id.to_owned());
            }
            Some(_) => self.counts.left_out += 1,
        }
    }

    /// Whether the other end of its connection failed at that time, whatever its own id is.
    pub(super) fn wants_other(&self, line: &Line<'_>) -> bool {
        let Some(span) = Span::of(line) else { return false };
        let at = |all: &HashMap<String, Vec<Span>>, socket: Option<&str>| {
            let spans = socket.and_then(|socket| all.get(socket));
            spans.is_some_and(|spans| spans.iter().any(|other| span.overlaps(*other)))
        };
        at(&self.asked, connection::was_asked_from(line)) || at(&self.was_asked, connection::asked_from(line))
    }

    /// Whether the other end of its connection failed, too; ztunnel's lines go with a waypoint's by time and place.
    pub(super) fn wants_end(&self, line: &Line<'_>, of_one: bool) -> bool {
        if of_one {
            return self.wants_other(line);
        }
        let both = |socket: &str| self.asked.contains_key(socket) && self.was_asked.contains_key(socket);
        connection::asked_from(line).is_some_and(both)
            || connection::was_asked_from(line).is_some_and(both)
            || !line.shows(Column::Code)
    }
}

/// What can't be joined.
#[derive(Debug, Default)]
pub(super) struct Counts {
    left_out: u64,
    pub(super) lines_left_out: u64,
    pub(super) without_id: u64,
    unreadable: u64,
}

impl Counts {
    pub(super) fn report(&self) {
        let Self { left_out, lines_left_out, without_id, unreadable } = self;
        if *left_out > 0 {
            let failures = text::counted(*left_out, "more failure");
            warn!("meshwhy: {failures} than {MOST_REQUESTS} requests: left out");
        }
        if *lines_left_out > 0 {
            let lines = text::counted(*lines_left_out, "line");
            warn!("meshwhy: {lines} of these requests left out: there are too many");
        }
        if *without_id > 0 {
            warn!(
                "meshwhy: {} without a request id beyond doubt or another end; `meshwhy explain` names the cause",
                text::counted(*without_id, "failure")
            );
        }
        if *unreadable > 0 {
            let lines = text::counted(*unreadable, "line");
            warn!("meshwhy: {lines} could not be read; `meshwhy explain` shows the first of them");
        }
    }
}
