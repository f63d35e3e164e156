//! `docs/page.md`: the page's sections as a table, written by the stories that were played.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use anyhow::{Result, ensure};
use meshwhy::causes::manual::PageSection;

use super::story::{Outcome, Story};
use crate::harness::documents;
use crate::harness::tools::root;

/// One story of the page, as it was played.
#[derive(Debug)]
pub struct Row {
    name: &'static str,
    text: String,
    /// The same in one cell.
    short: String,
    part: Part,
}

/// What of the table it is.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// A row of this section, but for the last cell.
    Row(PageSection),
    /// A row of a table of its own, and perhaps the last cell of this story's row.
    GatewayApi(Option<&'static str>),
    /// A row of a table of its own.
    Ambient,
}

const HEAD: &str = "# Istio's page, played\n\n\
Every problem of Istio's page [Traffic Management Problems](https://istio.io/latest/docs/ops/common-problems/network-issues/), played with the page's\n\
own YAML on a real Istio 1.31 (istiod, sidecars and gateway with Envoy 1.40) behind a real Kubernetes API. Written by the test run\n\
(`MESHWHY_BLESS=1 cargo test -p e2e --test istio`), which compares it ever after.\n\n\
Each proxy says what it can know, and none contradicts another. Start with the log of the proxy nearest to the client that has a failure: a sidecar\n\
on its side, or the gateway. Where that one says `likely`, the next proxy on the way knows more: the server's sidecar for mutual TLS and for\n\
connections that match no filter chain. *observed* is what meshwhy counts on traffic that works (`meshwhy_observations_total`). Fixed as the\n\
page says, each of these works and every proxy is silent: that is tested, too.\n\n\
The last column is the same mistake made with the Gateway API (HTTPRoute, TLSRoute, BackendTLSPolicy, ReferenceGrant), at a gateway and for Services of\n\
the mesh: what the client gets, and meshwhy's words. `–`: the mistake is in what the Gateway API has no kind for. The last two tables are mistakes with the Gateway API and in\n\
the ambient mesh (an Envoy stands in for ztunnel), the page's and others.\n";

impl Row {
    /// The row of a story of the page, or its last cell; the healthy ones have none.
    pub fn new(story: &Story, outcome: &Outcome) -> Option<Self> {
        let part = match story.broken_section() {
            Some(section) => Part::Row(section),
            None if story.is_of("waypoint") => Part::Ambient,
            None => Part::GatewayApi(story.is_like()),
        };
        let (client, says) = (cell(&client(outcome)), cell(&outcome.verdicts().join("\n")));
        let (envoy, analyze) = (cell(&envoy(outcome)), cell(&analyze(outcome)));
        story.is_shown().then_some(())?;
        let text = format!("| {} | {client} | {envoy} | {analyze} | {says} |", story.about);
        let short = format!("{}: {client}<br>{says}", story.about);
        Some(Self { name: story.name, text, short, part })
    }
}

/// Compares the document with what was played, or writes it anew where that is asked for. Compared are the stories and what
/// meshwhy says; what programs print around it may differ by a millisecond or the order of requests.
pub fn check(rows: &[Row]) -> Result<()> {
    let file = root().join("docs/page.md");
    let text = document(rows);
    if documents::blessed() {
        return Ok(fs::write(file, text)?);
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let (written, played) = (essence(&written), essence(&text));
    let differs =
        played.iter().find(|row| !written.contains(row)).or(written.iter().find(|row| !played.contains(row)));
    ensure!(
        written == played,
        "docs/page.md is not what was played (MESHWHY_BLESS=1 writes it anew); the first difference: {differs:?}"
    );
    Ok(())
}

/// Headings, and of each row the first and the last two cells.
fn essence(document: &str) -> Vec<[String; 3]> {
    let cells = |line: &str| {
        let line = line.trim_matches(['|', ' ']);
        let (first, mut last) = (line.split(" | ").next()?, line.rsplit(" | "));
        let (same, says) = (last.next()?, last.next().unwrap_or_default());
        (line.len() > 2).then(|| [first.to_owned(), says.to_owned(), same.to_owned()])
    };
    document.lines().filter(|line| line.starts_with(['|', '#'])).filter_map(cells).collect()
}

fn document(rows: &[Row]) -> String {
    // The order of `PageSection` is the page's.
    let mut by_section: BTreeMap<PageSection, Vec<&Row>> = BTreeMap::new();
    let mut same: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut gateway_api, mut ambient) = (Vec::new(), Vec::new());
    for row in rows {
        match row.part {
            Part::Row(section) => by_section.entry(section).or_default().push(row),
            Part::GatewayApi(like) => {
                gateway_api.push(row);
                if let Some(like) = like {
                    same.entry(like).or_default().push(&row.short);
                }
            }
            Part::Ambient => ambient.push(row),
        }
    }
    let mut out = String::from(HEAD);
    for (section, rows) in by_section {
        table(&mut out, section.title(), &rows, |row| {
            let same = same.get(row.name).map_or_else(|| "–".into(), |same| same.join("<br>"));
            format!(" {same} |")
        });
    }
    table(&mut out, "The Gateway API", &gateway_api, |_| String::new());
    table(&mut out, "Waypoints and tunnels of the ambient mesh", &ambient, |_| String::new());
    out
}

