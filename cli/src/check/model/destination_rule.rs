//! DestinationRules: the TLS that a client's proxy speaks to a host.

use std::rc::Rc;

use super::{ExportTo, Labels, labels};
use crate::check::host::qualify;
use crate::check::resource::{Origin, Resource};
use crate::check::yaml::Node;

/// A DestinationRule.
#[derive(Debug)]
pub struct DestinationRule {
    /// Which.
    pub origin: Rc<Origin>,
    /// The host's full name, or a pattern.
    pub host: String,
    /// As it is written.
    pub written: String,
    /// Its line.
    pub line: usize,
    /// For every subset that doesn't say otherwise.
    pub policy: Policy,
    /// The subsets.
    pub subsets: Vec<Subset>,
    /// Namespaces it is for; all, if empty.
    pub export_to: ExportTo,
    /// Whether it is only for some client pods.
    pub for_some_clients: bool,
}

/// A subset: some of a host's pods.
#[derive(Debug)]
pub struct Subset {
    /// Its name.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// Which pods.
    pub labels: Labels,
    /// What differs from the rule's policy.
    pub policy: Policy,
}

/// The TLS part of a traffic policy.
#[derive(Debug, Default)]
pub struct Policy {
    tls: Option<Tls>,
    ports: Vec<(u16, Option<Tls>)>,
}

/// A `tls` block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tls {
    /// Its mode.
    pub mode: TlsMode,
    /// Whether the mode is written rather than left to its default.
    pub explicit: bool,
    /// Its line.
    pub line: usize,
}

/// What TLS a client's proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// None. Also what a `tls` block without `mode` means.
    Disable,
    /// With the server's certificate only.
    Simple,
    /// With a client certificate of one's own.
    Mutual,
    /// With the mesh's certificates.
    IstioMutual,
}

impl DestinationRule {
    /// Reads it.
    pub fn new(resource: &Resource) -> Self {
        let spec = resource.spec();
        let subset = |node: &Node| {
            Some(Subset {
                name: node.text("name")?.to_owned(),
                line: node.line,
                labels: labels(node.get("labels")),
                policy: Policy::new(node.get("trafficPolicy")),
            })
        };
        Self {
            origin: Rc::clone(&resource.origin),
            host: qualify(spec.text("host").unwrap_or_default(), &resource.origin.namespace),
            written: spec.text("host").unwrap_or_default().to_owned(),
            line: spec.entry("host").map_or(resource.origin.line, |entry| entry.line),
            policy: Policy::new(spec.get("trafficPolicy")),
            subsets: spec.list("subsets").iter().filter_map(subset).collect(),
            export_to: ExportTo::new(spec),
            for_some_clients: spec.get("workloadSelector").is_some(),
        }
    }

    /// The `tls` block that holds for a port, in a subset or without one.
    pub fn tls<'rule>(&'rule self, subset: Option<&'rule Subset>, port: u16) -> Option<&'rule Tls> {
        let general = self.policy.tls(port);
        let Some(subset) = subset else { return general };
        // What a subset says of the port replaces all; what it says in general only where it does.
        match subset.policy.port(port) {
            Some(tls) => tls,
            None => subset.policy.tls.as_ref().or(general),
        }
    }
}

impl Policy {
    fn new(node: Option<&Node>) -> Self {
        let Some(node) = node else { return Self::default() };
        let port = |node: &Node| Some((node.at(&["port"])?.number("number")?, Tls::new(node)));
        Self { tls: Tls::new(node), ports: node.list("portLevelSettings").iter().filter_map(port).collect() }
    }

    fn port(&self, port: u16) -> Option<Option<&Tls>> {
        self.ports.iter().find(|(number, _)| *number == port).map(|(_, tls)| tls.as_ref())
    }

    /// A port's own settings replace the general ones, TLS included.
    fn tls(&self, port: u16) -> Option<&Tls> {
        self.port(port).unwrap_or(self.tls.as_ref())
    }
}

impl Tls {
    fn new(policy: &Node) -> Option<Self> {
        let entry = policy.entry("tls")?;
        let mode = entry.node.text("mode");
        let parsed = match mode {
            None | Some("DISABLE") => TlsMode::Disable,
            Some("SIMPLE") => TlsMode::Simple,
            Some("MUTUAL") => TlsMode::Mutual,
            Some("ISTIO_MUTUAL") => TlsMode::IstioMutual,
            Some(_) => return None,
        };
        Some(Self { mode: parsed, explicit: mode.is_some(), line: entry.line })
    }
}

impl TlsMode {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disable => "DISABLE",
            Self::Simple => "SIMPLE",
            Self::Mutual => "MUTUAL",
            Self::IstioMutual => "ISTIO_MUTUAL",
        }
    }

    /// Whether the proxy makes TLS of its own for a server outside the mesh.
    pub const fn originates(self) -> bool {
        matches!(self, Self::Simple | Self::Mutual)
    }
}
