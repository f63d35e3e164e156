//! `make bench`, `make bench-failures`, `make bench-growth` and `make bench-prometheus`: measure, print and write into `docs/performance.md`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use e2e::harness::{releases, tools};
use e2e::load::bench::{Effort, FLOOR_LOAD, growth, reset, run};

const USAGE: &str = "usage: bench [growth] [--rounds N] [--requests N] [--failures N]
       bench --only LOAD                         prints only
       bench [failures] --against MODULE...      prints, all variants and modules in one Envoy
       bench failures [--rounds N]               each kind of failure alone
       bench reset [--against MODULE]...         prints what a stream costs that its client resets
       bench prometheus                          what series cost a Prometheus
       bench floor                               prints what each callback and host call takes";

fn main() -> Result<()> {
    let mut effort = Effort {
        rounds: 200,
        requests: 300,
        failures: 1_000_000,
        only: None,
        against: Vec::new(),
        parts: false,
        kinds: false,
    };
    let (mut grows, mut resets, mut scales) = (false, false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "growth" {
            grows = true;
            continue;
        }
        if argument == "prometheus" {
            scales = true;
            continue;
        }
        if argument == "reset" {
            resets = true;
            continue;
        }
        if argument == "failures" {
            effort.kinds = true;
            continue;
        }
        if argument == "floor" {
            effort.parts = true;
            effort.only = Some(FLOOR_LOAD.to_owned());
            continue;
        }
        let value = arguments.next().with_context(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--rounds" => effort.rounds = value.parse()?,
            "--requests" => effort.requests = value.parse()?,
            "--failures" => effort.failures = value.parse()?,
            "--only" => effort.only = Some(value),
            "--against" => effort.against.push(value.into()),
            other => bail!("unknown argument {other}\n{USAGE}"),
        }
    }
    if resets {
        println!("{}", reset(&effort)?);
        return Ok(());
    }
    let docs = tools::root().join("docs");
    if scales {
        return write(&docs.join("performance.md"), "bench-prometheus", &e2e::monitoring::scale::measure()?);
    }
    if grows {
        let table = growth(&effort)?;
        return write(&docs.join("performance.md"), "bench-growth", &(conditions(&effort)? + &table));
    }
    let table = run(&effort)?;
    if effort.only.is_some() || !effort.against.is_empty() {
        println!("{}{table}", conditions(&effort)?);
        return Ok(());
    }
    if effort.kinds {
        return write(&docs.join("performance.md"), "bench-failures", &(conditions(&effort)? + &table));
    }
    write(&docs.join("performance.md"), "bench", &(conditions(&effort)? + &table))
}

/// What was measured, and where.
fn conditions(effort: &Effort) -> Result<String> {
    let git = |arguments: &[&str]| -> Result<String> {
        let output = Command::new("git").current_dir(tools::root()).args(arguments).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let envoy = Command::new(releases::envoy()?).arg("--version").output()?;
    let envoy = String::from_utf8_lossy(&envoy.stdout).into_owned();
    // `... version: HASH/1.40.0/Clean/RELEASE/BoringSSL`
    let envoy = envoy.split('/').find(|part| is_version(part)).unwrap_or("of an unknown version");
    // One-minute average: others' work on this machine shows here.
    let busy = std::fs::read_to_string("/proc/loadavg")?;
    Ok(format!(
        "Commit {}, Envoy {envoy}, module {} bytes, {} rounds of {} requests for each variant, with a load of {} at the end.\n",
        git(&["rev-parse", "--short", "HEAD"])?,
        std::fs::metadata(tools::module()?)?.len(),
        effort.rounds,
        effort.requests,
        busy.split(' ').next().unwrap_or_default(),
    ))
}

fn is_version(part: &str) -> bool {
    part.split('.').count() == 3 && part.split('.').all(|number| number.parse::<u32>().is_ok())
}

/// Puts the text between the marks of this name.
fn write(file: &Path, name: &str, text: &str) -> Result<()> {
    println!("{text}");
    let (begin, end) = (
        format!("<!-- `make {name}` writes from here -->"),
        format!("<!-- `make {name}` writes to here -->"),
    );
    let old = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let missing = || format!("{} lost the marks of {name}", file.display());
    let (before, rest) = old.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    std::fs::write(file, format!("{before}{begin}\n\n{text}\n{end}{after}"))?;
    Ok(())
}
