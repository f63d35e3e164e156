//! DestinationRules and PeerAuthentications that don't agree on mutual TLS.

use crate::catalogue::Cause;
use crate::check::finding::Finding;
use crate::check::mesh::{Backend, Enforced, Mesh};
use crate::check::model::{
    DestinationRule, Injection, MtlsMode, Port, Protocol, Service, ServiceKind, Subset, Tls, TlsMode,
};
use crate::diagnosis::Confidence::{self, Certain, Likely};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for service in mesh.services.iter().filter(|service| service.kind == ServiceKind::Kubernetes) {
        for rule in mesh.rules_for(service) {
            for subset in std::iter::once(None).chain(rule.subsets.iter().map(Some)) {
                let Some(finding) = conflict(mesh, service, rule, subset) else { continue };
                // A subset that repeats what the rule says in general is the same mistake.
                if !findings.iter().any(|known| {
                    known.cause == finding.cause
                        && known.origin == finding.origin
                        && known.line == finding.line
                }) {
                    findings.push(finding);
                }
            }
        }
    }
    findings
}

/// The first port that client and server don't agree on.
fn conflict(
    mesh: &Mesh,
    service: &Service,
    rule: &DestinationRule,
    subset: Option<&Subset>,
) -> Option<Finding> {
    let backends = mesh.backends(service, subset.map(|subset| &subset.labels));
    let tcp = |port: &&Port| port.protocol != Protocol::Udp;
    service.ports.iter().filter(tcp).find_map(|port| {
        let tls = rule.tls(subset, port.number);
        // All pods behind the port must be alike, or only some requests fail.
        let mut confidence = Certain;
        let mut enforced = None;
        for backend in &backends {
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
        let conflict = Conflict { mesh, service, rule, subset, port, enforced: enforced? };
        conflict.finding(tls, confidence)
    })
}

/// How sure it is that the pods' sidecar applies the policy; `None` if there is no sidecar.
fn certainty(mesh: &Mesh, backend: &Backend<'_>, policy: &Enforced<'_>) -> Option<Confidence> {
    if backend.workload.is_some_and(|workload| workload.ports_excluded) {
        return None;
    }
    match mesh.injection(backend) {
        Injection::No => None,
        Injection::Yes if policy.settled && mesh.listens_by_default(backend) => Some(Certain),
        Injection::Yes | Injection::Unknown => Some(Likely),
    }
}

struct Conflict<'mesh> {
    mesh: &'mesh Mesh,
    service: &'mesh Service,
    rule: &'mesh DestinationRule,
    subset: Option<&'mesh Subset>,
    port: &'mesh Port,
    enforced: Enforced<'mesh>,
}

impl Conflict<'_> {
    fn finding(&self, tls: Option<Tls>, confidence: Confidence) -> Option<Finding> {
        match (tls, self.enforced.mode) {
            (Some(tls), MtlsMode::Strict) if tls.mode == TlsMode::Disable => {
                let why = if tls.explicit {
                    "says `mode: DISABLE`"
                } else {
                    "has a `tls` block without `mode`, which means DISABLE,"
                };
                Some(self.plaintext(tls.line, confidence, why))
            }
            (None, MtlsMode::Strict) if !self.mesh.config.auto_mtls => {
                let why = "has no `tls` block, and automatic mutual TLS is off in this mesh,";
                Some(self.plaintext(self.rule.origin.line, confidence.min(Likely), why))
            }
            (Some(tls), MtlsMode::Disable) if tls.mode == TlsMode::IstioMutual => {
                // A server that isn't HTTP may speak TLS with the mesh's certificates itself.
                let http = self.port.protocol == Protocol::Http;
                Some(self.tls(tls.line, if http { confidence } else { confidence.min(Likely) }))
            }
            _ => None,
        }
    }

    fn plaintext(&self, line: usize, confidence: Confidence, why: &str) -> Finding {
        let what = format!(
            "The rule{} {why} so proxies send plain text to {} port {}, where {} accepts only mutual TLS (STRICT): requests \
             get 503 (UC).",
            self.subset_name(),
            self.service.name(),
            self.port.number,
            self.enforced.policy.origin.id(),
        );
        let fix = if self.mesh.config.auto_mtls {
            "Remove the `tls` block (automatic mutual TLS then picks the right mode), or set `mode: ISTIO_MUTUAL`."
        } else {
            "Set `trafficPolicy.tls.mode: ISTIO_MUTUAL`."
        };
        self.at(Cause::DestinationRuleTlsConflict, line, confidence, what, fix)
    }

    fn tls(&self, line: usize, confidence: Confidence) -> Finding {
        let what = format!(
            "The rule{} says `mode: ISTIO_MUTUAL`, so proxies send mutual TLS to {} port {}, where {} turns it off (DISABLE): \
             requests get 503 (UF, WRONG_VERSION_NUMBER).",
            self.subset_name(),
            self.service.name(),
            self.port.number,
            self.enforced.policy.origin.id(),
        );
        let fix = "Remove the `tls` block (automatic mutual TLS then picks the right mode), or let the PeerAuthentication be \
                   PERMISSIVE or STRICT.";
        self.at(Cause::UpstreamSpeaksPlaintext, line, confidence, what, fix)
    }

    fn at(&self, cause: Cause, line: usize, confidence: Confidence, what: String, fix: &str) -> Finding {
        Finding::new(cause, confidence, &self.rule.origin, line, what, fix.to_owned())
            .with(&self.enforced.policy.origin)
            .with(&self.service.origin)
    }

    fn subset_name(&self) -> String {
        self.subset.map(|subset| format!(" (subset {})", subset.name)).unwrap_or_default()
    }
}
