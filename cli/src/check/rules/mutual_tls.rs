//! DestinationRules and PeerAuthentications that don't agree on mutual TLS.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Certain, Likely};

use crate::check::finding::Finding;
use crate::check::mesh::{Backend, Enforced, Mesh};
use crate::check::model::{
    DestinationRule, Injection, MtlsMode, PeerAuthentication, Port, Protocol, Service, ServiceKind, Subset,
    Tls, TlsMode, port_list,
};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let in_kubernetes = mesh.services.iter().filter(|service| service.kind == ServiceKind::Kubernetes);
    in_kubernetes.flat_map(|service| conflicts(mesh, service)).collect()
}

fn conflicts(mesh: &Mesh, service: &Service) -> Vec<Finding> {
    let mut conflicts: Vec<Conflict<'_>> = Vec::new();
    {
        for rule in mesh.rules_for(service) {
            for subset in std::iter::once(None).chain(rule.subsets.iter().map(Some)) {
                for port in service.ports.iter().filter(|port| port.protocol != Protocol::Udp) {
                    let Some(conflict) = conflict(mesh, service, rule, subset, port) else { continue };
                    // A subset that repeats what the rule says in general is the same mistake.
                    if conflicts.iter().any(|known| known.is_of(&conflict) && known.has(port)) {
                        continue;
                    }
                    match conflicts
                        .iter_mut()
                        .find(|known| known.is_of(&conflict) && known.is_like(&conflict))
                    {
                        Some(known) => known.ports.push(port),
                        None => conflicts.push(conflict),
                    }
                }
            }
        }
    }
    conflicts.iter().map(Conflict::finding).collect()
}

/// Whether client and server don't agree on a port.
fn conflict<'mesh>(
    mesh: &'mesh Mesh,
    service: &'mesh Service,
    rule: &'mesh DestinationRule,
    subset: Option<&'mesh Subset>,
    port: &'mesh Port,
) -> Option<Conflict<'mesh>> {
    // All pods behind the port must be alike, or only some requests fail.
    let mut confidence = Certain;
    let mut enforced = None;
    for backend in &mesh.backends(service, subset.map(|subset| &subset.labels)) {
        let policy = mesh.enforced(backend, port)?;
        if enforced.is_some_and(|known: Enforced<'_>| known.mode != policy.mode) {
            return None;
        }
        confidence = confidence.min(certainty(mesh, backend, &policy)?);
        enforced = Some(policy);
    }
    if mesh.is_merged(rule) || rule.for_some_clients {
        confidence = confidence.min(Likely);
    }
    let Enforced { mode, policy, .. } = enforced?;
    let tls = rule.tls(subset, port.number);
    let confidence = match (tls.map(|tls| tls.mode), mode) {
        (Some(TlsMode::Disable), MtlsMode::Strict) => confidence,
        (None, MtlsMode::Strict) if !mesh.config.auto_mtls => confidence.min(Likely),
        // A server that isn't HTTP may speak TLS with the mesh's certificates itself.
        (Some(TlsMode::IstioMutual), MtlsMode::Disable) if port.protocol == Protocol::Http => confidence,
        (Some(TlsMode::IstioMutual), MtlsMode::Disable) => confidence.min(Likely),
        _ => return None,
    };
    Some(Conflict { mesh, service, rule, subset, ports: vec![port], tls, mode, policy, confidence })
}

/// How sure it is that the pods' sidecar applies the policy; `None` if there is no sidecar.
fn certainty(mesh: &Mesh, backend: &Backend<'_>, policy: &Enforced<'_>) -> Option<Confidence> {
    // A gateway's ports are those of its Gateways, whose own `tls` decides.
    if backend.workload.is_some_and(|workload| workload.ports_excluded || workload.is_gateway) {
        return None;
    }
    match mesh.injection(backend) {
        Injection::No => None,
        Injection::Yes if policy.settled && mesh.listens_by_default(backend) => Some(Certain),
        Injection::Yes | Injection::Unknown => Some(Likely),
    }
}

