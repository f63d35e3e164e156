//! Which core runs what: a worker that shares its core with nobody does not pay for others' use of its caches.

use std::sync::OnceLock;

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

use super::load::workers;

/// All that this process was given.
static ALL: OnceLock<CpuSet> = OnceLock::new();

/// Leaves the first core, with all that is started from now on: the load and the server behind the proxy.
///
/// Does nothing where there is only one.
pub(super) fn leave_the_first() -> Result<()> {
    let given = sched_getaffinity(None)?;
    let mut others = *ALL.get_or_init(|| given);
    if others.count() > 1 {
        first(&others).into_iter().for_each(|core| others.unset(core));
        sched_setaffinity(None, &others)?;
    }
    Ok(())
}

/// One worker thread gets the core that was left, several get them all.
pub(super) fn place(envoy: u32) -> Result<()> {
    let Some(mut cores) = ALL.get().copied() else { return Ok(()) };
    let workers = workers(envoy)?;
    if let (1, Some(core)) = (workers.len(), first(&cores)) {
        cores = CpuSet::new();
        cores.set(core);
    }
    for worker in workers {
        let id = worker.file_name().and_then(|name| name.to_str()?.parse().ok()).and_then(Pid::from_raw);
        sched_setaffinity(Some(id.context("a thread's id")?), &cores)?;
    }
    Ok(())
}

fn first(cores: &CpuSet) -> Option<usize> {
    (0..CpuSet::MAX_CPU).find(|core| cores.is_set(*core))
}
