//! The tests on real Istios in lanes, each with a sandbox and a rig of its own: a machine of two cores has time for three, for most
//! of a story is waiting.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Conclusion;

use crate::harness::process::Process;

/// A lane by its number.
pub type Lane = usize;

/// Set in the process of a lane: its number, and the file for what came of it.
const NUMBER: &str = "MESHWHY_LANE";
const OUTCOME: &str = "MESHWHY_LANE_OUTCOME";

/// The lane of this process; none where there is one for all.
pub fn own() -> Option<Lane> {
    std::env::var(NUMBER).ok()?.parse().ok()
}

/// Passed, failed, ignored.
type Counts = [u64; 3];

/// Leaves what came of this lane for the process that started it.
pub fn leave(conclusion: &Conclusion) -> Result<()> {
    let Some(file) = std::env::var_os(OUTCOME) else { return Ok(()) };
    let counts: Counts = [conclusion.num_passed, conclusion.num_failed, conclusion.num_ignored];
    Ok(fs::write(file, serde_json::to_string(&counts)?)?)
}

/// Runs `command` once for each of these lanes, all at a time; shows their lines as they come, and one result at the end. Together they
/// have to play all of the `chosen` tests.
pub fn run(
    lanes: &[Lane],
    (chosen, filtered_out): (u64, u64),
    command: impl Fn() -> Result<Command>,
) -> Result<ExitCode> {
    let (folder, begun) = (tempfile::tempdir()?, Instant::now());
    let outcomes = std::thread::scope(|scope| {
        let lane = |lane: &Lane| {
            let (lane, command, file) = (*lane, command(), folder.path().join(lane.to_string()));
            scope.spawn(move || one(lane, command?, &file).with_context(|| format!("lane {lane}")))
        };
        let running: Vec<_> = lanes.iter().map(lane).collect();
        running
            .into_iter()
            .map(|lane| lane.join().ok().context("a lane panicked")?)
            .collect::<Result<Vec<Counts>>>()
    })?;
    let [passed, failed, ignored] =
        [0, 1, 2].map(|which| outcomes.iter().map(|counts| counts[which]).sum::<u64>());
    let played = passed + failed + ignored;
    ensure!(played == chosen, "{played} of {chosen} tests were played");
    let (word, took) = (if failed == 0 { "ok" } else { "FAILED" }, begun.elapsed().as_secs_f64());
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; {filtered_out} filtered out; \
         finished in {took:.2}s\n"
    );
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) })
}

fn one(lane: Lane, mut command: Command, file: &Path) -> Result<Counts> {
    command.env(NUMBER, lane.to_string()).env(OUTCOME, file).stdout(Stdio::piped());
    let mut process = Process::start(&mut command)?;
    let output = process.output().context("no output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        // Titles and results are for all lanes together.
        let is_own = line.is_empty() || line.starts_with("running ") || line.starts_with("test result: ");
        if !is_own {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{line}")?;
        }
    }
    let status = process.wait()?;
    let text = fs::read_to_string(file).unwrap_or_default();
    ensure!(!text.is_empty(), "it ended early: {status}");
    let counts: Counts = serde_json::from_str(&text)?;
    ensure!(status.success() || counts[1] > 0, "no test failed, and it ended with {status}");
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of two lanes that do this in a shell, of `chosen` tests.
    fn lanes(chosen: u64, script: &'static str) -> Result<bool> {
        let code = run(&[0, 1], (chosen, 0), || {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Ok(command)
        })?;
        Ok(format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS))
    }

    #[test]
    fn all_tests_of_all_lanes_count() {
        assert!(lanes(4, "echo [2,0,0] > $MESHWHY_LANE_OUTCOME").unwrap());
        assert!(lanes(4, "echo [1,0,1] > $MESHWHY_LANE_OUTCOME").unwrap());
        let one_fails =
            "echo [1,$MESHWHY_LANE,$((1-MESHWHY_LANE))] > $MESHWHY_LANE_OUTCOME; exit $MESHWHY_LANE";
        assert!(!lanes(4, one_fails).unwrap());
        assert!(lanes(4, "echo [2,0,0] > $MESHWHY_LANE_OUTCOME; exit 1").is_err());
    }

    #[test]
    fn a_lane_that_dies_or_that_plays_too_few_is_an_error() {
        for script in [
            "exit 0",
            "test $MESHWHY_LANE = 1 || echo [4,0,0] > $MESHWHY_LANE_OUTCOME",
            "echo [0,0,0] > $MESHWHY_LANE_OUTCOME",
            "echo [1,0,0] > $MESHWHY_LANE_OUTCOME",
        ] {
            assert!(lanes(4, script).is_err(), "{script}");
        }
    }
}
