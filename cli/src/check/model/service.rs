//! Services of Kubernetes and ServiceEntries: the hosts there are, and what their ports speak.

use std::rc::Rc;

use super::{ExportTo, Labels, Workload, labels, texts};
use crate::check::host;
use crate::check::resource::{Origin, Resource};
use crate::check::yaml::Node;

/// A Service or a ServiceEntry.
#[derive(Debug)]
pub struct Service {
    /// Which.
    pub origin: Rc<Origin>,
    /// Which of the two.
    pub kind: ServiceKind,
    /// Full names; those of a ServiceEntry may be patterns.
    pub hosts: Vec<String>,
    /// The ports.
    pub ports: Vec<Port>,
    /// The pods behind it; unknown, if empty.
    pub selector: Labels,
    /// Whether a load balancer outside the mesh may stand before it, and have taken off the TLS.
    pub load_balanced: bool,
    /// Whether clients reach it by addresses of its own. A ServiceEntry may have none.
    pub has_address: bool,
    /// Namespaces it is for; all, if empty.
    pub export_to: ExportTo,
}

/// Where a service is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceKind {
    /// In Kubernetes.
    Kubernetes,
    /// In Istio.
    Entry,
}

/// A port of a service.
#[derive(Debug)]
pub struct Port {
    /// The number that clients use.
    pub number: u16,
    /// Its name.
    pub name: String,
    /// Where the service listens.
    pub target: Target,
    /// What it is declared to speak.
    pub protocol: Protocol,
    /// The declaration, as it is written.
    pub declared: String,
    /// Its line.
    pub line: usize,
    /// The same port on the cluster's nodes.
    pub node_port: Option<u16>,
}

/// The numbers of ports as a list to read.
pub fn port_list<'port>(ports: impl IntoIterator<Item = &'port Port>) -> String {
    ports.into_iter().map(|port| port.number.to_string()).collect::<Vec<_>>().join(", ")
}

impl Port {
    /// The number on which pods listen for it; of a port by name, that of the first pod which has one of that name.
    pub fn number_in<'pod>(&self, pods: impl IntoIterator<Item = &'pod Workload>) -> Option<u16> {
        match &self.target {
            Target::Number(number) => Some(*number),
            Target::Name(name) => {
                let mut ports = pods.into_iter().flat_map(|pod| &pod.ports);
                ports.find(|(own, _)| own == name).map(|(_, number)| *number)
            }
        }
    }
}

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// On this port.
    Number(u16),
    /// On the container's port of this name.
    Name(String),
}

/// What a port is declared to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP of any version, gRPC.
    Http,
    /// TLS, HTTPS.
    Tls,
    /// TCP, databases.
    Tcp,
    /// UDP.
    Udp,
    /// Nothing: the proxy looks at the first bytes.
    Automatic,
}

/// Ports that are TCP where nothing is declared (Istio's well-known ones).
const TCP_BY_NUMBER: [u16; 4] = [25, 53, 3306, 27017];

impl Service {
    /// Reads a Service.
    pub fn kubernetes(resource: &Resource) -> Self {
        let spec = resource.spec();
        let port = |node: &Node| {
            let number = node.number("port")?;
            let name = node.text("name").unwrap_or_default();
            let udp = node.text("protocol").is_some_and(|protocol| protocol == "UDP");
            let app = node.text("appProtocol");
            let declared = match app {
                Some(app) => format!("appProtocol {app}"),
                None if name.is_empty() => "no name".to_owned(),
                None => format!("name {name}"),
            };
            Some(Port {
                number,
                target: node.text("targetPort").map_or(Target::Number(number), target),
                protocol: if udp { Protocol::Udp } else { by_name(app, name, number) },
                name: name.to_owned(),
                declared,
                line: node.line,
                node_port: node.number("nodePort"),
            })
        };
        Self {
            origin: Rc::clone(&resource.origin),
            kind: ServiceKind::Kubernetes,
            hosts: vec![host::service(
                &resource.origin.name.to_ascii_lowercase(),
                &resource.origin.namespace,
            )],
            ports: spec.list("ports").iter().filter_map(port).collect(),
            // A name elsewhere has no pods, whatever it selects.
            selector: labels(spec.get("selector").filter(|_| spec.text("type") != Some("ExternalName"))),
            load_balanced: matches!(spec.text("type"), Some("LoadBalancer" | "NodePort")),
            has_address: spec.text("clusterIP") != Some("None"),
            export_to: ExportTo::default(),
        }
    }

    /// Reads a ServiceEntry.
    pub fn entry(resource: &Resource) -> Self {
        let spec = resource.spec();
        let port = |node: &Node| {
            let number = node.number("number")?;
            let declared = node.text("protocol").unwrap_or_default();
            Some(Port {
                number,
                name: node.text("name").unwrap_or_default().to_owned(),
                target: node.text("targetPort").map_or(Target::Number(number), target),
                protocol: parse(declared),
                declared: format!("protocol {declared}"),
                line: node.line,
                node_port: None,
            })
        };
        Self {
            origin: Rc::clone(&resource.origin),
            kind: ServiceKind::Entry,
            hosts: texts(spec, "hosts")
                .iter()
                .map(|name| host::qualify(name, &resource.origin.namespace))
                .collect(),
            ports: spec.list("ports").iter().filter_map(port).collect(),
            selector: labels(spec.at(&["workloadSelector", "labels"])),
            load_balanced: false,
            has_address: !spec.list("addresses").is_empty(),
            export_to: ExportTo::new(spec),
        }
    }

    /// Whether a host's full name is one of its own.
    pub fn is(&self, name: &str) -> bool {
        self.hosts.iter().any(|own| host::covers(own, name))
    }

    /// Its first host.
    pub fn name(&self) -> &str {
        self.hosts.first().map_or("", String::as_str)
    }
}

fn target(written: &str) -> Target {
    written.parse().map_or_else(|_| Target::Name(written.to_owned()), Target::Number)
}

/// What the port's `appProtocol`, or else its name, declares.
fn by_name(app: Option<&str>, name: &str, number: u16) -> Protocol {
    let written = app.unwrap_or(name).to_ascii_lowercase();
    match (app, written.as_str()) {
        (Some(_), "kubernetes.io/h2c" | "kubernetes.io/ws") => return Protocol::Http,
        (Some(_), "kubernetes.io/wss") => return Protocol::Tls,
        _ => {}
    }
    if written.starts_with("grpc-web") {
        return Protocol::Http;
    }
    match parse(written.split('-').next().unwrap_or(&written)) {
        Protocol::Automatic if TCP_BY_NUMBER.contains(&number) => Protocol::Tcp,
        protocol => protocol,
    }
}

fn parse(protocol: &str) -> Protocol {
    match protocol.to_ascii_lowercase().as_str() {
        "http" | "http2" | "grpc" | "grpc-web" | "http_proxy" => Protocol::Http,
        "https" | "tls" => Protocol::Tls,
        "tcp" | "mongo" | "redis" | "mysql" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => Protocol::Automatic,
    }
}
