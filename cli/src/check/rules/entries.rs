//! ServiceEntries for TCP without addresses: they take a whole port.

use std::collections::HashMap;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Possible;

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{Port, Protocol, Service, ServiceKind};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut on_port: HashMap<u16, Vec<&Service>> = HashMap::new();
    for service in &mesh.services {
        for port in &service.ports {
            on_port.entry(port.number).or_default().push(service);
        }
    }
    let mut findings = Vec::new();
    for entry in mesh.services.iter().filter(|one| one.kind == ServiceKind::Entry && !one.has_address) {
        findings.extend(entry.ports.iter().find_map(|port| {
            swallowed(on_port.get(&port.number).map_or(&[][..], Vec::as_slice), entry, port)
        }));
    }
    findings
}

/// Another service on the port that a ServiceEntry takes for all addresses.
fn swallowed(on_port: &[&Service], entry: &Service, port: &Port) -> Option<Finding> {
    if port.protocol != Protocol::Tcp {
        return None;
    }
    let takes = |other: &Service, own: &Port| {
        let as_tcp = own.protocol == Protocol::Tcp && other.kind == ServiceKind::Entry && !other.has_address;
        own.number == port.number && (own.protocol == Protocol::Http || as_tcp)
    };
    let other = on_port.iter().find(|other| {
        !std::ptr::eq(**other, entry)
            && other.hosts != entry.hosts
            && other.export_to.includes(&entry.origin.namespace, &other.origin.namespace)
            && other.ports.iter().any(|own| takes(other, own))
    })?;
    let what = format!(
        "Port {} of {} is TCP ({}) and the ServiceEntry has no `addresses`: unless Istio gives it one (DNS proxying), the sidecars' \
         listener for the port takes connections to every address, and {} is reached as TCP or not at all.",
        port.number,
        entry.name(),
        port.declared,
        other.name(),
    );
    let fix = "Give the ServiceEntry `addresses`, or turn on DNS proxying with automatic addresses; for TLS declare the port as TLS, \
               where the SNI decides.";
    let finding =
        Finding::new(Cause::HttpTreatedAsTcp, Possible, &entry.origin, port.line, what, fix.to_owned());
    Some(finding.with(&other.origin))
}
