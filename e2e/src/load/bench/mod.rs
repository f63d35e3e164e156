//! What the filter costs: CPU time of Envoy's worker thread per request, variants side by side in one run.
//!
//! CPU time rather than wall time, because the machine has other things to do; short rounds of all variants
//! interleaved, because its clock speed drifts; medians of very many, because some rounds are hit anyway.

mod cores;
mod floor;
mod growth;
mod memory;
mod relay;
mod reset;
mod saturation;
mod table;
mod traffic;
mod variants;
mod workers;

use std::path::PathBuf;

use anyhow::Result;

pub use growth::growth;
pub use reset::reset;
use table::Row;
use traffic::{KINDS, LOADS, Load};
use variants::Variant;

use crate::harness::peers::Server;
use crate::harness::pki::Pki;

/// What the floor is measured under.
pub const FLOOR_LOAD: &str = traffic::SUCCESS.name;

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Effort {
    /// Rounds; each plays every variant once, in rotating order.
    pub rounds: usize,
    /// Requests a round and variant: few, so that whatever slows the machine down hits all variants.
    pub requests: usize,
    /// Failures after which memory must not have grown.
    pub failures: usize,
    /// Only the loads whose names hold this, and neither saturation nor memory.
    pub only: Option<String>,
    /// Other modules, for comparison in each role; then all variants are in one Envoy.
    pub against: Vec<PathBuf>,
    /// Likewise: what each callback and host call takes, by modules that do nothing else.
    pub parts: bool,
    /// Likewise: each kind of failure alone.
    pub kinds: bool,
}

impl Effort {
    fn by_hand(&self) -> floor::Which {
        match (self.kinds, self.parts) {
            (true, _) => floor::Which::Report,
            (false, true) => floor::Which::Parts,
            (false, false) => floor::Which::Usual,
        }
    }
}

/// The server behind the proxy.
fn backend() -> Server {
    Server::Nginx(
        "listen 127.0.0.1:{port}; keepalive_requests 1000000; client_header_buffer_size 64k; \
         large_client_header_buffers 4 128k; location / { return 200 ok; } location /error { return 500; } \
         location /busy { return 503; }",
    )
}

/// Requests after which V8 has compiled what successes run for good: until then larger modules are at a disadvantage.
const WARM_UP: usize = 30_000;

/// Measures and returns the tables in Markdown.
pub fn run(effort: &Effort) -> Result<String> {
    cores::share_the_last()?;
    let folder = tempfile::tempdir()?;
    Pki::create(folder.path())?;
    let backend = backend().start(folder.path(), folder.path())?;
    let variants = variants::all(folder.path(), &backend, effort)?;
    for variant in &variants {
        traffic::SUCCESS.play(variant, WARM_UP)?;
    }
    let mut rows: Vec<Row> = Vec::new();
    let wanted = |load: &&Load| effort.only.as_ref().is_none_or(|only| load.name.contains(only));
    let loads = if effort.kinds { KINDS } else { LOADS };
    for load in loads.iter().filter(wanted) {
        eprintln!("{}", load.name);
        if effort.kinds {
            variants.iter().try_for_each(|variant| load.play(variant, WARM_UP).map(drop))?;
        }
        let measured = measure(load, &variants, effort)?;
        // It takes long: what is known is not lost with what fails later.
        eprintln!("{}", table::costs(&measured));
        rows.extend(measured);
    }
    if effort.only.is_some() {
        return Ok(table::costs(&rows));
    }
    let mut out = table::matrix(&rows);
    if effort.kinds || !effort.against.is_empty() {
        return Ok(out);
    }
    out += &saturation::measure(&variants, effort)?;
    drop(variants);
    out += &memory::measure(folder.path(), &backend, effort)?;
    Ok(out)
}

/// Plays a load in rounds; one row for each variant.
fn measure(load: &Load, variants: &[Variant], effort: &Effort) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = variants.iter().map(|variant| Row::new(load.name, &variant.name)).collect();
    // Connections cost more than requests on one.
    let requests = if load.reconnects { effort.requests.div_ceil(4) } else { effort.requests };
    for variant in variants {
        load.play(variant, requests)?;
    }
    for round in 0..effort.rounds {
        eprint!("\r  round {}/{}", round + 1, effort.rounds);
        let mut costs = vec![0.0; variants.len()];
        for step in 0..variants.len() {
            let index = (round + step) % variants.len();
            costs[index] = load.play(&variants[index], requests)?;
        }
        for (row, cost) in rows.iter_mut().zip(&costs) {
            row.add(*cost, costs[0]);
        }
    }
    eprintln!();
    Ok(rows)
}
