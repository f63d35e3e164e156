//! The pieces in their order: what stands in the access log and in the proxy's own log is reported once.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::leads::Symptom;
use super::outcome::Outcome;
use super::part::{Held, Part};
use super::reporter::{Reporter, Style};
use crate::explain::{Failure, Pairs};

/// How often those who wait are looked at.
const TICK: Duration = Duration::from_millis(200);

/// The number of a line.
type Number = u64;

/// What comes of the pieces.
pub struct Joining {
    style: Style,
    names: Vec<String>,
    follow: bool,
    pairs: Vec<Pairs<Number>>,
    input: usize,
    total: Reporter,
    out: anstream::AutoStream<std::io::Stdout>,
    looked: Instant,
}

impl Joining {
    /// Of inputs with these names.
    pub fn new(style: Style, names: Vec<String>, follow: bool) -> Self {
        Self {
            style,
            follow,
            pairs: names.iter().map(|_| Pairs::default()).collect(),
            names,
            input: 0,
            total: Reporter::default(),
            out: anstream::AutoStream::auto(std::io::stdout()),
            looked: Instant::now(),
        }
    }

    /// Requests and failures so far.
    pub fn counted(&self) -> (u64, u64) {
        (self.total.counts.requests, self.total.counts.failures)
    }

    /// Takes the next piece; whether to go on.
    pub fn collect(&mut self, part: Part) -> anyhow::Result<bool> {
        if part.input != self.input && !self.follow {
            self.end(self.input);
        }
        self.input = part.input;
        self.total.out.push_str(&part.reporter.out);
        self.total.summary.merge(part.reporter.summary);
        self.total.counts.add(part.reporter.counts);
        for symptom in self.total.leads.merge(part.reporter.leads) {
            self.not_read(&symptom);
        }
        self.with(part.input, |pairs, emit| {
            for held in part.held {
                match held {
                    Held::Line(line, finding, number) => pairs.line(line, finding, number, emit),
                    Held::Own(own, number) => pairs.own(*own, number, emit),
                }
            }
        });
        if self.style == Style::Quiet {
            self.end(part.input);
        }
        self.write()?;
        Ok(self.style != Style::Quiet || self.total.counts.failures == 0)
    }

    /// Time passes: nobody who reads along waits for a partner that doesn't come.
    pub fn tick(&mut self) -> anyhow::Result<()> {
        let live = self.follow || self.names == ["standard input"];
        if !live || self.style == Style::Summary || self.looked.elapsed() < TICK {
            return Ok(());
        }
        self.looked = Instant::now();
        for input in 0..self.pairs.len() {
            self.with(input, |pairs, emit| pairs.tick(emit));
        }
        self.write()
    }

    /// There is no more. Of a summary the first `top` groups are shown.
    pub fn finish(mut self, json: bool, top: Option<usize>) -> anyhow::Result<Outcome> {
        for input in 0..self.pairs.len() {
            self.end(input);
        }
        if self.total.counts.has_no_log() {
            self.follow_leads();
        }
        self.follow_symptoms();
        if self.style == Style::Summary {
            let summary = &self.total.summary;
            self.total.out = if json { summary.json(top)? } else { summary.text(top) };
        }
        self.write()?;
        if self.style != Style::Quiet {
            self.total.counts.report();
        }
        Ok(self.total.counts.outcome())
    }

    /// No access log has the failures that the proxy's own log speaks of.
    fn follow_leads(&mut self) {
        for lead in self.total.leads.take() {
            let file = self.names.get(lead.input).map_or("", String::as_str);
            self.total.report(self.style, &lead.line, &lead.finding, file, lead.number);
            self.total.counts.proxy_log = self.total.counts.proxy_log.saturating_sub(1);
        }
    }

    /// Nothing else failed: what is reported is all that there is, and what clients say where no proxy says anything. Elsewhere it is a line
    /// like others.
    fn follow_symptoms(&mut self) {
        let (has_no_log, failed) = (self.total.counts.has_no_log(), self.total.counts.failures);
        let mut symptoms = self.total.leads.take_symptoms();
        // What began elsewhere comes after what others found there.
        symptoms.sort_by_key(|symptom| symptom.finding.peer_may_know());
        for symptom in symptoms {
            let is_reported = symptom.line.shows_an_end();
            if failed == 0 && (has_no_log || is_reported) {
                let file = self.names.get(symptom.input).map_or("", String::as_str);
                self.total.report(self.style, &symptom.line, &symptom.finding, file, symptom.number);
            } else if is_reported && failed > 0 {
                // Envoy's words, and what failed is known.
                self.total.counts.proxy_log += 1;
            } else {
                self.not_read(&symptom);
            }
        }
    }

    fn not_read(&mut self, symptom: &Symptom) {
        let file = self.names.get(symptom.input).map_or("", String::as_str);
        self.total.counts.unreadable(|| format!("{file}:{}: {}", symptom.number, symptom.excerpt));
    }

    fn end(&mut self, input: usize) {
        self.with(input, |pairs, emit| pairs.finish(emit));
    }

    fn with(&mut self, input: usize, act: impl FnOnce(&mut Pairs<Number>, &mut dyn FnMut(Failure<Number>))) {
        let Some(pairs) = self.pairs.get_mut(input) else { return };
        let (style, file) = (self.style, self.names.get(input).map_or("", String::as_str));
        let total = &mut self.total;
        act(pairs, &mut |Failure { line, finding, place }| total.report(style, &line, &finding, file, place));
    }

    fn write(&mut self) -> anyhow::Result<()> {
        if !self.total.out.is_empty() {
            self.out.write_all(self.total.out.as_bytes())?;
            self.out.flush()?;
            self.total.out.clear();
        }
        Ok(())
    }
}
