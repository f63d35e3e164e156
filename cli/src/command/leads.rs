//! What the proxy's own log says of failed requests: it counts where no access log has them.

use crate::explain::{Column, Finding, Line};

/// No more streams are kept: whoever logs at level debug logs an access log, too.
const MOST: usize = 64;

/// Nor more of what clients say: an application's log may have nothing else, and its failures are counted.
const MOST_SYMPTOMS: usize = 1_024;

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

/// What is reported of a failure, or what a client says of it.
#[derive(Debug)]
pub struct Symptom {
    /// Its columns; a client's words have none.
    pub line: Box<Line<'static>>,
    /// What may be behind it.
    pub finding: Box<Finding>,
    /// Which input.
    pub input: usize,
    /// The line's number.
    pub number: u64,
    /// The line.
    pub excerpt: String,
}

/// The first of them.
#[derive(Debug, Default)]
pub struct Leads {
    streams: Vec<Lead>,
    symptoms: Vec<Symptom>,
}

impl Leads {
    /// Keeps one; of a stream what says the most, and otherwise what was said last.
    pub fn add(&mut self, lead: Lead) {
        // Of an answer's head nobody knows but by its look.
        let knows = |lead: &Lead| {
            let columns = [Column::UpstreamFailure, Column::Details];
            columns.map(|column| lead.line.shows(column))
        };
        let same = |other: &Lead| {
            !lead.stream.is_empty() && other.stream == lead.stream && other.input == lead.input
        };
        let before = self.streams.iter().position(same);
        let has_room = self.streams.len() < MOST;
        match before.and_then(|at| self.streams.get_mut(at)) {
            Some(before) if knows(before) > knows(&lead) => {}
            Some(before) => *before = lead,
            None if has_room => self.streams.push(lead),
            None => {}
        }
    }

    /// Keeps what a client says; nothing is kept, and it is given back, where there is no room.
    pub fn add_symptom(&mut self, symptom: Symptom) -> Option<Symptom> {
        if self.symptoms.len() >= MOST_SYMPTOMS {
            return Some(symptom);
        }
        self.symptoms.push(symptom);
        None
    }

    /// Adds those of later lines; gives back the symptoms that there is no room for.
    pub fn merge(&mut self, other: Self) -> Vec<Symptom> {
        other.streams.into_iter().for_each(|lead| self.add(lead));
        other.symptoms.into_iter().filter_map(|symptom| self.add_symptom(symptom)).collect()
    }

    /// All that proxies said.
    pub fn take(&mut self) -> Vec<Lead> {
        std::mem::take(&mut self.streams)
    }

    /// All that clients said.
    pub fn take_symptoms(&mut self) -> Vec<Symptom> {
        std::mem::take(&mut self.symptoms)
    }
}
