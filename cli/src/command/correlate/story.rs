//! What is shown of a request: for people, and as JSON.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use meshwhy::diagnosis::Confidence;
use serde::Serialize;

use super::Shown;
use crate::check::visible_json;
use crate::command::output::{BOLD, CAUSE, DIM, FIX, fixes};
use crate::command::text;
use crate::command::verdict::Verdict;
use crate::explain::{Column, Hop, Line, Part};

pub(super) fn print(joined: &[Shown], json: bool) -> anyhow::Result<()> {
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
