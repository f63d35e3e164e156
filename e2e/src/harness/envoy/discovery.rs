//! Configuration that Envoy watches: files that a test replaces while the proxy runs.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

/// Listeners of a bootstrap, taken out of it.
pub type Listeners = Vec<Value>;

/// A folder of such files.
#[derive(Debug)]
pub struct Discovery {
    folder: PathBuf,
    version: Cell<u64>,
}

impl Discovery {
    /// Its files lie in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), version: Cell::new(0) }
    }

    /// Writes all resources of one file; Envoy sees a file that was moved into place.
    pub fn write(&self, name: &str, kind: &str, resources: &[Value]) -> Result<()> {
        self.version.set(self.version.get() + 1);
        let resources = resources.iter().map(|resource| {
            let mut typed = json!({"@type": format!("type.googleapis.com/{kind}")});
            super::config::merge(&mut typed, resource);
            typed
        });
        let content = json!({
            "version_info": self.version.get().to_string(),
            "resources": resources.collect::<Vec<_>>(),
        });
        let new = self.folder.join(format!("{name}.new"));
        fs::write(&new, content.to_string())?;
        Ok(fs::rename(new, self.folder.join(format!("{name}.json")))?)
    }

    /// The same for listeners (LDS).
    pub fn listeners(&self, listeners: &[Value]) -> Result<()> {
        self.write("lds", "envoy.config.listener.v3.Listener", listeners)
    }

    /// The config source of a file.
    pub fn source(&self, name: &str) -> Value {
        let path = self.folder.join(format!("{name}.json"));
        json!({"resource_api_version": "V3", "path_config_source": {"path": path}})
    }

    /// Takes the listeners out of a bootstrap and lets it look for them in the file.
    pub fn take_listeners(&self, bootstrap: &mut Value) -> Listeners {
        let listeners = bootstrap["static_resources"]["listeners"].take();
        bootstrap["static_resources"]["listeners"] = json!([]);
        bootstrap["dynamic_resources"]["lds_config"] = self.source("lds");
        listeners.as_array().cloned().unwrap_or_default()
    }

    /// The same for its clusters, `cds.json`.
    pub fn take_clusters(&self, bootstrap: &mut Value) -> Vec<Value> {
        let clusters = bootstrap["static_resources"]["clusters"].take();
        bootstrap["static_resources"]["clusters"] = json!([]);
        bootstrap["dynamic_resources"]["cds_config"] = self.source("cds");
        clusters.as_array().cloned().unwrap_or_default()
    }
}
