//! Rules for a service that requests through a gateway never meet.

use std::collections::BTreeSet;

use crate::catalogue::Cause;
use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{HttpRoute, MESH, VirtualService, applies};
use crate::diagnosis::Confidence::{self, Likely, Possible};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for outside in
        mesh.virtual_services.iter().filter(|service| service.gateways.iter().any(|one| one.name != MESH))
    {
        let mut seen = BTreeSet::new();
        for route in gateway_routes(outside) {
            for destination in &route.destinations {
                if destination.subset.is_none() && seen.insert(destination.host.as_str()) {
                    findings.extend(bypassed(mesh, outside, &destination.host, destination.line));
                }
            }
        }
    }
    findings
}

/// The rules of a VirtualService that a gateway applies.
fn gateway_routes(service: &VirtualService) -> impl Iterator<Item = &HttpRoute> {
    let gateways = || service.gateways.iter().filter(|gateway| gateway.name != MESH);
    service
        .http
        .iter()
        .filter(move |route| gateways().any(|gateway| applies(&route.matches, &gateway.name, None)))
}

/// The service's own rules, which the gateway's destination passes by.
fn bypassed(mesh: &Mesh, outside: &VirtualService, host: &str, line: usize) -> Option<Finding> {
    // A gateway's VirtualService that names a subset elsewhere has thought of it.
    if gateway_routes(outside)
        .flat_map(|route| &route.destinations)
        .any(|one| one.host == host && one.subset.is_some())
    {
        return None;
    }
    // For the service's own name, this is the gateway's part of a path that leads through it, as at
    // an egress gateway, or one VirtualService for both.
    if outside.hosts.iter().any(|own| own.full == host) {
        return None;
    }
    let inside = mesh.virtual_services.iter().find(|service| {
        service.in_mesh()
            && service.origin != outside.origin
            && service.hosts.iter().any(|own| own.full == host)
    })?;
    let (confidence, rules) = what_is_lost(mesh, inside, host)?;
    let what = format!(
        "Requests through the gateway for {} go to {host} without the {rules} of {}: that one holds only inside the mesh.",
        outside.hosts.iter().map(|host| host.written.as_str()).collect::<Vec<_>>().join(", "),
        inside.origin.id(),
    );
    let fix = "Repeat the rule (the `subset`) in the VirtualService of the gateway; or combine both into one with `mesh` and \
               the gateway in `gateways` and both hosts (not `*`).";
    let cause = Cause::GatewayIgnoresMeshRoutes;
    Some(Finding::new(cause, confidence, &outside.origin, line, what, fix.to_owned()).with(&inside.origin))
}

/// What the rules for the mesh do beyond sending everything to the service.
fn what_is_lost(mesh: &Mesh, inside: &VirtualService, host: &str) -> Option<(Confidence, &'static str)> {
    let routes: Vec<_> = inside.http.iter().filter(|route| applies(&route.matches, MESH, None)).collect();
    let destinations = || routes.iter().flat_map(|route| &route.destinations);
    let subsets: BTreeSet<_> =
        destinations().filter(|one| one.host == host).filter_map(|one| one.subset.as_deref()).collect();
    if !subsets.is_empty() {
        let mut defined = mesh
            .destination_rules
            .iter()
            .filter(|rule| rule.host == host)
            .flat_map(|rule| &rule.subsets)
            .peekable();
        // Where the rules use every subset there is, nothing may be gained by them.
        let all = defined.peek().is_some() && defined.all(|subset| subsets.contains(subset.name.as_str()));
        let pinned = subsets.len() == 1 && all;
        return Some((if pinned { Possible } else { Likely }, "subsets"));
    }
    if destinations().any(|one| one.host != host) {
        return Some((Possible, "routes"));
    }
    let shaped = routes.iter().any(|route| route.shapes);
    shaped.then_some((Possible, "settings (timeouts, retries, faults, ...)"))
}
