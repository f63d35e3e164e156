//! Resources that the proxies they are meant for don't see.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};

use crate::check::finding::Finding;
use crate::check::host::{covers, service_parts};
use crate::check::mesh::Mesh;
use crate::check::model::{Destination, DestinationRule, Gateway, Host, MESH, ServiceKind, VirtualService};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rules in &mesh.virtual_services {
        findings.extend(without_gateway(mesh, rules));
        findings.extend(kept_from_gateway(mesh, rules));
        findings.extend(hidden_by_sidecar(mesh, rules));
        let mut subsets = rules.destinations().filter(|destination| destination.subset.is_some());
        findings.extend(subsets.find_map(|destination| rule_elsewhere(mesh, rules, destination)));
    }
    findings
}

/// A host that a Gateway serves, in a VirtualService that names no gateway: only sidecars apply it.
fn without_gateway(mesh: &Mesh, rules: &VirtualService) -> Option<Finding> {
    if !rules.in_mesh_only() || rules.http.is_empty() {
        return None;
    }
    let is_outside = |host: &&Host| {
        host.full.contains('.')
            && service_parts(&host.full).is_none()
            && mesh.services_named(&host.full).next().is_none()
    };
    let serves = |gateway: &&Gateway, host: &Host| {
        let own = gateway.servers.iter().flat_map(|server| &server.hosts);
        own.into_iter().any(|(_, pattern)| pattern != "*" && covers(pattern, &host.full))
    };
    let routed = |gateway: &Gateway, host: &Host| {
        mesh.bound_to(gateway).any(|other| other.hosts.iter().any(|own| covers(&own.full, &host.full)))
    };
    let (host, gateway) = rules.hosts.iter().filter(is_outside).find_map(|host| {
        let gateway = mesh.gateways_serving(&host.full).find(|gateway| serves(gateway, host))?;
        (!routed(gateway, host)).then_some((host, gateway))
    })?;
    let what = format!(
        "{} serves {}, but this VirtualService has no `gateways`, so only sidecars apply it: requests through the gateway get 404.",
        gateway.origin.id(),
        host.written,
    );
    let name = gateway.name();
    let fix = format!(
        "Add `gateways: [{name}]` to the VirtualService (and `mesh`, if it is meant for sidecars, too)."
    );
    let cause = Cause::RouteHostUnknown;
    Some(Finding::new(cause, Likely, &rules.origin, host.line, what, fix).with(&gateway.origin))
}

/// A VirtualService that `exportTo` keeps from the namespace of the gateway that it is bound to.
fn kept_from_gateway(mesh: &Mesh, rules: &VirtualService) -> Option<Finding> {
    let own = &rules.origin.namespace;
    if rules.export_to.is_everybody() {
        return None;
    }
    let (gateway, pod) = mesh.gateways_of(rules).find_map(|gateway| {
        let mut pods = mesh.pods_of(gateway);
        let first = pods.next()?;
        let kept = |namespace: &str| !rules.export_to.includes(namespace, own);
        (kept(&first.origin.namespace) && pods.all(|pod| kept(&pod.origin.namespace)))
            .then_some((gateway, first))
    })?;
    let what = format!(
        "The VirtualService is bound to {}, whose pods run in namespace {}, and its `exportTo` leaves that namespace out: the \
         gateway doesn't see it, and requests for its hosts get 404.",
        gateway.origin.id(),
        pod.origin.namespace,
    );
    let fix = format!("Add {} to `exportTo`, or remove it.", pod.origin.namespace);
    let finding = Finding::new(Cause::RouteHostUnknown, Likely, &rules.origin, rules.origin.line, what, fix);
    Some(finding.with(&gateway.origin).with(&pod.origin))
}

/// A host that a Sidecar keeps from the clients of the VirtualService's own namespace.
fn hidden_by_sidecar(mesh: &Mesh, rules: &VirtualService) -> Option<Finding> {
    if !rules.in_mesh() {
        return None;
    }
    let client = &rules.origin.namespace;
    let host = rules.hosts.iter().find(|host| {
        let mut own =
            mesh.services_named(&host.full).filter(|service| service.kind == ServiceKind::Kubernetes);
        own.any(|service| service.origin.namespace == *client && !mesh.is_visible(service, client))
    })?;
    let what = format!(
        "The Sidecar of namespace {client} lists hosts in `egress`, and {} is not among them: its clients there have no route \
         for it. Requests go past the mesh without these rules, or are blocked where only registered hosts are allowed.",
        host.written,
    );
    let fix = format!("Add `./*` or `./{}` to the `hosts` of the Sidecar's `egress`.", host.full);
    let cause = Cause::TrafficBypassesMesh;
    Some(Finding::new(cause, Likely, &rules.origin, host.line, what, fix))
}

/// A subset whose DestinationRule is in a namespace in which neither this VirtualService's clients nor the service look for it.
fn rule_elsewhere(mesh: &Mesh, rules: &VirtualService, destination: &Destination) -> Option<Finding> {
    let subset = destination.subset.as_deref()?;
    let service =
        mesh.services_named(&destination.host).find(|service| service.kind == ServiceKind::Kubernetes)?;
    let defines = |rule: &&DestinationRule| rule.subsets.iter().any(|own| own.name == subset);
    let looked_up = |rule: &DestinationRule| {
        let home = rule.origin.namespace.as_str();
        let at_gateway = mesh.gateways_of(rules).flat_map(|gateway| mesh.pods_of(gateway));
        [&service.origin.namespace, &rules.origin.namespace, &mesh.config.root_namespace]
            .iter()
            .any(|own| *own == home)
            || at_gateway.into_iter().any(|pod| pod.origin.namespace == home)
    };
    let mut defining = mesh.rules_covering(&destination.host).filter(defines).peekable();
    let rule = *defining.peek()?;
    if defining.any(looked_up) {
        return None;
    }
    let clients = if rules.bound_to(MESH) { "Clients" } else { "The gateway's proxies" };
    let what = format!(
        "The subset {subset} of {} is defined by {}. {clients} look for DestinationRules in their own namespace, the service's \
         and {}, so only those in {} find it: requests of all others get 503 (NC).",
        destination.host,
        rule.origin.id(),
        mesh.config.root_namespace,
        rule.origin.namespace,
    );
    let fix = format!("Move the DestinationRule to the service's namespace, {}.", service.origin.namespace);
    // A gateway may run where the rule is.
    let confidence = if rules.bound_to(MESH) { Likely } else { Possible };
    let finding = Finding::new(Cause::ClusterMissing, confidence, &rules.origin, destination.line, what, fix);
    Some(finding.with(&rule.origin).with(&service.origin))
}
