//! What meshwhy's series cost a real Prometheus that scrapes a thousand proxies.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use meshwhy::causes::Cause;
use serde_json::{Value, json};

use super::read;
use crate::harness::envoy::parse;
use crate::harness::peers::Misbehaving;
use crate::harness::process::free_port;
use crate::harness::prometheus::Prometheus;

/// Proxies that are scraped, in namespaces of twenty.
const PROXIES: usize = 1_000;
const IN_A_NAMESPACE: usize = 20;

/// Series of failures of each proxy: none yet, a few, `resource_label` off and everything failing, all that `max_series` lets be.
const SERIES: &[usize] = &[0, 5, 50, 256];

/// Between two scrapes of a proxy, as in `envoyfilter/podmonitor.yaml`, and between two evaluations of the rules.
const EVERY: Duration = Duration::from_secs(15);

/// Scrapes that fill the head block, and those over which the CPU is counted.
const WARM_UP: u32 = 2;
const MEASURED: u32 = 4;

/// What came of one number of series.
struct Row {
    series: usize,
    head: f64,
    memory: f64,
    cpu: f64,
    bytes: f64,
    scrape: f64,
    rules: f64,
    recorded: usize,
    raw: Duration,
    of_the_rules: Duration,
}

/// Measures; the table in Markdown.
pub fn measure() -> Result<String> {
    let mut table = format!(
        "\n| series of failures a proxy | series in Prometheus | resident memory, MB | CPU, % of a core | bytes a proxy and scrape \
         | seconds a scrape | the rules, s | series that they record | a query over all, raw, ms | recorded, ms |\n{}\n",
        "|---".repeat(10) + "|"
    );
    for series in SERIES {
        eprintln!("{PROXIES} proxies with {series} series each");
        let row = of(*series)?;
        let line = format!(
            "| {} | {:.0} | {:.0} | {:.1} | {:.0} | {:.4} | {:.3} | {} | {:.1} | {:.1} |",
            row.series,
            row.head,
            row.memory,
            row.cpu,
            row.bytes,
            row.scrape,
            row.rules,
            row.recorded,
            row.raw.as_secs_f64() * 1e3,
            row.of_the_rules.as_secs_f64() * 1e3,
        );
        eprintln!("{line}");
        let _ = writeln!(table, "{line}");
    }
    Ok(table)
}

fn of(series: usize) -> Result<Row> {
    let folder = tempfile::Builder::new().prefix("meshwhy-scale-").tempdir()?;
    let fleet = Fleet::start(series)?;
    let prometheus = scraping(folder.path(), fleet.server.port())?;
    std::thread::sleep(EVERY * WARM_UP);
    let (cpu, bytes, begun) = (own(&prometheus, "process_cpu_seconds_total")?, fleet.sent(), Instant::now());
    std::thread::sleep(EVERY * MEASURED);
    let cpu = own(&prometheus, "process_cpu_seconds_total")? - cpu;
    let (bytes, took) = (fleet.sent() - bytes, begun.elapsed().as_secs_f64());
    let scrapes = (PROXIES as f64) * took / EVERY.as_secs_f64();
    let up = value(&prometheus, "sum(up)")?;
    ensure!((up - PROXIES as f64).abs() < f64::EPSILON, "{up} of {PROXIES} proxies are scraped");
    // Before the queries, which take memory of their own.
    let (head, memory) = (
        own(&prometheus, "prometheus_tsdb_head_series")?,
        own(&prometheus, "process_resident_memory_bytes")?,
    );
    Ok(Row {
        series,
        head,
        memory: memory / 1_048_576.0,
        cpu: cpu / took * 100.0,
        bytes: bytes as f64 / scrapes,
        scrape: value(&prometheus, "avg(scrape_duration_seconds)")?,
        rules: own(&prometheus, "prometheus_rule_group_last_duration_seconds")?,
        recorded: prometheus.query("{__name__=~\"namespace.*:meshwhy_.*\"}")?.len(),
        raw: timed(&prometheus, "sum by (namespace, cause) (rate(meshwhy_failures_total[5m]))")?,
        of_the_rules: timed(&prometheus, "namespace_cause:meshwhy_failures:rate5m")?,
    })
}

