//! `envoyfilter/` exactly as shipped; only the module's address and hash are filled in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::tools::root;

const PLACEHOLDER_URL: &str = "https://example.com/REPLACE-ME/meshwhy.wasm";

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
pub const OVERLAYS: &[&str] =
    &["mesh-wide", "gateways-only", "one-namespace", "log-only", "access-logger-only"];

/// A manifest of the base for `kubectl apply`.
pub fn rendered(name: &str, url: &str, module: &Path) -> Result<String> {
    filled(&shipped().join("base").join(name), url, module)
}

/// An overlay for `kubectl apply -k`, with all it refers to, in this folder; where it is.
pub fn overlay(name: &str, url: &str, module: &Path, folder: &Path) -> Result<PathBuf> {
    let own = Path::new("overlays").join(name);
    for part in [Path::new("base"), &own] {
        fs::create_dir_all(folder.join(part))?;
        for entry in fs::read_dir(shipped().join(part)).with_context(|| format!("no overlay {name}"))? {
            let file = entry?.path();
            let to = folder.join(part).join(file.file_name().context("no name")?);
            fs::write(to, filled(&file, url, module)?)?;
        }
    }
    Ok(folder.join(own))
}

fn shipped() -> PathBuf {
    root().join("envoyfilter")
}

/// As `cargo dist manifests` does it.
fn filled(file: &Path, url: &str, module: &Path) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let hash: String = Sha256::digest(fs::read(module)?).iter().map(|b| format!("{b:02x}")).collect();
    let hash = if url.starts_with("oci://") { "nil".into() } else { format!("\"{hash}\"") };
    let no_hash = hash == "nil" && text.contains("\nkind: WasmPlugin\n");
    let filled = text.replace(PLACEHOLDER_URL, url);
    Ok(filled
        .lines()
        .filter_map(|line| match line.split_once("sha256: \"") {
            Some(_) if no_hash => None,
            Some((before, _)) => Some(format!("{before}sha256: {hash}\n")),
            None => Some(format!("{line}\n")),
        })
        .collect())
}

/// `telemetry.yaml` with the filter that it has as a comment.
pub fn diagnosed_only() -> Result<Value> {
    let text = fs::read_to_string(shipped().join("base/telemetry.yaml"))?;
    let (before, filter) =
        text.split_once("      # filter:").context("telemetry.yaml has no filter to uncomment")?;
    let filter = filter.replace("      # ", "      ");
    Ok(serde_norway::from_str(&format!("{before}      filter:{filter}"))?)
}

/// The `meshConfig` of `mesh-config.yaml`, as Helm would pass it on.
pub fn mesh_config() -> Result<Value> {
    let text = fs::read_to_string(root().join("envoyfilter/mesh-config.yaml"))?;
    let values: Value = serde_norway::from_str(&text)?;
    Ok(values["meshConfig"].clone())
}
