//! The mesh's own configuration, where it was given.

use crate::check::resource::Resource;
use crate::check::yaml::{Node, Room, documents};

/// What of MeshConfig decides what a missing `tls` block means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshConfig {
    /// Whether proxies pick mutual TLS by themselves.
    pub auto_mtls: bool,
    /// Where the policies for the whole mesh are.
    pub root_namespace: String,
}

impl Default for MeshConfig {
    fn default() -> Self {
        Self { auto_mtls: true, root_namespace: "istio-system".to_owned() }
    }
}

impl MeshConfig {
    /// Reads it from an IstioOperator, or from istiod's ConfigMap.
    pub fn new(resource: &Resource) -> Option<Self> {
        match resource.origin.kind.as_str() {
            "IstioOperator" => Some(Self::of(resource.node.at(&["spec", "meshConfig"])?)),
            "ConfigMap" if resource.origin.name == "istio" || resource.origin.name.starts_with("istio-") => {
                let text = resource.node.at(&["data", "mesh"])?.as_text()?;
                documents(text, &mut Room::default()).nodes.first().map(Self::of)
            }
            _ => None,
        }
    }

    fn of(node: &Node) -> Self {
        let default = Self::default();
        Self {
            auto_mtls: node.text("enableAutoMtls") != Some("false"),
            root_namespace: node.text("rootNamespace").map_or(default.root_namespace, str::to_owned),
        }
    }
}
