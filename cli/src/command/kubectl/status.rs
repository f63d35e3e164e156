//! `kubectl meshwhy status`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::arguments::{Reach, Status};
use crate::check::{visible, visible_json};
use crate::cluster::{Kubectl, Module, PLUGINS, Pod, Role, STATS, Scope, State, each};
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
    let seen = each(&proxies, |(pod, role)| {
        let module = look(&kubectl, pod).map_err(|error| format!("{error:#}"));
        Seen { pod: pod.clone(), role: *role, module }
    });
    let mut out = anstream::AutoStream::auto(std::io::stdout());
    let text = if options.json { objects(&seen) } else { table(&seen) };
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

fn table(seen: &[Seen]) -> String {
    let rows: Vec<[String; 5]> = seen.iter().map(row).collect();
    let head = ["POD", "PROXY", "MODULE", "ROLES", "COUNTED"];
    let mut widths = head.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = format!("{BOLD}{}{BOLD:#}\n", line(&head.map(str::to_owned), &widths));
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
    let _ = writeln!(
        out,
        "{DIM}{have} of {} run meshwhy; counted since the module was loaded, observations of traffic that works in brackets{DIM:#}",
        text::proxies(seen.len())
    );
    out
}

fn line(row: &[String; 5], widths: &[usize; 5]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn row(seen: &Seen) -> [String; 5] {
    let (pod, role) = (seen.pod.id(), seen.role.id().to_owned());
    let module = match &seen.module {
        Err(error) => return [pod, role, "?".into(), String::new(), visible(error)],
        Ok(module) => module,
    };
    let what = match (module.state, &module.version) {
        (State::Runs, Some(version)) => visible(version),
        (State::Runs, None) => "runs".into(),
        (State::NotFetched, _) => "not fetched".into(),
        (state, _) => state.id().into(),
    };
    let roles = module.roles.iter().map(|role| visible(role)).collect::<Vec<_>>().join(" ");
    let failures = counts(&module.failures);
    let observations = counts(&module.observations);
    let counts = match (failures.is_empty(), observations.is_empty()) {
        (true, true) if module.state == State::Runs => "nothing".into(),
        (_, true) => failures,
        (true, false) => format!("({observations})"),
        (false, false) => format!("{failures} ({observations})"),
    };
    [pod, role, what, roles, counts]
}

/// The most frequent first.
fn counts(by_cause: &BTreeMap<String, u64>) -> String {
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
    log: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

fn objects(seen: &[Seen]) -> String {
    let mut out = String::new();
    for Seen { pod, role, module } in seen {
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
            failures: all(|module| &module.failures),
            observations: all(|module| &module.observations),
            log: found.and_then(|module| module.said.as_deref()),
            error: module.as_ref().err().map(String::as_str),
        };
        // Serializing strings and numbers can't fail.
        out.push_str(&visible_json(&serde_json::to_string(&record).unwrap_or_default()));
        out.push('\n');
    }
    out
}
