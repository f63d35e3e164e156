//! One piece of a log: what its lines come to.

use std::collections::VecDeque;

use super::leads::{Lead, Symptom};
use super::pipeline::Piece;
use super::reporter::{Reporter, Style};
use super::text;
use crate::explain::{Finding, Line, Own, Read, Reader, Reading};
use crate::input::chunks::{self, Chunk};

/// Failures of one piece, reported already, that a line of meshwhy may follow: what two pipes may have mixed up.
const LAST: usize = 32;

/// What one piece came to.
#[derive(Debug, Default)]
pub struct Part {
    /// Which input it is of.
    pub input: usize,
    /// What was reported of it at once.
    pub reporter: Reporter,
    /// What may stand in it twice.
    pub held: Vec<Held>,
}

/// A failure that may stand in the log twice.
#[derive(Debug)]
pub enum Held {
    /// In the access log, with its place if it is still to be reported.
    Line(Box<Line<'static>>, Box<Finding>, Option<u64>),
    /// In the proxy's own log.
    Own(Box<Own>, u64),
}

impl Part {
    /// Reads a piece.
    pub fn of(piece: Piece, reader: &Reader, names: &[String], style: Style) -> Self {
        let mut part = Self::default();
        match piece {
            Piece::Broken(error) => part.reporter.counts.broken.push(error),
            Piece::Lines(chunk) => part.read(reader, names, style, &chunk),
        }
        part
    }

    fn read(&mut self, reader: &Reader, names: &[String], style: Style, chunk: &Chunk) {
        self.input = chunk.input;
        let file = names.get(chunk.input).map_or("", String::as_str);
        let mut last = VecDeque::with_capacity(LAST);
        reader.walk_chunk(chunk, false, |Read { number, bytes, reading, mended }| {
            self.reporter.counts.mended += u64::from(mended);
            match reading {
                Reading::Blank => {}
                Reading::Fine(_) => {
                    self.reporter.counts.requests += 1;
                    if style == Style::Summary {
                        self.reporter.summary.fine(bytes);
                    }
                }
                Reading::Answered => {
                    self.reporter.counts.requests += 1;
                    self.reporter.counts.answers += 1;
                }
                Reading::Ambiguous => {
                    self.reporter.counts.requests += 1;
                    self.reporter.counts.ambiguous += 1;
                }
                Reading::ProxyLog => self.reporter.counts.proxy_log += 1,
                Reading::Application => self.reporter.counts.application += 1,
                Reading::Lead(line, finding, stream) => {
                    self.reporter.counts.proxy_log += 1;
                    self.reporter.leads.add(Lead { line, finding, stream, input: chunk.input, number });
                }
                Reading::Symptom(line, finding) => {
                    let symptom =
                        Symptom { line, finding, input: chunk.input, number, excerpt: text::excerpt(bytes) };
                    if let Some(symptom) = self.reporter.leads.add_symptom(symptom) {
                        self.reporter.counts.unreadable(|| format!("{file}:{number}: {}", symptom.excerpt));
                    }
                }
                Reading::Unreadable => {
                    self.reporter.counts.unreadable(|| format!("{file}:{number}: {}", text::excerpt(bytes)));
                }
                Reading::Own(own) => {
                    self.reporter.counts.left_out =
                        self.reporter.counts.left_out.saturating_add(own.suppressed);
                    self.held.push(Held::Own(own, number));
                }
                Reading::Failed(line, finding) if chunk.has_own => {
                    self.held.push(Held::Line(line, finding, Some(number)));
                }
                Reading::Failed(line, finding) => {
                    self.reporter.report(style, &line, &finding, file, number);
                    if last.len() == LAST {
                        last.pop_front();
                    }
                    last.push_back(Held::Line(line, finding, None));
                }
            }
            style != Style::Quiet || (self.reporter.counts.failures == 0 && self.held.is_empty())
        });
        self.held.extend(last);
        for number in &chunk.too_long {
            let longest = chunks::SIZE >> 20;
            self.reporter.counts.unreadable(|| format!("{file}:{number}: longer than {longest} MiB"));
        }
    }
}
