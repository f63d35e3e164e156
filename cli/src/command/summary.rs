//! `--summary`: how many failures of which cause, where, since when.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

use meshwhy::causes::Cause;
use serde::Serialize;

use super::moment::Moment;
use super::output::{BOLD, CAUSE, DIM, FIX, fixes};
use super::rate::{CELLS, Rate, Span};
use super::text;
use super::verdict::Verdict;
use crate::check::visible_json;
use crate::explain::{Column, Destination, Finding, Line, first, millis};

/// No more groups than this are kept apart: hosts are chosen by clients.
const MOST_GROUPS: usize = 2_000;
const OTHER: &str = "_other";
/// The form of the objects; a key may be added to it, and none changes its meaning.
const SCHEMA: &str = "meshwhy.summary/1";
/// What is waited for at once, of one piece of a log, for each kind of failure.
const MOST_AWAITED: usize = 6;
/// Other causes that are shown.
const SHOWN: usize = 3;
/// Groups that are shown: what a chat takes as one message.
const TOP: usize = 10;
/// Examples kept of each group.
const EXAMPLES: usize = 2;

/// Failures counted.
#[derive(Debug, Default)]
pub struct Summary {
    groups: HashMap<Key, Group>,
    /// What failed, and nothing is known of it since.
    awaited: Vec<Awaited>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    cause: &'static str,
    host: String,
    resource: String,
}

/// An endpoint or a cluster that failed: a request that went well there says more of the failure.
#[derive(Debug)]
struct Awaited {
    name: String,
    recovery: Recovery,
    key: Key,
    /// When it failed.
    since: Option<i64>,
}

/// What a failure turns out to be where the same endpoint, or another one of the cluster, answers afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recovery {
    /// A refused connect: the application was starting or stopping.
    Listening,
    /// No endpoint: there was none for a while.
    Endpoints,
    /// A connection that was closed: not because of what it speaks.
    Connection,
}

#[derive(Debug, Clone)]
struct Group {
    count: u64,
    finding: Finding,
    /// Whether all of them have the fix of the first one, with its names.
    is_alike: bool,
    first: Option<Moment>,
    last: Option<Moment>,
    examples: Vec<String>,
    rate: Rate,
    /// Endpoints or clusters that failed so, and answered afterwards.
    recovered: u64,
}

/// One group, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    schema: &'static str,
    #[serde(flatten)]
    verdict: Verdict<'a>,
    host: &'a str,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<&'a str>,
    examples: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Over>,
    #[serde(skip_serializing_if = "is_zero")]
    recovered: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How often, over the time of all groups.
#[derive(Debug, Serialize)]
struct Over {
    from: String,
    every_ms: i64,
    counts: [u64; CELLS],
}

