//! What the filter costs: CPU time of Envoy's worker thread per request, variants side by side in one run.
//!
//! CPU time rather than wall time, because the machine has other things to do; rounds of all variants
//! interleaved, because its clock speed drifts; medians, because some rounds are hit anyway.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::envoy::Envoy;
use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::parts::{all_to, cluster, direct, route, vhost};
use crate::peers::{Running, Server};
use crate::tools;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds; each plays every variant once, in rotating order.
    pub rounds: usize,
    /// Requests a round and variant.
    pub requests: usize,
}

/// A way to set Envoy up.
struct Variant {
    name: &'static str,
    envoy: Envoy,
}

/// What is asked.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    /// Paths asked in turn, by listener.
    listener: &'static str,
    paths: &'static [&'static str],
}

const OK: &str = "/ok";
const LOADS: &[Load] = &[
    Load { name: "direct response, success", listener: "direct", paths: &[OK] },
    Load { name: "proxied HTTP/1.1, success", listener: "proxied", paths: &[OK] },
    Load {
        name: "proxied HTTP/1.1, 10 % failures",
        listener: "proxied",
        paths: &[OK, OK, OK, OK, "/nowhere", OK, OK, OK, OK, OK],
    },
    Load { name: "proxied HTTP/1.1, all failures", listener: "proxied", paths: &["/nowhere"] },
];

/// Microseconds of CPU for a request, of every round.
struct Row {
    load: &'static str,
    variant: &'static str,
    rounds: Vec<f64>,
    /// The same round's difference to no filter.
    differences: Vec<f64>,
}

/// Measures and returns the table in Markdown.
pub fn run(effort: Effort) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let backend =
        Server::Nginx("listen 127.0.0.1:{port}; keepalive_requests 1000000; location / { return 200 ok; }")
            .start(folder.path(), folder.path())?;
    let variants = variants(&folder, &backend)?;
    let mut rows: Vec<Row> = Vec::new();
    for load in LOADS {
        eprintln!("{}", load.name);
        rows.extend(measure(*load, &variants, effort)?);
    }
    Ok(table(&rows))
}

fn proxy() -> Proxy {
    let routes = json!([vhost("all", &["*"], vec![route("/ok", "backend")])]);
    let direct = json!([vhost("all", &["*"], vec![direct("/ok", 200, "ok")])]);
    Proxy::new(
        [
            Listener::http("proxied", routes),
            Listener::http("direct", direct),
            Listener::http("spare", all_to("backend")),
        ],
        [cluster("backend", "backend")],
    )
}

fn variants(folder: &TempDir, backend: &Running) -> Result<Vec<Variant>> {
    let module = tools::module()?.display().to_string();
    let noop = noop_module()?;
    let http = Roles::http_only();
    let all = Roles::all();
    let connection_and_http = Roles { access_log: None, ..Roles::all() };
    let list = [
        ("no filter", Roles::none(), &module),
        ("no-op SDK filter", http.clone(), &noop),
        ("http", http, &module),
        ("connection + http", connection_and_http, &module),
        ("access_log behind a native filter", Roles::access_log_only(), &module),
        ("all three", all, &module),
    ];
    list.into_iter()
        .map(|(name, roles, module)| {
            let bootstrap = proxy().roles(roles).bootstrap(module);
            let bootstrap = without_file_logs(bootstrap).to_string();
            let text = bootstrap
                .replace("{server:backend}", &backend.port.to_string())
                .replace("{pki}", &folder.path().display().to_string());
            Ok(Variant { name, envoy: Envoy::start(&serde_json::from_str(&text)?)? })
        })
        .collect()
}

