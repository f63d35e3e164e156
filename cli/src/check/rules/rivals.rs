//! Two VirtualServices for one host, of which clients get only one.

use std::collections::HashMap;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{Host, MESH, Match, VirtualService, applies};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Of those at a gateway, the first that takes everything and the first that doesn't.
    let mut at_gateways: HashMap<(&str, &str, bool), &VirtualService> = HashMap::new();
    for rules in &mesh.virtual_services {
        let inside = rules.hosts.iter().find_map(|host| {
            let mut same_host = mesh.virtual_services_for(&host.full);
            same_host
                .by_ref()
                .take_while(|other| !std::ptr::eq(*other, rules))
                .find_map(|other| in_the_mesh(rules, other))
        });
        findings.extend(inside);
        findings.extend(at_a_gateway(rules, &mut at_gateways));
    }
    findings
}

/// The host, as it is written, that both have.
fn common<'mesh>(rules: &'mesh VirtualService, other: &VirtualService) -> Option<&'mesh Host> {
    rules.hosts.iter().find(|host| other.hosts.iter().any(|own| own.full == host.full))
}

/// Sidecars take the rules of one for a host and leave out those of all others.
fn in_the_mesh(rules: &VirtualService, other: &VirtualService) -> Option<Finding> {
    let routes = |one: &VirtualService| one.http.iter().any(|route| applies(&route.matches, MESH, None));
    let apart = |one: &VirtualService, two: &VirtualService| {
        one.origin.namespace != two.origin.namespace
            && !one.export_to.is_everybody()
            && !one.export_to.includes(&two.origin.namespace, &one.origin.namespace)
    };
    let both = rules.in_mesh() && other.in_mesh() && routes(rules) && routes(other);
    if !both || apart(rules, other) || apart(other, rules) {
        return None;
    }
    let host = common(rules, other)?;
    let what = format!(
        "{} has rules for {} as well: sidecars apply those of the older VirtualService and leave out the other's.",
        other.origin.id(),
        host.written,
    );
    let fix = "Put all rules for a host into one VirtualService; or use `delegate`, or limit each to its clients by `exportTo`.";
    let cause = Cause::VirtualServiceNotApplied;
    Some(Finding::new(cause, Likely, &rules.origin, host.line, what, fix.to_owned()).with(&other.origin))
}

/// Gateways merge the rules of both, in an order that isn't defined: one that takes everything hides the other's.
fn at_a_gateway<'mesh>(
    rules: &'mesh VirtualService,
    known: &mut HashMap<(&'mesh str, &'mesh str, bool), &'mesh VirtualService>,
) -> Option<Finding> {
    let mut found = None;
    for gateway in rules.gateways.iter().filter(|reference| reference.name != MESH) {
        if !rules.http.iter().any(|route| applies(&route.matches, &gateway.name, None)) {
            continue;
        }
        let catching = takes_all(rules, &gateway.name);
        for host in &rules.hosts {
            let of = |catching| (gateway.name.as_str(), host.full.as_str(), catching);
            let other = known.get(&of(true)).or_else(|| known.get(&of(false)).filter(|_| catching)).copied();
            if let Some(other) = other.filter(|_| found.is_none()) {
                let (hiding, hidden) =
                    if takes_all(other, &gateway.name) { (other, rules) } else { (rules, other) };
                found = Some(merged(&gateway.name, host, hiding, hidden));
            }
            known.entry(of(catching)).or_insert(rules);
        }
    }
    found
}

fn takes_all(rules: &VirtualService, gateway: &str) -> bool {
    let unconditional = |one: &Match| {
        let here = one.gateways.is_empty() || one.gateways.iter().any(|name| name == gateway);
        here && !one.conditional && one.port.is_none()
    };
    rules.http.iter().any(|route| {
        route.delegate.is_none() && (route.matches.is_empty() || route.matches.iter().any(unconditional))
    })
}

fn merged(gateway: &str, host: &Host, hiding: &VirtualService, hidden: &VirtualService) -> Finding {
    let what = format!(
        "{} has rules for {} at the gateway {gateway} as well, which merges them in no defined order: they take every request, \
         and where they come first, these are never reached.",
        hiding.origin.id(),
        host.written,
    );
    let fix = "Put all rules for a host at a gateway into one VirtualService, the one that takes everything last; or use `delegate`.";
    let line =
        hidden.hosts.iter().find(|own| own.full == host.full).map_or(hidden.origin.line, |own| own.line);
    let cause = Cause::VirtualServiceNotApplied;
    Finding::new(cause, Possible, &hidden.origin, line, what, fix.to_owned()).with(&hiding.origin)
}
