//! `meshwhy explain` on the default access logs of a story: it agrees with what the filter said there, or says less.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use meshwhy::causes::Cause;
use meshwhy_cli::explain::{Column, Finding, Line, Reader, Reading};
use meshwhy_cli::input::chunks::{Chunk, Chunks};

use super::story::{Lines, Outcome};
use crate::harness::agreement;

/// What Istio's default log and meshwhy's show of the same stream or connection alike.
type Key = Vec<String>;

/// Compares every line of every proxy.
pub fn check(outcome: &Outcome) -> Result<()> {
    for (pod, lines) in &outcome.lines {
        let counted = outcome.counted.keys().filter(|counted| counted.pod == *pod && !counted.soft);
        let counted: Vec<_> =
            counted.filter_map(|c| agreement::Reported::new(&c.cause, &c.confidence)).collect();
        check_pod(lines, &counted).and_then(|()| check_whole(lines)).with_context(|| pod.clone())?;
    }
    Ok(())
}

/// Whether each stream has its lines in both logs by now.
pub fn is_whole(lines: &Lines) -> bool {
    lines.text.len() >= lines.json.len()
}

fn check_pod(lines: &Lines, counted: &[agreement::Reported]) -> Result<()> {
    let reader = Reader::new(Vec::new());
    let mut reported: HashMap<Key, Vec<agreement::Reported>> = HashMap::new();
    for json in &lines.json {
        if let (Some(line), Some(verdict)) =
            (of_line(&reader, &json.to_string())?.0, agreement::reported(json))
        {
            reported.entry(key(&line)).or_default().push(verdict);
        }
    }
    // What stands in no access log, an access logger said.
    let logged: Vec<_> = reported.values().flatten().copied().collect();
    let elsewhere: Vec<_> = counted.iter().filter(|verdict| !logged.contains(verdict)).copied().collect();
    for text in lines.text.iter().filter(|text| !is_internal(text)) {
        let (Some(line), Some(finding)) = of_line(&reader, text)? else { continue };
        let verdicts = reported.get(&key(&line)).unwrap_or(&elsewhere);
        ensure!(
            verdicts.iter().any(|verdict| agreement::agrees(&finding, *verdict)),
            "explain: the filter said {verdicts:?}, the tool says {} of {text}",
            agreement::said(&finding)
        );
    }
    Ok(())
}

/// Whether no role is there to say something: the tunnels of the ambient mesh have lines of their own beside those of the streams in
/// them, and so have the connections for which a waypoint's inner listener has no chain.
fn is_internal(text: &str) -> bool {
    let is_waypoints = || text.contains(" 10.96.0.") && !text.contains("outbound_.");
    text.contains(" connect_originate ") || (text.contains("filter_chain_not_found") && is_waypoints())
}

/// In a waypoint's log the lines of connections that match no chain are distinguished from a sidecar's.
fn check_whole(lines: &Lines) -> Result<()> {
    let (reader, log) = (Reader::new(Vec::new()), lines.text.join("\n"));
    let mut wrong = None;
    let mut see = |chunk: Chunk| {
        reader.walk_chunk(&chunk, false, |read| {
            if let Reading::Failed(line, finding) = read.reading {
                let unmatched = line.get(Column::Details) == Some("filter_chain_not_found");
                let known = finding.cause == Cause::RouteHostUnknown;
                if chunk.of_waypoint && unmatched && !known {
                    wrong = Some(agreement::said(&finding));
                }
            }
            true
        });
        true
    };
    let mut chunks = Chunks::new(0);
    chunks.read(&mut log.as_bytes(), false, &mut see)?;
    chunks.finish(&mut see);
    ensure!(wrong.is_none(), "explain: a waypoint's connection without a chain is {wrong:?}");
    Ok(())
}

fn of_line(reader: &Reader, text: &str) -> Result<(Option<Line<'static>>, Option<Finding>)> {
    match reader.read_all(text.as_bytes()) {
        Reading::Failed(line, finding) => Ok((Some(*line), Some(*finding))),
        Reading::Fine(line) => Ok((line.map(|line| *line), None)),
        other => anyhow::bail!("explain: {other:?} {text}"),
    }
}

fn key(line: &Line<'_>) -> Key {
    [Column::Time, Column::RequestId, Column::RemoteAddress, Column::Code, Column::Flags, Column::Details]
        .iter()
        .map(|column| line.get(*column).unwrap_or_default().to_owned())
        .collect()
}
