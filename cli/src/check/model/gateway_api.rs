//! The Gateway API: listeners, the routes that attach to them, and who may refer to what.

use std::rc::Rc;

use super::{Labels, labels};
use crate::check::resource::{Origin, Resource};
use crate::check::yaml::Node;

/// The API's group, and what a reference means that names none.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// A Gateway of the Gateway API.
#[derive(Debug)]
pub struct ApiGateway {
    /// Which.
    pub origin: Rc<Origin>,
    /// Whether it configures a waypoint.
    pub is_waypoint: bool,
    /// Whether it only stands for a gateway of another network: nothing attaches to it.
    pub is_remote: bool,
    /// Its listeners.
    pub listeners: Vec<Listener>,
}

/// One of its listeners.
#[derive(Debug)]
pub struct Listener {
    /// Where it begins.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// The number.
    pub port: u16,
    /// `HTTP`, `HTTPS`, `TLS`, `TCP`, `HBONE`, ...
    pub protocol: String,
    /// The host, or a pattern; any, if there is none.
    pub hostname: Option<String>,
    /// Whether it terminates TLS.
    pub terminates: bool,
    /// The Secrets with its certificates.
    pub certificates: Vec<Reference>,
    /// From which namespaces routes may attach.
    pub allowed: Namespaces,
    /// The kinds of routes; by the protocol, if it names none.
    pub kinds: Vec<String>,
}

/// Namespaces of routes.
#[derive(Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// The Gateway's own.
    Same,
    /// Any.
    All,
    /// Those with these labels.
    Labelled(Labels),
    /// What can't be read here.
    Unknown,
}

/// A resource that another one names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The API group; empty for Kubernetes' core.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// Of a Gateway's listener.
    pub section: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// Its line.
    pub line: usize,
}

/// An HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, ...
#[derive(Debug)]
pub struct ApiRoute {
    /// Which.
    pub origin: Rc<Origin>,
    /// What it attaches to.
    pub parents: Vec<Reference>,
    /// Its hosts, and where they stand; any, if there are none.
    pub hostnames: Vec<(String, usize)>,
    /// Where its rules send requests.
    pub backends: Vec<Reference>,
}

/// Leave for resources of other namespaces to refer to those of its own.
#[derive(Debug)]
pub struct ReferenceGrant {
    /// Whose.
    pub namespace: String,
    /// Group, kind and namespace of who may.
    from: Vec<[String; 3]>,
    /// Group, kind and, if only that one, name of what.
    to: Vec<(String, String, Option<String>)>,
}

impl ApiGateway {
    /// Reads it.
    pub fn new(resource: &Resource) -> Self {
        let spec = resource.spec();
        let namespace = resource.origin.namespace.as_str();
        Self {
            origin: Rc::clone(&resource.origin),
            is_waypoint: spec.text("gatewayClassName").is_some_and(|class| class.contains("waypoint")),
            is_remote: spec.text("gatewayClassName") == Some("istio-remote"),
            listeners: spec
                .list("listeners")
                .iter()
                .filter_map(|node| Listener::new(node, namespace))
                .collect(),
        }
    }
}

impl Listener {
    fn new(node: &Node, namespace: &str) -> Option<Self> {
        let tls = node.get("tls");
        let mode = tls.and_then(|tls| tls.text("mode")).unwrap_or("Terminate");
        let certificates = tls.map_or(&[][..], |tls| tls.list("certificateRefs"));
        let from = node.at(&["allowedRoutes", "namespaces"]);
        let kinds = node.get("allowedRoutes").map_or(&[][..], |allowed| allowed.list("kinds"));
        Some(Self {
            line: node.line,
            name: node.text("name").unwrap_or_default().to_owned(),
            port: node.number("port")?,
            protocol: node.text("protocol").unwrap_or_default().to_owned(),
            hostname: node.text("hostname").filter(|host| !host.is_empty()).map(str::to_ascii_lowercase),
            terminates: tls.is_some() && mode == "Terminate",
            certificates: certificates
                .iter()
                .filter_map(|node| Reference::new(node, "", "Secret", namespace))
                .collect(),
            allowed: match from.and_then(|from| from.text("from")) {
                None | Some("Same") => Namespaces::Same,
                Some("All") => Namespaces::All,
                Some("Selector") => match from.and_then(|from| from.get("selector")) {
                    Some(selector) if selector.get("matchExpressions").is_none() => {
                        Namespaces::Labelled(labels(selector.get("matchLabels")))
                    }
                    _ => Namespaces::Unknown,
                },
                Some(_) => Namespaces::Unknown,
            },
            kinds: kinds.iter().filter_map(|kind| kind.text("kind")).map(str::to_owned).collect(),
        })
    }

