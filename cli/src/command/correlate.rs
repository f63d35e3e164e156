//! `meshwhy correlate`.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::ensure;
use serde::Serialize;

use super::arguments::Correlate;
use super::outcome::Outcome;
use super::output::{BOLD, CAUSE, DIM, FIX, fixes};
use super::text;
use crate::check::{visible, visible_json};
use crate::explain::{Column, Finding, Hop, Joined, Line, Part, Reader, Reading, Source, join};
use crate::input::chunks::{Chunk, Chunks};
use crate::input::{Input, Streams};

/// No more requests than this are joined at once.
const MOST_REQUESTS: usize = 20_000;
/// No more lines of one request are kept.
const MOST_HOPS: usize = 64;
/// Nor of all requests.
const MOST_LINES: usize = 100_000;

/// Runs it: first the requests that failed anywhere, then all that was logged of them.
pub fn run(options: &Correlate) -> anyhow::Result<Outcome> {
    let inputs = Input::all(&options.files);
    ensure!(!inputs.contains(&Input::Stdin), "standard input can't be read twice: name files");
    let reader = Reader::new(options.format.clone());
    let mut ids = HashSet::new();
    let mut counts = Counts::default();
    match &options.id {
        Some(id) => {
            ids.insert(id.clone());
        }
        None => drop(each_line(&inputs, &reader, false, |_, reading| match reading {
            Reading::Failed(line, finding) => {
                let id = line.get(Column::RequestId).filter(|_| !is_ambiguous(&finding));
                let Some(id) = id else {
                    counts.without_id += 1;
                    return;
                };
                if ids.len() < MOST_REQUESTS || ids.contains(id) {
                    ids.insert(id.to_owned());
                } else {
                    counts.left_out += 1;
                }
            }
            Reading::Unreadable => counts.unreadable += 1,
            _ => {}
        })),
    }
    let mut requests: BTreeMap<String, Vec<Hop>> = BTreeMap::new();
    let mut kept = 0;
    let broken = each_line(&inputs, &reader, true, |input, reading| {
        let (line, finding) = match reading {
            Reading::Failed(line, finding) if !is_ambiguous(&finding) => (line, Some(*finding)),
            Reading::Fine(Some(line)) => (line, None),
            _ => return,
        };
        let Some(id) = line.get(Column::RequestId).filter(|id| ids.contains(*id)) else { return };
        let hops = requests.entry(id.to_owned()).or_default();
        if hops.len() < MOST_HOPS && kept < MOST_LINES {
            kept += 1;
            let proxy = line.proxy.clone().unwrap_or_else(|| visible(&file_stem(input)));
            hops.push(Hop { proxy, line: *line, finding });
        } else {
            counts.lines_left_out += 1;
        }
    });
    let joined: Vec<(String, Joined)> =
        requests.into_iter().filter_map(|(id, hops)| Some((id, join(hops)?))).collect();
    broken.iter().for_each(|error| complain!("meshwhy: {error}"));
    print(&joined, options.json)?;
    complain!("meshwhy: {} requests failed somewhere", joined.len());
    counts.report();
    Ok(match (broken.is_empty(), joined.is_empty() && counts.without_id == 0) {
        (false, _) => Outcome::Unreadable,
        (true, true) => Outcome::Nothing,
        (true, false) => Outcome::Failures,
    })
}

/// What can't be joined.
#[derive(Debug, Default)]
struct Counts {
    left_out: u64,
    lines_left_out: u64,
    without_id: u64,
    unreadable: u64,
}

