//! `meshwhy correlate`.

mod ends;
mod story;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::ensure;
use meshwhy::diagnosis::Confidence;

use self::ends::join_ends;
use self::story::print;
use self::wanted::{Counts, Wanted};
use super::arguments::Correlate;
use super::merging::{Group, merge};
use super::outcome::Outcome;
use super::text;
use crate::check::visible;
use crate::explain::{Column, Finding, Hop, Joined, Line, Reader, Reading, Source, join};
use crate::input::chunks::{Chunk, Chunks};
use crate::input::{Input, Streams};

/// No more lines of one request are kept.
const MOST_HOPS: usize = 64;
/// Nor of all requests.
const MOST_LINES: usize = 100_000;

/// Runs it.
pub fn run(options: &Correlate) -> anyhow::Result<Outcome> {
    let inputs = Input::all(&options.files);
    ensure!(!inputs.contains(&Input::Stdin), "standard input can't be read twice: name files");
    let reader = Reader::new(options.format.clone());
    let found = find(&inputs, &reader, options.id.as_deref());
    if let Some(id) = options.id.as_ref().filter(|_| !found.is_known) {
        found.broken.iter().for_each(|error| warn!("meshwhy: {error}"));
        warn!("meshwhy: no line of these logs has a request id that is or begins with {id}");
        found.counts.report();
        return Ok(Outcome::Unreadable);
    }
    found.report(options.json)
}

/// What the logs hold of the requests that failed anywhere.
pub struct Found {
    shown: Vec<Shown>,
    counts: Counts,
    broken: Vec<String>,
    /// Whether any line has the id that was asked for.
    pub is_known: bool,
}

/// First the requests that failed anywhere, or the one that is asked for; then all that was logged of them.
pub fn find(inputs: &[Input], reader: &Reader, id: Option<&str>) -> Found {
    let mut wanted = Wanted::default();
    let is_asked = |line: &Line<'_>| {
        id.is_none_or(|asked| line.get(Column::RequestId).is_some_and(|own| is_of(own, asked)))
    };
    drop(each_line(inputs, reader, false, |_, reading| wanted.see(reading, is_asked)));
    let mut requests: BTreeMap<String, Group> = BTreeMap::new();
    let mut ends: Vec<Hop> = Vec::new();
    let mut kept = 0;
    let broken = each_line(inputs, reader, true, |input, reading| {
        let (line, finding) = match reading {
            Reading::Failed(line, finding) if !is_ambiguous(&finding) => (line, Some(*finding)),
            Reading::Fine(Some(line)) => (line, None),
            _ => return,
        };
        let is_wanted = |own: &str| match id {
            Some(_) => is_asked(&line) || wanted.wants_other(&line),
            None => wanted.ids.contains(own) || wanted.wants_other(&line),
        };
        let own = line.get(Column::RequestId).filter(|own| is_wanted(own)).map(str::to_owned);
        let is_end = own.is_none() && finding.is_some() && wanted.wants_end(&line, id.is_some());
        if own.is_none() && !is_end {
            return;
        }
        if kept >= MOST_LINES {
            wanted.counts.lines_left_out += 1;
            return;
        }
        let proxy = line.proxy.clone().unwrap_or_else(|| visible(&file_stem(input)));
        let hop = Hop { proxy, line: *line, finding };
        let Some(own) = own else {
            let is_new = put(&mut ends, hop);
            kept += usize::from(is_new);
            wanted.counts.without_id = wanted.counts.without_id.saturating_sub(u64::from(!is_new));
            return;
        };
        let hops = &mut requests.entry(own).or_default().hops;
        if hops.len() < MOST_HOPS {
            kept += usize::from(put(hops, hop));
        } else {
            wanted.counts.lines_left_out += 1;
        }
    });
    let mut counts = wanted.counts;
    complete(&mut requests);
    // A whole id is nothing but itself.
    let is_whole = id.is_some_and(|id| requests.contains_key(id));
    let is_one = |own: &str| id.is_none_or(|id| if is_whole { own == id } else { is_of(own, id) });
    if is_whole {
        requests.retain(|own, _| is_one(own) || id.is_some_and(|id| !own.starts_with(id)));
    }
    let is_known = requests.keys().any(|own| is_one(own));
    let connections = join_ends(&mut requests, ends, &mut counts);
    let shown = merge(requests)
        .into_iter()
        // Others were read for the connections that they may share with it.
        .filter(|(own, group)| is_one(own) || group.other_ids.iter().any(|other| is_one(other)))
        .filter_map(|(own, group)| Shown::request(own, group))
        .chain(connections.into_iter().filter(|_| id.is_none()))
        .collect();
    Found { shown, counts, broken, is_known }
}

/// Whether a line with this id is of the request that is asked for, by its id or the beginning of it; the log may have only a part of it.
fn is_of(own: &str, asked: &str) -> bool {
    own.starts_with(asked) || beginning(own).is_some_and(|part| asked.starts_with(part))
}

/// What is there of an id that may be cut off (`8496d84a...`), if it is enough to know it by.
fn beginning(own: &str) -> Option<&str> {
    const ENOUGH: usize = 8;
    let part = own.trim_end_matches(['.', '\u{2026}']);
    (part.len() >= ENOUGH).then_some(part)
}

/// The length of a UUID.
const UUID: usize = 36;

