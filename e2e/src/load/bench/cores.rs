//! Which core runs what.
//!
//! Where costs are compared, everything shares one core: its clock and caches are the same for all, nobody waits for another core to wake
//! up, and as in a pod with one CPU the worker finds its caches used by others. Where throughput is, a worker has a core to itself.

use std::sync::OnceLock;

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

use super::workers::workers;

/// All that this process was given.
static ALL: OnceLock<CpuSet> = OnceLock::new();

/// Puts this process, and all that is started from now on, on the last core.
pub(super) fn share_the_last() -> Result<()> {
    let given = sched_getaffinity(None)?;
    sched_setaffinity(None, &only(last(ALL.get_or_init(|| given))))?;
    Ok(())
}

/// One worker thread shares the core of the load, several get all cores.
pub(super) fn place(envoy: u32) -> Result<()> {
    let Some(all) = ALL.get() else { return Ok(()) };
    let one = workers(envoy)?.len() == 1;
    put(envoy, &if one { only(last(all)) } else { *all })
}

/// The workers leave the core of the load, if there is another.
pub(super) fn set_apart(envoy: u32) -> Result<()> {
    let Some(mut others) = ALL.get().copied().filter(|all| all.count() > 1) else { return Ok(()) };
    last(&others).into_iter().for_each(|core| others.unset(core));
    put(envoy, &others)
}

fn put(envoy: u32, cores: &CpuSet) -> Result<()> {
    for worker in workers(envoy)? {
        let id = worker.file_name().and_then(|name| name.to_str()?.parse().ok()).and_then(Pid::from_raw);
        sched_setaffinity(Some(id.context("a thread's id")?), cores)?;
    }
    Ok(())
}

fn last(cores: &CpuSet) -> Option<usize> {
    (0..CpuSet::MAX_CPU).rev().find(|core| cores.is_set(*core))
}

fn only(core: Option<usize>) -> CpuSet {
    let mut cores = CpuSet::new();
    core.into_iter().for_each(|core| cores.set(core));
    cores
}
