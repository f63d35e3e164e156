//! How the cost of a request grows with workers, connections, series and header sizes.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::table::median;
use super::traffic::h2load;
use super::variants::{Variant, proxy, without_and_with};
use super::workers::cpu_of;
use super::{Effort, backend, cores};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{istio_config, route, vhost, with};
use crate::harness::peers::Running;
use crate::harness::pki::Pki;

/// What grows.
struct Axis {
    title: &'static str,
    steps: &'static [usize],
    play: fn(&Variant, usize, usize) -> Result<f64>,
}

/// Label sets, up to the default of `max_series` and beyond it.
const SERIES: &[usize] = &[1, 4, 16, 64, 256, 512];

const AXES: &[Axis] = &[
    Axis { title: "worker threads (16 connections, success)", steps: &[1, 2, 3, 4], play: on_workers },
    Axis {
        title: "connections (direct response)",
        steps: &[1, 10, 100, 1_000, 10_000],
        play: over_connections,
    },
    Axis { title: "series (failures; max_series is 256)", steps: SERIES, play: into_series },
    Axis { title: "KB of request headers (success)", steps: &[1, 4, 16, 32, 60], play: with_headers },
];

/// Measures; the table in Markdown.
pub fn growth(effort: &Effort) -> Result<String> {
    cores::share_the_last()?;
    let folder = tempfile::tempdir()?;
    Pki::create(folder.path())?;
    let backend = backend().start(folder.path(), folder.path())?;
    let mut table =
        String::from("\n| what grows | connection + http above no filter, µs a request |\n|---|---|\n");
    let single = without_and_with(&with_series(), folder.path(), &backend, 1)?;
    for (index, axis) in AXES.iter().enumerate() {
        eprintln!("{}", axis.title);
        let mut cells = Vec::new();
        for step in axis.steps {
            let own;
            let pair = if index == 0 {
                own = with_workers(folder.path(), &backend, *step)?;
                &own
            } else {
                &single
            };
            cells.push(format!("{step}: {:+.1}", measure(axis, *step, pair, effort)?));
        }
        let _ = writeln!(table, "| {} | {} |", axis.title, cells.join(", "));
    }
    Ok(table)
}

fn with_workers(folder: &Path, backend: &Running, workers: usize) -> Result<[Variant; 2]> {
    without_and_with(&proxy(&json!({})), folder, backend, workers)
}

/// The benchmark's proxy, and a listener whose routes lead nowhere, each by a VirtualService of its own.
fn with_series() -> Proxy {
    let most = SERIES.iter().copied().max().unwrap_or_default();
    let routes = (0..most).map(|i| {
        let resource = istio_config("virtual-service", "default", &format!("route-{i}"));
        with(route(&format!("/series/{i}/"), "missing"), resource)
    });
    let listener = Listener::http("series", json!([vhost("all", &["*"], routes.collect())]));
    proxy(&json!({})).and(listener)
}

fn measure(axis: &Axis, step: usize, pair: &[Variant; 2], effort: &Effort) -> Result<f64> {
    let mut seen = [Vec::new(), Vec::new()];
    for round in 0..=effort.rounds {
        for turn in 0..2 {
            let index = (round + turn) % 2;
            let cost = (axis.play)(&pair[index], step, effort.requests)?;
            // The first round warms up.
            if round > 0 {
                seen[index].push(cost);
            }
        }
    }
    let above: Vec<f64> = seen[1].iter().zip(&seen[0]).map(|(cost, base)| cost - base).collect();
    Ok(median(&above))
}

fn play(variant: &Variant, listener: &str, path: &str, requests: usize, more: &[String]) -> Result<f64> {
    let url = format!("http://127.0.0.1:{}{path}\n", variant.envoy.port(listener)?);
    let arguments = [&["--h1".to_owned()], more].concat();
    cpu_of(&variant.envoy, requests, || h2load(&url, requests, &arguments).map(drop))
}

fn connections(count: usize) -> [String; 2] {
    ["-c".to_owned(), count.to_string()]
}

fn on_workers(variant: &Variant, _: usize, requests: usize) -> Result<f64> {
    play(variant, "proxied", "/ok", requests, &connections(16))
}

fn over_connections(variant: &Variant, count: usize, requests: usize) -> Result<f64> {
    // Several requests on each: what a connection itself costs is another question.
    play(variant, "direct", "/ok", requests.max(count * 4), &connections(count))
}

fn with_headers(variant: &Variant, kilobytes: usize, requests: usize) -> Result<f64> {
    let header = format!("x-large: {}", "a".repeat(kilobytes * 1_000));
    play(variant, "proxied", "/ok", requests, &[&connections(4)[..], &["-H".to_owned(), header]].concat())
}

fn into_series(variant: &Variant, count: usize, requests: usize) -> Result<f64> {
    let port = variant.envoy.port("series")?;
    let urls: String = (0..count).map(|i| format!("http://127.0.0.1:{port}/series/{i}/\n")).collect();
    let arguments = [&["--h1".to_owned()], &connections(4)[..]].concat();
    cpu_of(&variant.envoy, requests, || h2load(&urls, requests, &arguments).map(drop))
}