/// Puts lines that have only the beginning of an id to the one request whose id begins so.
fn complete(requests: &mut BTreeMap<String, Group>) {
    let whole = |own: &String| {
        let part = beginning(own)?;
        let mut others = requests.range(part.to_owned()..).map(|(other, _)| other);
        let mut others =
            others.by_ref().take_while(|other| other.starts_with(part)).filter(|other| *other != own);
        // Other ids than UUIDs may begin alike.
        let is_cut = |one: &&String| part.len() < own.len() || (one.len() == UUID && part.len() < UUID);
        let one = others.next().filter(is_cut)?;
        others.next().is_none().then(|| one.clone())
    };
    let parts: Vec<(String, String)> =
        requests.keys().filter_map(|own| Some((own.clone(), whole(own)?))).collect();
    for (part, whole) in parts {
        let Some(group) = requests.remove(&part) else { continue };
        let hops = &mut requests.entry(whole).or_default().hops;
        for hop in group.hops {
            if hops.len() < MOST_HOPS {
                put(hops, hop);
            }
        }
    }
}

/// Puts a line to others; whether it is one more. A proxy with two access logs writes a stream into both: what the filter said stays.
fn put(hops: &mut Vec<Hop>, hop: Hop) -> bool {
    let is_by_filter =
        |hop: &Hop| hop.finding.as_ref().is_some_and(|finding| finding.source == Source::Filter);
    let mut before = hops.iter_mut().rev().take(MOST_HOPS);
    match before.find(|other| other.proxy == hop.proxy && is_same_stream(&other.line, &hop.line)) {
        Some(twin) if is_by_filter(&hop) && !is_by_filter(twin) => *twin = hop,
        Some(_) => {}
        None => {
            hops.push(hop);
            return true;
        }
    }
    false
}

/// To the millisecond, from one socket, with one end.
fn is_same_stream(one: &Line<'_>, other: &Line<'_>) -> bool {
    let same = |column: Column| one.get(column) == other.get(column);
    let has = |column: Column| one.get(column).is_some() && same(column);
    has(Column::Time)
        && has(Column::RemoteAddress)
        && [Column::Duration, Column::Flags, Column::UpstreamHost].into_iter().all(same)
        && one.code() == other.code()
}

impl Found {
    /// Prints it.
    pub fn report(&self, json: bool) -> anyhow::Result<Outcome> {
        self.broken.iter().for_each(|error| warn!("meshwhy: {error}"));
        print(&self.shown, json)?;
        warn!("meshwhy: {} failed somewhere", text::counted(self.shown.len() as u64, "request"));
        self.counts.report();
        Ok(match (self.broken.is_empty(), self.shown.is_empty() && self.counts.without_id == 0) {
            (false, _) => Outcome::Unreadable,
            (true, true) => Outcome::Nothing,
            (true, false) => Outcome::Failures,
        })
    }

    /// Of each request, the finding where it began.
    pub fn verdicts(&self) -> impl Iterator<Item = &Finding> {
        self.shown.iter().map(|shown| &shown.joined.verdict)
    }
}

/// The addresses at the other ends of the connections of a request.
pub fn neighbours(inputs: &[Input], reader: &Reader, id: &str) -> BTreeSet<String> {
    const ENDS: [Column; 2] = [Column::UpstreamHost, Column::RemoteAddress];
    let mut all = BTreeSet::new();
    drop(each_line(inputs, reader, true, |_, reading| {
        let (Reading::Failed(line, _) | Reading::Fine(Some(line))) = reading else { return };
        if line.get(Column::RequestId).is_some_and(|own| is_of(own, id)) {
            // Of a tunnel (`envoy://connect_originate/ADDRESS:PORT`) what it leads to.
            let address =
                |end: &Column| line.get(*end)?.rsplit('/').next()?.rsplit_once(':').map(|(host, _)| host);
            all.extend(ENDS.iter().filter_map(address).map(str::to_owned));
        }
    }));
    all
}

/// What is shown of a request or a connection.
struct Shown {
    id: String,
    joined: Joined,
    other_ids: Vec<String>,
    sure: Option<Confidence>,
}

impl Shown {
    fn request(id: String, group: Group) -> Option<Self> {
        let joined = join(group.hops)?;
        Some(Self { id: format!("request {id}"), joined, other_ids: group.other_ids, sure: group.sure })
    }
}

/// Whose request it was isn't known then.
fn is_ambiguous(finding: &Finding) -> bool {
    finding.source == Source::Ambiguous
}

/// Shows what each line of every input is; returns what could not be read to its end.
fn each_line(
    inputs: &[Input],
    reader: &Reader,
    keep: bool,
    mut see: impl FnMut(&Input, Reading),
) -> Vec<String> {
    let mut broken = Vec::new();
    for input in inputs {
        let mut chunks = Chunks::new(0);
        let mut give = |chunk: Chunk| {
            reader.walk_chunk(&chunk, keep, |read| {
                see(input, read.reading);
                true
            });
            true
        };
        let result = input
            .open(&std::sync::Arc::default(), Streams::None)
            .and_then(|mut stream| chunks.read(&mut stream, false, &mut give));
        chunks.finish(&mut give);
        broken.extend(result.err().map(|error| format!("{}: {error}", input.name())));
    }
    broken
}

/// `reviews.log.gz` → `reviews`.
fn file_stem(input: &Input) -> String {
    match input {
        Input::Stdin => "-".into(),
        Input::Program(program) => program.name.clone(),
        Input::File(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let short = Path::new(&name).with_extension("").with_extension("").display().to_string();
            if short.is_empty() { name } else { short }
        }
    }
}
