//! Throughput and the slowest requests while the worker thread has all it can do.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::table::median;
use super::traffic::{SUCCESS, h2load};
use super::variants::Variant;
use super::{Effort, cores};

/// Requests a second and the 99th percentile in milliseconds of each round.
#[derive(Default)]
struct Seen {
    rates: Vec<f64>,
    slowest: Vec<f64>,
}

/// One table: successful requests from 16 connections.
pub(super) fn measure(variants: &[Variant], effort: &Effort) -> Result<String> {
    eprintln!("saturation");
    for variant in variants {
        cores::set_apart(variant.envoy.pid())?;
    }
    // It takes a while until all connections are busy.
    let (rounds, requests) = (effort.rounds.div_ceil(10), effort.requests * 20);
    let mut all: Vec<Seen> = variants.iter().map(|_| Seen::default()).collect();
    for round in 0..rounds {
        for step in 0..variants.len() {
            let index = (round + step) % variants.len();
            let (rate, slowest) = saturate(&variants[index], requests)?;
            all[index].rates.push(rate);
            all[index].slowest.push(slowest);
        }
    }
    let mut out = String::from("\n| 16 connections, all that one worker can do |");
    variants.iter().for_each(|variant| out.extend([" ", &variant.name, " |"]));
    let _ = write!(out, "\n|---|{}\n| requests a second |", "---|".repeat(variants.len()));
    for seen in &all {
        let _ = write!(out, " {:.0} |", median(&seen.rates));
    }
    out.push_str("\n| of no filter, % |");
    for seen in &all {
        let shares: Vec<f64> = seen.rates.iter().zip(&all[0].rates).map(|(rate, base)| rate / base).collect();
        let _ = write!(out, " {:.1} |", median(&shares) * 100.0);
    }
    out.push_str("\n| 99th percentile, ms |");
    for seen in &all {
        let _ = write!(out, " {:.2} |", median(&seen.slowest));
    }
    out.push('\n');
    Ok(out)
}

fn saturate(variant: &Variant, requests: usize) -> Result<(f64, f64)> {
    let log = tempfile::NamedTempFile::new()?;
    let url = format!("http://127.0.0.1:{}/ok\n", variant.port(SUCCESS.listener)?);
    let arguments = ["--h1", "-c", "16", "--log-file", &log.path().display().to_string()].map(str::to_owned);
    let text = h2load(&url, requests, &arguments)?;
    let (before, _) = text.split_once(" req/s").context("h2load's req/s")?;
    let rate = before.rsplit(' ').next().and_then(|rate| rate.parse().ok()).context("h2load's req/s")?;
    // Start, status and microseconds of each request.
    let lines = std::fs::read_to_string(log.path())?;
    let mut times: Vec<f64> =
        lines.lines().filter_map(|line| line.rsplit('\t').next()?.parse().ok()).collect();
    times.sort_by(f64::total_cmp);
    let slowest = times.get(times.len() * 99 / 100).context("h2load's log")?;
    Ok((rate, slowest / 1_000.0))
}
