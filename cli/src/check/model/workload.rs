//! Pods, and what makes them: their labels, their ports, and whether they are in the mesh.

use std::rc::Rc;

use super::{Labels, labels};
use crate::check::resource::{Origin, Resource};
use crate::check::yaml::Node;

/// A pod, or what makes pods.
#[derive(Debug)]
pub struct Workload {
    /// Which.
    pub origin: Rc<Origin>,
    /// The pods' labels.
    pub labels: Labels,
    /// Named ports of the containers.
    pub ports: Vec<(String, u16)>,
    /// What the pods themselves say of a sidecar.
    pub injection: Injection,
    /// Whether they are proxies alone, as gateways are.
    pub is_gateway: bool,
    /// Whether clients may reach their ports on the node.
    pub on_node: bool,
    /// Whether some ports don't go through the sidecar.
    pub ports_excluded: bool,
}

/// Whether there is a sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injection {
    /// There is.
    Yes,
    /// There is none.
    No,
    /// Nothing shows it.
    Unknown,
}

impl Workload {
    /// A virtual machine's, which Services select as they select pods. Whether it runs a sidecar nobody says.
    fn outside(resource: &Resource) -> Self {
        let spec = resource.spec();
        let written = spec.at(&["metadata", "labels"]).or_else(|| spec.get("labels"));
        Self {
            origin: Rc::clone(&resource.origin),
            labels: labels(written),
            ports: Vec::new(),
            injection: Injection::No,
            is_gateway: false,
            on_node: true,
            ports_excluded: true,
        }
    }

    /// Reads a pod, or the template of one.
    pub fn new(resource: &Resource) -> Option<Self> {
        let template = match (resource.group.as_str(), resource.origin.kind.as_str()) {
            ("", "Pod") => &resource.node,
            ("networking.istio.io", "WorkloadEntry" | "WorkloadGroup") => {
                return Some(Self::outside(resource));
            }
            ("batch", "CronJob") => resource.node.at(&["spec", "jobTemplate", "spec", "template"])?,
            // Deployments, and what others make of them: Argo's Rollout, OpenShift's DeploymentConfig, ...
            _ => resource.node.at(&["spec", "template"])?,
        };
        let spec = template.get("spec").filter(|spec| !spec.list("containers").is_empty())?;
        let labels = labels(template.at(&["metadata", "labels"]));
        let annotations = super::labels(template.at(&["metadata", "annotations"]));
        let containers = || spec.list("containers").iter().chain(spec.list("initContainers"));
        let asked =
            labels.get("sidecar.istio.io/inject").or_else(|| annotations.get("sidecar.istio.io/inject"));
        let host_network = spec.is_true("hostNetwork");
        let injection = match asked.map(String::as_str) {
            _ if containers().any(|one| one.text("name") == Some("istio-proxy")) => Injection::Yes,
            _ if host_network => Injection::No,
            Some("true") => Injection::Yes,
            Some(_) => Injection::No,
            None => Injection::Unknown,
        };
        let ports = || containers().flat_map(|container| container.list("ports"));
        let mut names = spec.list("containers").iter().map(|one| one.text("name"));
        Some(Self {
            origin: Rc::clone(&resource.origin),
            is_gateway: names.len() > 0 && names.all(|name| name == Some("istio-proxy")),
            on_node: host_network || ports().any(|port| port.get("hostPort").is_some()),
            ports: ports()
                .filter_map(|port| Some((port.text("name")?.to_owned(), port.number("containerPort")?)))
                .collect(),
            ports_excluded: annotations.keys().any(|key| {
                matches!(
                    key.as_str(),
                    "traffic.sidecar.istio.io/excludeInboundPorts"
                        | "traffic.sidecar.istio.io/includeInboundPorts"
                )
            }),
            labels,
            injection,
        })
    }
}

/// What a Namespace says of sidecars for its pods.
pub fn namespace_injection(namespace: &Node) -> Injection {
    let labels = labels(namespace.at(&["metadata", "labels"]));
    let value = |key: &str| labels.get(key).map(String::as_str);
    match (value("istio-injection"), value("istio.io/rev"), value("istio.io/dataplane-mode")) {
        (_, _, Some("ambient")) => Injection::No,
        (Some("enabled"), _, _) | (None, Some(_), _) => Injection::Yes,
        (Some("disabled"), _, _) => Injection::No,
        _ => Injection::Unknown,
    }
}
