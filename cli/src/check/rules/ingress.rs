//! Rules for a service that requests through a gateway never meet.

use std::collections::BTreeSet;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Likely, Possible};

use super::hosts::serves;
use crate::check::finding::Finding;
use crate::check::mesh::{Mesh, NamedGateway};
use crate::check::model::{Host, HttpRoute, MESH, Reads, Server, VirtualService, applies};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rules in &mesh.virtual_services {
        let outside = Outside { rules, doors: doors(mesh, rules) };
        let mut seen = BTreeSet::new();
        for route in outside.routes() {
            for destination in &route.destinations {
                if destination.subset.is_none() && seen.insert(destination.host.as_str()) {
                    findings.extend(bypassed(mesh, &outside, &destination.host, destination.line));
                }
            }
        }
    }
    findings
}

/// A VirtualService, and where gateways apply its `http` rules.
struct Outside<'mesh> {
    rules: &'mesh VirtualService,
    doors: Vec<Door<'mesh>>,
}

/// A server of a Gateway; only the Gateway's name, where it was not given.
struct Door<'mesh> {
    name: &'mesh str,
    server: Option<&'mesh Server>,
}

/// The servers that look at `http` rules for a host of a VirtualService. Behind others, and behind
/// a Gateway that doesn't exist, no request gets as far as a destination.
fn doors<'mesh>(mesh: &'mesh Mesh, rules: &'mesh VirtualService) -> Vec<Door<'mesh>> {
    let mut doors = Vec::new();
    for name in rules.gateways.iter().map(|gateway| gateway.name.as_str()).filter(|name| *name != MESH) {
        match mesh.named_gateway(name) {
            NamedGateway::Given(gateway) => {
                let reading = gateway.servers.iter().filter(|one| one.reads == Reads::Http && !one.redirects);
                doors.extend(reading.map(|server| Door { name, server: Some(server) }));
            }
            NamedGateway::NotGiven => doors.push(Door { name, server: None }),
            NamedGateway::Missing { .. } => {}
        }
    }
    doors.retain(|door| rules.hosts.iter().any(|host| door.takes(rules, host)));
    doors
}

impl Door<'_> {
    fn takes(&self, rules: &VirtualService, host: &Host) -> bool {
        self.server.is_none_or(|server| serves(server, &rules.origin.namespace, host))
    }

    fn applies(&self, route: &HttpRoute) -> bool {
        applies(&route.matches, self.name, self.server.map(|server| server.port))
    }
}

impl<'mesh> Outside<'mesh> {
    /// The rules that a gateway applies.
    fn routes(&self) -> impl Iterator<Item = &'mesh HttpRoute> {
        self.rules.http.iter().filter(|route| self.doors.iter().any(|door| door.applies(route)))
    }

    /// The hosts whose requests a gateway sends to a service.
    fn hosts_sent_to(&self, destination: &str) -> String {
        let sent = |door: &Door<'_>| {
            let mut routes = self.rules.http.iter().filter(|route| door.applies(route));
            routes.any(|route| route.destinations.iter().any(|one| one.host == destination))
        };
        let hosts = self
            .rules
            .hosts
            .iter()
            .filter(|host| self.doors.iter().any(|door| door.takes(self.rules, host) && sent(door)));
        hosts.map(|host| host.written.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The service's own rules, which the gateway's destination passes by.
fn bypassed(mesh: &Mesh, outside: &Outside<'_>, host: &str, line: usize) -> Option<Finding> {
    // A gateway's VirtualService that names a subset elsewhere has thought of it.
    if outside
        .routes()
        .flat_map(|route| &route.destinations)
        .any(|one| one.host == host && one.subset.is_some())
    {
        return None;
    }
    // For the service's own name, this is the gateway's part of a path that leads through it, as at
    // an egress gateway, or one VirtualService for both.
    if outside.rules.hosts.iter().any(|own| own.full == host) {
        return None;
    }
    let inside = mesh
        .virtual_services_for(host)
        .find(|service| service.in_mesh() && service.origin != outside.rules.origin)?;
    let (confidence, rules) = what_is_lost(mesh, inside, host)?;
    let what = format!(
        "Requests through the gateway for {} go to {host} without the {rules} of {}: that one holds only inside the mesh.",
        outside.hosts_sent_to(host),
        inside.origin.id(),
    );
    let fix = "Repeat the rule (the `subset`) in the VirtualService of the gateway; or combine both into one with `mesh` and \
               the gateway in `gateways` and both hosts (not `*`).";
    let cause = Cause::GatewayIgnoresMeshRoutes;
    Some(
        Finding::new(cause, confidence, &outside.rules.origin, line, what, fix.to_owned())
            .with(&inside.origin),
    )
}

/// What the rules for the mesh do beyond sending everything to the service.
fn what_is_lost(mesh: &Mesh, inside: &VirtualService, host: &str) -> Option<(Confidence, &'static str)> {
    let routes: Vec<_> = inside.http.iter().filter(|route| applies(&route.matches, MESH, None)).collect();
    let destinations = || routes.iter().flat_map(|route| &route.destinations);
    let subsets: BTreeSet<_> =
        destinations().filter(|one| one.host == host).filter_map(|one| one.subset.as_deref()).collect();
    if !subsets.is_empty() {
        let mut defined = mesh
            .rules_covering(host)
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
