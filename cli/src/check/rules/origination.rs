//! TLS origination for a port on which the clients speak TLS already.

use std::collections::HashSet;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{DestinationRule, Injection, Port, Protocol, Service, ServiceKind};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in mesh.services.iter().filter(|service| is_worth_reporting(mesh, service)) {
        let tls_ports = service.ports.iter().filter(|port| port.protocol == Protocol::Tls);
        for port in tls_ports.filter(|port| !mesh.is_routed_to(service, port.number)) {
            findings.extend(doubled(mesh, service, port));
        }
    }
    let mut seen = HashSet::new();
    for service in mesh.services.iter().filter(|service| service.kind == ServiceKind::Kubernetes) {
        for rule in mesh.rules_for(service) {
            let finding = into_the_mesh(mesh, service, rule);
            // Once for a rule, however many services it is for.
            findings.extend(finding.filter(|_| seen.insert(std::ptr::from_ref(rule))));
        }
    }
    findings
}

/// Decrypted at a gateway and encrypted anew is fine, and takes a rule that sends there, perhaps in
/// what was not given: to Kubernetes' services that is common. Never certain: a client that sends
/// plain text to the address of a service all the same gets what it wants.
fn is_worth_reporting(mesh: &Mesh, service: &Service) -> bool {
    service.kind == ServiceKind::Entry || mesh.has_all_virtual_services()
}

fn doubled(mesh: &Mesh, service: &Service, port: &Port) -> Option<Finding> {
    let (rule, tls) = mesh.rules_for(service).find_map(|rule| {
        let tls = rule.tls(None, port.number).filter(|tls| tls.mode.originates())?;
        Some((rule, tls))
    })?;
    let name = service.name();
    let number = port.number;
    let what = format!(
        "Clients speak TLS on port {number} of {name} ({}), and this rule (mode {}) makes the proxy encrypt it once more: \
         requests fail with `wrong version number`.",
        port.declared,
        tls.mode.name(),
    );
    let fix = format!(
        "Declare port {number} as HTTP and let clients send http://{name}:{number}; or expose HTTP port 80 with `targetPort: \
         {number}` and let them send http://{name}; or remove the `tls` block and let them send https://."
    );
    let finding = Finding::new(Cause::DoubleTls, Likely, &rule.origin, tls.line, what, fix);
    Some(finding.with(&service.origin))
}

/// TLS of one's own for a service of the mesh, whose sidecar expects the mesh's.
fn into_the_mesh(mesh: &Mesh, service: &Service, rule: &DestinationRule) -> Option<Finding> {
    let mut ports = service.ports.iter().filter(|port| port.protocol == Protocol::Http);
    let (port, tls) = ports.find_map(|port| {
        let tls = rule.tls(None, port.number).filter(|tls| tls.mode.originates())?;
        Some((port, tls))
    })?;
    let backends = mesh.backends(service, None);
    let injected = |wanted| !backends.is_empty() && backends.iter().all(|one| mesh.injection(one) == wanted);
    if injected(Injection::No) {
        return None;
    }
    let is_pattern = rule.host.starts_with('*');
    let what = format!(
        "The rule makes proxies speak TLS of their own (mode {}) to {}, whose port {} is declared as plain HTTP ({}): a sidecar \
         there expects mutual TLS of the mesh or plain text, and requests get 503.",
        tls.mode.name(),
        service.name(),
        port.number,
        port.declared,
    );
    let fix = if is_pattern {
        "Narrow the rule's `host` to those outside the mesh; or set `mode: ISTIO_MUTUAL`."
    } else {
        "Set `mode: ISTIO_MUTUAL`, or remove the `tls` block: automatic mutual TLS picks the right mode."
    };
    // A server without a sidecar may take TLS on a port of any name.
    let confidence = if injected(Injection::Yes) { Likely } else { Possible };
    let cause = Cause::DestinationRuleTlsConflict;
    let finding = Finding::new(cause, confidence, &rule.origin, tls.line, what, fix.to_owned());
    Some(finding.with(&service.origin))
}