/// The scenarios' JSON access logs would cost more than what is measured; the listener's access logger
/// would run for every connection.
fn without_file_logs(mut bootstrap: Value) -> Value {
    let is_wasm = |log: &Value| log["name"] == "meshwhy";
    let keep = |holder: &mut Value| {
        if let Some(list) = holder.get_mut("access_log").and_then(Value::as_array_mut) {
            list.retain(is_wasm);
        }
    };
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().into_iter().flatten() {
        keep(listener);
        for chain in listener["filter_chains"].as_array_mut().into_iter().flatten() {
            for filter in chain["filters"].as_array_mut().into_iter().flatten() {
                keep(&mut filter["typed_config"]);
            }
        }
    }
    bootstrap
}

fn noop_module() -> Result<String> {
    eprintln!("building the no-op SDK filter");
    let status = Command::new("cargo")
        .current_dir(tools::root())
        .args([
            "build",
            "--quiet",
            "-p",
            "meshwhy-noop",
            "--profile",
            "wasm",
            "--target",
            "wasm32-unknown-unknown",
        ])
        .status()?;
    ensure!(status.success(), "the no-op filter can't be built");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| tools::root().join("target"), Into::into);
    Ok(target.join("wasm32-unknown-unknown/wasm/meshwhy_noop.wasm").display().to_string())
}

fn measure(load: Load, variants: &[Variant], effort: Effort) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = variants
        .iter()
        .map(|v| Row { load: load.name, variant: v.name, rounds: Vec::new(), differences: Vec::new() })
        .collect();
    for variant in variants {
        ask(load, &variant.envoy, effort.requests)?;
    }
    for round in 0..effort.rounds {
        eprint!("\r  round {}/{}", round + 1, effort.rounds);
        let mut costs = vec![0.0; variants.len()];
        for step in 0..variants.len() {
            let index = (round + step) % variants.len();
            costs[index] = ask(load, &variants[index].envoy, effort.requests)?;
        }
        for (row, cost) in rows.iter_mut().zip(&costs) {
            row.rounds.push(*cost);
            row.differences.push(cost - costs[0]);
        }
    }
    eprintln!();
    Ok(rows)
}

/// Microseconds of the worker's CPU for a request.
fn ask(load: Load, envoy: &Envoy, requests: usize) -> Result<f64> {
    let port = envoy.port(load.listener)?;
    let urls: Vec<String> = load.paths.iter().map(|path| format!("http://127.0.0.1:{port}{path}")).collect();
    let before = worker_cpu(envoy.pid())?;
    let output = Command::new(tools::program("h2load", "nghttp2-client")?)
        .args(["--h1", "-c", "4", "-t", "1", "-n", &requests.to_string()])
        .args(&urls)
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(text.contains(&format!("{requests} done")), "h2load did not finish: {text}");
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok((worker_cpu(envoy.pid())? - before) as f64 / requests as f64 / 1_000.0)
}

/// Nanoseconds that the worker thread has run.
fn worker_cpu(pid: u32) -> Result<u64> {
    for task in std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"))? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() == "wrk:worker_0" {
            let stat = std::fs::read_to_string(task.join("schedstat"))?;
            return stat.split(' ').next().and_then(|n| n.parse().ok()).context("schedstat");
        }
    }
    anyhow::bail!("Envoy {pid} has no worker thread")
}

fn quantile(values: &[f64], part: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * part / 4]
}

fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    let mut load = "";
    for row in rows {
        if row.load != load {
            load = row.load;
            let _ = write!(
                out,
                "\n### {load}\n\n| variant | median | quartiles | above no filter (quartiles) | ratio |\n|---|---|---|---|---|\n"
            );
        }
        let base: Vec<f64> = row.rounds.iter().zip(&row.differences).map(|(cost, d)| cost - d).collect();
        let (cost, d) = (&row.rounds, &row.differences);
        let _ = writeln!(
            out,
            "| {} | {:.2} µs | {:.2} to {:.2} | {:+.2} µs ({:+.2} to {:+.2}) | {:.2} |",
            row.variant,
            quantile(cost, 2),
            quantile(cost, 1),
            quantile(cost, 3),
            quantile(d, 2),
            quantile(d, 1),
            quantile(d, 3),
            quantile(cost, 2) / quantile(&base, 2),
        );
    }
    out
}
