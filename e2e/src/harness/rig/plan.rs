//! What a rig is to be: pods, services, names.

use serde_json::Value;

use super::pod::Pod;
use crate::harness::programs::Version;

/// A Kubernetes Service: its ports as `(name, port, targetPort)`.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// Its namespace.
    pub namespace: &'static str,
    /// The pods behind it: those with this label `app`.
    pub app: &'static str,
    /// Ports.
    pub ports: Vec<(&'static str, u16, u16)>,
    /// Whether only the proxies of its own namespace know it.
    pub private: bool,
    /// Labels.
    pub labels: Vec<(&'static str, &'static str)>,
}

impl Service {
    /// A service in front of the pods with the label `app` of the same name.
    pub fn new(name: &'static str, ports: &[(&'static str, u16, u16)]) -> Self {
        Self {
            name,
            namespace: "default",
            app: name,
            ports: ports.to_vec(),
            private: false,
            labels: Vec::new(),
        }
    }

    /// In this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: &'static str) -> Self {
        self.namespace = namespace;
        self
    }

    /// Known to the proxies of its own namespace alone.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, key: &'static str, value: &'static str) -> Self {
        self.labels.push((key, value));
        self
    }

    /// In front of the pods with this label `app`.
    #[must_use]
    pub fn of(mut self, app: &'static str) -> Self {
        self.app = app;
        self
    }
}

/// What a rig is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Istio's release.
    pub version: Version,
    /// Pods.
    pub pods: Vec<Pod>,
    /// Services.
    pub services: Vec<Service>,
    /// What is applied before the proxies start.
    pub applied: Vec<&'static str>,
    /// Names outside of the cluster, and the pods that stand for them.
    pub names: Vec<(&'static str, &'static str)>,
    /// More of the mesh's `extensionProviders`.
    pub providers: Vec<Value>,
    /// Secrets beside the gateways, for `credentialName`: their names, and the certificates in them.
    pub secrets: Vec<(&'static str, &'static str)>,
}

impl Plan {
    /// The services and their addresses.
    pub fn services_with_addresses(&self) -> impl Iterator<Item = (&Service, String)> {
        self.services.iter().zip(11..).map(|(service, n)| (service, format!("10.96.0.{n}")))
    }

    /// Whether the mesh has an ambient part.
    pub fn is_ambient(&self) -> bool {
        self.pods.iter().any(Pod::is_waypoint)
    }

    /// The pods behind a service.
    pub fn pods_of<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Pod> {
        self.pods.iter().filter(|pod| pod.app == service.app && pod.namespace == service.namespace)
    }
}
