//! Every scenario is a test of its own, run in parallel.

use std::collections::BTreeSet;

use e2e::scenario::Scenario;
use libtest_mimic::{Arguments, Failed, Trial};
use meshwhy::catalogue::{Cause, Group};

/// Causes that no configuration of the real Envoy has shown here; the rule's comment says what was tried.
const NEVER_SEEN: &[Cause] = &[Cause::RouteTableMissing];

fn main() {
    let mut arguments = Arguments::from_args();
    // Most of a scenario is waiting for processes to start.
    arguments.test_threads.get_or_insert(4);
    let scenarios = e2e::scenarios::all();
    let coverage = missing(&scenarios);
    let mut trials: Vec<Trial> = scenarios
        .into_iter()
        .map(|scenario| {
            Trial::test(scenario.name, move || scenario.check().map_err(|e| Failed::from(format!("{e:?}"))))
        })
        .collect();
    trials.push(Trial::test("every_cause_has_a_scenario", move || {
        if coverage.is_empty() {
            Ok(())
        } else {
            Err(Failed::from(format!("no scenario names {coverage:?}")))
        }
    }));
    libtest_mimic::run(&arguments, trials).exit();
}

/// Causes of the groups whose rules are complete that no scenario expects.
fn missing(scenarios: &[Scenario]) -> Vec<&'static str> {
    let complete = [
        Group::ClientBytes,
        Group::Routes,
        Group::Reaching,
        Group::UpstreamTls,
        Group::Answer,
        Group::Unknown,
    ];
    let named: BTreeSet<&str> = scenarios.iter().filter_map(Scenario::expected_cause).collect();
    Cause::ALL
        .iter()
        .filter(|cause| complete.contains(&cause.group()) && !NEVER_SEEN.contains(cause))
        .map(|cause| cause.id())
        .filter(|id| !named.contains(id))
        .collect()
}
