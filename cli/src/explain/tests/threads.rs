//! Lines as people put them into public threads and write-ups, against the cause that those name.

use serde_json::Value;

use super::corpus::{Score, score};
use crate::explain::{Finding, Reader, Reading};
use crate::input::chunks::Chunks;
use meshwhy::causes::Cause;

/// What has to be right, or right and more general, of all.
const GOOD_AT_LEAST: usize = 1192;

/// In how many texts without a failure any row is one that says so, as for the exit status, and in how many each row is. The rest of them
/// are mentions of failures, which are rows that could not be read.
const PASSED_OVER_AT_LEAST: (usize, usize) = (63, 43);

/// What failed first in a text that comes through a pipe; of what has no access log, what the proxy's own says, or else a client.
fn first(reader: &Reader, text: &str) -> Option<Finding> {
    let (mut found, mut lead, mut symptoms) = (None, None, Vec::new());
    walk(reader, text, |reading| match reading {
        Reading::Failed(_, finding) => found = found.take().or(Some(*finding)),
        Reading::Lead(_, finding, _) => lead = lead.take().or(Some(*finding)),
        Reading::Symptom(_, finding) => symptoms.push(*finding),
        _ => {}
    });
    symptoms.sort_by_key(Finding::peer_may_know);
    found.or(lead).or(symptoms.into_iter().next())
}

/// Gives what each row is.
fn walk(reader: &Reader, text: &str, mut see: impl FnMut(Reading)) {
    let mut chunks = Chunks::new(0);
    let mut give = |chunk| {
        reader.walk_chunk(&chunk, false, |read| {
            see(read.reading);
            true
        });
        true
    };
    chunks.read(&mut text.as_bytes(), true, &mut give).unwrap();
    chunks.finish(&mut give);
}

#[test]
fn what_others_found_out_is_named() {
    let entries: Vec<Value> =
        serde_norway::from_str(include_str!("../../../tests/threads/lines.yaml")).unwrap();
    let reader = Reader::new(Vec::new());
    let mut scores = Vec::new();
    for entry in &entries {
        if entry["end"] == "fine" {
            let finding = first(&reader, entry["text"].as_str().unwrap());
            assert!(finding.is_none(), "{entry}: {finding:?}");
            continue;
        }
        let expected = Cause::from_id(entry["end"].as_str().unwrap()).unwrap();
        let also = entry["also"].as_array().into_iter().flatten();
        let also: Vec<Cause> = also.map(|id| Cause::from_id(id.as_str().unwrap()).unwrap()).collect();
        let finding = first(&reader, entry["text"].as_str().unwrap());
        let score = score(finding.as_ref(), expected, &also);
        let said = finding.as_ref().map_or(("nothing", ""), |f| (f.cause.id(), f.confidence.id()));
        println!("{score:?} {said:?} {} {}", expected.id(), entry["source"].as_str().unwrap());
        assert!(score != Score::Wrong && score != Score::LeftOpen, "{entry}: {said:?}");
        let sure = finding.is_some_and(|finding| finding.confidence.id() == "certain");
        assert!(!sure || score == Score::Right, "{entry}: {said:?}");
        scores.push(score);
    }
    let good = scores.iter().filter(|score| matches!(score, Score::Right | Score::General)).count();
    println!("{good} of {}", scores.len());
    assert!(good >= GOOD_AT_LEAST);
}

#[test]
fn where_nothing_failed_nothing_is_named() {
    let entries: Vec<Value> =
        serde_norway::from_str(include_str!("../../../tests/threads/healthy.yaml")).unwrap();
    let reader = Reader::new(Vec::new());
    let (mut in_part, mut whole) = (0, 0);
    for entry in &entries {
        let text = entry["text"].as_str().unwrap();
        let finding = first(&reader, text);
        assert!(finding.is_none(), "{entry}: {finding:?}");
        let (mut any, mut all) = (false, true);
        walk(&reader, text, |reading| match reading {
            Reading::Blank => {}
            Reading::Unreadable => all = false,
            _ => any = true,
        });
        in_part += usize::from(any);
        whole += usize::from(any && all);
    }
    println!("{in_part} and {whole} of {}", entries.len());
    assert!(in_part >= PASSED_OVER_AT_LEAST.0 && whole >= PASSED_OVER_AT_LEAST.1, "{in_part} {whole}");
}