/// Ports of a service on which one `tls` block doesn't go with one policy.
struct Conflict<'mesh> {
    mesh: &'mesh Mesh,
    service: &'mesh Service,
    rule: &'mesh DestinationRule,
    subset: Option<&'mesh Subset>,
    ports: Vec<&'mesh Port>,
    tls: Option<&'mesh Tls>,
    mode: MtlsMode,
    policy: &'mesh PeerAuthentication,
    confidence: Confidence,
}

impl Conflict<'_> {
    /// Whether another comes from the same block, for the same pods or for some of them.
    fn is_of(&self, other: &Self) -> bool {
        let block = |tls: Option<&Tls>| tls.map(std::ptr::from_ref);
        let pods = |subset: Option<&Subset>| subset.map(std::ptr::from_ref);
        std::ptr::eq(self.service, other.service)
            && std::ptr::eq(self.rule, other.rule)
            && std::ptr::eq(self.policy, other.policy)
            && block(self.tls) == block(other.tls)
            && (self.subset.is_none() || pods(self.subset) == pods(other.subset))
    }

    fn has(&self, port: &Port) -> bool {
        self.ports.iter().any(|own| own.number == port.number)
    }

    /// Whether one finding does for both.
    fn is_like(&self, other: &Self) -> bool {
        self.confidence == other.confidence && self.subset.is_some() == other.subset.is_some()
    }

    fn finding(&self) -> Finding {
        match self.tls {
            Some(tls) if self.mode == MtlsMode::Disable => self.mutual_tls(tls.line),
            Some(tls) if tls.explicit => self.plaintext(tls.line, "says `mode: DISABLE`"),
            Some(tls) => self.plaintext(tls.line, "has a `tls` block without `mode`, which means DISABLE,"),
            None => {
                let why = "has no `tls` block, and automatic mutual TLS is off in this mesh,";
                self.plaintext(self.rule.origin.line, why)
            }
        }
    }

    fn plaintext(&self, line: usize, why: &str) -> Finding {
        let what = format!(
            "The rule{} {why} so proxies send plain text to {}, where {} accepts only mutual TLS (STRICT): {}.",
            self.subset_name(),
            self.place(),
            self.policy.origin.id(),
            self.consequence("UC"),
        );
        let fix = if self.mesh.config.auto_mtls {
            "Remove the `tls` block (automatic mutual TLS then picks the right mode), or set `mode: ISTIO_MUTUAL`."
        } else {
            "Set `trafficPolicy.tls.mode: ISTIO_MUTUAL`."
        };
        self.at(Cause::DestinationRuleTlsConflict, line, what, fix)
    }

    fn mutual_tls(&self, line: usize) -> Finding {
        let what = format!(
            "The rule{} says `mode: ISTIO_MUTUAL`, so proxies send mutual TLS to {}, where {} turns it off (DISABLE): {}.",
            self.subset_name(),
            self.place(),
            self.policy.origin.id(),
            self.consequence("UF, WRONG_VERSION_NUMBER"),
        );
        let fix = "Remove the `tls` block (automatic mutual TLS then picks the right mode), or let the PeerAuthentication be \
                   PERMISSIVE or STRICT.";
        self.at(Cause::UpstreamSpeaksPlaintext, line, what, fix)
    }

    fn at(&self, cause: Cause, line: usize, what: String, fix: &str) -> Finding {
        Finding::new(cause, self.confidence, &self.rule.origin, line, what, fix.to_owned())
            .with(&self.policy.origin)
            .with(&self.service.origin)
    }

    fn subset_name(&self) -> String {
        self.subset.map(|subset| format!(" (subset {})", subset.name)).unwrap_or_default()
    }

    fn place(&self) -> String {
        let numbers = port_list(self.ports.iter().copied());
        format!("{} port{} {numbers}", self.service.name(), if self.ports.len() == 1 { "" } else { "s" })
    }

    /// What the client gets, by what the ports are handled as.
    fn consequence(&self, flags: &str) -> String {
        let all = |http: bool| self.ports.iter().all(|port| (port.protocol == Protocol::Http) == http);
        let sniffed = self.ports.iter().any(|port| port.protocol == Protocol::Automatic);
        if all(true) {
            format!("requests get 503 ({flags})")
        } else if all(false) && !sniffed {
            "connections are closed without an answer".to_owned()
        } else {
            format!("HTTP requests get 503 ({flags}), other connections are closed without an answer")
        }
    }
}