    /// The kinds of routes that attach to it.
    pub fn takes(&self, kind: &str) -> bool {
        if !self.kinds.is_empty() {
            return self.kinds.iter().any(|own| own == kind);
        }
        match self.protocol.as_str() {
            "HTTP" | "HTTPS" => matches!(kind, "HTTPRoute" | "GRPCRoute"),
            "TLS" => kind == "TLSRoute" || (self.terminates && kind == "TCPRoute"),
            "TCP" => kind == "TCPRoute",
            "UDP" => kind == "UDPRoute",
            // HBONE, and what implementations add.
            _ => true,
        }
    }
}

impl Reference {
    fn new(node: &Node, group: &str, kind: &str, namespace: &str) -> Option<Self> {
        Some(Self {
            group: node.text("group").unwrap_or(group).to_owned(),
            kind: node.text("kind").unwrap_or(kind).to_owned(),
            namespace: node.text("namespace").unwrap_or(namespace).to_owned(),
            name: node.text("name")?.to_owned(),
            section: node.text("sectionName").map(str::to_owned),
            port: node.number("port"),
            line: node.line,
        })
    }

    /// Whether it is a Service of Kubernetes.
    pub fn is_service(&self) -> bool {
        self.group.is_empty() && self.kind == "Service"
    }

    /// Whether it is a Gateway.
    pub fn is_gateway(&self) -> bool {
        self.group == GROUP && self.kind == "Gateway"
    }
}

impl ApiRoute {
    /// Reads it.
    pub fn new(resource: &Resource) -> Self {
        let spec = resource.spec();
        let namespace = resource.origin.namespace.as_str();
        let hostnames = spec.list("hostnames").iter();
        let backends = spec.list("rules").iter().flat_map(|rule| rule.list("backendRefs"));
        // To `weight: 0` no request goes.
        let backends = backends.filter(|node| node.text("weight") != Some("0"));
        Self {
            origin: Rc::clone(&resource.origin),
            parents: spec
                .list("parentRefs")
                .iter()
                .filter_map(|node| Reference::new(node, GROUP, "Gateway", namespace))
                .collect(),
            hostnames: hostnames
                .filter_map(|node| Some((node.as_text()?.to_ascii_lowercase(), node.line)))
                .collect(),
            backends: backends.filter_map(|node| Reference::new(node, "", "Service", namespace)).collect(),
        }
    }

    /// Whether it is for HTTP.
    pub fn is_http(&self) -> bool {
        matches!(self.origin.kind.as_str(), "HTTPRoute" | "GRPCRoute")
    }
}

impl ReferenceGrant {
    /// Reads it.
    pub fn new(resource: &Resource) -> Self {
        let spec = resource.spec();
        let text = |node: &Node, key| node.text(key).unwrap_or_default().to_owned();
        let to =
            |node: &Node| (text(node, "group"), text(node, "kind"), node.text("name").map(str::to_owned));
        let from = |node: &Node| [text(node, "group"), text(node, "kind"), text(node, "namespace")];
        Self {
            namespace: resource.origin.namespace.clone(),
            from: spec.list("from").iter().map(from).collect(),
            to: spec.list("to").iter().map(to).collect(),
        }
    }

    /// Whether a resource of a kind and namespace may refer to this one.
    pub fn allows(&self, kind: &str, namespace: &str, target: &Reference) -> bool {
        let from = [GROUP, kind, namespace];
        self.namespace == target.namespace
            && self.from.iter().any(|own| own.iter().map(String::as_str).eq(from))
            && self.to.iter().any(|(group, kind, name)| {
                *group == target.group
                    && *kind == target.kind
                    && name.as_ref().is_none_or(|name| name.is_empty() || *name == target.name)
            })
    }
}

/// The kinds of routes that are read.
pub fn is_route(kind: &str) -> bool {
    matches!(kind, "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute")
}
