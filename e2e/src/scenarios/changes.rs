//! Listeners that change under their connections, for scenarios whose proxy has them from a file.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::harness::client::Places;

/// Changes the listeners in the file that the proxy watches.
pub fn change(places: &Places, change: impl FnOnce(&mut Vec<Value>)) -> Result<()> {
    let path = PathBuf::from(places.fill("{lds}"));
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    file["version_info"] = json!("changed");
    change(file["resources"].as_array_mut().context("no listeners")?);
    let new = path.with_extension("new");
    std::fs::write(&new, file.to_string())?;
    Ok(std::fs::rename(new, path)?)
}

/// Replaces the filter chain of the first listener by another.
pub fn replace_chain(listeners: &mut [Value]) {
    let filters = listeners[0]["filter_chains"][0]["filters"].as_array_mut();
    if let Some(last) = filters.and_then(|filters| filters.last_mut()) {
        last["typed_config"]["stat_prefix"] = json!("other");
    }
}

/// Removes the first listener.
pub fn remove_listener(listeners: &mut Vec<Value>) {
    listeners.remove(0);
}
