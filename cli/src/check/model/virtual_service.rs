//! VirtualServices: which host goes where, at which gateways.

use std::rc::Rc;

use super::{ExportTo, texts};
use crate::check::host::qualify;
use crate::check::resource::{Origin, Resource};
use crate::check::yaml::{Entry, Node};

/// The sidecars, as a gateway's name.
pub const MESH: &str = "mesh";

/// A VirtualService.
#[derive(Debug)]
pub struct VirtualService {
    /// Which.
    pub origin: Rc<Origin>,
    /// As they are written.
    pub hosts: Vec<Host>,
    /// Where its rules apply: `mesh` or `namespace/name`.
    pub gateways: Vec<Reference>,
    /// Rules for HTTP.
    pub http: Vec<HttpRoute>,
    /// Rules for TLS that is not terminated, by SNI.
    pub tls: Vec<L4Route>,
    /// Rules for TCP.
    pub tcp: Vec<L4Route>,
    /// Namespaces it is for; all, if empty.
    pub export_to: ExportTo,
    /// Where `tls:`, `http:` and `tcp:` stand.
    pub block_lines: BlockLines,
}

/// Where the blocks of routes stand.
#[derive(Debug, Clone, Copy, Default)]
pub struct BlockLines {
    /// `http:`
    pub http: usize,
    /// `tls:`
    pub tls: usize,
    /// `tcp:`
    pub tcp: usize,
}

/// A host of a VirtualService.
#[derive(Debug)]
pub struct Host {
    /// As it is written.
    pub written: String,
    /// With its namespace, where it has none.
    pub full: String,
    /// Its line.
    pub line: usize,
}

/// A gateway that is named.
#[derive(Debug)]
pub struct Reference {
    /// `mesh` or `namespace/name`.
    pub name: String,
    /// Its line.
    pub line: usize,
}

/// One rule for HTTP.
#[derive(Debug)]
pub struct HttpRoute {
    /// Where it begins.
    pub line: usize,
    /// Any of these; everything, if there are none.
    pub matches: Vec<Match>,
    /// Where to.
    pub destinations: Vec<Destination>,
    /// `namespace/name` of another VirtualService that decides, and its line.
    pub delegate: Option<Reference>,
    /// Where copies of the requests go.
    pub mirrors: Vec<Destination>,
    /// Whether it does more than to forward: timeout, retries, faults, rewriting.
    pub shapes: bool,
}

/// One rule for TLS or TCP.
#[derive(Debug)]
pub struct L4Route {
    /// Any of these; everything, if there are none.
    pub matches: Vec<Match>,
    /// Where to.
    pub destinations: Vec<Destination>,
}

/// The part of a match that says at which door it applies.
#[derive(Debug)]
pub struct Match {
    /// Only at these; at all of the VirtualService's, if there are none.
    pub gateways: Vec<String>,
    /// Only on this port.
    pub port: Option<u16>,
    /// Its line.
    pub line: usize,
    /// Whether it looks at the request itself as well; every request has a path that begins with `/`.
    pub conditional: bool,
}

/// Where a rule sends.
#[derive(Debug)]
pub struct Destination {
    /// As it is written.
    pub written: String,
    /// The full name.
    pub host: String,
    /// The subset of the DestinationRule.
    pub subset: Option<String>,
    /// The service's port.
    pub port: Option<u16>,
    /// Its line.
    pub line: usize,
}

impl VirtualService {
    /// Reads it.
    pub fn new(resource: &Resource) -> Self {
        let spec = resource.spec();
        let namespace = resource.origin.namespace.as_str();
        let mut gateways: Vec<Reference> = spec
            .list("gateways")
            .iter()
            .filter_map(|node| {
                Some(Reference { name: gateway_name(node.as_text()?, namespace), line: node.line })
            })
            .collect();
        if gateways.is_empty() {
            gateways.push(Reference { name: MESH.to_owned(), line: spec.line });
        }
        let hosts = spec.list("hosts").iter().filter_map(|node| {
            let written = node.as_text()?;
            Some(Host { written: written.to_owned(), full: qualify(written, namespace), line: node.line })
        });
        let line = |key| spec.entry(key).map_or(resource.origin.line, |entry| entry.line);
        Self {
            origin: Rc::clone(&resource.origin),
            hosts: hosts.collect(),
            gateways,
            http: spec.list("http").iter().map(|node| HttpRoute::new(node, namespace)).collect(),
            tls: l4_routes(spec.list("tls"), namespace),
            tcp: l4_routes(spec.list("tcp"), namespace),
            export_to: ExportTo::new(spec),
            block_lines: BlockLines { http: line("http"), tls: line("tls"), tcp: line("tcp") },
        }
    }

