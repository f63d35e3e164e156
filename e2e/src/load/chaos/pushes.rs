//! A proxy that lives: what a control plane pushes in a day, in minutes, under the same load.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::background::{self, Load};
use super::{Change, Stage, fast_enough, table};
use crate::load::memory::{Look, Trend, resident, trend};

/// How many, and how far apart.
#[derive(Debug, Clone, Copy)]
pub struct Pushes {
    /// All of them; a quarter of each kind.
    pub pushes: u32,
    /// Between two.
    pub pause: Duration,
}

/// What a sidecar gets while it lives. No change here needs a VM.
const KINDS: [Change; 4] = [
    |stage| stage.changes.routes(),
    |stage| stage.changes.clusters(),
    |stage| stage.changes.plugin_in_its_vm(),
    |stage| stage.changes.certificate(&stage.folder.path().display().to_string()),
];

/// Before the first, and after the last.
const QUIET: Duration = Duration::from_secs(1);

/// Series of a worker at most: 4 times the default of `max_series` in its life, and those of `_other` (`docs/metrics.md`).
const MAX_SERIES: usize = 4 * 256 + 4;

/// Growth in KB after the first fifth that isn't flat: of any run, and of each push where there are many. A push takes 0.6 KB, for names
/// that weren't there before (1.40).
const MOST_GROWTH: f64 = 5_000.0;
const MOST_A_PUSH: f64 = 2.0;
const MANY: u32 = 1_000;

/// Plays it; returns what was pushed, how fast the healthy requests were, what was counted, and the memory.
pub fn live(effort: Pushes) -> Result<String> {
    let mut stage = Stage::set_up(1)?;
    let vms = stage.envoy.vms()?;
    stage.is_healthy()?;
    let mut load = Load::start(stage.changes.front);
    std::thread::sleep(QUIET);
    load.enter("pushes");
    let (began, mut looks) = (Instant::now(), Vec::new());
    for (turn, kind) in (0..effort.pushes).zip(KINDS.iter().cycle()) {
        kind(&mut stage)?;
        std::thread::sleep(effort.pause);
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        looks.push(Look { minutes, requests: f64::from(turn) / 1e6, resident: resident(stage.envoy.pid())? });
    }
    load.enter(background::QUIET);
    std::thread::sleep(QUIET);
    let (paces, record) = load.finish().with_context(|| stage.what_went_wrong())?;
    stage.is_healthy()?;
    stage.took(effort.pushes / 4)?;
    let now = stage.envoy.vms()?;
    let tried = same_vms(&vms, &now)?;
    ensure!(tried <= f64::from(effort.pushes.div_ceil(4)), "{tried} VMs were made");
    stage.named(&record)?;
    let (causes, series) = stage.all_counted()?;
    let others: Vec<_> =
        causes.iter().filter(|(cause, _)| !record.failures.contains_key(&***cause)).collect();
    ensure!(others.is_empty(), "nobody sent what was counted: {others:?}");
    ensure!(series <= MAX_SERIES, "{series} series");
    fast_enough(&paces)?;
    let mut text =
        format!("{} pushes in {:.0} s\n{}", effort.pushes, began.elapsed().as_secs_f64(), table(&paces));
    let _ = writeln!(
        text,
        "failures sent, and counted: {causes:?}; series: {series}; VMs made to try a configuration, and gone: {tried}"
    );
    if let Some(trend) = trend(&looks) {
        let _ = writeln!(text, "{}", memory(&trend, effort.pushes)?);
    }
    Ok(text)
}

/// What it does after the first fifth; an error where it isn't flat.
fn memory(trend: &Trend, pushes: u32) -> Result<String> {
    let (growth, each) = (trend.last - trend.first, trend.per_million / 1e6);
    let text = format!(
        "resident memory after the first fifth: {:.1} MB, at the end {:+.1} MB, {each:+.2} KB a push",
        trend.first / 1_024.0,
        growth / 1_024.0,
    );
    ensure!(growth < MOST_GROWTH && (pushes < MANY || each < MOST_A_PUSH), "{text}");
    Ok(text)
}

/// The VMs that serve are the same. How many were made to try a configuration of a plugin: Envoy does so once for each that it hasn't
/// seen (1.40, `canary`), and lets them go.
fn same_vms(before: &BTreeMap<String, f64>, now: &BTreeMap<String, f64>) -> Result<f64> {
    let mut made = 0.0;
    for (name, value) in now {
        let was = before.get(name).copied().unwrap_or_default();
        if name.contains("_created") {
            made += value - was;
        } else {
            ensure!((value - was).abs() < f64::EPSILON, "{name} was {was}, and then {value}");
        }
    }
    Ok(made)
}

impl Stage {
    /// What is counted, `config_propagating` among it, by cause, and in how many series.
    fn all_counted(&self) -> Result<(BTreeMap<String, u64>, usize)> {
        let samples = self.envoy.meshwhy_samples()?;
        let counters = ["meshwhy_failures_total", "meshwhy_observations_total"];
        let counted = samples.iter().filter(|sample| counters.contains(&&*sample.name));
        let (mut causes, mut series) = (BTreeMap::new(), 0);
        for sample in counted {
            series += 1;
            let cause = sample.labels.get("cause").cloned().unwrap_or_default();
            *causes.entry(cause).or_default() += sample.value as u64;
        }
        Ok((causes, series))
    }
}
