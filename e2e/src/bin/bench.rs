//! `make bench`: measures, prints the table and writes it into `docs/performance.md`.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use e2e::bench::{Effort, run};
use e2e::tools;

const MARK: &str = "<!-- Below this line `make bench` writes. -->";

fn main() -> Result<()> {
    let mut effort = Effort { rounds: 15, requests: 6_000 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{argument} needs a number"))?;
        match argument.as_str() {
            "--rounds" => effort.rounds = value.parse()?,
            "--requests" => effort.requests = value.parse()?,
            other => bail!("unknown argument {other}: expected --rounds N or --requests N"),
        }
    }
    let table = run(effort)?;
    println!("{table}");
    let commit =
        Command::new("git").current_dir(tools::root()).args(["rev-parse", "--short", "HEAD"]).output()?;
    let size = std::fs::metadata(tools::module()?)?.len();
    let head = format!(
        "Commit {}, Envoy 1.40.0, module {size} bytes, {} rounds of {} requests for each variant, on {} cores.\n",
        String::from_utf8_lossy(&commit.stdout).trim(),
        effort.rounds,
        effort.requests,
        std::thread::available_parallelism()?,
    );
    let file = tools::root().join("docs/performance.md");
    let text = std::fs::read_to_string(&file).context("docs/performance.md")?;
    let (intro, _) = text.split_once(MARK).context("docs/performance.md lost its mark")?;
    std::fs::write(&file, format!("{intro}{MARK}\n\n{head}{table}"))?;
    Ok(())
}