/// A thousand proxies behind one port, each with a path of its own.
struct Fleet {
    server: Misbehaving,
    sent: Arc<AtomicU64>,
}

impl Fleet {
    fn start(series: usize) -> Result<Self> {
        let (sent, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let counted = Arc::clone(&sent);
        let server = Misbehaving::serving(move |stream| drop(serve(stream, series, begun, &counted)))?;
        Ok(Self { server, sent })
    }

    /// Bytes of expositions until now.
    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

fn serve(stream: TcpStream, series: usize, begun: Instant, sent: &AtomicU64) -> Result<()> {
    let mut answers = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    // `GET /PROXY HTTP/1.1`
    while let Some(line) = lines.next().transpose()? {
        let Some(path) = line.strip_prefix("GET /").and_then(|rest| rest.split(' ').next()) else { continue };
        let text = exposition(path.parse()?, series, begun.elapsed().as_secs());
        sent.fetch_add(text.len() as u64, Ordering::Relaxed);
        write!(
            answers,
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        )?;
    }
    Ok(())
}

/// What a proxy with this many series exposes of meshwhy, and of Envoy what the rules join with it.
fn exposition(proxy: usize, series: usize, seconds: u64) -> String {
    let mut text = format!(
        "# TYPE meshwhy_build_info gauge\nmeshwhy_build_info{{version=\"{}\"}} 1\n\
         # TYPE istio_requests_total counter\nistio_requests_total{{response_code=\"200\"}} {}\n\
         # TYPE envoy_cluster_manager_cds_update_success counter\nenvoy_cluster_manager_cds_update_success{{}} 7\n\
         # TYPE envoy_listener_manager_lds_update_success counter\nenvoy_listener_manager_lds_update_success{{}} 5\n",
        env!("CARGO_PKG_VERSION"),
        1_000 + 100 * seconds,
    );
    if series > 0 {
        text.push_str("# TYPE meshwhy_failures_total counter\n");
    }
    for (number, cause) in (0..series).zip(Cause::ALL.iter().cycle()) {
        let side = cause.definition().side.id();
        let namespace = proxy / IN_A_NAMESPACE;
        // Not each at each scrape: most failures stop.
        let count = if number % 4 == 0 { 10 + seconds } else { 10 };
        let _ = writeln!(
            text,
            "meshwhy_failures_total{{cause=\"{}\",confidence=\"certain\",side=\"{side}\",direction=\"outbound\",\
             resource=\"VirtualService/namespace-{namespace}/route-{number}\"}} {count}",
            cause.id(),
        );
    }
    text
}

fn scraping(folder: &Path, port: u16) -> Result<Prometheus> {
    let rules = folder.join("rules.yaml");
    fs::write(&rules, read("rules.yaml")?)?;
    let targets: Vec<Value> = (0..PROXIES)
        .map(|proxy| {
            json!({ "targets": [format!("127.0.0.1:{port}")], "labels": {
                "__metrics_path__": format!("/{proxy}"),
                "namespace": format!("namespace-{}", proxy / IN_A_NAMESPACE),
                "pod": format!("pod-{proxy}"),
            } })
        })
        .collect();
    let every = format!("{}s", EVERY.as_secs());
    let config = json!({
        "global": { "scrape_interval": every, "evaluation_interval": every },
        "rule_files": [rules],
        "scrape_configs": [{ "job_name": "envoy-stats", "static_configs": targets }],
    });
    Prometheus::start(folder, &format!("127.0.0.1:{}", free_port()), &config)
}

/// Of Prometheus' own metrics.
fn own(prometheus: &Prometheus, name: &str) -> Result<f64> {
    let text =
        ureq::get(format!("http://{}/metrics", prometheus.address())).call()?.body_mut().read_to_string()?;
    parse(&text)
        .into_iter()
        .find(|sample| sample.name == name)
        .map(|sample| sample.value)
        .context(name.to_owned())
}

fn value(prometheus: &Prometheus, query: &str) -> Result<f64> {
    let found = prometheus.query(query)?;
    let value = found.first().and_then(|series| series["value"][1].as_str()).context(query.to_owned())?;
    Ok(value.parse()?)
}

/// The fastest of some.
fn timed(prometheus: &Prometheus, query: &str) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        prometheus.query(query)?;
        best = best.min(begun.elapsed());
    }
    Ok(best)
}
