//! What the proxy says of a run, against what was sent.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};

use anyhow::{Context as _, Result};
use meshwhy::causes::Cause;
use meshwhy::evidence::Direction;
use serde_json::Value;

use super::tally::Tally;
use crate::harness::envoy::{Envoy, Sample};
use crate::harness::process::wait_for;

/// A cause's row of the summary.
#[derive(Debug, Default, Clone)]
pub struct Row {
    /// Failures that were made.
    pub sent: u64,
    /// What the counter says.
    pub counted: u64,
    /// Lines of the access log that name it.
    pub in_access_log: u64,
    /// Lines in the proxy's own log.
    pub lines: u64,
    /// Lines that these say were left out.
    pub suppressed: u64,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Found {
    /// By cause, confidence and resource.
    pub rows: BTreeMap<String, Row>,
    /// Lines of the connection managers' access log.
    pub logged: u64,
    /// Bytes of the proxy's own log.
    pub log_bytes: u64,
    /// What is not as it must be.
    pub deviations: Vec<String>,
}

/// What access loggers find out, which can't write filter state.
const ONLY_COUNTED: &[&str] = &["plaintext_on_tls_port ", "client_certificate_missing "];

/// Compares. The run took this many minutes; `log_per_minute` is the plugins' setting.
pub fn judge(envoy: &Envoy, sent: &Tally, minutes: f64, log_per_minute: u32) -> Result<Found> {
    let mut found = Found { deviations: sent.deviations.clone(), ..Found::default() };
    for ((cause, confidence, resource), count) in &sent.failures {
        found.rows.entry(key(cause.id(), confidence.id(), resource)).or_default().sent = *count;
    }
    found.logged = wait_for("the access log", || {
        let logged = count_lines(envoy, "http.log")?;
        Ok((logged >= sent.streams).then_some(logged))
    })
    .unwrap_or(count_lines(envoy, "http.log")?);
    if found.logged != sent.streams {
        found.deviations.push(format!("{} streams are logged, {} were sent", found.logged, sent.streams));
    }
    found.count(&envoy.meshwhy_samples()?);
    for log in ["http.log", "tcp.log"] {
        found.read_access_log(envoy, log)?;
    }
    found.read_own_log(envoy, minutes, log_per_minute)?;
    for (name, row) in &found.rows {
        if row.counted != row.sent {
            found.deviations.push(format!("{name}: {} were sent, {} are counted", row.sent, row.counted));
        }
        let only_counted = ONLY_COUNTED.iter().any(|cause| name.starts_with(cause));
        let expected = if only_counted { 0 } else { row.sent };
        if row.in_access_log != expected {
            let named = row.in_access_log;
            found.deviations.push(format!("{name}: {named} are in the access log, expected {expected}"));
        }
    }
    Ok(found)
}

fn key(cause: &str, confidence: &str, resource: &str) -> String {
    format!("{cause} {confidence} {resource}").trim_end().to_owned()
}

fn count_lines(envoy: &Envoy, name: &str) -> Result<u64> {
    let file = BufReader::new(File::open(envoy.path(name))?);
    Ok(file.split(b'\n').count() as u64)
}

impl Found {
    fn count(&mut self, samples: &[Sample]) {
        for sample in samples {
            let label = |name: &str| sample.labels.get(name).map_or("", String::as_str);
            #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a count")]
            let value = sample.value as u64;
            match sample.name.as_str() {
                "meshwhy_failures_total" => {
                    let name = key(label("cause"), label("confidence"), label("resource"));
                    let side =
                        Cause::from_id(label("cause")).map(|cause| cause.side_at(Direction::Gateway).id());
                    let fits = side == Some(label("side")) && label("direction") == "gateway";
                    if !fits {
                        self.deviations.push(format!("wrong labels: {:?}", sample.labels));
                    }
                    self.rows.entry(name).or_default().counted += value;
                }
                // Some of its healthy traffic is retried, and what retries hide is no failure.
                "meshwhy_observations_total" if label("cause") == RETRIED => {}
                "meshwhy_build_info" => {}
                _ => self.deviations.push(format!("{} {:?} is {value}", sample.name, sample.labels)),
            }
        }
    }

    fn read_access_log(&mut self, envoy: &Envoy, name: &str) -> Result<()> {
        for line in BufReader::new(File::open(envoy.path(name))?).lines() {
            let line: Value = serde_json::from_str(&line?).with_context(|| name.to_owned())?;
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            if !text("cause").is_empty() {
                let name = key(text("cause"), text("confidence"), text("resource"));
                let row = self.rows.entry(name).or_default();
                row.in_access_log += 1;
                // Of what nobody sent, one line says more than a number.
                if row.sent == 0 && row.in_access_log == 1 {
                    self.deviations.push(format!("nobody sent this: {line}"));
                }
            }
        }
        Ok(())
    }

    fn read_own_log(&mut self, envoy: &Envoy, minutes: f64, log_per_minute: u32) -> Result<()> {
        let log = envoy.own_log();
        self.log_bytes = log.len() as u64;
        for line in log.lines() {
            let Some((_, json)) = line.split_once("{\"event\":\"meshwhy").map(|_| line.split_at(start(line)))
            else {
                continue;
            };
            // Envoy's logger writes the plugin's name around it.
            let Some(Ok(own)) = serde_json::Deserializer::from_str(json).into_iter::<Value>().next() else {
                self.deviations.push(format!("no JSON: {line}"));
                continue;
            };
            let text = |key: &str| own[key].as_str().unwrap_or_default();
            let name = key(text("cause"), text("confidence"), text("resource"));
            if text("event") != "meshwhy" {
                if text("cause") != RETRIED {
                    self.deviations.push(format!("observed: {json}"));
                }
                continue;
            }
            let row = self.rows.entry(name).or_default();
            row.lines += 1;
            row.suppressed += own["suppressed"].as_u64().unwrap_or_default();
        }
        // Three roles, each with its own limit for each cause; a minute begins with the first line.
        let most = 3 * u64::from(log_per_minute) * (minutes.ceil() as u64 + 1);
        let causes = by_cause(&self.rows);
        for (cause, row) in causes {
            if row.lines > most {
                self.deviations.push(format!("{cause}: {} lines, at most {most} are allowed", row.lines));
            }
            if row.lines + row.suppressed > row.counted {
                let reported = row.lines + row.suppressed;
                self.deviations
                    .push(format!("{cause}: {reported} are reported in lines, {} are counted", row.counted));
            }
            if row.lines == 0 {
                self.deviations.push(format!("{cause}: no line in the proxy's own log"));
            }
        }
        Ok(())
    }
}

/// The one thing to observe: an endpoint of one cluster is dead, and a route retries the application's words.
const RETRIED: &str = Cause::SucceededAfterRetries.id();

fn start(line: &str) -> usize {
    line.find("{\"event\":\"meshwhy").unwrap_or_default()
}

/// Lines are limited by cause, whatever else they say.
fn by_cause(rows: &BTreeMap<String, Row>) -> BTreeMap<&str, Row> {
    let mut causes: BTreeMap<&str, Row> = BTreeMap::new();
    for (name, row) in rows {
        let cause = causes.entry(name.split(' ').next().unwrap_or_default()).or_default();
        cause.lines += row.lines;
        cause.suppressed += row.suppressed;
        cause.counted += row.counted;
    }
    causes
}
