//! `kubectl meshwhy status`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::arguments::{Reach, Status};
use crate::check::{visible, visible_json};
use crate::cluster::{Counts, Kubectl, Module, PLUGINS, Pod, Role, STATS, Scope, State, each};
use crate::command::outcome::Outcome;
use crate::command::output::{BOLD, CAUSE, DIM};
use crate::command::text;

/// How much of a proxy's log is looked at.
const TAIL: &str = "--tail=5000";

/// The most causes that are named of each proxy.
const FEW: usize = 3;

/// A proxy, and what was found of it, or why nothing was.
struct Seen {
    pod: Pod,
    role: Role,
    module: Result<Module, String>,
    /// When its counters were read.
    at: Instant,
    /// What they grew by, and in how long.
    lately: Option<(Counts, Duration)>,
}

/// Runs it.
pub fn run(reach: &Reach, options: &Status) -> anyhow::Result<Outcome> {
    let kubectl = reach.kubectl();
    let scope = reach.scope(&kubectl, options.all_namespaces)?;
    let selecting: Vec<&str> = options.selector.iter().flat_map(|labels| ["-l", labels.as_str()]).collect();
    let pods = Pod::get(&kubectl, &scope, &selecting)?;
    let proxies: Vec<(Pod, Role)> = pods
        .into_iter()
        .filter_map(|pod| pod.proxy.filter(|role| *role != Role::Ztunnel && pod.runs).map(|role| (pod, role)))
        .collect();
    if proxies.is_empty() {
        let place = match &scope {
            Scope::Namespace(name) => name,
            Scope::All => "any namespace",
        };
        warn!("meshwhy: no pod with a proxy runs in {place}");
        return Ok(Outcome::Unreadable);
    }
    let began = Instant::now();
    let mut seen = each(&proxies, |(pod, role)| {
        let at = Instant::now();
        let module = look(&kubectl, pod).map_err(|error| format!("{error:#}"));
        Seen { pod: pod.clone(), role: *role, module, at, lately: None }
    });
    if !options.over.is_zero() {
        // In the same order, so that each is watched for about as long.
        std::thread::sleep(options.over.saturating_sub(began.elapsed()));
        let grown = each(&seen, |one| lately(&kubectl, one));
        for (one, grown) in seen.iter_mut().zip(grown) {
            one.lately = grown;
        }
    }
    let mut out = anstream::AutoStream::auto(std::io::stdout());
    let text = if options.json { objects(&seen) } else { table(&seen, !options.over.is_zero()) };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(outcome(&seen))
}

fn look(kubectl: &Kubectl, pod: &Pod) -> anyhow::Result<Module> {
    let stats = pod.admin(kubectl, STATS)?;
    let plugins = pod.admin(kubectl, PLUGINS)?;
    // What Envoy says where it has none, and the agent passes on.
    let has_none = plugins.contains("not found in config dump");
    let plugins = if has_none { Value::Null } else { serde_json::from_str(&plugins)? };
    let module = Module::new(&stats, &plugins, "");
    if module.state == State::Absent {
        return Ok(module);
    }
    let mut log = String::new();
    std::io::Read::read_to_string(&mut pod.log(kubectl, &[TAIL]).start()?, &mut log)?;
    Ok(Module::new(&stats, &plugins, &log))
}

/// Nothing of one that ended meanwhile.
fn lately(kubectl: &Kubectl, seen: &Seen) -> Option<(Counts, Duration)> {
    let module = seen.module.as_ref().ok().filter(|module| module.state != State::Absent)?;
    let stats = seen.pod.admin(kubectl, STATS).ok()?;
    Some((Counts::new(&stats).since(&module.counts), seen.at.elapsed()))
}

fn outcome(seen: &[Seen]) -> Outcome {
    let mut outcome = Outcome::Nothing;
    for one in seen {
        match &one.module {
            Err(_) => return Outcome::Unreadable,
            Ok(module) if module.state.is_wrong() => outcome = Outcome::Failures,
            Ok(_) => {}
        }
    }
    outcome
}

/// What to do about a state.
fn advice(state: State) -> Option<&'static str> {
    match state {
        State::NotFetched => Some(
            "the agent could not fetch the module: its address, the registry's credentials, sha256; traffic flows (FAIL_OPEN)",
        ),
        State::Refused => Some(
            "Envoy refused the module or its configuration: is the file whole, is its version one that this Envoy takes?",
        ),
        State::Trapped => {
            Some("the module ended and does nothing any more: restart the pod, and please report the line")
        }
        State::Absent | State::Starting | State::Runs => None,
    }
}

