//! Routes of the Gateway API that no listener takes or that lead nowhere, and certificates that may not be read.

use std::collections::{BTreeMap, HashMap};

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Certain, Likely, Possible};

use crate::check::finding::Finding;
use crate::check::host::{overlap, service};
use crate::check::mesh::Mesh;
use crate::check::model::{ApiGateway, ApiRoute, Listener, Namespaces, Reference, port_list, selects};

/// What Kubernetes itself labels each namespace with.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut by_name: HashMap<&str, Vec<&ApiGateway>> = HashMap::new();
    for gateway in &mesh.api_gateways {
        by_name.entry(&gateway.origin.name).or_default().push(gateway);
    }
    let mut findings = Vec::new();
    for route in &mesh.api_routes {
        for parent in route.parents.iter().filter(|parent| parent.is_gateway()) {
            let named = by_name.get(parent.name.as_str()).map_or(&[][..], Vec::as_slice);
            findings.extend(unattached(mesh, route, parent, named));
        }
        for backend in route.backends.iter().filter(|backend| backend.is_service()) {
            findings
                .extend(backend_missing(mesh, route, backend).or_else(|| not_granted(mesh, route, backend)));
        }
    }
    for gateway in &mesh.api_gateways {
        findings.extend(certificates_elsewhere(mesh, gateway));
        findings.extend(shared_certificates(gateway));
    }
    findings
}

/// What clients of a route's hosts meet where the route isn't there.
fn absent(route: &ApiRoute) -> Cause {
    if route.is_http() { Cause::RouteHostUnknown } else { Cause::NoFilterChainForSni }
}

/// A parent that doesn't exist, or none of whose listeners takes the route.
fn unattached(mesh: &Mesh, route: &ApiRoute, parent: &Reference, named: &[&ApiGateway]) -> Option<Finding> {
    let origin = &route.origin;
    let Some(gateway) = named.iter().find(|gateway| gateway.origin.namespace == parent.namespace) else {
        let namesake = named.first();
        let confidence = match namesake {
            _ if mesh.has_everything() => Certain,
            Some(_) => Likely,
            None => return None,
        };
        let there = namesake.map(|gateway| format!("; {} does", gateway.origin.id())).unwrap_or_default();
        let what = format!(
            "The Gateway {} doesn't exist in namespace {}{there}: the route is attached to nothing.",
            parent.name, parent.namespace,
        );
        let fix = "Give the parentRef the `namespace` of its Gateway.";
        let finding = Finding::new(absent(route), confidence, origin, parent.line, what, fix.to_owned());
        return Some(finding.with_all(namesake.map(|gateway| &gateway.origin)));
    };
    if gateway.listeners.is_empty() || gateway.is_remote {
        return None;
    }
    let (why, line, fix) = refusal(mesh, route, parent, gateway)?;
    let cause = unattached_cause(route, parent, gateway);
    let consequence = match cause {
        Cause::NoFilterChainForSni => {
            "connections for its hosts are refused there, or closed without an answer"
        }
        _ => "requests for its hosts get 404 there",
    };
    let what = format!(
        "No listener of {} takes the route: {why}. It has no effect, and {consequence}.",
        gateway.origin.id()
    );
    // A label that only the cluster has is easily forgotten in YAML.
    let unlabelled = gateway.listeners.iter().any(|one| lacks_label(mesh, one, route));
    let confidence = if unlabelled && !mesh.has_everything() { Likely } else { Certain };
    Some(Finding::new(cause, confidence, origin, line, what, fix.to_owned()).with(&gateway.origin))
}

/// Whether a route's namespace doesn't have a label, of any value, that a listener asks for.
fn lacks_label(mesh: &Mesh, listener: &Listener, route: &ApiRoute) -> bool {
    let Namespaces::Labelled(selector) = &listener.allowed else { return false };
    let own = mesh.namespaces.get(&route.origin.namespace);
    own.is_some_and(|own| selector.keys().any(|key| key != NAME_LABEL && !own.contains_key(key)))
}

/// What clients meet, by what the listeners that are meant do with TLS and HTTP.
fn unattached_cause(route: &ApiRoute, parent: &Reference, gateway: &ApiGateway) -> Cause {
    let meant = gateway
        .listeners
        .iter()
        .filter(|one| parent.section.as_ref().is_none_or(|section| one.name == *section));
    let reads_http: Vec<bool> = meant.map(|one| matches!(one.protocol.as_str(), "HTTP" | "HTTPS")).collect();
    match route.is_http() {
        true if reads_http.is_empty() || reads_http.contains(&true) => Cause::RouteHostUnknown,
        false if !reads_http.is_empty() && !reads_http.contains(&false) => Cause::GatewayWithoutHttpRoutes,
        _ => Cause::NoFilterChainForSni,
    }
}

