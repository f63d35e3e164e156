//! Pods, and the proxies in them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Kubectl, Scope};
use crate::input::program::Program;

/// Where the proxy is: a sidecar, a gateway, a waypoint and ztunnel all have it in a container of this name.
const CONTAINER: &str = "istio-proxy";

/// What a proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A gateway: `proxy router`.
    Gateway,
    /// A waypoint.
    Waypoint,
    /// Beside an application.
    Sidecar,
    /// The node's proxy of the ambient mesh; no Envoy.
    Ztunnel,
}

impl Role {
    /// As it is printed.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Waypoint => "waypoint",
            Self::Sidecar => "sidecar",
            Self::Ztunnel => "ztunnel",
        }
    }
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What its proxy does, if it has one.
    pub proxy: Option<Role>,
    /// Whether it runs.
    pub runs: bool,
}

impl Pod {
    /// The pods of what `kubectl get pods -o json` prints: a list, or one.
    pub fn all(value: &Value) -> Vec<Self> {
        match value.get("items").and_then(Value::as_array) {
            Some(items) => items.iter().filter_map(Self::new).collect(),
            None => Self::new(value).into_iter().collect(),
        }
    }

    fn new(value: &Value) -> Option<Self> {
        let metadata = value.get("metadata")?;
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
        let labels = metadata.get("labels").and_then(Value::as_object).into_iter().flatten();
        let labels =
            labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
        Some(Self {
            namespace: text("namespace").unwrap_or_else(|| "default".into()),
            name: text("name")?,
            labels,
            proxy: value.get("spec").and_then(role),
            runs: value.pointer("/status/phase").and_then(Value::as_str) == Some("Running"),
        })
    }

    /// Asks for pods of a namespace, or of all.
    pub fn get(kubectl: &Kubectl, scope: &Scope, selecting: &[&str]) -> anyhow::Result<Vec<Self>> {
        let value = kubectl.json(&[&["get", "pods"], selecting, &scope.arguments()].concat())?;
        Ok(Self::all(&value))
    }

    /// `namespace/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The log of its proxy.
    pub fn log(&self, kubectl: &Kubectl, options: &[&str]) -> Program {
        let what = ["logs", &self.name, "-n", &self.namespace, "-c", CONTAINER];
        kubectl.program(format!("pod/{}", self.name), &[&what, options].concat())
    }

    /// What the admin interface of its Envoy answers, by the agent beside it: images have no curl.
    pub fn admin(&self, kubectl: &Kubectl, path: &str) -> anyhow::Result<String> {
        let what = ["exec", &self.name, "-n", &self.namespace, "-c", CONTAINER];
        kubectl.run(&[&what[..], &["--", "pilot-agent", "request", "GET", path]].concat())
    }
}

/// Native sidecars are init containers.
fn role(spec: &Value) -> Option<Role> {
    let containers = ["containers", "initContainers"].into_iter().filter_map(|key| spec.get(key)?.as_array());
    let proxy = containers.flatten().find(|container| container["name"] == CONTAINER)?;
    let words = ["command", "args"].into_iter().filter_map(|key| proxy.get(key)?.as_array()).flatten();
    let words: Vec<&str> = words.filter_map(Value::as_str).collect();
    let is = |role: &str| words.windows(2).any(|pair| pair == ["proxy", role]);
    Some(match () {
        () if is("router") => Role::Gateway,
        () if is("waypoint") => Role::Waypoint,
        () if is("ztunnel") => Role::Ztunnel,
        () => Role::Sidecar,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn proxies_are_known_by_their_container() {
        let pod = |containers: Value, init: Value| {
            let spec = json!({ "containers": containers, "initContainers": init });
            let metadata = json!({ "name": "a", "namespace": "shop", "labels": { "app": "a" } });
            let pod = json!({ "metadata": metadata, "spec": spec, "status": { "phase": "Running" } });
            Pod::all(&pod).pop().unwrap().proxy
        };
        let app = json!({ "name": "app", "args": ["proxy", "router"] });
        let proxy = |role: &str| json!({ "name": "istio-proxy", "args": ["proxy", role, "--domain", "x"] });
        assert_eq!(pod(json!([app]), json!([])), None);
        assert_eq!(pod(json!([app, proxy("sidecar")]), json!([])), Some(Role::Sidecar));
        assert_eq!(pod(json!([app]), json!([proxy("sidecar")])), Some(Role::Sidecar));
        assert_eq!(pod(json!([proxy("router")]), Value::Null), Some(Role::Gateway));
        assert_eq!(pod(json!([proxy("waypoint")]), Value::Null), Some(Role::Waypoint));
        assert_eq!(pod(json!([proxy("ztunnel")]), Value::Null), Some(Role::Ztunnel));
        let command = json!({ "name": "istio-proxy", "command": ["pilot-agent", "proxy", "router"] });
        assert_eq!(pod(json!([command]), Value::Null), Some(Role::Gateway));
    }

    #[test]
    fn a_list_may_be_empty() {
        assert!(Pod::all(&json!({ "items": [] })).is_empty());
    }
}
