//! The demo: what the client saw, what Envoy logged, what meshwhy says.

mod keep;
mod story;
mod table;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use meshwhy::causes::Cause;
use serde_json::{Value, json};

use crate::harness::envoy::Sample;
use crate::scenarios;
use crate::scenarios::scenario::Scenario;

pub use keep::keep;
pub use story::story;
pub use table::table;

/// The page's sections that show at a proxy, in its order.
const PAGE: &[&str] = &[
    "Requests are rejected by Envoy",
    "503 errors after setting destination rule",
    "Envoy is crashing under load",
    "Envoy won't connect to my HTTP/1.0 service",
    "Sending HTTPS to an HTTP port",
    "Gateway with TLS termination",
    "Gateway with TLS passthrough",
    "Double TLS (TLS origination for a TLS request)",
    "404 errors occur when multiple gateways configured with same TLS certificate",
];

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether the terminal takes them and the user wants them.
    pub colours: bool,
}

impl Style {
    /// Bold, where there are colours.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn cause(self, text: &str) -> String {
        self.paint("33", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A scenario that was played.
#[derive(Debug)]
pub struct Played {
    /// The page's section.
    pub section: &'static str,
    /// What was done.
    pub done: &'static str,
    /// What the client saw: a status, or the error.
    client: String,
    /// Envoy's access log line in Istio's default format, without its time.
    envoy: String,
    /// The report on a failure.
    report: Option<Value>,
    /// Causes observed on traffic that works.
    observed: Vec<Observed>,
    /// Whether that is what the scenario expects.
    pub as_expected: bool,
}

/// A soft cause: only the counter has it.
#[derive(Debug)]
struct Observed {
    cause: String,
    confidence: String,
    resource: String,
}

impl Played {
    /// The whole of it, for machines.
    pub fn json(&self) -> Value {
        let observed: Vec<Value> = self
            .observed
            .iter()
            .map(|o| json!({"cause": o.cause, "confidence": o.confidence, "resource": o.resource}))
            .collect();
        json!({
            "section": self.section,
            "done": self.done,
            "client": self.client,
            "envoy": self.envoy,
            "meshwhy": self.report,
            "observed": observed,
            "as_expected": self.as_expected,
        })
    }
}

/// The scenarios of the page, in its order.
pub fn page_in_order() -> Vec<Scenario> {
    let position = |scenario: &Scenario| PAGE.iter().position(|title| Some(*title) == scenario.page);
    let mut list: Vec<Scenario> = scenarios::all().into_iter().filter(|s| position(s).is_some()).collect();
    list.sort_by_key(position);
    list
}

/// Plays one.
pub fn play(scenario: &Scenario) -> Result<Played> {
    let outcome = scenario.play().with_context(|| scenario.name)?;
    let client = match (outcome.seen.status, outcome.seen.text.trim()) {
        (Some(status), _) => format!("HTTP {status}"),
        (None, "") => format!("exit code {}", outcome.seen.exit),
        (None, said) => said.lines().next().unwrap_or_default().to_owned(),
    };
    let text = std::fs::read_to_string(outcome.envoy.path(&scenario.text_log())).unwrap_or_default();
    let report = report(&outcome.lines, &outcome.envoy.own_log());
    let observed = observed(&outcome.samples);
    let failure = report.iter().filter_map(|report| report["cause"].as_str());
    let seen: BTreeSet<&str> = failure.chain(observed.iter().map(|o| o.cause.as_str())).collect();
    let expected: BTreeSet<&str> = scenario.expected_causes().map(Cause::id).collect();
    Ok(Played {
        section: scenario.page.unwrap_or_default(),
        done: scenario.about,
        client,
        envoy: decisive(&outcome.lines, &text).to_owned(),
        as_expected: seen == expected,
        report,
        observed,
    })
}

/// The text log's line of what meshwhy reported, or the last one, without its time. Both logs have the same lines.
fn decisive<'t>(lines: &[Value], text: &'t str) -> &'t str {
    let reported = lines.iter().rposition(|line| line["meshwhy"].is_string());
    let line = reported.and_then(|at| text.lines().nth(at)).or_else(|| text.lines().last());
    let line = line.unwrap_or("(nothing)");
    line.split_once("] ").map_or(line, |(_, rest)| rest)
}

/// meshwhy's report: from the access log, or, where only an access logger sees the failure, from Envoy's own log.
fn report(lines: &[Value], own_log: &str) -> Option<Value> {
    let in_access_log =
        lines.iter().filter_map(|line| line["meshwhy"].as_str()).next_back().map(str::to_owned);
    let in_own_log = || {
        let line = own_log.lines().rfind(|line| line.contains(r#"{"event":"meshwhy""#))?;
        Some(line.get(line.find('{')?..)?.to_owned())
    };
    serde_json::from_str(&in_access_log.or_else(in_own_log)?).ok()
}

fn observed(samples: &[Sample]) -> Vec<Observed> {
    let label = |sample: &Sample, name: &str| sample.labels.get(name).cloned().unwrap_or_default();
    samples
        .iter()
        .filter(|sample| sample.name == "meshwhy_observations_total")
        .map(|sample| Observed {
            cause: label(sample, "cause"),
            confidence: label(sample, "confidence"),
            resource: label(sample, "resource"),
        })
        .collect()
}
