//! `kubectl meshwhy request`: the logs of the proxies on its way, and one verdict.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::arguments::{Reach, Request};
use super::{check, explain};
use crate::cluster::{Kubectl, Pod, Scope, each};
use crate::command::check::Reporting;
use crate::command::correlate;
use crate::command::outcome::Outcome;
use crate::command::text::proxies;
use crate::explain::Reader;
use crate::input::Input;

/// No way leads over more proxies than this behind one another.
const MOST_STEPS: usize = 8;

/// The most proxies that are named where none has it.
const FEW: usize = 10;

/// Runs it.
pub fn run(reach: &Reach, options: &Request) -> anyhow::Result<Outcome> {
    let kubectl = reach.kubectl();
    let scope = reach.scope(&kubectl, options.all_namespaces)?;
    let reader = Reader::new(options.format.clone());
    let mut way = Way::new(&kubectl, &options.since)?;
    way.fetch(Pod::get(&kubectl, &scope, &[])?);
    if let Some(gateways) = or_without(explain::gateways(&kubectl), "the gateways' logs") {
        way.fetch(gateways);
    }
    let mut asked = BTreeSet::new();
    for _ in 0..MOST_STEPS {
        let addresses = correlate::neighbours(&way.logs, &reader, &options.id);
        let new: Vec<String> =
            addresses.into_iter().filter(|address| asked.insert(address.clone())).collect();
        if !way.go_on(&new) {
            break;
        }
    }
    let found = correlate::find(&way.logs, &reader, Some(&options.id));
    if !found.is_known {
        let mut names: Vec<&str> = way.pods.iter().map(String::as_str).take(FEW).collect();
        if way.pods.len() > FEW {
            names.push("...");
        }
        warn!(
            "meshwhy: none of {} logged a request {} in the last {} ({}): --since for longer, -n or -A for other namespaces; it \
            may be logged without its id, too",
            proxies(way.pods.len()),
            options.id,
            options.since,
            names.join(", ")
        );
        return Ok(Outcome::Unreadable);
    }
    let outcome = found.report(options.json)?;
    if options.check && outcome == Outcome::Failures {
        check_verdicts(&kubectl, &found)?;
    }
    Ok(outcome)
}

/// What `check` says of the resources that the verdicts name, or else of their causes.
fn check_verdicts(kubectl: &Kubectl, found: &correlate::Found) -> anyhow::Result<()> {
    let named: BTreeSet<&str> = found.verdicts().filter_map(|verdict| verdict.resource.as_deref()).collect();
    let causes: Vec<_> = found.verdicts().map(|verdict| verdict.cause).collect();
    check::of(kubectl, &Scope::All, &Reporting::PLAIN, |finding| {
        let origins = std::iter::once(&finding.origin).chain(&finding.related);
        causes.contains(&finding.cause)
            || origins.map(|origin| origin.id()).any(|id| named.contains(id.as_str()))
    })
    .map(drop)
}

/// Says why something is not there, and goes on without it.
fn or_without<T>(result: anyhow::Result<T>, what: &str) -> Option<T> {
    result.map_err(|error| warn!("meshwhy: without {what}: {error:#}")).ok()
}

/// The proxies that may have seen the request, and their logs.
struct Way<'a> {
    kubectl: &'a Kubectl,
    since: String,
    folder: Folder,
    pods: BTreeSet<String>,
    logs: Vec<Input>,
}

impl<'a> Way<'a> {
    fn new(kubectl: &'a Kubectl, since: &str) -> anyhow::Result<Self> {
        let folder = Folder::new().context("no folder for the logs")?;
        Ok(Self {
            kubectl,
            since: format!("--since={since}"),
            folder,
            pods: BTreeSet::new(),
            logs: Vec::new(),
        })
    }

    /// Fetches the logs of those whose logs are not there yet: they are read more than once.
    fn fetch(&mut self, pods: Vec<Pod>) -> usize {
        let new: Vec<Pod> =
            pods.into_iter().filter(|pod| pod.proxy.is_some() && self.pods.insert(pod.id())).collect();
        let fetched = each(&new, |pod| {
            let file = self.folder.0.join(&pod.namespace).join(format!("{}.log", pod.name));
            let save = || {
                fs::create_dir_all(file.parent().unwrap_or(&file))?;
                io::copy(&mut pod.log(self.kubectl, &[&self.since]).start()?, &mut File::create(&file)?)
            };
            save().map(|_| file.clone()).map_err(|error| format!("the log of {}: {error}", pod.id()))
        });
        let there = self.logs.len();
        for result in fetched {
            match result {
                Ok(file) => self.logs.push(Input::File(file)),
                Err(error) => warn!("meshwhy: without {error}"),
            }
        }
        self.logs.len() - there
    }

    /// Goes on to the pods with these addresses; whether there was any.
    fn go_on(&mut self, addresses: &[String]) -> bool {
        let found = each(addresses, |address| {
            let of = format!("status.podIP={}", address.trim_matches(['[', ']']));
            Pod::get(self.kubectl, &Scope::All, &["--field-selector", &of])
        });
        let mut more = 0;
        for pods in found.into_iter().filter_map(|pods| or_without(pods, "the proxies behind")) {
            more += self.fetch(pods);
        }
        more > 0
    }
}

/// A folder that nobody else can read, gone with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("meshwhy-{}", std::process::id()));
        private(&path)?;
        let removed = path.clone();
        ctrlc::set_handler(move || {
            let _ = fs::remove_dir_all(&removed);
            std::process::exit(130);
        })?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Refuses one that is there already.
fn private(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
