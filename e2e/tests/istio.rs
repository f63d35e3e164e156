//! Every story is a test of its own, on one real Istio, one after the other.

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};
use e2e::istio::programs::{PACKAGES, Programs, Version};
use e2e::istio::rig::Rig;
use e2e::istio::{deployment, sandbox, stories};
use libtest_mimic::{Arguments, Failed, Trial};

/// The rig that runs; a test that needs another version ends it.
static RIG: Mutex<Option<(Version, Result<Rig, String>)>> = Mutex::new(None);

type Check = fn(&Rig) -> Result<()>;

fn main() -> Result<()> {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let obstacle = if arguments.list { None } else { obstacle() };
    if let Some(obstacle) = &obstacle {
        eprintln!("no tests on a real Istio: {obstacle}");
    } else if !arguments.list {
        sandbox::enter()?;
    }
    let mut trials = Vec::new();
    let skipped = obstacle.is_some();
    for story in stories::all() {
        let name = story.name;
        trials.push(trial(Version::V1_31, name, skipped, move |rig| story.check(rig).map(drop)));
    }
    let deployment: [(&str, Check); 4] = [
        ("deployment/validates", deployment::validates),
        ("deployment/logged_as_shipped", deployment::logged_as_shipped),
        ("deployment/scraped", deployment::scraped),
        ("deployment/removed", deployment::removed),
    ];
    for (name, check) in deployment {
        trials.push(trial(Version::V1_31, name, skipped, check));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// Why these tests can't run here, if so. What has to be fetched or built is, while there is a network.
fn obstacle() -> Option<String> {
    if sandbox::is_inside() {
        return None;
    }
    let missing = e2e::tools::install(PACKAGES.iter().copied());
    if let Some(program) = missing.first() {
        return Some(format!("{program} is missing"));
    }
    let prepared = [Version::V1_31].into_iter().try_for_each(|v| Programs::of(v).map(drop));
    let prepared = prepared.and_then(|()| e2e::tools::envoy().map(drop));
    sandbox::obstacle().or_else(|| prepared.err().map(|error| format!("{error:#}")))
}

fn trial(
    version: Version,
    name: &str,
    skipped: bool,
    check: impl FnOnce(&Rig) -> Result<()> + Send + 'static,
) -> Trial {
    let trial = Trial::test(format!("istio-{}/{name}", version.id()), move || {
        with_rig(version, check).map_err(|e| Failed::from(format!("{e:?}")))
    });
    // In CI nothing may be skipped: there it fails for want of a rig.
    if skipped && std::env::var("CI").as_deref() != Ok("true") {
        trial.with_kind("no Istio").with_ignored_flag(true)
    } else {
        trial
    }
}

fn with_rig<T>(version: Version, what: impl FnOnce(&Rig) -> Result<T>) -> Result<T> {
    let mut running = RIG.lock().unwrap_or_else(PoisonError::into_inner);
    if running.as_ref().is_none_or(|(is, _)| *is != version) {
        // The old one first: addresses are the same.
        running.take();
        let started =
            Rig::start(&stories::plan(version)).and_then(|rig| deployment::deploy(&rig).map(|()| rig));
        *running = Some((version, started.map_err(|error| format!("{error:#}"))));
    }
    match running.as_ref() {
        Some((_, Ok(rig))) => what(rig),
        Some((_, Err(error))) => bail!("no rig: {error}"),
        None => bail!("no rig"),
    }
}
