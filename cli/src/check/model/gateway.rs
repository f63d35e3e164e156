//! Gateways: what each server takes off the wire.

use std::rc::Rc;

use super::{Labels, labels, selects};
use crate::check::host::overlap;
use crate::check::resource::{Origin, Resource};
use crate::check::yaml::Node;

/// A Gateway of `networking.istio.io`.
#[derive(Debug)]
pub struct Gateway {
    /// Which.
    pub origin: Rc<Origin>,
    /// The pods it is for; all, if empty.
    pub selector: Labels,
    /// Its servers.
    pub servers: Vec<Server>,
}

/// One port of a Gateway.
#[derive(Debug)]
pub struct Server {
    /// Where it begins.
    pub line: usize,
    /// Namespace (`None`: any) and host of what may be bound here.
    pub hosts: Vec<(Option<String>, String)>,
    /// The number.
    pub port: u16,
    /// Where the port's declaration begins.
    pub port_line: usize,
    /// The address, if not all.
    pub bind: Option<String>,
    /// Which routes it looks at.
    pub reads: Reads,
    /// Whether it terminates TLS.
    pub terminates: bool,
    /// `mode` as it is written.
    pub mode: String,
    /// Whether it sends everyone to HTTPS and routes nothing itself.
    pub redirects: bool,
    /// What identifies the certificate: the secret's or the file's name.
    pub certificates: Vec<String>,
    /// The secret with the certificate, and the line that names it.
    pub credential: Option<(String, usize)>,
}

/// Which routes a server looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// `http`: plain, or behind the TLS that it terminates.
    Http,
    /// `tls`: by SNI, untouched.
    Tls,
    /// `tcp`.
    Tcp,
    /// None: the SNI itself names the cluster (AUTO_PASSTHROUGH), or Istio would refuse it.
    Nothing,
}

impl Gateway {
    /// Reads it.
    pub fn new(resource: &Resource) -> Self {
        let spec = resource.spec();
        Self {
            origin: Rc::clone(&resource.origin),
            selector: labels(spec.get("selector")),
            servers: spec
                .list("servers")
                .iter()
                .filter_map(|node| Server::new(node, &resource.origin.namespace))
                .collect(),
        }
    }

    /// `namespace/name`, as VirtualServices name it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.origin.namespace, self.origin.name)
    }

    /// Whether the same pod can have the labels of both selectors.
    pub fn may_share_pods(&self, other: &Self) -> bool {
        selects(&self.selector, &other.selector) || selects(&other.selector, &self.selector)
    }
}

impl Server {
    fn new(node: &Node, namespace: &str) -> Option<Self> {
        let port = node.get("port")?;
        let tls = node.get("tls");
        let protocol = port.text("protocol").unwrap_or_default().to_ascii_uppercase();
        // The first of Istio's enumeration is what an absent mode means.
        let mode = tls.map_or("", |tls| tls.text("mode").unwrap_or("PASSTHROUGH")).to_owned();
        let http = matches!(protocol.as_str(), "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" | "HTTP_PROXY");
        let terminates = !http && !matches!(mode.as_str(), "" | "PASSTHROUGH" | "AUTO_PASSTHROUGH");
        let reads = match (protocol.as_str(), mode.as_str()) {
            _ if http => Reads::Http,
            ("HTTPS", _) if terminates => Reads::Http,
            ("HTTPS", "") | (_, "AUTO_PASSTHROUGH") => Reads::Nothing,
            (_, "PASSTHROUGH") => Reads::Tls,
            _ => Reads::Tcp,
        };
        Some(Self {
            line: node.line,
            hosts: node
                .list("hosts")
                .iter()
                .filter_map(Node::as_text)
                .map(|host| server_host(host, namespace))
                .collect(),
            port: port.number("number")?,
            port_line: port.line,
            bind: node.text("bind").map(str::to_owned),
            reads,
            terminates,
            redirects: tls.is_some_and(|tls| tls.is_true("httpsRedirect")),
            certificates: tls.map(certificates).unwrap_or_default(),
            credential: tls.and_then(credential),
            mode,
        })
    }

    /// Whether a host of a VirtualService in a namespace can be bound here.
    pub fn takes(&self, namespace: &str, host: &str) -> bool {
        self.hosts
            .iter()
            .any(|(only, own)| only.as_deref().is_none_or(|only| only == namespace) && overlap(own, host))
    }

    /// The hosts as a list to read.
    pub fn host_names(&self) -> String {
        self.hosts.iter().map(|(_, host)| host.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn server_host(host: &str, namespace: &str) -> (Option<String>, String) {
    match host.split_once('/') {
        None | Some(("*", _)) => (None, host.rsplit('/').next().unwrap_or(host).to_ascii_lowercase()),
        Some((".", host)) => (Some(namespace.to_owned()), host.to_ascii_lowercase()),
        Some((only, host)) => (Some(only.to_owned()), host.to_ascii_lowercase()),
    }
}

fn credential(tls: &Node) -> Option<(String, usize)> {
    let entry = tls.entry("credentialName")?;
    Some((entry.node.as_text()?.to_owned(), entry.line))
}

fn certificates(tls: &Node) -> Vec<String> {
    let secrets = tls
        .text("credentialName")
        .into_iter()
        .chain(tls.list("credentialNames").iter().filter_map(Node::as_text));
    let files = tls
        .text("serverCertificate")
        .into_iter()
        .chain(tls.list("tlsCertificates").iter().filter_map(|item| item.text("serverCertificate")));
    let secrets = secrets.map(|name| format!("credentialName {name}"));
    secrets.chain(files.map(|path| format!("serverCertificate {path}"))).collect()
}
