//! `envoyfilter/monitoring` at work: its rules in a real Prometheus that scrapes real proxies, and its dashboard on that.

pub mod clock;
pub mod dashboard;
pub mod exposition;
mod failing;
pub mod links;
pub mod scale;
pub mod scan;
pub mod scrape;
pub mod stage;
pub mod walk;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::harness::tools::root;

/// A file of the folder.
pub fn file(name: &str) -> PathBuf {
    root().join("envoyfilter/monitoring").join(name)
}

/// Its text.
pub fn read(name: &str) -> Result<String> {
    fs::read_to_string(file(name)).with_context(|| name.to_owned())
}

/// The rules, recording ones and alerts.
pub fn rules() -> Result<Vec<Value>> {
    let rules: Value = serde_norway::from_str(&read("rules.yaml")?)?;
    Ok(items(&rules["groups"]).flat_map(|group| items(&group["rules"])).cloned().collect())
}

/// An array's items; none of anything else.
pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
