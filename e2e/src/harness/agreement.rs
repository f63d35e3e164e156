//! `meshwhy explain` and the filter: what the tool makes of an access log agrees with what the filter said, or is less.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;
use meshwhy_cli::explain::{Finding, Format, Reader, Reading};
use serde_json::Value;

use crate::harness::envoy::config_log::RICH;

/// What the filter said of a stream or connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// The cause.
    pub cause: Cause,
    /// How sure it was.
    pub confidence: Confidence,
}

impl Reported {
    /// From the two ids.
    pub fn new(cause: &str, confidence: &str) -> Option<Self> {
        let all = [Confidence::Possible, Confidence::Likely, Confidence::Certain];
        Some(Self {
            cause: Cause::from_id(cause)?,
            confidence: all.into_iter().find(|c| c.id() == confidence)?,
        })
    }
}

/// The verdict that a line of the log for assertions carries.
pub fn reported(line: &Value) -> Option<Reported> {
    Reported::new(line["cause"].as_str()?, line["confidence"].as_str()?)
}

/// Compares each line of an access log with what the filter said of the same stream, in the order of the log.
pub fn check(log: &Path, filters: &[Option<Reported>]) -> Result<()> {
    let lines = lines(log, filters.len())?;
    ensure!(lines.len() == filters.len(), "{}: {} lines, not {}", log.display(), lines.len(), filters.len());
    let reader = Reader::new(vec![Format::parse(RICH)?]);
    for (line, reported) in lines.iter().zip(filters) {
        let text = String::from_utf8_lossy(line);
        let reading = reader.read(line);
        compare(&reading, *reported).with_context(|| format!("explain: {text}"))?;
        // Nothing of an error's own answer is missing there, gRPC's neither.
        let own_error = reported.is_some_and(|reported| reported.cause == Cause::ApplicationError);
        let silent = log.extension().is_some_and(|end| end == "rich") && matches!(reading, Reading::Fine(_));
        ensure!(!(own_error && silent), "explain: nothing is said of {text}");
    }
    Ok(())
}

/// The streams of a connection have lines of their own: nothing is said of the connection as well.
pub fn check_silence(log: &Path) -> Result<()> {
    let reader = Reader::new(Vec::new());
    for line in lines(log, 0)? {
        let reading = reader.read(&line);
        ensure!(reading == Reading::Fine(None), "{} {reading:?}", String::from_utf8_lossy(&line));
    }
    Ok(())
}

/// What agrees, or nothing.
fn compare(reading: &Reading, reported: Option<Reported>) -> Result<()> {
    let finding = match reading {
        Reading::Failed(_, finding) => finding,
        Reading::Fine(_) => return Ok(()),
        other => bail!("not read: {other:?}"),
    };
    let Some(reported) = reported else { bail!("the filter said nothing, the tool says {}", said(finding)) };
    ensure!(agrees(finding, reported), "the filter said {reported:?}, the tool says {}", said(finding));
    Ok(())
}

/// The same cause at most as sure, a more general one less sure, or the most probable of several, of which it is one.
pub fn agrees(finding: &Finding, reported: Reported) -> bool {
    // An Istio with Mixer has a column for its status; scenarios play it by Lua.
    let by_mixer = reported.cause.id().starts_with("mixer_") && finding.cause == Cause::FilterRejected;
    if by_mixer {
        return true;
    }
    if finding.cause == reported.cause {
        return finding.confidence <= reported.confidence;
    }
    // One that is true of another one, too, stands for both.
    let stands_for = |cause: &Cause| *cause == reported.cause || cause.is_broader_than(reported.cause);
    let is_one_of = finding.alternatives.iter().any(stands_for);
    // Where no rule knows more, the tool names what Envoy's flags stand for most often.
    let is_lead = reported.cause == Cause::Unclassified;
    if finding.confidence == Confidence::Possible && (is_one_of || is_lead) {
        return true;
    }
    let listed = finding.alternatives.is_empty() || is_one_of;
    let surer = finding.confidence == Confidence::Certain || finding.confidence > reported.confidence;
    finding.cause.is_broader_than(reported.cause) && listed && !surer
}

/// A finding in a few words.
pub fn said(finding: &Finding) -> String {
    let others: Vec<&str> = finding.alternatives.iter().map(|cause| cause.id()).collect();
    format!("{} {}, or {others:?}", finding.cause.id(), finding.confidence.id())
}

/// Envoy writes each of its logs when it sees fit: waits for the last line.
fn lines(log: &Path, expected: usize) -> Result<Vec<Vec<u8>>> {
    let deadline = Instant::now() + Duration::from_secs(4);
    loop {
        let bytes = std::fs::read(log).with_context(|| log.display().to_string())?;
        // What is behind the last line feed is still being written.
        let end = bytes.iter().rposition(|b| *b == b'\n').unwrap_or_default();
        let lines: Vec<Vec<u8>> =
            bytes[..end].split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
        if lines.len() >= expected || Instant::now() > deadline {
            return Ok(lines);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
