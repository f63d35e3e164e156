//! Every scenario is a test of its own, run in parallel.

use std::collections::BTreeSet;

use e2e::harness::{record, tools};
use e2e::scenarios::look_alikes;
use e2e::scenarios::scenario::Scenario;
use libtest_mimic::{Arguments, Failed, Trial};
use meshwhy::causes::Cause;

/// Causes that no configuration of the real Envoy has shown here; the rule's comment says what was tried.
const NEVER_SEEN: &[Cause] =
    &[Cause::ProxyProtocolMissing, Cause::RouteTableMissing, Cause::Http2ToHttp1Upstream];

const RATE_LIMIT_SERVICE: &str = "rate limit service";

fn main() {
    let mut arguments = Arguments::from_args();
    // Most of a scenario is waiting; what it computes is V8's compilation of the module, 0.3 s of a core.
    arguments.test_threads.get_or_insert(6);
    let mut scenarios = e2e::scenarios::all();
    let twice = e2e::scenarios::names_twice(&scenarios);
    assert!(twice.is_empty(), "two scenarios of one name: {twice:?}");
    let coverage = missing(&scenarios);
    let untested = look_alikes::untested(&scenarios, NEVER_SEEN);
    let document = look_alikes::markdown(&scenarios);
    if !arguments.list {
        match e2e::harness::releases::minor() {
            Ok(minor) => {
                scenarios.retain(|scenario| scenario.plays_on(minor));
                scenarios = scenarios.into_iter().map(|scenario| scenario.on(minor)).collect();
            }
            // Each scenario will say so, too.
            Err(error) => eprintln!("{error:#}"),
        }
    }
    let unavailable = unavailable(&arguments, &scenarios);
    let mut trials = Vec::new();
    for scenario in scenarios {
        let needs = scenario.needs().into_iter().map(|(name, _)| name);
        let built = scenario.needs_rate_limit_service().then_some(RATE_LIMIT_SERVICE);
        let lacks = needs.chain(built).find(|name| unavailable.contains(name));
        let bare = scenario.clone().without_meshwhy();
        let observing = scenario.clone().observing();
        if tools::records() {
            // Where successes are looked at as well, there is more to see; without the module there is nothing.
            let name = scenario.name.into();
            trials.push(trial(name, observing.unwrap_or(scenario), lacks));
            continue;
        }
        trials.push(trial(scenario.name.into(), scenario, lacks));
        trials.extend(observing.map(|same| trial(format!("observing/{}", same.name), same, lacks)));
        trials.extend(bare.map(|bare| trial(format!("without_meshwhy/{}", bare.name), bare, lacks)));
    }
    trials.push(Trial::test("every_cause_has_a_scenario", move || {
        if coverage.is_empty() {
            Ok(())
        } else {
            Err(Failed::from(format!("no scenario names (or NEVER_SEEN has) {coverage:?}")))
        }
    }));
    trials.push(Trial::test("look_alikes_are_tested", move || {
        if untested.is_empty() { Ok(()) } else { Err(Failed::from(untested.join("\n"))) }
    }));
    trials.push(Trial::test("look_alikes_document", move || {
        let path = e2e::harness::tools::root().join("docs/look-alikes.md");
        Ok(e2e::harness::documents::check_file(&path, &document)?)
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Err(error) = write_records(arguments.filter.is_none()) {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
    conclusion.exit();
}

fn write_records(all: bool) -> anyhow::Result<()> {
    if !tools::records() {
        return Ok(());
    }
    let version = e2e::harness::releases::version()?;
    record::write(&format!("envoy-1.{}", e2e::harness::releases::minor()?), &format!("Envoy {version}"), all)
}

fn trial(name: String, scenario: Scenario, lacks: Option<&str>) -> Trial {
    let recorded = name.clone();
    let trial =
        Trial::test(name, move || scenario.check(&recorded).map_err(|e| Failed::from(format!("{e:?}"))));
    e2e::harness::tools::unless_lacking(trial, lacks)
}

/// Programs that the chosen scenarios need and that can't be had.
fn unavailable(arguments: &Arguments, scenarios: &[Scenario]) -> BTreeSet<&'static str> {
    if arguments.list {
        return BTreeSet::new();
    }
    let part = arguments.filter.as_deref().unwrap_or_default();
    let part = part.strip_prefix("without_meshwhy/").unwrap_or(part);
    let part = part.strip_prefix("observing/").unwrap_or(part);
    let chosen = || scenarios.iter().filter(|s| s.name.contains(part));
    let mut lacking = e2e::harness::tools::install(chosen().flat_map(Scenario::needs));
    if chosen().any(Scenario::needs_rate_limit_service)
        && let Err(error) = e2e::harness::programs::ratelimit()
    {
        eprintln!("no {RATE_LIMIT_SERVICE}: {error:#}");
        lacking.insert(RATE_LIMIT_SERVICE);
    }
    lacking
}

/// Causes that no scenario expects, or that one does although they were never seen.
fn missing(scenarios: &[Scenario]) -> Vec<&'static str> {
    let named: BTreeSet<Cause> = scenarios.iter().flat_map(Scenario::expected_causes).collect();
    let differs = |cause: &&Cause| named.contains(cause) == NEVER_SEEN.contains(cause);
    Cause::ALL.iter().filter(differs).map(|cause| cause.id()).collect()
}
