//! `meshwhy correlate`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::ensure;
use meshwhy::diagnosis::Confidence;
use serde::Serialize;

use super::arguments::Correlate;
use super::merging::{Group, merge};
use super::outcome::Outcome;
use super::output::{BOLD, CAUSE, DIM, FIX, fixes};
use super::text;
use super::verdict::Verdict;
use crate::check::{visible, visible_json};
use crate::explain::connection::Span;
use crate::explain::{Column, Finding, Hop, Joined, Line, Part, Reader, Reading, Source, connection, join};
use crate::input::chunks::{Chunk, Chunks};
use crate::input::{Input, Streams};

/// No more requests than this are joined at once.
const MOST_REQUESTS: usize = 20_000;
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
    found.tell(options.json)
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
        id.is_none_or(|beginning| line.get(Column::RequestId).is_some_and(|id| id.starts_with(beginning)))
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
            kept += 1;
            ends.push(hop);
            return;
        };
        let hops = &mut requests.entry(own).or_default().hops;
        if hops.len() < MOST_HOPS {
            kept += 1;
            hops.push(hop);
        } else {
            wanted.counts.lines_left_out += 1;
        }
    });
    let mut counts = wanted.counts;
    // A whole id is nothing but itself.
    let is_whole = id.is_some_and(|id| requests.contains_key(id));
    let is_one = |own: &str| id.is_none_or(|id| if is_whole { own == id } else { own.starts_with(id) });
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

impl Found {
    /// Prints it.
    pub fn tell(&self, json: bool) -> anyhow::Result<Outcome> {
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
        if line.get(Column::RequestId).is_some_and(|own| own.starts_with(id)) {
            all.extend(ENDS.iter().filter_map(|end| Some(line.get(*end)?.rsplit_once(':')?.0.to_owned())));
        }
    }));
    all
}

/// What failed anywhere: whose lines are looked for.
#[derive(Debug, Default)]
struct Wanted {
    ids: HashSet<String>,
    /// Sockets of failed connections, from where they were opened, as their two ends have them, and when.
    asked: HashMap<String, Vec<Span>>,
    was_asked: HashMap<String, Vec<Span>>,
    counts: Counts,
}

/// No more failures of one connection are remembered: it may carry many requests.
const MOST_SPANS: usize = 64;