impl Counts {
    fn report(&self) {
        let Self { left_out, lines_left_out, without_id, unreadable } = self;
        if *left_out > 0 {
            complain!("meshwhy: {left_out} more failures than {MOST_REQUESTS} requests were left out");
        }
        if *lines_left_out > 0 {
            complain!("meshwhy: {lines_left_out} lines of these requests were left out: there are too many");
        }
        if *without_id > 0 {
            complain!(
                "meshwhy: {without_id} failures have no request id, or none that is beyond doubt; `meshwhy explain` names them"
            );
        }
        if *unreadable > 0 {
            complain!("meshwhy: {unreadable} lines could not be read; `meshwhy explain` names them");
        }
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
            reader.walk(&chunk.bytes, chunk.first_line, keep, |read| {
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
        Input::File(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let short = Path::new(&name).with_extension("").with_extension("").display().to_string();
            if short.is_empty() { name } else { short }
        }
    }
}

fn print(joined: &[(String, Joined)], json: bool) -> anyhow::Result<()> {
    let mut out = anstream::AutoStream::auto(io::stdout());
    for (id, request) in joined {
        let text = if json {
            visible_json(&serde_json::to_string(&Record::new(id, request))?) + "\n"
        } else {
            story(id, request)
        };
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

fn story(id: &str, request: &Joined) -> String {
    let mut out = String::new();
    let mut put = |text: std::fmt::Arguments<'_>| {
        // Writing to a String can't fail.
        let _ = out.write_fmt(text);
    };
    let answered = if request.recovered { "; the first to ask got a good answer all the same" } else { "" };
    let id = meshwhy::report::clean(id, 100);
    put(format_args!("{BOLD}request {id}{BOLD:#}{answered}\n"));
    let at =
        request.hops.iter().find(|(_, part)| *part == Part::Root).map_or("", |(hop, _)| hop.proxy.as_str());
    let finding = &request.verdict;
    let causes = finding.cause.id();
    put(format_args!(
        "  {DIM}cause{DIM:#}     {CAUSE}{causes}{CAUSE:#} ({}) at {at}\n",
        finding.confidence.id()
    ));
    if !finding.evidence.is_empty() {
        put(format_args!("  {DIM}evidence{DIM:#}  {}\n", finding.evidence));
    }
    for fix in fixes(finding) {
        put(format_args!("  {DIM}fix{DIM:#}       {FIX}{fix}{FIX:#}\n"));
    }
    let width = request.hops.iter().map(|(hop, _)| hop.proxy.len()).max().unwrap_or_default();
    for (hop, part) in &request.hops {
        let saw = hop.finding.as_ref().map(|finding| finding.cause.id());
        let note = match part {
            Part::Root => "  <- here it began",
            Part::Consequence => "  (a consequence)",
            Part::Other => "  (another failure)",
            Part::Fine => "",
        };
        let (proxy, request) = (&hop.proxy, text::request(&hop.line));
        put(format_args!("    {proxy:<width$}  {request}  {}{DIM}{note}{DIM:#}\n", saw.unwrap_or_default()));
    }
    out.push('\n');
    out
}

/// One request, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Record<'a> {
    request_id: &'a str,
    cause: &'static str,
    confidence: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    could_be: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    evidence: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'static str>,
    proxy: &'a str,
    recovered: bool,
    hops: Vec<Seen<'a>>,
}

#[derive(Debug, Serialize)]
struct Seen<'a> {
    proxy: &'a str,
    part: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
}

impl<'a> Record<'a> {
    fn new(id: &'a str, request: &'a Joined) -> Self {
        let finding = &request.verdict;
        let root = request.hops.iter().find(|(_, part)| *part == Part::Root);
        Self {
            request_id: id,
            cause: finding.cause.id(),
            confidence: finding.confidence.id(),
            could_be: finding.alternatives.iter().map(|cause| cause.id()).collect(),
            side: finding.side().map(|side| side.id()),
            resource: finding.resource.as_deref(),
            evidence: &finding.evidence,
            fix: finding.fix(),
            proxy: root.map_or("", |(hop, _)| &hop.proxy),
            recovered: request.recovered,
            hops: request.hops.iter().map(|(hop, part)| Seen::new(hop, *part)).collect(),
        }
    }
}

impl<'a> Seen<'a> {
    fn new(hop: &'a Hop, part: Part) -> Self {
        let line: &Line<'_> = &hop.line;
        Self {
            proxy: &hop.proxy,
            part: match part {
                Part::Root => "root",
                Part::Consequence => "consequence",
                Part::Other => "other",
                Part::Fine => "fine",
            },
            cause: hop.finding.as_ref().map(|finding| finding.cause.id()),
            code: line.code(),
            flags: text::column(line, Column::Flags),
            time: text::column(line, Column::Time),
        }
    }
}
