//! Envoy's bootstrap, built from the few things in which scenarios differ.
//!
//! Texts may hold placeholders that are filled in when the scenario runs: `{server:NAME}` is a
//! server's port, `{pki}` the folder of certificates, `{folder}` Envoy's own folder.

mod chain;
mod listener;
mod roles;

use serde_json::{Value, json};

pub use chain::only_failures;
pub use listener::Listener;
pub use roles::{FailurePolicy, Roles};

use roles::Wasm;

/// A whole proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    listeners: Vec<Listener>,
    clusters: Vec<Value>,
    roles: Roles,
    node: String,
    patch: Value,
    ulimit: Vec<&'static str>,
}

impl Proxy {
    /// A proxy with these listeners and clusters.
    pub fn new(listeners: impl Into<Vec<Listener>>, clusters: impl Into<Vec<Value>>) -> Self {
        Self {
            listeners: listeners.into(),
            clusters: clusters.into(),
            roles: Roles::all(),
            node: "test".into(),
            patch: json!({}),
            ulimit: Vec::new(),
        }
    }

    /// With another listener.
    #[must_use]
    pub fn and(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Whether all roles are there, as recommended.
    pub fn has_all_roles(&self) -> bool {
        self.roles == Roles::all()
    }

    /// With these roles of the filter.
    #[must_use]
    pub fn roles(mut self, roles: Roles) -> Self {
        self.roles = roles;
        self
    }

    /// Whether any role is installed.
    pub fn has_meshwhy(&self) -> bool {
        let Roles { http, connection, access_log, .. } = &self.roles;
        http.is_some() || connection.is_some() || access_log.is_some()
    }

    /// With this node id, such as `sidecar~10.0.0.1~app.default~default.svc.cluster.local`.
    #[must_use]
    pub fn node(mut self, id: &str) -> Self {
        self.node = id.to_owned();
        self
    }

    /// With a merge patch on the whole bootstrap.
    #[must_use]
    pub fn patch(mut self, patch: Value) -> Self {
        self.patch = patch;
        self
    }

    /// Started under these `ulimit` arguments.
    #[must_use]
    pub fn ulimit(mut self, arguments: &[&'static str]) -> Self {
        self.ulimit = arguments.to_vec();
        self
    }

    /// The `ulimit` arguments.
    pub fn limits(&self) -> &[&'static str] {
        &self.ulimit
    }

    /// The bootstrap.
    pub fn bootstrap(&self, module: &str) -> Value {
        let wasm = Wasm { module, policy: self.roles.runtime_failure_policy };
        // Istio's form for `extraStatTags`: `TAG=\.=(.*?);\.;`
        let labels = ["cause", "confidence", "side", "direction", "resource", "version"];
        let tags: Vec<Value> =
            labels.iter().map(|l| json!({"tag_name": l, "regex": format!("({l}=\\.=(.*?);\\.;)")})).collect();
        let mut bootstrap = json!({
            "node": {"id": self.node, "cluster": "test"},
            "admin": {"address": loopback(0)},
            "stats_config": {"stats_tags": tags},
            "static_resources": {
                "listeners": self.listeners.iter().map(|l| l.render(&self.roles, &wasm)).collect::<Vec<_>>(),
                "clusters": self.clusters,
            },
        });
        merge(&mut bootstrap, &self.patch);
        bootstrap
    }
}

/// Applies an RFC 7396 merge patch.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, change) in changes {
        if change.is_null() {
            target.as_object_mut().expect("an object").remove(key);
        } else {
            merge(&mut target[key], change);
        }
    }
}

/// An address on the loopback; the port may be a placeholder.
pub fn loopback(port: impl Into<Value>) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port.into()}})
}