fn table(out: &mut String, title: &str, rows: &[&Row], last: impl Fn(&Row) -> String) {
    let is_page = rows.iter().any(|row| matches!(row.part, Part::Row(_)));
    let (head, line) = if is_page { (" with the Gateway API |", "---|") } else { ("", "") };
    let _ = write!(
        out,
        "\n## {title}\n\n| broken | the client gets | Envoy's default log | `istioctl analyze` | meshwhy |{head}\n|---|---|---|---|---|{line}\n",
    );
    for row in rows {
        let _ = writeln!(out, "{}{}", row.text, last(row));
    }
}

/// Fit for a cell.
fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|").replace('\n', "<br>")
}

fn client(outcome: &Outcome) -> String {
    match outcome.seen.status {
        Some(status) => format!("HTTP {status}"),
        None => {
            let said = outcome.seen.text.lines().find(|line| line.starts_with("curl: ")).unwrap_or_default();
            // Times and local ports differ from run to run.
            let said = said.split(" in connection").next().unwrap_or_default();
            let said = said.split(" after ").next().unwrap_or_default();
            format!("`{}`", said.trim())
        }
    }
}

/// The failures in each proxy's log, or all of it where nothing failed; without what differs from run to run.
fn envoy(outcome: &Outcome) -> String {
    let all = || outcome.lines.iter().flat_map(|(pod, lines)| lines.text.iter().map(move |line| (pod, line)));
    let any_failed = all().any(|(_, line)| failed(line));
    let shown = all().filter(|(_, line)| failed(line) || !any_failed);
    // In an order of their own: of several requests now one comes first, now another.
    let out: BTreeSet<String> = shown.map(|(pod, line)| format!("{pod}: `{}`", stable(line))).collect();
    if out.is_empty() { "nothing".into() } else { out.into_iter().collect::<Vec<_>>().join("\n") }
}

/// Whether the line has an error's status or a flag.
fn failed(line: &str) -> bool {
    let after_time = line.split_once("] ").map_or(line, |(_, rest)| rest);
    let fields = fields(after_time);
    let code = fields.get(1).and_then(|code| code.parse::<u16>().ok()).unwrap_or_default();
    code >= 400 || fields.get(2).is_some_and(|flags| flags != "-")
}

/// Of a line in Istio's default format: the request, code, flags, details, reasons, and the cluster.
fn stable(line: &str) -> String {
    let after_time = line.split_once("] ").map_or(line, |(_, rest)| rest);
    let fields = fields(after_time);
    let field = |index: usize| fields.get(index).map_or("-", String::as_str);
    let request = without_query(field(0));
    let head: Vec<&str> = std::iter::once(request.as_str()).chain((1..6).map(field)).collect();
    let (cluster, sni) = (field(15), field(19));
    let mut text = head.join(" ");
    for (name, value) in [("cluster", cluster), ("sni", sni)] {
        if value != "-" {
            let _ = write!(text, " … {name} {value}");
        }
    }
    text
}

/// `"GET /path?query HTTP/1.1"` without the query.
fn without_query(request: &str) -> String {
    match (request.find('?'), request.rfind(' ')) {
        (Some(query), Some(protocol)) if query < protocol => {
            format!("{}{}", &request[..query], &request[protocol..])
        }
        _ => request.to_owned(),
    }
}

/// Split at blanks, quoted fields whole.
fn fields(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    for c in line.chars() {
        match c {
            ' ' if !quoted => fields.push(std::mem::take(&mut field)),
            '"' => {
                quoted = !quoted;
                field.push(c);
            }
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

/// What it says of this configuration; what it says of every namespace without injection and such is left out.
fn analyze(outcome: &Outcome) -> String {
    let Some(said) = &outcome.analyze else { return String::new() };
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| ["Error [", "Warning [", "Info ["].iter().any(|kind| line.starts_with(kind)))
        .filter(|line| !ALWAYS.iter().any(|code| line.contains(code)))
        .collect();
    if lines.is_empty() { "nothing".into() } else { lines.join("\n") }
}

/// Said of the rig itself: namespaces without injection (0102), pods that no controller made, EnvoyFilters (0133, 0151), a gateway without
/// a Service (0162).
const ALWAYS: &[&str] = &["IST0102", "IST0103", "IST0118", "IST0133", "IST0151", "IST0162"];

#[cfg(test)]
mod tests {
    use super::stable;

    #[test]
    fn the_verdict_counts_not_what_was_printed() {
        let row = |log: &str, says: &str| {
            super::essence(&format!("| about | HTTP 404 | {log} | nothing | {says} |\n"))
        };
        assert_eq!(row("a", "x: **no_route** | –"), row("b\\|c", "x: **no_route** | –"));
        assert_ne!(row("a", "x: **no_route** | –"), row("a", "y: **no_route** | –"));
        assert_ne!(row("a", "x: **no_route** | –"), row("a", "x: **no_route** | z: **no_route**"));
    }

    #[test]
    fn what_differs_from_run_to_run_is_left_out() {
        let line = "[2026-11-21T07:55:48.181Z] \"- - -\" 0 UH - - \"-\" 807 890 43 - \"-\" \"-\" \"-\" \"-\" \"-\" BlackHoleCluster - 10.89.0.19:443 10.89.0.11:57560 httpbin.org -";
        assert_eq!(stable(line), "\"- - -\" 0 UH - - \"-\" … cluster BlackHoleCluster … sni httpbin.org");
    }
}
