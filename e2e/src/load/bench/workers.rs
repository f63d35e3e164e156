//! Envoy's worker threads, and the CPU time that they take.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::harness::envoy::Envoy;

/// Runs `work` of this many requests; microseconds of the workers' CPU for each.
pub(super) fn cpu_of(envoy: &Envoy, requests: usize, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let before = workers_cpu(envoy.pid())?;
    work()?;
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok((workers_cpu(envoy.pid())? - before) as f64 / requests as f64 / 1_000.0)
}

/// Nanoseconds that the worker threads have run.
fn workers_cpu(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for task in workers(pid)? {
        let stat = std::fs::read_to_string(task.join("schedstat"))?;
        sum += stat.split(' ').next().and_then(|n| n.parse::<u64>().ok()).context("schedstat")?;
    }
    Ok(sum)
}

/// The worker threads' folders in `/proc`.
pub(super) fn workers(pid: u32) -> Result<Vec<PathBuf>> {
    let mut workers = Vec::new();
    for task in std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"))? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.starts_with("wrk:worker_") {
            workers.push(task);
        }
    }
    ensure!(!workers.is_empty(), "Envoy {pid} has no worker thread");
    Ok(workers)
}
