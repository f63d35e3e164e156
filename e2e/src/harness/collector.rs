//! A real OpenTelemetry Collector, and the spans that it received.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};

use crate::harness::process::{Process, wait_for};
use crate::harness::programs;

/// A running collector; it ends when dropped.
#[derive(Debug)]
pub struct Collector {
    received: PathBuf,
    _process: Process,
}

/// A span as the collector has it.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its attributes.
    pub attributes: Map<String, Value>,
}

impl Span {
    /// An attribute's text; empty without it.
    pub fn text(&self, key: &str) -> &str {
        self.attributes.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Collector {
    /// Starts it with OTLP over gRPC at this address.
    pub fn start(folder: &Path, address: &str) -> Result<Self> {
        let folder = folder.join("collector");
        fs::create_dir_all(&folder)?;
        let received = folder.join("received.json");
        // What one before it wrote.
        File::create(&received)?;
        let config = json!({
            "receivers": { "otlp": { "protocols": { "grpc": { "endpoint": address } } } },
            "exporters": { "file": { "path": received } },
            "service": {
                "telemetry": { "metrics": { "level": "none" } },
                "pipelines": { "traces": { "receivers": ["otlp"], "exporters": ["file"] } },
            },
        });
        // YAML's subset.
        let file = folder.join("config.yaml");
        fs::write(&file, config.to_string())?;
        let log = folder.join("log");
        let output = File::create(&log)?;
        let mut process = Process::start(
            Command::new(programs::collector()?)
                .arg(format!("--config=file:{}", file.display()))
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output),
        )?;
        wait_for("the collector", || {
            let said = || fs::read_to_string(&log).unwrap_or_default();
            ensure!(process.is_running(), "the collector ended: {}", said());
            Ok(TcpStream::connect(address).ok())
        })?;
        Ok(Self { received, _process: process })
    }

    /// What has come so far.
    pub fn spans(&self) -> Result<Vec<Span>> {
        let text = fs::read_to_string(&self.received)?;
        // The last line may not be whole yet.
        let batches = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(batches.flat_map(|batch| spans_of(&batch)).collect())
    }
}

/// OTLP's JSON: resources, scopes, spans.
fn spans_of(batch: &Value) -> Vec<Span> {
    fn all<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
        value[key].as_array().into_iter().flatten()
    }
    let scopes = all(batch, "resourceSpans").flat_map(|resource| all(resource, "scopeSpans"));
    let spans = scopes.flat_map(|scope| all(scope, "spans"));
    spans
        .map(|span| Span {
            attributes: all(span, "attributes")
                .filter_map(|entry| Some((entry["key"].as_str()?.to_owned(), scalar(&entry["value"]))))
                .collect(),
        })
        .collect()
}

/// `{"stringValue": "a"}` → `"a"`.
fn scalar(value: &Value) -> Value {
    value.as_object().and_then(|kinds| kinds.values().next()).cloned().unwrap_or_default()
}
