//! The resources that route and secure traffic, as far as the rules look at them.

mod authorization_policy;
mod destination_rule;
mod gateway;
mod gateway_api;
mod mesh_config;
mod peer_authentication;
mod service;
mod sidecar;
mod virtual_service;
mod workload;

use std::collections::BTreeMap;

use super::yaml::Node;

pub use authorization_policy::{AuthorizationPolicy, Rule};
pub use destination_rule::{DestinationRule, Subset, Tls, TlsMode};
pub use gateway::{Gateway, Reads, Server};
pub use gateway_api::{
    ApiGateway, ApiRoute, GROUP, Listener, Namespaces, Reference, ReferenceGrant, is_route,
};
pub use mesh_config::MeshConfig;
pub use peer_authentication::{MtlsMode, PeerAuthentication};
pub use service::{Port, Protocol, Service, ServiceKind, Target, port_list};
pub use sidecar::Sidecar;
pub use virtual_service::{Destination, Host, HttpRoute, MESH, Match, VirtualService, applies};
pub use workload::{Injection, Workload, namespace_injection};

/// Labels, of a pod or to select pods by.
pub type Labels = BTreeMap<String, String>;

/// The map of strings under a node.
pub fn labels(node: Option<&Node>) -> Labels {
    node.map_or(&[][..], Node::entries)
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), entry.node.as_text()?.to_owned())))
        .collect()
}

/// The namespaces whose proxies may see a resource.
#[derive(Debug, Default)]
pub struct ExportTo(Vec<String>);

impl ExportTo {
    fn new(spec: &Node) -> Self {
        Self(texts(spec, "exportTo"))
    }

    /// Whether proxies in a namespace see what belongs to the namespace `own`.
    pub fn includes(&self, namespace: &str, own: &str) -> bool {
        let includes = |to: &String| to == "*" || to == namespace || (to == "." && own == namespace);
        self.0.is_empty() || self.0.iter().any(includes)
    }

    /// Whether nobody sees it.
    pub fn is_nobody(&self) -> bool {
        self.0.iter().any(|to| to == "~")
    }

    /// Whether it says nothing, or names all namespaces.
    pub fn is_everybody(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|to| to == "*")
    }
}

/// Labels as a list to read.
pub fn label_list<'labels>(labels: impl IntoIterator<Item = (&'labels String, &'labels String)>) -> String {
    labels.into_iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}

/// Whether labels have all that a selector asks for.
pub fn selects(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The strings of a list.
fn texts(node: &Node, key: &str) -> Vec<String> {
    node.list(key).iter().filter_map(Node::as_text).map(str::to_owned).collect()
}
