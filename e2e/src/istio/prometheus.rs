//! A real Prometheus that scrapes the proxies as the shipped PodMonitor says.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::netns::HOST;
use crate::peers::process::{Process, wait_for};
use crate::tools::{self, root};

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    _process: Process,
}

impl Prometheus {
    /// Starts it on these proxies (name and address).
    pub fn start(folder: &Path, proxies: &[(&str, &str)]) -> Result<Self> {
        let folder = folder.join("prometheus");
        fs::create_dir_all(&folder)?;
        let config = folder.join("prometheus.json");
        fs::write(&config, config_for(proxies)?.to_string())?;
        let log = File::create(folder.join("log"))?;
        let mut process = Process::start(
            Command::new(tools::program("prometheus", "prometheus")?)
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
                .arg(format!("--web.listen-address={HOST}:9090"))
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
            Ok(ureq::get(format!("http://{HOST}:9090/-/ready")).call().ok())
        })?;
        Ok(Self { _process: process })
    }

    /// The series that a query finds.
    pub fn query(&self, query: &str) -> Result<Vec<Value>> {
        let url = format!("http://{HOST}:9090/api/v1/query");
        let text = ureq::get(&url).query("query", query).call()?.body_mut().read_to_string()?;
        let answer: Value = serde_json::from_str(&text)?;
        Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
    }
}

/// The PodMonitor's rules for metrics, as the operator writes them into Prometheus' own configuration.
fn config_for(proxies: &[(&str, &str)]) -> Result<Value> {
    let text = fs::read_to_string(root().join("envoyfilter/podmonitor.yaml"))?;
    let monitor: Value = serde_norway::from_str(&text)?;
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    let rules =
        endpoint["metricRelabelings"].as_array().context("the PodMonitor has no metricRelabelings")?;
    let rules: Vec<Value> = rules.iter().map(in_prometheus_words).collect();
    let targets: Vec<Value> = proxies
        .iter()
        .map(|(pod, address)| json!({ "targets": [format!("{address}:15020")], "labels": { "pod": pod } }))
        .collect();
    Ok(json!({ "scrape_configs": [{
        "job_name": "envoy-stats", "scrape_interval": "1s", "scrape_timeout": "1s",
        "metrics_path": endpoint["path"], "static_configs": targets, "metric_relabel_configs": rules,
    }] }))
}

fn in_prometheus_words(rule: &Value) -> Value {
    let words = [("sourceLabels", "source_labels"), ("targetLabel", "target_label")];
    let fields = rule.as_object().into_iter().flatten().map(|(key, value)| {
        let word = words.iter().find(|(operator, _)| operator == key).map_or(key.as_str(), |(_, own)| own);
        (word.to_owned(), value.clone())
    });
    Value::Object(fields.collect())
}