fn table(seen: &[Seen], is_watched: bool) -> String {
    // Without it, one column less.
    let cut = |cells: [String; COLUMNS]| {
        let kept = cells.into_iter().enumerate().filter(|(number, _)| is_watched || *number != LATELY);
        kept.map(|(_, cell)| cell).collect::<Vec<String>>()
    };
    let rows: Vec<Vec<String>> = seen.iter().map(|one| cut(row(one))).collect();
    let head = cut(["POD", "PROXY", "MODULE", "ROLES", "LATELY", "IN ALL"].map(str::to_owned));
    let mut widths = vec![0; head.len()];
    for row in rows.iter().chain([&head]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = format!("{BOLD}{}{BOLD:#}\n", line(&head, &widths));
    for (one, row) in seen.iter().zip(&rows) {
        out.push_str(&line(row, &widths));
        out.push('\n');
        if let Ok(module) = &one.module {
            let lines = [advice(module.state).map(str::to_owned), module.said.as_deref().map(visible)];
            for text in lines.into_iter().flatten() {
                let _ = writeln!(out, "    {CAUSE}{text}{CAUSE:#}");
            }
        }
    }
    let have =
        seen.iter().filter(|one| one.module.as_ref().is_ok_and(|module| module.state == State::Runs)).count();
    let longest = seen.iter().filter_map(|one| Some(one.lately.as_ref()?.1)).max();
    let lately = longest.map_or_else(String::new, |time| format!("lately: within {} s; ", seconds(time)));
    let _ = writeln!(
        out,
        "{DIM}{have} of {} run meshwhy; {lately}in all: since the module was loaded; observations of traffic that works in brackets{DIM:#}",
        text::proxies(seen.len())
    );
    out
}

/// Rounded up: counted were those within this time.
fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

/// A table's columns, and which of them is left out where the counters weren't watched.
const COLUMNS: usize = 6;
const LATELY: usize = 4;

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn row(seen: &Seen) -> [String; COLUMNS] {
    let (pod, role) = (seen.pod.id(), seen.role.id().to_owned());
    let module = match &seen.module {
        Err(error) => return [pod, role, "?".into(), String::new(), String::new(), visible(error)],
        Ok(module) => module,
    };
    let what = match (module.state, &module.version) {
        (State::Runs, Some(version)) => visible(version),
        (State::Runs, None) => "runs".into(),
        (State::NotFetched, _) => "not fetched".into(),
        (state, _) => state.id().into(),
    };
    let roles = module.roles.iter().map(|role| visible(role)).collect::<Vec<_>>().join(" ");
    let lately = seen.lately.as_ref().map(|(counts, _)| said(counts, "-")).unwrap_or_default();
    let nothing = if module.state == State::Runs { "nothing" } else { "" };
    [pod, role, what, roles, lately, said(&module.counts, nothing)]
}

/// In brackets those of traffic that works.
fn said(counts: &Counts, nothing: &str) -> String {
    let (failures, observations) = (most(&counts.failures), most(&counts.observations));
    match (failures.is_empty(), observations.is_empty()) {
        (true, true) => nothing.to_owned(),
        (_, true) => failures,
        (true, false) => format!("({observations})"),
        (false, false) => format!("{failures} ({observations})"),
    }
}

/// The most frequent first.
fn most(by_cause: &BTreeMap<String, u64>) -> String {
    let mut all: Vec<(&String, &u64)> = by_cause.iter().collect();
    all.sort_by_key(|(cause, count)| (std::cmp::Reverse(**count), *cause));
    let more = all.len().saturating_sub(FEW);
    let named = all.iter().take(FEW).map(|(cause, count)| format!("{} {count}", visible(cause)));
    let rest = (more > 0).then(|| format!("{more} more"));
    named.chain(rest).collect::<Vec<_>>().join(", ")
}

/// The form of the objects; a key may be added to it, and none changes its meaning.
const SCHEMA: &str = "meshwhy.proxy/1";

#[derive(Serialize)]
struct Record<'a> {
    schema: &'static str,
    namespace: &'a str,
    pod: &'a str,
    proxy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    roles: Vec<&'a str>,
    failures: BTreeMap<&'a str, u64>,
    observations: BTreeMap<&'a str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lately: Option<Lately<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// What was counted within this number of seconds.
#[derive(Serialize)]
struct Lately<'a> {
    seconds: f64,
    failures: &'a BTreeMap<String, u64>,
    observations: &'a BTreeMap<String, u64>,
}

fn objects(seen: &[Seen]) -> String {
    let mut out = String::new();
    for Seen { pod, role, module, lately, .. } in seen {
        let found = module.as_ref().ok();
        let all = |counts: fn(&Module) -> &BTreeMap<String, u64>| {
            found.into_iter().flat_map(counts).map(|(cause, count)| (cause.as_str(), *count)).collect()
        };
        let record = Record {
            schema: SCHEMA,
            namespace: &pod.namespace,
            pod: &pod.name,
            proxy: role.id(),
            state: found.map(|module| module.state.id()),
            version: found.and_then(|module| module.version.as_deref()),
            roles: found.iter().flat_map(|module| &module.roles).map(String::as_str).collect(),
            failures: all(|module| &module.counts.failures),
            observations: all(|module| &module.counts.observations),
            lately: lately.as_ref().map(|(counts, time)| Lately {
                seconds: (time.as_secs_f64() * 10.0).round() / 10.0,
                failures: &counts.failures,
                observations: &counts.observations,
            }),
            log: found.and_then(|module| module.said.as_deref()),
            error: module.as_ref().err().map(String::as_str),
        };
        // Serializing strings and numbers can't fail.
        out.push_str(&visible_json(&serde_json::to_string(&record).unwrap_or_default()));
        out.push('\n');
    }
    out
}
