//! Every scenario is a test of its own, run in parallel.

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let mut arguments = Arguments::from_args();
    // Most of a scenario is waiting for processes to start.
    arguments.test_threads.get_or_insert(4);
    let trials = e2e::scenarios::all()
        .into_iter()
        .map(|scenario| {
            Trial::test(scenario.name, move || scenario.check().map_err(|e| Failed::from(format!("{e:?}"))))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
