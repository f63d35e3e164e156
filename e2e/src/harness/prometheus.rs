//! A real Prometheus, and what it is asked.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::harness::process::{Process, wait_for};
use crate::harness::tools;

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    address: String,
    _process: Process,
}

impl Prometheus {
    /// Starts it with this configuration (YAML's subset, JSON) at this address.
    pub fn start(folder: &Path, address: &str, config: &Value) -> Result<Self> {
        let folder = folder.join("prometheus");
        fs::create_dir_all(&folder)?;
        let file = folder.join("prometheus.json");
        fs::write(&file, config.to_string())?;
        let log = File::create(folder.join("log"))?;
        let mut process = Process::start(
            Command::new(tools::program("prometheus", "prometheus")?)
                .arg(format!("--config.file={}", file.display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
                .arg(format!("--web.listen-address={address}"))
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log),
        )?;
        let log = folder.join("log");
        wait_for("Prometheus", || {
            ensure!(
                process.is_running(),
                "Prometheus ended: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            Ok(ureq::get(format!("http://{address}/-/ready")).call().ok())
        })?;
        Ok(Self { address: address.to_owned(), _process: process })
    }

    /// Where its pages are.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The series that a query finds.
    pub fn query(&self, query: &str) -> Result<Vec<Value>> {
        self.ask("query", &[("query", query)]).map(|data| list(&data["result"]))
    }

    /// The series that a query finds between two times (seconds), in steps of `step` seconds.
    pub fn query_range(&self, query: &str, (start, end): (f64, f64), step: f64) -> Result<Vec<Value>> {
        let (start, end, step) = (start.to_string(), end.to_string(), step.to_string());
        let data =
            self.ask("query_range", &[("query", query), ("start", &start), ("end", &end), ("step", &step)])?;
        Ok(list(&data["result"]))
    }

    /// The values of a label on the series that match.
    pub fn label_values(&self, label: &str, matching: &str) -> Result<Vec<Value>> {
        self.ask(&format!("label/{label}/values"), &[("match[]", matching)]).map(|data| list(&data))
    }

    /// The alerts that fire now.
    pub fn firing(&self) -> Result<Vec<Value>> {
        let alerts = list(&self.ask("alerts", &[])?["alerts"]);
        Ok(alerts.into_iter().filter(|alert| alert["state"] == "firing").collect())
    }

    fn ask(&self, what: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        let url = format!("http://{}/api/v1/{what}", self.address);
        let request = ureq::get(&url).config().http_status_as_error(false).build();
        let request = arguments.iter().fold(request, |request, (name, value)| request.query(name, value));
        let text = request.call()?.body_mut().read_to_string()?;
        let mut answer: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        ensure!(answer["status"] == "success", "{arguments:?}: {text}");
        Ok(answer["data"].take())
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}
