//! Resident memory: of each worker, and after very many failures.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::Effort;
use super::load::h2load;
use super::variants::{proxy, without_and_with};
use crate::envoy::Envoy;
use crate::peers::Running;

/// Workers beyond the first, over which what one of them takes is averaged.
const MORE_WORKERS: usize = 3;

/// One table.
pub(super) fn measure(folder: &Path, backend: &Running, effort: &Effort) -> Result<String> {
    eprintln!("memory");
    let proxy = proxy(&json!({}));
    let one = without_and_with(&proxy, folder, backend, 1)?;
    let many = without_and_with(&proxy, folder, backend, 1 + MORE_WORKERS)?;
    let fresh = [&one[0], &one[1], &many[0], &many[1]].map(|variant| resident(&variant.envoy));
    let [none, with, none_many, with_many] = fresh;
    let (none, with, none_many, with_many) = (none?, with?, none_many?, with_many?);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let a_worker = ((with_many - with) - (none_many - none)) / MORE_WORKERS as f64;
    let mut out = format!(
        "\n### Memory\n\n| what | MB |\n|---|---|\n\
         | Envoy without a filter, one worker | {none:.1} |\n\
         | with connection + http, above that (V8 and the first VM) | {:+.1} |\n\
         | each further worker, above one without a filter | {a_worker:+.2} |\n",
        with - none
    );
    for (variant, name) in one.iter().zip(["no filter", "connection + http"]) {
        // What the connections and buffers of a first load leave is no growth.
        fail(&variant.envoy, effort.failures / 10)?;
        let before = resident(&variant.envoy)?;
        fail(&variant.envoy, effort.failures)?;
        let grown = resident(&variant.envoy)? - before;
        let _ = writeln!(out, "| {name}: growth over {} failures | {grown:+.1} |", effort.failures);
    }
    Ok(out)
}

/// Failures whose hosts, paths and methods would all be labels, if anyone let them.
fn fail(envoy: &Envoy, requests: usize) -> Result<()> {
    let port = envoy.port("proxied")?;
    let mut urls = String::new();
    for index in 0..5_000_u32 {
        let path = ["nowhere", "refused", "empty", "error"][index as usize % 4];
        let noise = index.wrapping_mul(2_654_435_761);
        let _ =
            writeln!(urls, "http://127.0.0.1:{port}/{path}/{noise:x};.;cause=.=x{index}%22%0a%5c?{noise}");
    }
    let arguments = ["--h1", "-c", "8", "-H", "user-agent: \";.;cause=.=evil;.;"].map(str::to_owned);
    h2load(&urls, requests, &arguments).map(drop)
}

/// Megabytes.
fn resident(envoy: &Envoy) -> Result<f64> {
    let status = std::fs::read_to_string(Path::new("/proc").join(envoy.pid().to_string()).join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1_024.0)
}
