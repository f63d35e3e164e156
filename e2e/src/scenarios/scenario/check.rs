//! Judging what a scenario saw: the client, the access log, the counters, Envoy's own words, and the tool's.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use meshwhy::causes::Side;
use meshwhy::evidence::Direction;
use serde_json::Value;

use super::{Diagnosis, Log, Outcome, Scenario};
use crate::harness::agreement::{self, Reported};
use crate::harness::client::Seen;
use crate::harness::envoy::Sample;
use crate::harness::record;

impl Scenario {
    /// Plays it and compares the triple. Where evidence is recorded, it is kept under this name.
    pub fn check(&self, name: &str) -> Result<()> {
        for _ in 0..2 {
            let outcome = self.play()?;
            let less = self.less_when_busy.is_some_and(|less| outcome.names(less));
            if !less {
                return self.judge(name, outcome);
            }
        }
        self.judge(name, self.play()?)
    }

    fn judge(&self, name: &str, mut outcome: Outcome) -> Result<()> {
        let shown = format!(
            "client: {:?}\nlog: {}\nsamples: {:?}",
            outcome.seen,
            outcome.lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n     "),
            outcome
                .samples
                .iter()
                .map(|s| format!("{} {:?} {}", s.name, s.labels, s.value))
                .collect::<Vec<_>>(),
        );
        if !self.another_vm_crashes {
            outcome.envoy.check_health()?;
        }
        self.check_client(&outcome.seen)
            .and_then(|()| self.check_log(&outcome.lines))
            .and_then(|()| self.check_counters(&outcome.samples))
            .and_then(|()| self.check_words(&outcome))
            .and_then(|()| self.check_explained(&outcome))
            .and_then(|()| record::keep(name, &outcome.envoy.whole_log(), &outcome.ports))
            .with_context(|| shown)
    }

    fn check_client(&self, seen: &Seen) -> Result<()> {
        if let Some(status) = self.status {
            ensure!(seen.status == status, "the client got {:?}, expected {status:?}", seen.status);
        }
        if let Some(says) = self.client_says {
            ensure!(seen.text.contains(says), "the client does not say {says:?}");
        }
        Ok(())
    }

    fn check_log(&self, lines: &[Value]) -> Result<()> {
        ensure!(!lines.is_empty(), "nothing in {}", self.log_name());
        if self.bare || self.undecided {
            let fits = lines.iter().filter(|line| self.check_fields(line).is_ok()).count();
            ensure!(fits >= self.times, "{fits} lines are as expected, not {}", self.times);
            return Ok(());
        }
        let Some(diagnosis) = &self.diagnosis else {
            for line in lines {
                self.check_fields(line)?;
                ensure!(line["cause"].is_null() && line["meshwhy"].is_null(), "a cause was named: {line}");
            }
            return Ok(());
        };
        if self.is_reported_elsewhere() {
            let line = lines.iter().find(|line| self.check_fields(line).is_ok()).or(lines.first());
            return self.check_fields(line.context("no line")?);
        }
        let line = lines
            .iter()
            .find(|line| line["cause"] == diagnosis.cause.id())
            .with_context(|| format!("{} was not named", diagnosis.cause.id()))?;
        self.check_fields(line)?;
        diagnosis.check(line, self.direction, self.side)
    }

    /// Whether the access log can't name the cause: an access logger reports it, and that writes no filter state.
    fn is_reported_elsewhere(&self) -> bool {
        self.only_counted || self.log == Log::Listener
    }

    pub(super) fn check_fields(&self, line: &Value) -> Result<()> {
        for (key, expected) in &self.fields {
            let actual = match &line[*key] {
                Value::Null => "-".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let fits =
                expected.strip_suffix('*').map_or(actual == *expected, |start| actual.starts_with(start));
            ensure!(fits, "{key} is {actual:?}, expected {expected:?}");
        }
        Ok(())
    }

    fn check_words(&self, outcome: &Outcome) -> Result<()> {
        let log = outcome.envoy.own_log();
        for (text, times) in &self.envoy_says {
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(text)).collect();
            ensure!(
                lines.len() == *times,
                "Envoy says {text:?} {} times, expected {times}: {lines:#?}",
                lines.len()
            );
        }
        for (observed, _) in &self.observed {
            observed.check_line(&log, "meshwhy_observation")?;
        }
        // No access log has it then.
        let elsewhere = self.diagnosis.iter().filter(|_| self.is_reported_elsewhere() && !self.bare);
        for diagnosis in elsewhere.filter(|diagnosis| !diagnosis.evidence.is_empty()) {
            diagnosis.check_line(&log, "meshwhy")?;
        }
        if let Some(secret) = self.secret {
            let shown = format!("{:?} {:?} {log}", outcome.lines, outcome.samples);
            ensure!(!shown.contains(secret), "{secret} is shown");
        }
        Ok(())
    }

