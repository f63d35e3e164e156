//! Every story is a test of its own, on a real Istio: those of a lane one after the other on one.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::harness::programs::{self, PACKAGES, Programs, Version};
use e2e::harness::rig::{Rig, kubelet, sandbox};
use e2e::harness::{page, record, registry, releases, tools};
use e2e::istio::lanes::Lane;
use e2e::istio::story::Story;
use e2e::istio::table::{self, Row};
use e2e::istio::{
    access_logs, deployment, fail_policy, helm, injected, kubectl, lanes, operator, overlays, stories,
    traces, walk,
};
use libtest_mimic::{Arguments, Failed, Trial};
use meshwhy::causes::manual::PageSection;

/// The rig that runs; a test that needs another version ends it.
static RIG: Mutex<Option<(Version, Result<Rig, String>)>> = Mutex::new(None);

/// The rows of the page's stories, in the order of the tests.
static PLAYED: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// The checks that need an image registry.
const OCI: &str = "deployment/oci";

const OCI_OVERLAY: &str = "deployment/overlay/from_image";

const HELM: &str = "deployment/helm";

const TRACES: &str = "deployment/traces";

/// The check of what the Prometheus Operator reads.
const OPERATOR: &str = "deployment/prometheus_operator";

/// The one that has all of it, from nothing.
const WALK: &str = "deployment/readme";

/// Programs of Go modules that some checks need, and how each is had.
const BUILT: &[(&str, Build, &[&str])] = &[
    ("helm", programs::helm, &[HELM, OPERATOR, WALK]),
    ("prometheus-operator", programs::operator_crds, &[OPERATOR]),
    ("collector", programs::collector, &[TRACES, WALK]),
];

type Build = fn() -> Result<std::path::PathBuf>;

/// How the names of what is played on the older Istio begin.
const OLDER: &str = "istio-1.29";

type Check = fn(&Rig) -> Result<()>;

/// What is checked of meshwhy's deployment.
const DEPLOYMENT: &[(&str, Check)] = &[
    ("deployment/injected", injected::check),
    ("deployment/validates", deployment::validates),
    ("deployment/logged_as_shipped", deployment::logged_as_shipped),
    ("deployment/scraped", deployment::scraped),
    (OCI, deployment::oci),
    ("deployment/access_logs", access_logs::check),
    (TRACES, traces::check),
    ("deployment/overlay/mesh_wide", overlays::mesh_wide),
    ("deployment/overlay/gateways_only", overlays::gateways_only),
    ("deployment/overlay/one_namespace", overlays::one_namespace),
    ("deployment/overlay/log_only", overlays::log_only),
    ("deployment/overlay/access_logger_only", overlays::access_logger_only),
    ("deployment/overlay/waypoints", overlays::waypoints),
    ("deployment/overlay/access_logger_waypoints", overlays::access_logger_waypoints),
    (OCI_OVERLAY, overlays::from_image),
    ("deployment/fail_policy", fail_policy::check),
    ("deployment/kubectl", kubectl::check),
    (HELM, helm::check),
    (OPERATOR, operator::check),
    (WALK, walk::check),
    ("deployment/removed", deployment::removed),
];