/// Why no listener takes a route: what the last of them failed of.
fn refusal(
    mesh: &Mesh,
    route: &ApiRoute,
    parent: &Reference,
    gateway: &ApiGateway,
) -> Option<(String, usize, &'static str)> {
    let meant: Vec<&Listener> = gateway
        .listeners
        .iter()
        .filter(|one| parent.section.as_ref().is_none_or(|section| one.name == *section))
        .filter(|one| parent.port.is_none_or(|port| one.port == port))
        .collect();
    if meant.is_empty() {
        let have = gateway.listeners.iter().map(|one| format!("{} {}", one.name, one.port));
        let have = have.collect::<Vec<_>>().join(", ");
        let why = format!("the parentRef's sectionName or port is none of its listeners' ({have})");
        return Some((why, parent.line, "Correct `sectionName` or `port` of the parentRef."));
    }
    let allowed: Vec<_> = meant.into_iter().filter(|one| allows(mesh, one, gateway, route)).collect();
    if allowed.is_empty() {
        let namespace = &route.origin.namespace;
        let why = format!("`allowedRoutes` takes none from namespace {namespace}");
        let fix = "Set `allowedRoutes.namespaces` of the listener (`from: All`, or a selector); without it only the Gateway's own \
                   namespace may attach routes.";
        return Some((why, parent.line, fix));
    }
    let kind = route.origin.kind.as_str();
    let fitting: Vec<_> = allowed.into_iter().filter(|one| one.takes(kind)).collect();
    if fitting.is_empty() {
        let why = format!("by their protocol or `allowedRoutes.kinds`, they take no {kind}");
        let fix =
            "Attach an HTTPRoute to a listener of protocol HTTP or HTTPS, a TLSRoute to one of protocol TLS.";
        return Some((why, parent.line, fix));
    }
    let meets = |listener: &&Listener| {
        let Some(own) = &listener.hostname else { return true };
        route.hostnames.is_empty() || route.hostnames.iter().any(|(host, _)| overlap(own, host))
    };
    if fitting.iter().any(&meets) {
        return None;
    }
    let own =
        fitting.iter().filter_map(|listener| listener.hostname.as_deref()).collect::<Vec<_>>().join(", ");
    let hosts = route.hostnames.iter().map(|(host, _)| host.as_str()).collect::<Vec<_>>().join(", ");
    let line = route.hostnames.first().map_or(parent.line, |(_, line)| *line);
    let why = format!("the route's hostnames ({hosts}) and theirs ({own}) have none in common");
    Some((why, line, "Make the route's `hostnames` and the listener's `hostname` overlap."))
}

/// Whether a listener takes routes of a namespace, as far as is known.
fn allows(mesh: &Mesh, listener: &Listener, gateway: &ApiGateway, route: &ApiRoute) -> bool {
    match &listener.allowed {
        Namespaces::All | Namespaces::Unknown => true,
        Namespaces::Same => gateway.origin.namespace == route.origin.namespace,
        Namespaces::Labelled(selector) => mesh.namespaces.get(&route.origin.namespace).is_none_or(|own| {
            let mut own = own.clone();
            own.insert(NAME_LABEL.to_owned(), route.origin.namespace.clone());
            selects(selector, &own)
        }),
    }
}

/// A Service that doesn't exist, or a port that it doesn't have.
fn backend_missing(mesh: &Mesh, route: &ApiRoute, backend: &Reference) -> Option<Finding> {
    let full = service(&backend.name.to_ascii_lowercase(), &backend.namespace);
    let known: Vec<_> = mesh.services_named(&full).collect();
    let lost = "requests of the rule get 500 (HTTP), or the connection is closed";
    let Some(port) = backend.port.filter(|_| !known.is_empty()) else {
        let namesake = mesh.services_called(&backend.name).next();
        let confidence = match namesake {
            _ if !known.is_empty() => return None,
            _ if mesh.has_everything() => Certain,
            _ if mesh.has_all_services() => Likely,
            // Its own namespace may have one that was not given.
            Some(_) => Possible,
            None => return None,
        };
        let there = namesake.map(|one| format!("; there is {}", one.origin.id())).unwrap_or_default();
        let what = format!(
            "There is no Service {} in namespace {}{there}: {lost}.",
            backend.name, backend.namespace
        );
        let fix = "Correct the backendRef's `name`, or give the `namespace` of the Service.";
        let finding = Finding::new(
            Cause::ClusterMissing,
            confidence,
            &route.origin,
            backend.line,
            what,
            fix.to_owned(),
        );
        return Some(finding.with_all(namesake.map(|one| &one.origin)));
    };
    let ports = || known.iter().flat_map(|one| &one.ports);
    if ports().next().is_none() || ports().any(|own| own.number == port) {
        return None;
    }
    let have = port_list(ports());
    let what = format!(
        "The Service {}/{} has no port {port} (ports: {have}): {lost}.",
        backend.namespace, backend.name
    );
    let fix = "Use the number of a port of the Service, not of the container.";
    let finding =
        Finding::new(Cause::ClusterMissing, Certain, &route.origin, backend.line, what, fix.to_owned());
    Some(finding.with_all(known.iter().map(|one| &one.origin)))
}

