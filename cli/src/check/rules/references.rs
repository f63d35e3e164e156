//! Names of things that don't exist.

use std::collections::BTreeSet;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Certain, Likely, Possible};

use crate::check::finding::Finding;
use crate::check::host::{is_of_another_domain, service, service_parts};
use crate::check::mesh::{Mesh, NamedGateway};
use crate::check::model::{Destination, DestinationRule, MESH, ServiceKind, VirtualService, port_list};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rules in &mesh.virtual_services {
        findings.extend(gateways(mesh, rules));
        let mut seen = BTreeSet::new();
        for destination in rules.destinations() {
            if seen.insert((&destination.host, &destination.subset, destination.port)) {
                findings.extend(host(mesh, rules, destination).or_else(|| port(mesh, rules, destination)));
                findings.extend(subset(mesh, rules, destination));
            }
        }
        for mirror in rules.http.iter().flat_map(|route| &route.mirrors) {
            if seen.insert((&mirror.host, &mirror.subset, mirror.port)) {
                findings.extend(mirrored(mesh, rules, mirror));
            }
        }
    }
    findings.extend(mesh.destination_rules.iter().filter_map(|rule| host_of_rule(mesh, rule)));
    findings
}

/// A DestinationRule for `name.namespace`, or for a short name of another namespace: neither is the service that it is meant for.
fn host_of_rule(mesh: &Mesh, rule: &DestinationRule) -> Option<Finding> {
    if rule.host.starts_with('*')
        || mesh.services_named(&rule.host).next().is_some()
        || is_of_another_domain(&rule.host)
    {
        return None;
    }
    let (name, namespace) = match service_parts(&rule.host) {
        // Written in full, it may be a service that was not given.
        Some(_) if rule.written.contains('.') => return None,
        Some((name, _)) => (name, None),
        None => rule.host.split_once('.').map(|(name, namespace)| (name, Some(namespace)))?,
    };
    let meant = mesh.services_called(name).find(|one| {
        one.kind == ServiceKind::Kubernetes
            && namespace.is_none_or(|namespace| one.origin.namespace == namespace)
    })?;
    let used = rule.subsets.iter().any(|subset| mesh.is_sent_to(meant.name(), &subset.name));
    let what = format!(
        "The host {} means {}, which no Service and no ServiceEntry has; there is {}: the rule has no effect{}.",
        rule.written,
        rule.host,
        meant.name(),
        if used { ", and requests for its subsets get 503 (NC)" } else { "" },
    );
    let fix = format!("Write {} as `host`.", meant.name());
    let confidence = if namespace.is_some() { Likely } else { Possible };
    let cause = if used { Cause::ClusterMissing } else { Cause::VirtualServiceNotApplied };
    Some(Finding::new(cause, confidence, &rule.origin, rule.line, what, fix).with(&meant.origin))
}

/// Gateways that are named and don't exist, or exist in another namespace.
fn gateways(mesh: &Mesh, rules: &VirtualService) -> Vec<Finding> {
    let mut findings = Vec::new();
    for reference in rules.gateways.iter().filter(|reference| reference.name != MESH) {
        let (namespace, name) = reference.name.split_once('/').unwrap_or_default();
        let NamedGateway::Missing { namesake } = mesh.named_gateway(&reference.name) else { continue };
        let confidence = if mesh.has_all_gateways() { Certain } else { Likely };
        let there = namesake.map(|gateway| format!("; {} does", gateway.origin.id())).unwrap_or_default();
        let what = format!(
            "The Gateway {name} doesn't exist in namespace {namespace}{there}: the VirtualService is bound to nothing there, \
             and requests for its hosts find no route."
        );
        let fix = "Write a Gateway of another namespace as `namespace/name`.";
        let cause = if rules.http.is_empty() && !rules.tls.is_empty() {
            Cause::NoFilterChainForSni
        } else {
            Cause::RouteHostUnknown
        };
        let finding = Finding::new(cause, confidence, &rules.origin, reference.line, what, fix.to_owned());
        findings.push(finding.with_all(namesake.map(|gateway| &gateway.origin)));
    }
    findings
}

