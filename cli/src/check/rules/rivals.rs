//! Two VirtualServices for one host, of which clients get only one.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{MESH, Match, VirtualService, applies};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, rules) in mesh.virtual_services.iter().enumerate() {
        let earlier = mesh.virtual_services.get(..number).unwrap_or_default();
        findings.extend(earlier.iter().find_map(|other| in_the_mesh(rules, other)));
        findings.extend(earlier.iter().find_map(|other| at_a_gateway(rules, other)));
    }
    findings
}

/// The host, as it is written, that both have.
fn common<'mesh>(
    rules: &'mesh VirtualService,
    other: &VirtualService,
) -> Option<&'mesh crate::check::model::Host> {
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
fn at_a_gateway(rules: &VirtualService, other: &VirtualService) -> Option<Finding> {
    let host = common(rules, other)?;
    let shared =
        rules.gateways.iter().find(|reference| reference.name != MESH && other.bound_to(&reference.name))?;
    let takes_all = |one: &VirtualService| {
        one.http.iter().any(|route| {
            let unconditional = |one: &Match| !one.conditional && one.port.is_none();
            applies(&route.matches, &shared.name, None)
                && (route.matches.is_empty() || route.matches.iter().any(unconditional))
        })
    };
    let (hiding, hidden) = match (takes_all(rules), takes_all(other)) {
        _ if rules.http.is_empty() || other.http.is_empty() => return None,
        (true, true) => (other, rules),
        (true, false) => (rules, other),
        (false, true) => (other, rules),
        (false, false) => return None,
    };
    let what = format!(
        "{} and {} have rules for {} at the gateway {}, which merges them in no defined order: those of {} take every request, \
         and where they come first, the others are never reached.",
        rules.origin.id(),
        other.origin.id(),
        host.written,
        shared.name,
        hiding.origin.id(),
    );
    let fix = "Put all rules for a host at a gateway into one VirtualService, the one that takes everything last; or use `delegate`.";
    let (cause, place) = (Cause::VirtualServiceNotApplied, host.line);
    let line = if std::ptr::eq(hidden, rules) { place } else { hidden.origin.line };
    Some(Finding::new(cause, Possible, &hidden.origin, line, what, fix.to_owned()).with(&hiding.origin))
}
