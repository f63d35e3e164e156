//! TLS origination for a port on which the clients speak TLS already.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Likely;

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{Port, Protocol, Service, ServiceKind};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in mesh.services.iter().filter(|service| is_told(mesh, service)) {
        let tls_ports = service.ports.iter().filter(|port| port.protocol == Protocol::Tls);
        for port in tls_ports.filter(|port| !mesh.is_routed_to(service, port.number)) {
            findings.extend(doubled(mesh, service, port));
        }
    }
    findings
}

/// Decrypted at a gateway and encrypted anew is fine, and takes a rule that sends there, perhaps in
/// what was not given: to Kubernetes' services that is common. Never certain: a client that sends
/// plain text to the address of a service all the same gets what it wants.
fn is_told(mesh: &Mesh, service: &Service) -> bool {
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
