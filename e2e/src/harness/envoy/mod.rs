//! A real Envoy for one scenario: started on free ports, read through its admin interface.

pub mod config;
pub mod config_log;
pub mod discovery;
mod metrics;
pub mod parts;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

pub use metrics::{Sample, parse};

use discovery::Discovery;

use crate::harness::process::{Process, wait_for};
use crate::harness::{record, releases};

/// How it is started.
#[derive(Debug, Clone, Copy)]
struct Options<'a> {
    /// A shell's limits (`ulimit` arguments).
    ulimit: &'a [&'a str],
    /// Worker threads.
    workers: usize,
    /// Milliseconds after which access logs are written: they are waited for.
    flush: u32,
    /// Seconds after which what was replaced ends.
    drain: u32,
}

const USUAL: Options<'static> = Options { ulimit: &[], workers: 1, flush: 10, drain: 1 };

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    folder: TempDir,
    process: Process,
    admin: String,
    ports: BTreeMap<String, u16>,
}

impl Envoy {
    /// Starts it with this bootstrap and waits until it is ready. `{folder}` in the bootstrap is its own folder.
    pub fn start(bootstrap: &Value) -> Result<Self> {
        Self::launch(bootstrap, USUAL)
    }

    /// The same, keeping access logs for `flush` milliseconds.
    pub fn start_flushing(bootstrap: &Value, flush: u32) -> Result<Self> {
        Self::launch(bootstrap, Options { flush, ..USUAL })
    }

    /// The same where what was replaced has this many seconds to end.
    pub fn start_draining(bootstrap: &Value, drain: u32) -> Result<Self> {
        Self::launch(bootstrap, Options { drain, ..USUAL })
    }

    /// The same with this many worker threads.
    pub fn start_workers(bootstrap: &Value, workers: usize) -> Result<Self> {
        Self::launch(bootstrap, Options { workers, ..USUAL })
    }

