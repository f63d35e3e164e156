//! `envoyfilter/` exactly as shipped; only the module's address and hash are filled in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize as _;
use serde_json::Value;
use xtask::files::sha256_hex;
use xtask::manifests::{self, Place};

use crate::harness::tools::{self, root};

/// The resources of the base, of which each overlay leaves out some.
pub const NAMES: &[&str] = &[
    "wasmplugin-http.yaml",
    "wasmplugin-connection.yaml",
    "envoyfilter-passthrough.yaml",
    "envoyfilter-black-hole.yaml",
    "envoyfilter-access-log.yaml",
    "telemetry.yaml",
];

/// Needs filters of Envoy that only this istiod knows, or a newer one.
pub const SINCE_1_31: &[&str] = &["envoyfilter-black-hole.yaml"];

/// The overlays, which users apply with `kubectl apply -k`.
pub const OVERLAYS: &[&str] = &[
    "mesh-wide",
    "gateways-only",
    "one-namespace",
    "log-only",
    "access-logger-only",
    "waypoints",
    "access-logger-waypoints",
];

/// The chart's values that come to the same as each overlay.
pub const AS_VALUES: &[(&str, &[&str])] = &[
    ("mesh-wide", &[]),
    ("gateways-only", &["scope.mode=gateways"]),
    ("one-namespace", &["scope.mode=namespaces", "scope.namespaces={shop}"]),
    ("log-only", &["counters=false"]),
    (
        "access-logger-only",
        &[
            "roles.http=false",
            "roles.connection=false",
            "roles.passthrough=false",
            "roles.accessLog=true",
            "telemetry.accessLog=false",
        ],
    ),
    ("waypoints", &["scope.mode=waypoints"]),
    (
        "access-logger-waypoints",
        &[
            "scope.mode=waypoints",
            "roles.http=false",
            "roles.connection=false",
            "roles.passthrough=false",
            "roles.accessLog=true",
            "telemetry.accessLog=false",
        ],
    ),
];

/// Helm's arguments for the chart with the module at this place and these values.
pub fn chart(url: &str, sha256: &str, values: &[&str]) -> Vec<String> {
    let module = [format!("module.url={url}"), format!("module.sha256={sha256}")];
    let values = module.into_iter().chain(values.iter().map(|value| (*value).to_owned()));
    let values = values.flat_map(|value| ["--set".to_owned(), value]);
    std::iter::once(shipped().join("chart").display().to_string()).chain(values).collect()
}

/// The chart as `make manifests` leaves it, in this folder.
pub fn rendered_chart(place: &Place, sha256: &str, folder: &Path) -> Result<PathBuf> {
    manifests::write_chart(&manifests::chart(&shipped().join("chart"), place, sha256, None)?, folder)?;
    Ok(folder.to_owned())
}

/// The objects of a YAML stream, by kind, namespace and name.
pub fn objects(yaml: &str) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for document in serde_norway::Deserializer::from_str(yaml) {
        let object = Value::deserialize(document)?;
        if let (Some(kind), Some(name)) = (object["kind"].as_str(), object["metadata"]["name"].as_str()) {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
            all.insert(format!("{kind}/{namespace}/{name}"), object);
        }
    }
    Ok(all)
}

/// A manifest of the base for `kubectl apply`.
pub fn rendered(name: &str, url: &str, sha256: &str) -> Result<String> {
    let file = shipped().join("base").join(name);
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    Ok(manifests::render(&text, &at(url), sha256))
}

/// An overlay for `kubectl apply -k`, with all it refers to, in this folder; where it is.
pub fn overlay(name: &str, place: &Place, sha256: &str, folder: &Path) -> Result<PathBuf> {
    manifests::render_folder(&shipped(), folder, place, sha256)?;
    Ok(folder.join("overlays").join(name))
}

/// Adds the component for spans to a rendered overlay, as `docs/traces.md` says.
pub fn add_traces(overlay: &Path) -> Result<()> {
    let file = overlay.join("kustomization.yaml");
    let own = fs::read_to_string(&file)?;
    Ok(fs::write(&file, format!("{own}components: [../../components/traces]\n"))?)
}

/// The hash of the module that proxies fetch from a web server.
pub fn module_sha256() -> Result<String> {
    Ok(sha256_hex(&fs::read(tools::module()?)?))
}

fn at(url: &str) -> Place {
    Place { url: url.to_owned(), namespace: None }
}

fn shipped() -> PathBuf {
    root().join("envoyfilter")
}

/// `telemetry.yaml` with the filter that it has as a comment.
pub fn diagnosed_only() -> Result<Value> {
    let text = fs::read_to_string(shipped().join("base/telemetry.yaml"))?;
    let (before, filter) =
        text.split_once("      # filter:").context("telemetry.yaml has no filter to uncomment")?;
    let filter = filter.replace("      # ", "      ");
    Ok(serde_norway::from_str(&format!("{before}      filter:{filter}"))?)
}

/// The patch of `components/traces` for this kind: what it adds.
pub fn traces(kind: &str) -> Result<Value> {
    let text = fs::read_to_string(shipped().join("components/traces/kustomization.yaml"))?;
    let component: Value = serde_norway::from_str(&text)?;
    let patches = component["patches"].as_array().context("no patches")?;
    let patch = patches.iter().find(|patch| patch["target"]["kind"] == kind);
    let patch =
        patch.and_then(|patch| patch["patch"].as_str()).with_context(|| format!("none for {kind}"))?;
    let operations: Value = serde_norway::from_str(patch)?;
    Ok(operations[0]["value"].clone())
}

/// The `meshConfig` of `mesh-config.yaml`, as Helm would pass it on.
pub fn mesh_config() -> Result<Value> {
    let text = fs::read_to_string(root().join("envoyfilter/mesh-config.yaml"))?;
    let values: Value = serde_norway::from_str(&text)?;
    Ok(values["meshConfig"].clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `EnvoyJSONLogFormatIstio` of istiod 1.31 (pilot/pkg/model/telemetry_logging.go).
    const ISTIOS_KEYS: &[&str] = &[
        "start_time",
        "route_name",
        "method",
        "path",
        "protocol",
        "response_code",
        "response_flags",
        "response_code_details",
        "connection_termination_details",
        "bytes_received",
        "bytes_sent",
        "duration",
        "upstream_service_time",
        "x_forwarded_for",
        "user_agent",
        "request_id",
        "authority",
        "upstream_host",
        "upstream_cluster",
        "upstream_local_address",
        "downstream_local_address",
        "downstream_remote_address",
        "requested_server_name",
        "upstream_transport_failure_reason",
    ];

    #[test]
    fn the_json_log_has_what_queries_use_already() {
        let mesh = mesh_config().unwrap();
        let providers = mesh["extensionProviders"].as_array().unwrap();
        let json = providers.iter().find(|p| p["name"] == "meshwhy").unwrap();
        let labels = json["envoyFileAccessLog"]["logFormat"]["labels"].as_object().unwrap();
        let missing: Vec<&&str> = ISTIOS_KEYS.iter().filter(|key| !labels.contains_key(**key)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(labels.len(), ISTIOS_KEYS.len() + 6);
    }
}
