//! Reports failures in the style that was asked for, and counts them.

use std::collections::BTreeMap;

use meshwhy::causes::Cause;

use super::leads::Leads;
use super::outcome::Outcome;
use super::output;
use super::record::Record;
use super::summary::Summary;
use super::text::counted;
use crate::check::{visible, visible_json};
use crate::explain::{Column, Finding, Line, Source};

/// Unreadable lines that are named, of one run.
const NAMED: usize = 3;

/// Failures of which it is looked for whether they are one request's: what somebody pastes has fewer.
const MOST_COMPARED: u64 = 64;

/// How each failure is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// In words.
    Text,
    /// As an object.
    Json,
    /// Only counted.
    Summary,
    /// Only whether there is one.
    Quiet,
}

/// What was reported so far.
#[derive(Debug, Default)]
pub struct Reporter {
    /// In words or objects.
    pub out: String,
    /// In groups.
    pub summary: Summary,
    /// How many.
    pub counts: Counts,
    /// What the proxy's own log says.
    pub leads: Leads,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests and connections, failed or not.
    pub requests: u64,
    /// Those of them that a client shows, and no log.
    pub answers: u64,
    /// Those that failed.
    pub failures: u64,
    /// Other lines of the proxy's own log.
    pub proxy_log: u64,
    /// Lines of an application's log that say of no failure.
    pub application: u64,
    /// Lines that can be read in several ways.
    pub ambiguous: u64,
    /// Lines put together of what had been wrapped.
    pub mended: u64,
    /// Failures that the filter left out of the proxy's own log.
    pub left_out: u64,
    /// Inputs that could not be read.
    pub broken: Vec<String>,
    unreadable: u64,
    named: Vec<String>,
    /// How often each cause was named, in the order of the first time.
    causes: Vec<(&'static str, u64)>,
    /// The ids and the ends of connections of the first failures, with the place that was asked.
    known: BTreeMap<String, String>,
    /// Whether two failures are what two proxies say of one request.
    of_one: bool,
}

impl Reporter {
    /// Reports and counts a failure.
    pub fn report(&mut self, style: Style, line: &Line<'_>, finding: &Finding, file: &str, number: u64) {
        self.counts.requests += 1;
        self.counts.failures += 1;
        self.counts.ambiguous += u64::from(finding.source == Source::Ambiguous);
        if finding.cause != Cause::Unclassified {
            self.counts.name(finding.cause.id(), 1);
        }
        if self.counts.failures <= MOST_COMPARED {
            self.counts.compare(line);
        }
        let place = || visible(&format!("{file}:{number}"));
        match style {
            Style::Text => output::describe(&mut self.out, line, finding, &place()),
            Style::Summary => self.summary.add(line, finding, &place()),
            Style::Json => {
                // Serializing strings and numbers can't fail.
                let record = Record::new(line, finding, file, number);
                self.out.push_str(&visible_json(&serde_json::to_string(&record).unwrap_or_default()));
                self.out.push('\n');
            }
            Style::Quiet => {}
        }
    }
}

impl Counts {
    /// Looks whether another proxy's line is about the same.
    fn compare(&mut self, line: &Line<'_>) {
        // One proxy may log a request twice, or its retry by a client.
        let place = line.get(Column::LocalAddress).unwrap_or_default();
        let keys = [
            ("id", Column::RequestId),
            // Of one connection: from where one asked, the other was asked.
            ("from", Column::UpstreamLocal),
            ("by", Column::RemoteAddress),
        ];
        for (kind, column) in keys {
            let Some(value) = line.get(column) else { continue };
            let key = format!("{kind} {value}");
            self.of_one |= self.knows_other(&key, place);
            self.known.insert(key, place.to_owned());
        }
    }

    /// Whether another proxy has the same id, or the other end of the connection.
    fn knows_other(&self, key: &str, place: &str) -> bool {
        let other = match key.split_once(' ') {
            Some(("from", end)) => format!("by {end}"),
            Some(("by", end)) => format!("from {end}"),
            _ => key.to_owned(),
        };
        self.known.get(&other).is_some_and(|before| before != place)
    }

    /// Counts a line that could not be read.
    pub fn unreadable(&mut self, name: impl FnOnce() -> String) {
        self.unreadable += 1;
        if self.named.len() < NAMED {
            self.named.push(name());
        }
    }

    /// Adds those of later lines.
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.answers += other.answers;
        self.failures += other.failures;
        self.proxy_log += other.proxy_log;
        self.application += other.application;
        self.ambiguous += other.ambiguous;
        other.causes.iter().for_each(|(cause, count)| self.name(cause, *count));
        self.of_one |= other.of_one || other.known.iter().any(|(key, place)| self.knows_other(key, place));
        if self.failures <= MOST_COMPARED {
            self.known.extend(other.known);
        }
        self.mended += other.mended;
        // Whatever a log says of it.
        self.left_out = self.left_out.saturating_add(other.left_out);
        self.unreadable += other.unreadable;
        let room = NAMED.saturating_sub(self.named.len());
        self.named.extend(other.named.into_iter().take(room));
        // At once: with `--follow` there is no end to wait for.
        other.broken.iter().for_each(|error| warn!("meshwhy: {error}"));
        self.broken.extend(other.broken);
    }

    fn name(&mut self, cause: &'static str, times: u64) {
        match self.causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, count)) => *count += times,
            None => self.causes.push((cause, times)),
        }
    }

    /// Whether there was no line of an access log.
    pub fn has_no_log(&self) -> bool {
        self.requests == self.answers
    }

    /// What was read, and what could not be.
    pub fn report(&self) {
        warn!("meshwhy: {} of {} failed", self.failures, counted(self.requests, "request"));
        // Of equals the first one.
        if let Some((cause, _)) = self.causes.iter().rev().max_by_key(|(_, count)| *count) {
            warn!("meshwhy: how to confirm a cause, and what looks like it: meshwhy causes {cause}");
        }
        if self.of_one {
            warn!(
                "meshwhy: some of these are one request, at several proxies: meshwhy correlate FILE... says where it began"
            );
        }
        if self.left_out > 0 {
            warn!(
                "meshwhy: the filter left {} more out of the proxy's log (log_per_minute); they count where the access log has them",
                self.left_out
            );
        }
        if self.ambiguous > 0 {
            warn!(
                "meshwhy: {} with several readings: a header has quotes, which Envoy's text formats don't escape; no cause is named there \
                (log in JSON)",
                counted(self.ambiguous, "line")
            );
        }
        if self.mended > 0 {
            warn!("meshwhy: put together again what had been wrapped: {}", counted(self.mended, "line"));
        }
        if self.proxy_log > 0 {
            warn!("meshwhy: {} of the proxy's log passed over", counted(self.proxy_log, "other line"));
        }
        if self.application > 0 {
            warn!(
                "meshwhy: {} without a failure passed over: of applications' logs, or counters",
                counted(self.application, "line")
            );
        }
        if self.unreadable > 0 {
            warn!("meshwhy: {} could not be read (--format?):", counted(self.unreadable, "line"));
            self.named.iter().for_each(|line| warn!("  {line}"));
            if self.unreadable > self.named.len() as u64 {
                warn!("  ...");
            }
        }
    }

    /// How it went.
    pub fn outcome(&self) -> Outcome {
        let has_read = self.requests + self.proxy_log + self.application > 0;
        let none_readable = !has_read && self.unreadable > 0;
        match (none_readable || !self.broken.is_empty(), self.failures) {
            (true, _) => Outcome::Unreadable,
            (false, 0) => Outcome::Nothing,
            (false, _) => Outcome::Failures,
        }
    }
}
