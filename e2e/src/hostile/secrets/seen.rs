//! Every place where meshwhy's words go.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::MARK;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config_log::file_log;
use crate::harness::peers::log_receiver::LogReceiver;

/// meshwhy's keys in filter state.
const KEYS: [&str; 8] = [
    "meshwhy",
    "meshwhy.cause",
    "meshwhy.confidence",
    "meshwhy.side",
    "meshwhy.resource",
    "meshwhy.evidence",
    "meshwhy.fix",
    "meshwhy.first_bytes",
];

/// Cases whose secret Envoy itself shows in its details or reasons: what meshwhy reads has it.
const IN_DETAILS: &[&str] = &["oauth2-state", "oauth2-token", "plugin", "ext-proc-denies", "rbac-name"];

/// The logs of a connection manager: Envoy's own words and meshwhy's in JSON, meshwhy's in text,
/// over OpenTelemetry and over Envoy's own protocol.
pub(super) fn logs() -> Vec<Value> {
    let state = |key: &str| format!("%FILTER_STATE(wasm.{key}:PLAIN)%");
    let text = KEYS.map(state).join(" ") + "\n";
    let service = json!({"log_name": "secrets", "transport_api_version": "V3", "buffer_flush_interval": "0.1s",
        "grpc_service": {"envoy_grpc": {"cluster_name": "logs"}}});
    let mut als = service.clone();
    als["filter_state_objects_to_log"] = KEYS.map(|key| format!("wasm.{key}")).to_vec().into();
    let attributes: Vec<Value> =
        KEYS.iter().map(|key| json!({"key": key, "value": {"string_value": state(key)}})).collect();
    let kind = |of: &str| format!("type.googleapis.com/envoy.extensions.access_loggers.{of}");
    vec![
        file_log("http.log"),
        json!({"name": "envoy.access_loggers.file", "typed_config": {
            "@type": kind("file.v3.FileAccessLog"), "path": "{folder}/secrets.txt",
            "log_format": {"text_format_source": {"inline_string": text}},
        }}),
        json!({"name": "envoy.access_loggers.open_telemetry", "typed_config": {
            "@type": kind("open_telemetry.v3.OpenTelemetryAccessLogConfig"), "common_config": service,
            "disable_builtin_labels": true, "body": {"string_value": state("meshwhy")},
            "attributes": {"values": attributes},
        }}),
        json!({"name": "envoy.access_loggers.http_grpc", "typed_config": {
            "@type": kind("grpc.v3.HttpGrpcAccessLogConfig"), "common_config": als,
        }}),
    ]
}

/// All lines of the logs in JSON.
pub(super) fn lines(envoy: &Envoy) -> Result<Vec<Value>> {
    let logs = ["http.log", "tcp.log", "listener.log"].map(|log| envoy.log(log));
    Ok(logs.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

/// What Envoy says of a stream or connection.
pub(super) fn envoys_words(line: &Value) -> String {
    ["code", "flags", "details", "termination", "upstream_failure", "downstream_failure", "protocol"]
        .map(|key| match &line[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .join(" ")
}

/// The header with the cause for the client.
pub(super) fn check_answer(answer: &str) -> Result<()> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let mut named =
        head.split("\r\n").filter(|line| line.to_ascii_lowercase().starts_with("x-meshwhy-cause:"));
    named.try_for_each(|line| free("the response header", line))
}

fn free(place: &str, text: &str) -> Result<()> {
    let at = text.to_ascii_lowercase().find(MARK);
    ensure!(at.is_none(), "a secret in {place}: {text}");
    Ok(())
}

/// Rejected certificates, of three clients and four servers: their names look like other failures, and steer nothing.
fn verdicts(envoy: &Envoy) -> Result<()> {
    let samples = envoy.meshwhy_samples()?;
    for (cause, rejected) in [("client_certificate_rejected", 3.0), ("upstream_certificate_rejected", 4.0)] {
        let of_cause = samples.iter().filter(|sample| {
            sample.name == "meshwhy_failures_total" && sample.labels.get("cause").is_some_and(|c| c == cause)
        });
        let counted: f64 = of_cause.map(|sample| sample.value).sum();
        ensure!(counted.to_bits() == f64::to_bits(rejected), "{counted} of {rejected} are {cause}");
    }
    Ok(())
}

pub(super) fn check(envoy: &Envoy, receiver: &LogReceiver) -> Result<()> {
    let lines = lines(envoy)?;
    let own = lines.iter().filter(|line| line["meshwhy"].is_string());
    ensure!(own.count() > 20, "hardly anything was diagnosed");
    let words: String = lines.iter().map(envoys_words).collect();
    for case in IN_DETAILS {
        let secret = format!("{MARK}-{case}");
        ensure!(words.to_ascii_lowercase().contains(&secret), "Envoy's words have no {secret}: {words}");
    }
    let steered = verdicts(envoy).err();
    let mut leaks = Vec::new();
    let mut look = |place: &str, text: &str| {
        if let Err(leak) = free(place, text) {
            leaks.push(leak.to_string());
        }
    };
    for line in &lines {
        for key in ["cause", "confidence", "side", "resource", "evidence", "fix", "meshwhy"] {
            look("a JSON log", &format!("{key}={}", line[key]));
        }
    }
    let text = std::fs::read_to_string(envoy.path("secrets.txt"))?;
    ensure!(text.lines().count() > 20, "the text log has {} lines", text.lines().count());
    text.lines().for_each(|line| look("a text log", line));
    let entries = receiver.entries();
    for (kind, place) in [("otel", "OpenTelemetry"), ("als", "Envoy's access log service")] {
        let mut seen = 0;
        for entry in entries.iter().filter_map(|entry| entry.get(kind)) {
            let states = &entry["common_properties"]["filter_state_objects"];
            let meshwhys = if states.is_null() { entry } else { states };
            seen += usize::from(meshwhys.to_string().contains("meshwhy"));
            look(place, &meshwhys.to_string());
        }
        ensure!(seen > 20, "{place} has {seen} entries");
    }
    let log = envoy.own_log();
    let own = log.lines().filter(|line| line.contains("wasm log"));
    ensure!(own.clone().count() > 20, "the proxy's own log has {} lines", own.count());
    own.for_each(|line| look("the proxy's own log", line));
    for page in ["/stats?filter=meshwhy", "/stats/prometheus?filter=meshwhy"] {
        let stats = envoy.admin(page)?;
        ensure!(stats.contains("meshwhy_failures_total"), "{page}: {stats}");
        stats.lines().for_each(|line| look(page, line));
    }
    leaks.sort();
    leaks.dedup();
    ensure!(leaks.is_empty(), "{steered:?}, and {} leaks:\n{}", leaks.len(), leaks.join("\n"));
    steered.map_or(Ok(()), Err)
}
