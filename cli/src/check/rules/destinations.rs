//! Destinations that exist, reached in a way that they don't take.

use std::collections::BTreeSet;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use super::hosts::serves;
use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{
    Destination, HttpRoute, Port, Protocol, Reads, Service, ServiceKind, VirtualService, applies, port_list,
};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rules in &mesh.virtual_services {
        let mut seen = BTreeSet::new();
        for route in &rules.http {
            for destination in &route.destinations {
                if seen.insert((&destination.host, destination.port)) {
                    findings.extend(expects_tls(mesh, destination, rules));
                    findings.extend(without_port(mesh, rules, route, destination));
                }
            }
        }
    }
    findings
}

/// `http` rules that send plain HTTP to a port declared as TLS.
fn expects_tls(mesh: &Mesh, destination: &Destination, rules: &VirtualService) -> Option<Finding> {
    let (service, port) = mesh.services_named(&destination.host).find_map(|service| {
        let port = sent_to(service, destination)?;
        (port.protocol == Protocol::Tls).then_some((service, port))
    })?;
    let originates = mesh.rules_for(service).any(|rule| {
        let subset = destination.subset.as_deref();
        let subset = rule.subsets.iter().find(|own| Some(own.name.as_str()) == subset);
        rule.tls(subset, port.number).is_some_and(|tls| tls.mode.originates())
    });
    // A rule that matches a pattern, or that is for other namespaces, may do it, too.
    let may_originate = mesh.rules_covering(service.name()).any(|rule| rule.tls(None, port.number).is_some());
    if originates || may_originate {
        return None;
    }
    let name = service.name();
    let number = port.number;
    let what = format!(
        "Plain HTTP is sent to port {number} of {name} ({}), which expects TLS: requests get the server's 400, or 503 (UC).",
        port.declared,
    );
    let fix = format!(
        "Add a DestinationRule for {name} with `trafficPolicy.tls.mode: SIMPLE` for port {number}; or send to a port that \
         speaks plain HTTP; or declare the port as `http`, if it does."
    );
    // What is only called so may speak plain HTTP.
    let confidence = if mesh.has_all_destination_rules() || service.kind == ServiceKind::Kubernetes {
        Likely
    } else {
        Possible
    };
    let finding =
        Finding::new(Cause::UpstreamExpectsTls, confidence, &rules.origin, destination.line, what, fix);
    Some(finding.with(&service.origin))
}

/// The port that a destination means, where that doesn't depend on where it is used.
fn sent_to<'mesh>(service: &'mesh Service, destination: &Destination) -> Option<&'mesh Port> {
    match (destination.port, service.ports.as_slice()) {
        (Some(number), ports) => ports.iter().find(|port| port.number == number),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// No port, of a service with several: a gateway takes its own port's number.
fn without_port(
    mesh: &Mesh,
    rules: &VirtualService,
    route: &HttpRoute,
    destination: &Destination,
) -> Option<Finding> {
    if destination.port.is_some() {
        return None;
    }
    let mut services = mesh.services_named(&destination.host);
    let service = services.next().filter(|service| service.ports.len() > 1)?;
    if services.next().is_some() {
        return None;
    }
    let server = mesh.gateways_of(rules).find_map(|gateway| {
        let name = gateway.name();
        gateway.servers.iter().find(|server| {
            server.reads == Reads::Http
                && !server.redirects
                && applies(&route.matches, &name, Some(server.port))
                && rules.hosts.iter().any(|host| serves(server, &rules.origin.namespace, host))
                && !service.ports.iter().any(|port| port.number == server.port)
        })
    })?;
    let have = port_list(&service.ports);
    let what = format!(
        "The destination {} has several ports ({have}) and the rule names none: the gateway sends to the number of its own port, \
         {}, which the service doesn't have. Requests get 503 (NC).",
        destination.written, server.port,
    );
    let fix = "Name the service's port: `destination.port.number`.";
    let finding =
        Finding::new(Cause::ClusterMissing, Certain, &rules.origin, destination.line, what, fix.to_owned());
    Some(finding.with(&service.origin))
}
