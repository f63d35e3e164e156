//! What a stream costs that its client resets at once, without a filter and with each module, side by side in one Envoy.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::json;

use super::{Effort, cores, table, workers};
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_to, cluster};
use crate::harness::peers::{Habit, Server};
use crate::harness::tools;
use crate::load::rapid_reset;

/// Streams a round and variant: more than are reported in full in a second, as in an attack.
const STREAMS: usize = 10_000;

/// Measures and returns the table in Markdown.
pub fn reset(effort: &Effort) -> Result<String> {
    cores::share_the_last()?;
    let folder = tempfile::tempdir()?;
    let backend = Server::Made(Habit::NeverAnswer).start(folder.path(), folder.path())?;
    let mut modules = vec![("no filter".to_owned(), None), ("http".to_owned(), Some(tools::module()?))];
    modules.extend(effort.against.iter().map(|path| (path.display().to_string(), Some(path.clone()))));
    let listeners: Vec<Listener> = modules
        .iter()
        .enumerate()
        .map(|(index, (_, module))| {
            // A configuration is as long as Envoy: few names are made, once.
            let listener = Listener::http(format!("reset-{index}").leak(), all_to("backend"))
                .filter(json!({"access_log": []}))
                .patch(json!({"access_log": []}));
            match module {
                None => listener,
                Some(module) => listener.raw_http_filter(json!({"name": "meshwhy", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                    "config": {"name": "meshwhy", "root_id": "meshwhy", "vm_config": {
                        "vm_id": index.to_string(),
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": {"local": {"filename": module.display().to_string()}},
                    }},
                }})),
            }
        })
        .collect();
    let bootstrap = Proxy::new(listeners, [cluster("backend", "backend")]).roles(Roles::none()).bootstrap("");
    let text = bootstrap.to_string().replace("{server:backend}", &backend.port.to_string());
    let envoy = Envoy::start(&serde_json::from_str(&text)?)?;
    cores::place(envoy.pid())?;
    let play = |index: usize| {
        let port = envoy.port(&format!("reset-{index}"))?;
        workers::cpu_of(&envoy, STREAMS, || rapid_reset::attack(port, STREAMS))
    };
    let mut seen = vec![Vec::new(); modules.len()];
    for round in 0..=effort.rounds {
        eprint!("\r  round {round}/{}", effort.rounds);
        for step in 0..modules.len() {
            let index = (round + step) % modules.len();
            let cost = play(index)?;
            // The first round warms up.
            if round > 0 {
                seen[index].push(cost);
            }
        }
    }
    eprintln!();
    let mut out = String::from("| filter | a stream | ratio to no filter (quartiles) |\n|---|---|---|\n");
    for (index, (name, _)) in modules.iter().enumerate() {
        let ratios: Vec<f64> = seen[index].iter().zip(&seen[0]).map(|(cost, base)| cost / base).collect();
        let _ = writeln!(
            out,
            "| {name} | {:.1} µs | {:.2} ({:.2} to {:.2}) |",
            table::median(&seen[index]),
            table::median(&ratios),
            table::quantile(&ratios, 1),
            table::quantile(&ratios, 3),
        );
    }
    Ok(out)
}