impl Summary {
    /// Counts one failure.
    pub fn add(&mut self, line: &Line<'_>, finding: &Finding, place: &str) {
        let mut key = Key {
            cause: finding.cause.id(),
            host: host(line),
            resource: finding.resource.clone().unwrap_or_default(),
        };
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&key) {
            key = Key { host: OTHER.into(), resource: OTHER.into(), ..key };
        }
        self.wait_for(line, finding, &key);
        let millis = line.get(Column::Time).and_then(millis);
        let time = text::column(line, Column::Time).map(|text| Moment { text, millis });
        let example = || format!("{place}  {}", text::request(line));
        let group = match self.groups.entry(key) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                known.widen(finding, true, &time, &time);
                known
            }
            Entry::Vacant(place) => place.insert(Group {
                count: 0,
                finding: finding.clone(),
                is_alike: true,
                first: time.clone(),
                last: time,
                examples: Vec::new(),
                rate: Rate::default(),
                recovered: 0,
            }),
        };
        group.count += 1;
        if let Some(millis) = millis {
            group.rate.add(millis);
        }
        if group.examples.len() < EXAMPLES {
            group.examples.push(example());
        }
    }

    fn wait_for(&mut self, line: &Line<'_>, finding: &Finding, key: &Key) {
        let Some((recovery, column)) = Recovery::of(finding.cause) else { return };
        let Some(name) = line.get(column) else { return };
        let of_kind = || self.awaited.iter().filter(|awaited| awaited.recovery == recovery);
        if of_kind().count() < MOST_AWAITED && !of_kind().any(|awaited| awaited.name == name) {
            let since = line.get(Column::Time).and_then(millis);
            self.awaited.push(Awaited { name: name.to_owned(), recovery, key: key.clone(), since });
        }
    }

    /// Sees a line of a request that went well.
    pub fn fine(&mut self, line: &[u8]) {
        let groups = &mut self.groups;
        self.awaited.retain(|awaited| {
            // Exports begin with what is newest.
            let is_later = || {
                let time = first(&String::from_utf8_lossy(line));
                awaited.since.zip(time).is_none_or(|(since, time)| since <= time)
            };
            let answered = names(line, &awaited.name) && is_later();
            if answered && let Some(group) = groups.get_mut(&awaited.key) {
                group.recovered += 1;
            }
            !answered
        });
    }

    /// Adds another summary, of later lines.
    pub fn merge(&mut self, other: Self) {
        for (mut key, group) in other.groups {
            if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&key) {
                key = Key { host: OTHER.into(), resource: OTHER.into(), ..key };
            }
            match self.groups.get_mut(&key) {
                None => {
                    self.groups.insert(key, group);
                }
                Some(known) => {
                    known.widen(&group.finding, group.is_alike, &group.first, &group.last);
                    known.count += group.count;
                    known.rate.merge(group.rate);
                    known.recovered += group.recovered;
                    let room = EXAMPLES.saturating_sub(known.examples.len());
                    known.examples.extend(group.examples.into_iter().take(room));
                }
            }
        }
    }

    /// For people: short enough for a message to others.
    pub fn text(&self, top: Option<usize>) -> String {
        let mut out = String::new();
        let span = self.span();
        let sorted = self.sorted();
        let top = match top.unwrap_or(TOP) {
            0 => sorted.len(),
            top => top,
        };
        let (shown, others) = sorted.split_at(top.min(sorted.len()));
        for (key, group) in shown {
            let mut put = |text: std::fmt::Arguments<'_>| {
                // Writing to a String can't fail.
                let _ = out.write_fmt(text);
            };
            let finding = &group.finding;
            put(format_args!("{BOLD}{:>7}{BOLD:#}  {CAUSE}{}{CAUSE:#}", group.count, key.cause));
            put(format_args!(" ({})  {}", finding.confidence.id(), key.host));
            if !key.resource.is_empty() {
                put(format_args!("  {}", key.resource));
            }
            put(format_args!("\n"));
            let bar = span.map(|span| group.rate.bar(span) + "  ").filter(|_| group.rate.span().is_some());
            let bar = bar.unwrap_or_default();
            match (&group.first, &group.last) {
                (Some(first), Some(last)) if first != last => {
                    put(format_args!("         {bar}{} to {}\n", first.text, last.text));
                }
                (Some(first), _) => put(format_args!("         {bar}{}\n", first.text)),
                _ => {}
            }
            let general = group.fix().map(str::to_owned);
            if let Some(fix) = general.or_else(|| fixes(finding).first().cloned()) {
                put(format_args!("         {FIX}{fix}{FIX:#}\n"));
            }
            if !finding.alternatives.is_empty() {
                let others: Vec<&str> = finding.alternatives.iter().take(SHOWN).map(|c| c.id()).collect();
                let or = if finding.covers_alternatives() { "perhaps" } else { "or else" };
                put(format_args!("         {DIM}{or} {}{DIM:#}\n", others.join(", ")));
            }
            for example in &group.examples {
                put(format_args!("         {DIM}{example}{DIM:#}\n"));
            }
        }
        out + &by_cause(others)
    }

    /// From the first failure with a time to the last.
    fn span(&self) -> Option<Span> {
        self.groups.values().filter_map(|group| group.rate.span()).reduce(Span::and)
    }

    /// For scripts: one object a line.
    pub fn json(&self, top: Option<usize>) -> serde_json::Result<String> {
        let mut out = String::new();
        let span = self.span();
        let top = top.filter(|top| *top > 0).unwrap_or(usize::MAX);
        for (key, group) in self.sorted().into_iter().take(top) {
            let rate = span.filter(|_| group.rate.span().is_some()).and_then(|span| {
                let from = jiff::Timestamp::from_millisecond(span.from).ok()?.to_string();
                Some(Over { from, every_ms: span.cell(), counts: group.rate.cells(span) })
            });
            out.push_str(&visible_json(&serde_json::to_string(&Row {
                schema: SCHEMA,
                verdict: Verdict {
                    resource: Some(&*key.resource).filter(|resource| !resource.is_empty()),
                    ..Verdict::of_group(&group.finding, group.fix())
                },
                host: &key.host,
                count: group.count,
                first: group.first.as_ref().map(|moment| &*moment.text),
                last: group.last.as_ref().map(|moment| &*moment.text),
                examples: &group.examples,
                rate,
                recovered: group.recovered,
            })?));
            out.push('\n');
        }
        Ok(out)
    }

    /// The most frequent first.
    fn sorted(&self) -> Vec<(&Key, &Group)> {
        let mut all: Vec<_> = self.groups.iter().collect();
        all.sort_by(|(a_key, a), (b_key, b)| b.count.cmp(&a.count).then_with(|| a_key.cmp(b_key)));
        all
    }
}