    /// What the tool says of Istio's access log is the same, or less: see [`agreement`].
    fn check_explained(&self, outcome: &Outcome) -> Result<()> {
        if self.bare || self.undecided || !self.proxy.has_meshwhy() {
            return Ok(());
        }
        let expected = self.diagnosis.as_ref().filter(|_| self.is_reported_elsewhere());
        let filters: Vec<_> = outcome
            .lines
            .iter()
            .map(|line| match (agreement::reported(line), expected) {
                (None, Some(expected)) if self.check_fields(line).is_ok() => {
                    Some(Reported { cause: expected.cause, confidence: expected.confidence })
                }
                (reported, _) => reported,
            })
            .collect();
        if self.log == Log::Http && self.diagnosis.is_some() {
            agreement::check_silence(&outcome.envoy.path("listener.txt"))?;
        }
        for format in [".txt", ".json", ".rich"] {
            agreement::check(&outcome.envoy.path(&self.log_name().replace(".log", format)), &filters)?;
        }
        Ok(())
    }

    /// Exactly the expected series and no other.
    fn check_counters(&self, samples: &[Sample]) -> Result<()> {
        let counted: BTreeMap<String, f64> = samples
            .iter()
            .filter(|s| s.name != "meshwhy_build_info")
            .map(|s| (format!("{} {:?}", s.name, s.labels), s.value))
            .collect();
        let failed = self.diagnosis.iter().map(|said| ("meshwhy_failures_total", said, self.times));
        let observed = self.observed.iter().map(|(said, times)| ("meshwhy_observations_total", said, *times));
        let mut expected = BTreeMap::new();
        for (metric, said, times) in failed.chain(observed) {
            let labels = said.labels(self.direction, self.side)?;
            #[allow(clippy::cast_precision_loss, reason = "small")]
            expected.insert(format!("{metric} {labels:?}"), times as f64);
        }
        if counted != expected && !self.undecided {
            bail!("counted {counted:?}, expected {expected:?}");
        }
        Ok(())
    }
}

impl Diagnosis {
    /// What its counter is labelled with.
    fn labels(
        &self,
        direction: &'static str,
        side: Option<Side>,
    ) -> Result<BTreeMap<&'static str, &'static str>> {
        let usual = self.side(direction)?;
        let labels = [
            ("cause", self.cause.id()),
            ("confidence", self.confidence.id()),
            ("side", side.unwrap_or(usual).id()),
            ("direction", direction),
            ("resource", self.resource),
        ];
        Ok(labels.into())
    }

    /// Whether the last line of this event and cause in Envoy's own log has the evidence.
    fn check_line(&self, log: &str, event: &str) -> Result<()> {
        let parts = [("event", event), ("cause", self.cause.id())];
        let parts = parts.map(|(key, value)| format!("\"{key}\":\"{value}\""));
        let last = log.lines().rfind(|line| parts.iter().all(|part| line.contains(part)));
        let last = last.with_context(|| format!("{} is in no line of the log", self.cause.id()))?;
        for part in &self.evidence {
            ensure!(last.contains(part), "the evidence lacks {part:?}: {last}");
        }
        Ok(())
    }

    fn side(&self, direction: &str) -> Result<Side> {
        let all = [Direction::Inbound, Direction::Outbound, Direction::Gateway];
        let direction = all.into_iter().find(|d| d.id() == direction).context("no such direction")?;
        Ok(self.cause.side_at(direction))
    }

    /// Whether a line of the access log says so.
    fn check(&self, line: &Value, direction: &str, expected: Option<Side>) -> Result<()> {
        let text = |key: &str| line[key].as_str().unwrap_or("-");
        let side = expected.map_or_else(|| self.side(direction), Ok)?.id();
        ensure!(text("side") == side, "side {}, expected {side}", text("side"));
        let resource = if self.resource.is_empty() { "-" } else { self.resource };
        ensure!(text("confidence") == self.confidence.id(), "confidence {}", text("confidence"));
        ensure!(text("resource") == resource, "resource {}", text("resource"));
        for part in &self.evidence {
            ensure!(text("evidence").contains(part), "the evidence lacks {part:?}: {}", text("evidence"));
        }
        let object: Value = serde_json::from_str(text("meshwhy")).context("`meshwhy` is no JSON object")?;
        for key in ["cause", "confidence", "side", "evidence", "fix"] {
            ensure!(object[key] == line[key], "`meshwhy` and `meshwhy.{key}` differ");
            let plain = text(key).bytes().all(|b| (b' '..=b'~').contains(&b));
            ensure!(plain, "{key} is not printable ASCII");
        }
        Ok(())
    }
}