impl Wanted {
    fn see(&mut self, reading: Reading, is_asked: impl Fn(&Line<'_>) -> bool) {
        let (line, finding) = match reading {
            Reading::Failed(line, finding) if is_asked(&line) => (line, finding),
            Reading::Unreadable => {
                self.counts.unreadable += 1;
                return;
            }
            _ => return,
        };
        if is_ambiguous(&finding) {
            self.counts.without_id += 1;
            return;
        }
        let keep = |all: &mut HashMap<String, Vec<Span>>, socket: Option<&str>| {
            if let Some(socket) = socket.filter(|_| all.len() < MOST_LINES) {
                let spans = all.entry(socket.to_owned()).or_default();
                spans.extend(Span::of(&line).filter(|_| spans.len() < MOST_SPANS));
            }
        };
        keep(&mut self.asked, connection::asked_from(&line));
        keep(&mut self.was_asked, connection::was_asked_from(&line));
        match line.get(Column::RequestId) {
            None => self.counts.without_id += 1,
            Some(id) if self.ids.len() < MOST_REQUESTS || self.ids.contains(id) => {
                self.ids.insert(id.to_owned());
            }
            Some(_) => self.counts.left_out += 1,
        }
    }

    /// Whether the other end of its connection failed at that time, whatever its own id is.
    fn wants_other(&self, line: &Line<'_>) -> bool {
        let Some(span) = Span::of(line) else { return false };
        let at = |all: &HashMap<String, Vec<Span>>, socket: Option<&str>| {
            let spans = socket.and_then(|socket| all.get(socket));
            spans.is_some_and(|spans| spans.iter().any(|other| span.overlaps(*other)))
        };
        at(&self.asked, connection::was_asked_from(line)) || at(&self.was_asked, connection::asked_from(line))
    }

    /// Whether the other end of its connection failed, too; ztunnel's lines go with a waypoint's by time and place.
    fn wants_end(&self, line: &Line<'_>, of_one: bool) -> bool {
        if of_one {
            return self.wants_other(line);
        }
        let both = |socket: &str| self.asked.contains_key(socket) && self.was_asked.contains_key(socket);
        connection::asked_from(line).is_some_and(both)
            || connection::was_asked_from(line).is_some_and(both)
            || !line.shows(Column::Code)
    }
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

/// Puts lines without an id to the request whose connection they are of, and joins the two ends of other connections.
fn join_ends(requests: &mut BTreeMap<String, Group>, ends: Vec<Hop>, counts: &mut Counts) -> Vec<Shown> {
    let mut others: BTreeMap<String, Vec<Hop>> = BTreeMap::new();
    let mut by_socket: HashMap<String, String> = HashMap::new();
    let mut by_place: HashMap<String, String> = HashMap::new();
    for (id, group) in &*requests {
        for hop in &group.hops {
            if let Some(socket) = connection::asked_from(&hop.line) {
                by_socket.insert(socket.to_owned(), id.clone());
            }
            let inner = hop.line.get(Column::UpstreamHost).is_some_and(|host| host.starts_with("envoy://"));
            if let Some(place) = connection::destination(&hop.line).filter(|_| inner) {
                by_place.insert(place.to_owned(), id.clone());
            }
        }
    }
    for end in ends {
        let by_socket = connection::was_asked_from(&end.line).and_then(|socket| by_socket.get(socket));
        let by_place = || connection::destination(&end.line).and_then(|place| by_place.get(place));
        let request =
            by_socket.or_else(by_place).and_then(|id| requests.get_mut(id)).map(|group| &mut group.hops);
        let close = |hops: &[Hop]| hops.iter().any(|hop| connection::are_close(&hop.line, &end.line));
        match request {
            Some(hops) if hops.len() < MOST_HOPS && close(hops) => {
                counts.without_id = counts.without_id.saturating_sub(1);
                hops.push(end);
            }
            _ => {
                let socket =
                    connection::asked_from(&end.line).or_else(|| connection::was_asked_from(&end.line));
                let Some(socket) = socket.map(str::to_owned) else { continue };
                others.entry(socket).or_default().push(end);
            }
        }
    }
    let mut joined = Vec::new();
    for (socket, hops) in others {
        let asked = hops.iter().any(|hop| connection::asked_from(&hop.line) == Some(&*socket));
        let was_asked = hops.iter().any(|hop| connection::was_asked_from(&hop.line) == Some(&*socket));
        let close = hops.iter().all(|hop| hops.iter().all(|o| connection::are_close(&hop.line, &o.line)));
        if asked && was_asked && close && hops.len() < MOST_HOPS {
            counts.without_id = counts.without_id.saturating_sub(hops.len() as u64);
            let id = format!("connection from {socket}");
            let sure = Some(Confidence::Likely);
            joined.extend(join(hops).map(|joined| Shown { id, joined, other_ids: Vec::new(), sure }));
        }
    }
    joined
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
            let failures = text::counted(*left_out, "more failure");
            warn!("meshwhy: {failures} than {MOST_REQUESTS} requests: left out");
        }
        if *lines_left_out > 0 {
            let lines = text::counted(*lines_left_out, "line");
            warn!("meshwhy: {lines} of these requests left out: there are too many");
        }
        if *without_id > 0 {
            warn!(
                "meshwhy: {} without a request id beyond doubt or another end; `meshwhy explain` names the cause",
                text::counted(*without_id, "failure")
            );
        }
        if *unreadable > 0 {
            let lines = text::counted(*unreadable, "line");
            warn!("meshwhy: {lines} could not be read; `meshwhy explain` shows the first of them");
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

fn print(joined: &[Shown], json: bool) -> anyhow::Result<()> {
    let mut out = anstream::AutoStream::auto(io::stdout());
    for shown in joined {
        let text = if json {
            visible_json(&serde_json::to_string(&Record::new(shown))?) + "\n"
        } else {
            story(shown)
        };
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

/// The longest ids that are shown.
const LONGEST_ID: usize = 100;

fn story(shown: &Shown) -> String {
    let request = &shown.joined;
    let mut out = String::new();
    let mut put = |text: std::fmt::Arguments<'_>| {
        // Writing to a String can't fail.
        let _ = out.write_fmt(text);
    };
    let answered = if request.recovered { "; the first to ask got a good answer all the same" } else { "" };
    let id = meshwhy::report::clean(&shown.id, LONGEST_ID);
    put(format_args!("{BOLD}{id}{BOLD:#}{answered}\n"));
    if let (Some(sure), [_, ..]) = (shown.sure, shown.other_ids.as_slice()) {
        let ids = meshwhy::report::clean(&shown.other_ids.join(" and "), LONGEST_ID);
        let sure = sure.id();
        put(format_args!("  {DIM}joined{DIM:#}    with {ids} by the connection between them ({sure})\n"));
    }
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

/// The form of the objects; a key may be added to it, and none changes its meaning.
const SCHEMA: &str = "meshwhy.request/1";

/// One request, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Record<'a> {
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// The socket of a connection that no request came together on.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_from: Option<&'a str>,
    /// Ids of the same request elsewhere.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    other_ids: &'a [String],
    /// How sure it is that the lines belong together, where no id says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    joined_by_connection: Option<&'static str>,
    #[serde(flatten)]
    verdict: Verdict<'a>,
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
    fn new(shown: &'a Shown) -> Self {
        let (id, request) = (&shown.id, &shown.joined);
        let root = request.hops.iter().find(|(_, part)| *part == Part::Root);
        Self {
            schema: SCHEMA,
            request_id: id.strip_prefix("request "),
            connection_from: id.strip_prefix("connection from "),
            other_ids: &shown.other_ids,
            joined_by_connection: shown.sure.map(Confidence::id),
            verdict: Verdict::new(&request.verdict),
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
