//! Resident memory: of each worker, and after very many failures.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::Effort;
use super::traffic::h2load;
use super::variants::{proxy, with_empty, without_and_with};
use crate::harness::envoy::Envoy;
use crate::harness::peers::Running;
use crate::load::memory;

/// Workers beyond the first, over which what one of them takes is averaged.
const MORE_WORKERS: usize = 3;

/// One table.
pub(super) fn measure(folder: &Path, backend: &Running, effort: &Effort) -> Result<String> {
    eprintln!("memory");
    let proxy = proxy(&json!({}));
    let one = without_and_with(&proxy, folder, backend, 1)?;
    let many = without_and_with(&proxy, folder, backend, 1 + MORE_WORKERS)?;
    let empty = with_empty(&proxy, folder, backend, 1)?;
    let empty_many = with_empty(&proxy, folder, backend, 1 + MORE_WORKERS)?;
    let none = resident(&one[0].envoy)?;
    // What each worker takes beyond the first.
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let each = |one: &Envoy, many: &Envoy| -> Result<f64> {
        Ok((resident(many)? - resident(one)?) / MORE_WORKERS as f64)
    };
    let plain = each(&one[0].envoy, &many[0].envoy)?;
    let any_module = each(&empty, &empty_many)? - plain;
    let ours = each(&one[1].envoy, &many[1].envoy)? - plain;
    let mut out = format!(
        "\n| resident memory | MB |\n|---|---|\n\
         | Envoy without a filter, one worker | {none:.1} |\n\
         | with the empty module, above Envoy without a filter (V8 and its first VM) | {:+.1} |\n\
         | with connection + http, above Envoy without a filter | {:+.1} |\n\
         | each further worker with the empty module, above one without a filter (V8's fixed part) | {any_module:+.2} |\n\
         | each further worker with connection + http, above one without a filter | {ours:+.2} |\n",
        resident(&empty)? - none,
        resident(&one[1].envoy)? - none,
    );
    drop((many, empty, empty_many));
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
    Ok(memory::resident(envoy.pid())? / 1_024.0)
}
