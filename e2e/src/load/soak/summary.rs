//! What a run prints: how far it is, and one table at its end.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use super::Soak;
use super::judge::Found;
use super::tally::Tally;
use super::turns::Load;
use crate::load::memory::Trend;

/// How far it is: one line that is written anew, or a line now and then where that can't be.
pub(super) struct Progress {
    talks: bool,
    terminal: bool,
    last: Option<Instant>,
}

impl Progress {
    pub(super) fn new(talks: bool) -> Self {
        Self { talks, terminal: std::io::stderr().is_terminal(), last: None }
    }

    pub(super) fn show(&mut self, load: &Load, resident: f64) {
        let pause = Duration::from_secs(if self.terminal { 1 } else { 60 });
        if !self.talks || self.last.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        self.last = Some(Instant::now());
        let line = format!(
            "  {:3.0} %  {} requests  {:.0}/s  {:.1} MB",
            load.progress() * 100.0,
            load.done(),
            load.done() as f64 / load.elapsed().as_secs_f64().max(0.001),
            resident / 1024.0,
        );
        if self.terminal {
            eprint!("\r{line}   ");
        } else {
            eprintln!("{line}");
        }
    }

    pub(super) fn end(&self) {
        if self.talks && self.terminal {
            eprintln!();
        }
    }
}

/// The table, in Markdown.
pub(super) fn table(soak: &Soak, sent: &Tally, found: &Found, minutes: f64, trend: Option<Trend>) -> String {
    let mut out = String::new();
    let failures: u64 = sent.failures.values().sum();
    let mut row = |name: &str, value: String| {
        // Writing to a String can't fail.
        let _ = writeln!(out, "| {name} | {value} |");
    };
    row(if soak.failing { "failing soak" } else { "healthy soak" }, "".into());
    row("---", "---".into());
    row("requests and connections", sent.requests.to_string());
    row("time", format!("{minutes:.1} min, {:.0} a second", sent.requests as f64 / minutes / 60.0));
    row("streams sent, logged", format!("{}, {}", sent.streams, found.logged));
    row("failures sent", failures.to_string());
    row("failures counted", found.rows.values().map(|row| row.counted).sum::<u64>().to_string());
    row("lines of meshwhy", found.rows.values().map(|row| row.lines).sum::<u64>().to_string());
    row("bytes of Envoy's log", found.log_bytes.to_string());
    if let Some(trend) = trend {
        let (first, last) = (trend.first / 1024.0, trend.last / 1024.0);
        row("resident memory after warm-up, at the end", format!("{first:.1} MB, {last:.1} MB"));
        let slope = format!("{:+.1} KB/min, {:+.0} KB/million requests", trend.per_minute, trend.per_million);
        row("its slope", format!("{slope}, over {:.1} min", trend.minutes));
    }
    row("deviations", found.deviations.len().to_string());
    if !found.rows.is_empty() {
        out.push_str(
            "\n| cause, confidence, resource | sent | counted | in the access log | lines | suppressed |\n",
        );
        out.push_str("|---|---|---|---|---|---|\n");
    }
    for (name, row) in &found.rows {
        let _ = writeln!(
            out,
            "| {name} | {} | {} | {} | {} | {} |",
            row.sent, row.counted, row.in_access_log, row.lines, row.suppressed
        );
    }
    out
}
