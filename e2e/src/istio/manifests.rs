//! `envoyfilter/` exactly as shipped; only the module's address and hash are filled in.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::tools::root;

const PLACEHOLDER_URL: &str = "https://example.com/REPLACE-ME/meshwhy.wasm";

/// What users apply with kubectl.
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

/// A manifest for `kubectl apply`.
pub fn rendered(name: &str, url: &str, module: &Path) -> Result<String> {
    let file = root().join("envoyfilter").join(name);
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let hash: String = Sha256::digest(fs::read(module)?).iter().map(|b| format!("{b:02x}")).collect();
    let filled = text.replace(PLACEHOLDER_URL, url);
    Ok(filled
        .lines()
        .map(|line| match line.split_once("sha256: \"") {
            Some((before, _)) => format!("{before}sha256: \"{hash}\"\n"),
            None => format!("{line}\n"),
        })
        .collect())
}

/// The `meshConfig` of `mesh-config.yaml`, as Helm would pass it on.
pub fn mesh_config() -> Result<Value> {
    let text = fs::read_to_string(root().join("envoyfilter/mesh-config.yaml"))?;
    let values: Value = serde_norway::from_str(&text)?;
    Ok(values["meshConfig"].clone())
}