    /// Whether its rules apply at a gateway (or `mesh`).
    pub fn bound_to(&self, gateway: &str) -> bool {
        self.gateways.iter().any(|reference| reference.name == gateway)
    }

    /// Whether its rules apply in sidecars.
    pub fn in_mesh(&self) -> bool {
        self.bound_to(MESH)
    }

    /// Whether sidecars alone apply its rules.
    pub fn in_mesh_only(&self) -> bool {
        self.gateways.iter().all(|reference| reference.name == MESH)
    }

    /// All its destinations, of every protocol.
    pub fn destinations(&self) -> impl Iterator<Item = &Destination> {
        let l4 = self.tls.iter().chain(&self.tcp).flat_map(|route| &route.destinations);
        self.http.iter().flat_map(|route| &route.destinations).chain(l4)
    }
}

impl HttpRoute {
    fn new(node: &Node, namespace: &str) -> Self {
        let shaping = [
            "timeout",
            "retries",
            "fault",
            "rewrite",
            "redirect",
            "directResponse",
            "headers",
            "mirror",
            "mirrors",
            "corsPolicy",
        ];
        let mirror = node.get("mirror").into_iter();
        let mirrors = mirror.chain(node.list("mirrors").iter().filter_map(|node| node.get("destination")));
        Self {
            line: node.line,
            matches: matches(node, namespace),
            destinations: destinations(node, namespace),
            delegate: node.get("delegate").and_then(|node| delegate(node, namespace)),
            mirrors: mirrors.filter_map(|node| Destination::new(node, namespace)).collect(),
            shapes: shaping.iter().any(|key| node.get(key).is_some()),
        }
    }
}

/// Whether some match of a rule applies at a gateway and port.
pub fn applies(matches: &[Match], gateway: &str, port: Option<u16>) -> bool {
    matches.is_empty()
        || matches.iter().any(|one| {
            (one.gateways.is_empty() || one.gateways.iter().any(|name| name == gateway))
                && (one.port.is_none() || port.is_none() || one.port == port)
        })
}

fn matches(node: &Node, namespace: &str) -> Vec<Match> {
    let is_condition = |entry: &Entry| match entry.key.as_str() {
        "gateways" | "port" | "name" => false,
        "uri" => entry.node.entries().len() != 1 || entry.node.text("prefix") != Some("/"),
        _ => true,
    };
    let one = |node: &Node| Match {
        gateways: texts(node, "gateways").iter().map(|name| gateway_name(name, namespace)).collect(),
        port: node.number("port"),
        line: node.line,
        conditional: node.entries().iter().any(is_condition),
    };
    node.list("match").iter().map(one).collect()
}

/// A delegate is looked for in the root's own namespace.
fn delegate(node: &Node, namespace: &str) -> Option<Reference> {
    let namespace = node.text("namespace").unwrap_or(namespace);
    Some(Reference { name: format!("{namespace}/{}", node.text("name")?), line: node.line })
}

fn l4_routes(nodes: &[Node], namespace: &str) -> Vec<L4Route> {
    let one =
        |node| L4Route { matches: matches(node, namespace), destinations: destinations(node, namespace) };
    nodes.iter().map(one).collect()
}

impl Destination {
    fn new(node: &Node, namespace: &str) -> Option<Self> {
        let written = node.text("host")?;
        Some(Self {
            written: written.to_owned(),
            host: qualify(written, namespace),
            subset: node.text("subset").filter(|subset| !subset.is_empty()).map(str::to_owned),
            port: node.at(&["port"]).and_then(|port| port.number("number")),
            line: node.line,
        })
    }
}

/// Of several, those with `weight: 0` get no request.
fn destinations(node: &Node, namespace: &str) -> Vec<Destination> {
    let routes = node.list("route");
    let weighs = |node: &&Node| routes.len() == 1 || node.text("weight") != Some("0");
    let written = routes.iter().filter(weighs).filter_map(|node| node.get("destination"));
    written.filter_map(|node| Destination::new(node, namespace)).collect()
}

/// `namespace/name` of a gateway, as it may be named in a namespace.
fn gateway_name(name: &str, namespace: &str) -> String {
    match (name.split_once('/'), name.split_once('.')) {
        _ if name == MESH => MESH.to_owned(),
        (Some((".", name)), _) => format!("{namespace}/{name}"),
        (Some(_), _) => name.to_owned(),
        // The full name of old: `gateway.namespace.svc.cluster.local`.
        (None, Some((name, rest))) => format!("{}/{name}", rest.split('.').next().unwrap_or(rest)),
        (None, None) => format!("{namespace}/{name}"),
    }
}
