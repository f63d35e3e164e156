//! What the proxy's own log says of failed requests: it counts where no access log has them.

use crate::explain::{Column, Finding, Line};

/// No more streams are kept: whoever logs at level debug logs an access log, too.
const MOST: usize = 64;

/// What was said of one stream.
#[derive(Debug)]
pub struct Lead {
    /// The few columns that it has.
    pub line: Box<Line<'static>>,
    /// What follows from it.
    pub finding: Box<Finding>,
    /// Envoy's numbers of its connection and of itself, where they are shown.
    pub stream: String,
    /// Which input.
    pub input: usize,
    /// The line's number.
    pub number: u64,
}

/// The first of them.
#[derive(Debug, Default)]
pub struct Leads(Vec<Lead>);

impl Leads {
    /// Keeps one; of a stream what says the most, and otherwise what was said last.
    pub fn add(&mut self, lead: Lead) {
        let says_more = |lead: &Lead| lead.line.shows(Column::UpstreamFailure);
        let same = |other: &Lead| {
            !lead.stream.is_empty() && other.stream == lead.stream && other.input == lead.input
        };
        let before = self.0.iter().position(same);
        let has_room = self.0.len() < MOST;
        match before.and_then(|at| self.0.get_mut(at)) {
            Some(before) if says_more(before) && !says_more(&lead) => {}
            Some(before) => *before = lead,
            None if has_room => self.0.push(lead),
            None => {}
        }
    }

    /// Adds those of later lines.
    pub fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|lead| self.add(lead));
    }

    /// All of them.
    pub fn take(&mut self) -> Vec<Lead> {
        std::mem::take(&mut self.0)
    }
}