fn main() -> Result<ExitCode> {
    if let Some(code) = kubelet::as_plugin() {
        return Ok(code);
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let stories = stories::all();
    let mut lacking = BTreeSet::new();
    let starts = !arguments.list && !sandbox::is_inside();
    if starts {
        // What has to be fetched or built is, while there is a network.
        lacking = unavailable(&arguments, &stories);
        if lacking.contains(ISTIO) {
            eprintln!("no tests on a real Istio: they count as skipped");
        }
    } else if sandbox::is_inside() {
        lacking = sandbox::enter(&lacking)?;
    }
    let of_the_page: BTreeSet<&str> =
        stories.iter().filter(|story| story.is_of_the_page()).map(|story| story.name).collect();
    let lacks = |needs: &[&'static str]| {
        std::iter::once(&ISTIO).chain(needs).copied().find(|program| lacking.contains(*program))
    };
    let mut trials = Vec::new();
    for story in stories {
        let needs: Vec<&str> = story.needs.iter().map(|(program, _)| *program).collect();
        for version in story.versions() {
            let story = story.clone();
            let version = *version;
            trials.push(trial(version, story.name, lacks(&needs), move |rig| {
                let outcome = story.check(rig)?;
                record::keep(&format!("istio-{}/{}", version.id(), story.name), &outcome.records(), &[])?;
                let row = Row::new(&story, &outcome).filter(|_| version == Version::V1_31);
                PLAYED.lock().unwrap_or_else(PoisonError::into_inner).extend(row);
                Ok(())
            }));
        }
    }
    if tools::records() {
        if starts && !lacking.contains(ISTIO) {
            sandbox::enter(&lacking)?;
        }
        trials.sort_by_key(|trial| trial.name().starts_with(OLDER));
        let conclusion = libtest_mimic::run(&arguments, trials);
        let versions = format!("Istio 1.31 and 1.29, Envoy {}", e2e::harness::releases::version()?);
        record::write("istio", &versions, arguments.filter.is_none())?;
        conclusion.exit();
    }
    trials.push(Trial::test("the_whole_page_is_played", || Ok(whole_page(&stories::all())?)));
    let expected = stories::all().iter().filter(|story| story.is_shown()).count();
    trials.push(trial(Version::V1_31, "page_table", lacks(&[]), move |_| {
        let played = PLAYED.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(played.len() == expected, "{} of {expected} stories of the page were played", played.len());
        table::check(&played)
    }));
    trials.extend(DEPLOYMENT.iter().map(|(name, check)| {
        let is_for = |checks: &[&str]| checks.contains(name);
        let built = BUILT.iter().filter(|(_, _, checks)| is_for(checks)).map(|(program, ..)| *program);
        let registry = is_for(&[OCI, OCI_OVERLAY, HELM]).then_some(registry::PACKAGE.0);
        let needs: Vec<&'static str> = built.chain(registry).collect();
        trial(Version::V1_31, name, lacks(&needs), check)
    }));
    // A rig is started once for all tests of its version.
    trials.sort_by_key(|trial| trial.name().starts_with(OLDER));
    let lane_of = |trial: &Trial| lane(trial.name(), &of_the_page);
    if starts && !lacking.contains(ISTIO) {
        let all = trials.len();
        trials.retain(|trial| !arguments.is_filtered_out(trial));
        let lanes: BTreeSet<Lane> = trials.iter().map(lane_of).collect();
        if lanes.len() > 1 {
            let counts = (u64::try_from(trials.len())?, u64::try_from(all - trials.len())?);
            return lanes::run(&Vec::from_iter(lanes), counts, || sandbox::command(&lacking));
        }
        sandbox::enter(&lacking)?;
    }
    trials.retain(|trial| lanes::own().is_none_or(|own| own == lane_of(trial)));
    let conclusion = libtest_mimic::run(&arguments, trials);
    lanes::leave(&conclusion)?;
    Ok(conclusion.exit_code())
}

/// The page's stories have the first, for the rows of the page's table come together in it; all others the second; what changes how
/// meshwhy is deployed, and the older Istio, the third. They take about as long.
fn lane(name: &str, of_the_page: &BTreeSet<&str>) -> Lane {
    let (istio, story) = name.split_once('/').unwrap_or_default();
    if istio == OLDER || story.starts_with("deployment/") {
        2
    } else {
        usize::from(story != "page_table" && !of_the_page.contains(story))
    }
}

/// Stands for everything that the rig itself needs.
const ISTIO: &str = "Istio";

/// Programs that the chosen stories need and that can't be had.
fn unavailable(arguments: &Arguments, stories: &[Story]) -> BTreeSet<String> {
    let part = arguments.filter.as_deref().unwrap_or_default();
    let part =
        part.split_once('/').filter(|(rig, _)| rig.starts_with("istio-")).map_or(part, |(_, part)| part);
    let is_chosen = |name: &str| part.is_empty() || name.contains(part) || part.contains(name);
    let chosen = stories.iter().filter(|s| is_chosen(s.name));
    let registry = [OCI, OCI_OVERLAY, HELM].into_iter().any(is_chosen).then_some(registry::PACKAGE);
    let needed: BTreeSet<_> =
        PACKAGES.iter().copied().chain(registry).chain(chosen.flat_map(|s| s.needs.clone())).collect();
    let mut missing: BTreeSet<String> =
        e2e::harness::tools::install(needed).into_iter().map(str::to_owned).collect();
    for (program, build, checks) in BUILT {
        if checks.iter().any(|check| is_chosen(check))
            && let Err(error) = build()
        {
            eprintln!("no {program}: {error:#}");
            missing.insert((*program).into());
        }
    }
    let rig_lacks = PACKAGES.iter().find(|(program, _)| missing.contains(*program));
    let obstacle = rig_lacks
        .map(|(program, _)| format!("{program} is missing"))
        .or_else(sandbox::obstacle)
        .or_else(|| prepare().err().map(|error| format!("{error:#}")));
    if let Some(obstacle) = obstacle {
        eprintln!("{obstacle}");
        missing.insert(ISTIO.into());
    }
    missing
}

fn prepare() -> Result<()> {
    releases::envoy()?;
    Version::ALL.iter().try_for_each(|version| Programs::of(*version).map(drop))
}

fn trial(
    version: Version,
    name: &str,
    lacks: Option<&'static str>,
    check: impl FnOnce(&Rig) -> Result<()> + Send + 'static,
) -> Trial {
    let trial = Trial::test(format!("istio-{}/{name}", version.id()), move || {
        with_rig(version, check).map_err(|e| Failed::from(format!("{e:#}")))
    });
    e2e::harness::tools::unless_lacking(trial, lacks)
}

/// Every manifest of the page is applied by a story, and every section that has one is played broken and fixed.
fn whole_page(stories: &[Story]) -> Result<()> {
    let played: BTreeSet<String> = stories.iter().flat_map(Story::page_files).collect();
    for (section, name) in page::manifests()? {
        ensure!(played.contains(&name), "no story plays {name}");
        let of_section = || stories.iter().filter(|s| s.section == Some(section));
        ensure!(of_section().any(Story::is_broken), "{section:?} is not played broken");
        ensure!(of_section().any(|story| !story.is_broken()), "{section:?} is not played fixed");
    }
    // What is played with the Gateway API is a story of the page, and is played broken and fixed there, too.
    let section = |like: &str| stories.iter().find(|story| story.name == like).and_then(|s| s.section);
    let mut with_gateway_api: BTreeSet<(PageSection, bool)> = BTreeSet::new();
    for story in stories {
        let Some(like) = story.is_like() else { continue };
        let section = section(like).with_context(|| format!("{}: the page has no {like}", story.name))?;
        with_gateway_api.insert((section, story.is_broken()));
    }
    for (section, _) in &with_gateway_api {
        for broken in [true, false] {
            let played = with_gateway_api.contains(&(*section, broken));
            ensure!(played, "{section:?} with the Gateway API is not played, broken: {broken}");
        }
    }
    Ok(())
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