    /// The same with the listeners in a file that it watches, `lds.json` in its folder.
    pub fn start_discovering(mut bootstrap: Value) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("meshwhy-envoy-").tempdir()?;
        let discovery = Discovery::new(folder.path());
        let listeners = Value::from(discovery.take_listeners(&mut bootstrap)).to_string();
        let listeners = listeners.replace("{folder}", &folder.path().display().to_string());
        discovery.listeners(&serde_json::from_str::<Vec<Value>>(&listeners)?)?;
        Self::launch_in(folder, &bootstrap, USUAL)
    }

    /// The same under a shell's limits (`ulimit` arguments).
    pub fn start_with(bootstrap: &Value, ulimit: &[&str]) -> Result<Self> {
        Self::launch(bootstrap, Options { ulimit, ..USUAL })
    }

    fn launch(bootstrap: &Value, options: Options<'_>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("meshwhy-envoy-").tempdir()?;
        Self::launch_in(folder, bootstrap, options)
    }

    fn launch_in(folder: TempDir, bootstrap: &Value, options: Options<'_>) -> Result<Self> {
        let Options { ulimit, workers, flush, drain } = options;
        let text = bootstrap.to_string().replace("{folder}", &folder.path().display().to_string());
        let (config, admin_file) = (folder.path().join("envoy.json"), folder.path().join("admin"));
        std::fs::write(&config, text)?;
        // Appending, for an access log may go to `/dev/stdout`, which opens it once more.
        let log = File::options().create(true).append(true).open(folder.path().join("envoy.log"))?;
        let script = if ulimit.is_empty() {
            "exec \"$0\" \"$@\"".into()
        } else {
            format!("ulimit {} && exec \"$0\" \"$@\"", ulimit.join(" "))
        };
        let mut process = Process::start(
            Command::new("sh")
                .args(["-c", &script])
                .arg(releases::envoy()?)
                .arg("-c")
                .arg(&config)
                .args(["--use-dynamic-base-id", "--disable-hot-restart"])
                .args(["--concurrency", &workers.to_string()])
                .args(["--file-flush-interval-msec", &flush.to_string()])
                .args(["--drain-time-s", &drain.to_string()])
                .args([
                    "--log-level",
                    "warning",
                    "--component-log-level",
                    "wasm:info",
                    "--admin-address-path",
                ])
                .arg(&admin_file)
                .stdin(std::process::Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log),
        )?;
        let admin = wait_for("Envoy's admin address", || {
            if !process.is_running() {
                bail!("Envoy ended: {}", tail(&folder.path().join("envoy.log")));
            }
            Ok(std::fs::read_to_string(&admin_file).ok().filter(|a| a.contains(':')))
        })?;
        let mut envoy = Self { folder, process, admin, ports: BTreeMap::new() };
        wait_for("Envoy", || {
            if !envoy.process.is_running() {
                bail!("Envoy ended: {}", tail(&envoy.path("envoy.log")));
            }
            Ok(envoy.admin("/ready").ok())
        })?;
        envoy.ports = envoy.listeners()?;
        Ok(envoy)
    }

    /// The body of `GET path` on the admin interface.
    pub fn admin(&self, path: &str) -> Result<String> {
        let url = format!("http://{}{path}", self.admin.trim());
        Ok(ureq::get(&url).call()?.body_mut().read_to_string()?)
    }

    /// `POST path` on the admin interface.
    pub fn admin_post(&self, path: &str) -> Result<String> {
        let url = format!("http://{}{path}", self.admin.trim());
        Ok(ureq::post(&url).send_empty()?.body_mut().read_to_string()?)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The admin interface's address.
    pub fn admin_address(&self) -> &str {
        self.admin.trim()
    }

    /// The port of a listener.
    pub fn port(&self, listener: &str) -> Result<u16> {
        self.ports.get(listener).copied().with_context(|| format!("no listener {listener}"))
    }

    /// All listeners' ports by name.
    pub fn ports(&self) -> &BTreeMap<String, u16> {
        &self.ports
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of an access log so far.
    pub fn log(&self, name: &str) -> Result<Vec<Value>> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        // Envoy may be in the middle of a flush: what has no end yet is no line yet.
        let text = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        text.lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("{name}: {line}")))
            .collect()
    }

    /// meshwhy's own samples in the exposition.
    pub fn meshwhy_samples(&self) -> Result<Vec<Sample>> {
        let samples = parse(&self.admin("/stats/prometheus")?);
        Ok(samples.into_iter().filter(|s| s.name.starts_with("meshwhy_")).collect())
    }

    /// The VM's gauges and counters that move only when one is made or lost.
    pub fn vms(&self) -> Result<BTreeMap<String, f64>> {
        let about = |name: &str| {
            name.contains("wasm")
                && (name.contains("runtime") || name.contains("reload") || name.contains("vm_"))
        };
        let samples = parse(&self.admin("/stats/prometheus")?).into_iter().filter(|s| about(&s.name));
        let vms: BTreeMap<_, _> = samples.map(|s| (format!("{} {:?}", s.name, s.labels), s.value)).collect();
        ensure!(!vms.is_empty() && vms.values().all(|value| *value >= 0.0), "no statistics of the VM");
        Ok(vms)
    }

    /// Envoy's own log, without records; a scenario's filter must not have crashed in it.
    pub fn own_log(&self) -> String {
        record::without(&self.whole_log())
    }

    /// Envoy's own log.
    pub fn whole_log(&self) -> String {
        std::fs::read_to_string(self.path("envoy.log")).unwrap_or_default()
    }

    /// Fails if the VM or Envoy itself is not well any more.
    pub fn check_health(&mut self) -> Result<()> {
        ensure!(self.process.is_running(), "Envoy ended: {}", tail(&self.path("envoy.log")));
        let log = self.own_log();
        for bad in ["panicked", "Function: proxy_", "Wasm VM failed", "in-VM backtrace", "[critical]"] {
            ensure!(!log.contains(bad), "Envoy's log speaks of {bad:?}: {}", tail(&self.path("envoy.log")));
        }
        Ok(())
    }

    fn listeners(&self) -> Result<BTreeMap<String, u16>> {
        let status: Value = serde_json::from_str(&self.admin("/listeners?format=json")?)?;
        let list = status["listener_statuses"].as_array().cloned().unwrap_or_default();
        let ports = list.iter().filter_map(|listener| {
            let port = listener["local_address"]["socket_address"]["port_value"].as_u64()?;
            Some((listener["name"].as_str()?.to_owned(), u16::try_from(port).ok()?))
        });
        Ok(ports.collect())
    }
}

fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(12).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