impl Group {
    /// What to do: what the lines together say more than each of them, or what all of them say.
    fn fix(&self) -> Option<&str> {
        let recovery = Recovery::of(self.finding.cause).filter(|_| self.recovered > 0);
        match recovery {
            Some((recovery, _)) => Some(recovery.fix()),
            None if self.is_alike => self.finding.fix(),
            None => self.finding.general_fix(),
        }
    }

    /// Takes over what is known of others of the same key: the least sure counts.
    fn widen(&mut self, other: &Finding, alike: bool, first: &Option<Moment>, last: &Option<Moment>) {
        self.is_alike &= alike && other.fix() == self.finding.fix();
        self.finding.confidence = self.finding.confidence.min(other.confidence);
        let both = |a: &Option<Moment>, b: &Option<Moment>, later: bool| match (a, b) {
            (Some(a), Some(b)) => Some(if a.is_before(b) == later { b.clone() } else { a.clone() }),
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        self.first = both(&self.first, first, false);
        self.last = both(&self.last, last, true);
    }
}

impl Recovery {
    /// Of a cause, and the column that names what may recover.
    const fn of(cause: Cause) -> Option<(Self, Column)> {
        Some(match cause {
            Cause::UpstreamRefused => (Self::Listening, Column::UpstreamHost),
            Cause::NoEndpoints | Cause::NoHealthyEndpoints => (Self::Endpoints, Column::Cluster),
            Cause::UpstreamClosedConnection | Cause::UpstreamClosedIdleConnection => {
                (Self::Connection, Column::UpstreamHost)
            }
            _ => return None,
        })
    }

    const fn fix(self) -> &'static str {
        match self {
            Self::Listening => {
                "Give the application a readiness probe that fails until it listens, and a preStop delay: endpoints that refused answered \
                afterwards."
            }
            Self::Endpoints => {
                "Keep an endpoint ready through rollouts (maxUnavailable: 0, a PodDisruptionBudget), and let outlier detection eject only \
                some (maxEjectionPercent): there were endpoints again afterwards."
            }
            Self::Connection => {
                "Set connectionPool.http.idleTimeout below the server's keep-alive, or find out whether it restarts or fails on these \
                requests alone: the same endpoint answered afterwards."
            }
        }
    }
}

/// What the groups that aren't shown come to: no cause is left out.
fn by_cause(groups: &[(&Key, &Group)]) -> String {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for (key, group) in groups {
        let count = counts.entry(key.cause).or_default();
        *count = count.saturating_add(group.count);
    }
    let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
    counts.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let causes: Vec<String> = counts.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
    match groups.len() {
        0 => String::new(),
        others => {
            let others = text::counted(u64::try_from(others).unwrap_or(u64::MAX), "other group");
            format!("{all:>7}  in {others}, --top 0 shows them: {}\n", causes.join(", "))
        }
    }
}

/// Whether a line has this address or cluster in it, and not as a part of another.
fn names(line: &[u8], name: &str) -> bool {
    memchr::memmem::find_iter(line, name).any(|at| {
        let is_part = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'|' | b'_'))
        };
        let before = at.checked_sub(1).and_then(|at| line.get(at));
        !is_part(before) && !is_part(line.get(at + name.len()))
    })
}

/// Whom the request was for: the service of the cluster, or else what the client asked for.
fn host(line: &Line<'_>) -> String {
    let cluster = text::column(line, Column::Cluster).and_then(|name| Destination::of_cluster(&name));
    cluster
        .map(|to| to.to_string())
        .or_else(|| text::column(line, Column::Authority))
        .or_else(|| text::column(line, Column::Sni))
        .unwrap_or_else(|| "-".into())
}