/// A host that no Service and no ServiceEntry has.
fn host(mesh: &Mesh, rules: &VirtualService, destination: &Destination) -> Option<Finding> {
    if mesh.services_named(&destination.host).next().is_some() || is_of_another_domain(&destination.host) {
        return None;
    }
    let written = &destination.written;
    let namesake = match service_parts(&destination.host) {
        Some((name, _)) => mesh
            .services_called(name)
            .find(|service| service.kind == ServiceKind::Kubernetes && !written.contains('.')),
        // `reviews.prod` is no short name: Istio takes a name with a dot as it is.
        None => written.split_once('.').and_then(|(name, namespace)| {
            let full = service(name, namespace);
            mesh.services_named(&full).find(|service| service.name() == full)
        }),
    };
    // A service of another cluster of the mesh may be declared only there.
    let confidence = match namesake {
        _ if mesh.has_everything() => Certain,
        _ if mesh.has_all_services() => Likely,
        // Names such as `redis` are common: the namespace may have one of its own, from a chart that isn't here.
        Some(_) if !written.contains('.') => Possible,
        Some(_) => Likely,
        None => return None,
    };
    let there = namesake.map(|service| format!("; there is {}", service.name())).unwrap_or_default();
    let what = format!(
        "The destination {written} means {}, which no Service and no ServiceEntry has{there}: {}.",
        destination.host,
        consequence(rules, destination),
    );
    let fix = "Write the service's full name, `name.namespace.svc.cluster.local`; a short name means the VirtualService's own \
               namespace.";
    let finding = missing(confidence, rules, destination, what, fix);
    Some(finding.with_all(namesake.map(|service| &service.origin)))
}

/// A port that the service doesn't have.
fn port(mesh: &Mesh, rules: &VirtualService, destination: &Destination) -> Option<Finding> {
    let number = destination.port?;
    let services: Vec<_> = mesh.services_named(&destination.host).collect();
    let ports = || services.iter().flat_map(|service| &service.ports);
    if ports().next().is_none() || ports().any(|port| port.number == number) {
        return None;
    }
    // A host may have more than one ServiceEntry.
    let only =
        mesh.has_all_services() || services.iter().any(|service| service.kind == ServiceKind::Kubernetes);
    let have = port_list(ports());
    let what = format!(
        "{} has no port {number} (ports: {have}): {}.",
        destination.host,
        consequence(rules, destination)
    );
    let fix = "Use the number of a port of the Service (not of the container), or add the port.";
    let finding = missing(if only { Certain } else { Likely }, rules, destination, what, fix);
    Some(finding.with_all(services.iter().map(|service| &service.origin)))
}

/// A subset that no DestinationRule of the host defines.
fn subset(mesh: &Mesh, rules: &VirtualService, destination: &Destination) -> Option<Finding> {
    let subset = destination.subset.as_deref()?;
    let covering = || mesh.rules_covering(&destination.host);
    if covering().any(|rule| rule.subsets.iter().any(|own| own.name == subset)) {
        return None;
    }
    let own = covering().find(|rule| rule.host == destination.host);
    let confidence = match own {
        _ if mesh.has_all_destination_rules() => Certain,
        Some(_) => Likely,
        None => return None,
    };
    let what = format!(
        "No DestinationRule for {} defines the subset {subset}: {}.",
        destination.host,
        consequence(rules, destination),
    );
    let fix = format!("Add the subset {subset} to the DestinationRule of the host, or correct the name.");
    let finding = missing(confidence, rules, destination, what, &fix);
    Some(finding.with_all(own.map(|rule| &rule.origin)))
}

/// A destination of copies: where it doesn't exist, requests succeed and no copy arrives.
fn mirrored(mesh: &Mesh, rules: &VirtualService, mirror: &Destination) -> Option<Finding> {
    let finding = host(mesh, rules, mirror)
        .or_else(|| port(mesh, rules, mirror))
        .or_else(|| subset(mesh, rules, mirror))?;
    let what = finding.what.rsplit_once(": ").map_or(finding.what.as_str(), |(what, _)| what);
    let what = format!("{what}: requests go on, and nothing is mirrored.");
    Some(Finding { confidence: finding.confidence.min(Likely), what, ..finding })
}

/// What the client gets: only HTTP has an answer for it.
fn consequence(rules: &VirtualService, destination: &Destination) -> &'static str {
    let mut http = rules.http.iter().flat_map(|route| &route.destinations);
    if http.any(|own| std::ptr::eq(own, destination)) {
        "requests get 503 (NC)"
    } else {
        "connections are closed without an answer"
    }
}

fn missing(
    confidence: Confidence,
    rules: &VirtualService,
    destination: &Destination,
    what: String,
    fix: &str,
) -> Finding {
    Finding::new(Cause::ClusterMissing, confidence, &rules.origin, destination.line, what, fix.to_owned())
}
