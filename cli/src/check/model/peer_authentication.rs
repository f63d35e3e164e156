//! PeerAuthentications: whether a workload takes plain text, mutual TLS, or both.

use std::rc::Rc;

use super::{Labels, labels};
use crate::check::resource::{Origin, Resource};
use crate::check::yaml::Node;

/// A PeerAuthentication.
#[derive(Debug)]
pub struct PeerAuthentication {
    /// Which.
    pub origin: Rc<Origin>,
    /// The pods it is for; all of the namespace, if there is none.
    pub selector: Option<Labels>,
    /// For all ports that don't say otherwise.
    pub mode: MtlsMode,
    /// For some of the pods' ports.
    pub ports: Vec<(u16, MtlsMode)>,
}

/// What a workload takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MtlsMode {
    /// What the more general policy says.
    Unset,
    /// Plain text.
    Disable,
    /// Both.
    Permissive,
    /// Mutual TLS.
    Strict,
}

impl PeerAuthentication {
    /// Reads it.
    pub fn new(resource: &Resource) -> Self {
        let spec = resource.node.get("spec");
        let under = |path: &[&str]| spec.and_then(|spec| spec.at(path));
        let selector = labels(under(&["selector", "matchLabels"]));
        let ports = under(&["portLevelMtls"]).map_or(&[][..], Node::entries);
        Self {
            origin: Rc::clone(&resource.origin),
            selector: (!selector.is_empty()).then_some(selector),
            mode: mode(under(&["mtls"])),
            ports: ports
                .iter()
                .filter_map(|entry| Some((entry.key.parse().ok()?, mode(Some(&entry.node)))))
                .collect(),
        }
    }

    /// What it says of a port of a pod (`None`: of which is not known).
    pub fn mode(&self, port: Option<u16>) -> Option<MtlsMode> {
        if port.is_none() && !self.ports.is_empty() {
            return None;
        }
        let own = self.ports.iter().find(|(number, _)| Some(*number) == port).map(|(_, mode)| *mode);
        Some(own.filter(|mode| *mode != MtlsMode::Unset).unwrap_or(self.mode))
    }
}

fn mode(node: Option<&Node>) -> MtlsMode {
    match node.and_then(|node| node.text("mode")) {
        Some("STRICT") => MtlsMode::Strict,
        Some("PERMISSIVE") => MtlsMode::Permissive,
        Some("DISABLE") => MtlsMode::Disable,
        _ => MtlsMode::Unset,
    }
}