/// A Service of another namespace, which no ReferenceGrant there lets the route refer to.
fn not_granted(mesh: &Mesh, route: &ApiRoute, backend: &Reference) -> Option<Finding> {
    let own = &route.origin.namespace;
    // For clients of the mesh (GAMMA) istiod asks for none (1.31).
    let at_gateway = route.parents.iter().any(Reference::is_gateway);
    let confidence = ungranted(mesh, &route.origin.kind, own, backend).filter(|_| at_gateway)?;
    let what = format!(
        "The backend {} is in namespace {}, and no ReferenceGrant there allows a {} of {own} to refer to it: requests of the rule \
         get 500.",
        backend.name, backend.namespace, route.origin.kind,
    );
    let fix = grant(&route.origin.kind, own, "Service", &backend.namespace);
    Some(Finding::new(Cause::ClusterMissing, confidence, &route.origin, backend.line, what, fix))
}

/// How sure it is that no ReferenceGrant allows a resource of a kind and namespace to refer to one of another namespace: all were given
/// where some resources of that namespace were. `None` where one does, or none is asked for.
fn ungranted(mesh: &Mesh, kind: &str, own: &str, target: &Reference) -> Option<Confidence> {
    let namespace = &target.namespace;
    if namespace == own || mesh.grants.iter().any(|grant| grant.allows(kind, own, target)) {
        return None;
    }
    let known = || {
        mesh.services_in(namespace, None).next().is_some()
            || mesh.grants.iter().any(|grant| grant.namespace == *namespace)
            || mesh.secrets.values().flatten().any(|own| own == namespace)
    };
    Some(match mesh.has_everything() {
        true => Certain,
        false if known() => Likely,
        false => Possible,
    })
}

fn grant(kind: &str, from: &str, to: &str, namespace: &str) -> String {
    format!("Add a ReferenceGrant to namespace {namespace}: from {kind} in {from}, to {to}.")
}

/// Certificates of another namespace, which no ReferenceGrant there lets the Gateway refer to.
fn certificates_elsewhere(mesh: &Mesh, gateway: &ApiGateway) -> Vec<Finding> {
    let own = &gateway.origin.namespace;
    let missing = |listener: &Listener, secret: &Reference| {
        let confidence = ungranted(mesh, "Gateway", own, secret)?;
        let what = format!(
            "The certificate {} of listener {} is in namespace {}, and no ReferenceGrant there allows a Gateway of {own} to \
             refer to it: the listener isn't programmed, and connections to port {} are refused or closed without an answer.",
            secret.name, listener.name, secret.namespace, listener.port,
        );
        let fix = grant("Gateway", own, "Secret", &secret.namespace);
        let cause = Cause::NoFilterChainForSni;
        Some(Finding::new(cause, confidence, &gateway.origin, secret.line, what, fix))
    };
    let named = gateway
        .listeners
        .iter()
        .flat_map(|listener| listener.certificates.iter().map(move |secret| (listener, secret)));
    named.filter_map(|(listener, secret)| missing(listener, secret)).collect()
}

/// One certificate for several hosts' listeners on a port: browsers reuse a connection across them.
fn shared_certificates(gateway: &ApiGateway) -> Vec<Finding> {
    let mut sharing: BTreeMap<(u16, &str, &str), Vec<&Listener>> = BTreeMap::new();
    for listener in gateway.listeners.iter().filter(|one| one.protocol == "HTTPS" && one.terminates) {
        for secret in &listener.certificates {
            sharing.entry((listener.port, &secret.namespace, &secret.name)).or_default().push(listener);
        }
    }
    let shared = |((port, _, name), listeners): (&(u16, &str, &str), &Vec<&Listener>)| {
        let hosts: Vec<_> = listeners.iter().filter_map(|one| one.hostname.as_deref()).collect();
        let last = listeners.last()?;
        let differ = hosts.len() > 1 && hosts.iter().any(|host| Some(host) != hosts.first());
        differ.then(|| {
            let what = format!(
                "{} listeners on port {port} share the certificate {name} and serve different hosts ({}): a browser that has a \
                 connection for one of them reuses it for another, and gets 404 there.",
                listeners.len(),
                hosts.join(", "),
            );
            let fix = "Serve all hosts of the certificate from one listener with a wildcard hostname; or give each host a certificate \
                       of its own.";
            let cause = Cause::ConnectionReusedAcrossGateways;
            Finding::new(cause, Likely, &gateway.origin, last.line, what, fix.to_owned())
        })
    };
    sharing.iter().filter_map(shared).collect()
}
