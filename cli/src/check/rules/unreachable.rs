//! Rules of a VirtualService that no request can meet.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{HttpRoute, MESH, Match, VirtualService, applies};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rules in &mesh.virtual_services {
        findings.extend(never_applied(mesh, rules));
        findings.extend(shadowed(rules));
        findings.extend(delegates(mesh, rules));
    }
    findings
}

/// Rules whose every match names a gateway that the VirtualService isn't bound to, or a port that none of its Gateways has.
fn never_applied(mesh: &Mesh, rules: &VirtualService) -> Option<Finding> {
    // A delegate has no hosts, and its matches are for the gateways of those that name it.
    if rules.hosts.is_empty() {
        return None;
    }
    let mut dead =
        rules.http.iter().filter_map(|route| Some((route, dead_end(mesh, rules, route)?))).peekable();
    let (_, (first, why)) = dead.peek()?;
    let (line, why) = (first.line, why.clone());
    let all = dead.count() == rules.http.len() && rules.tls.is_empty() && rules.tcp.is_empty();
    let (cause, confidence, consequence) = if all {
        (Cause::RouteHostUnknown, Certain, "no rule is left, and requests for its hosts get 404")
    } else {
        (Cause::VirtualServiceNotApplied, Likely, "the rule is never applied")
    };
    let what = format!("The match {why}: {consequence}.");
    let fix = "List the gateway in `gateways` of the VirtualService as well, or correct the name or port in `match`.";
    Some(Finding::new(cause, confidence, &rules.origin, line, what, fix.to_owned()))
}

/// Why no match of a rule holds anywhere, and the first of them.
fn dead_end<'mesh>(
    mesh: &Mesh,
    rules: &VirtualService,
    route: &'mesh HttpRoute,
) -> Option<(&'mesh Match, String)> {
    let reasons: Vec<_> = route.matches.iter().map(|one| dead(mesh, rules, one)).collect();
    let first = route.matches.first()?;
    let reason = reasons.first().cloned().flatten()?;
    reasons.iter().all(Option::is_some).then_some((first, reason))
}

fn dead(mesh: &Mesh, rules: &VirtualService, one: &Match) -> Option<String> {
    if !one.gateways.is_empty() && !one.gateways.iter().any(|name| rules.bound_to(name)) {
        let names = one.gateways.join(", ");
        return Some(format!(
            "is for gateway {names}, which is not among the VirtualService's own `gateways`"
        ));
    }
    let port = one.port?;
    let here = |name: &&str| one.gateways.is_empty() || one.gateways.iter().any(|own| own == name);
    let bound = rules.gateways.iter().map(|reference| reference.name.as_str()).filter(here);
    let servers = bound.map(|name| Some(&mesh.gateway(name)?.servers)).collect::<Option<Vec<_>>>()?;
    let ports: Vec<_> = servers.into_iter().flatten().map(|server| server.port).collect();
    (!ports.is_empty() && !ports.contains(&port)).then(|| {
        let have = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        format!("is for port {port}, which none of its Gateways' servers has (ports: {have})")
    })
}

/// Rules behind one that takes every request.
fn shadowed(rules: &VirtualService) -> Option<Finding> {
    let takes_all = |route: &HttpRoute| {
        let everywhere = |one: &Match| !one.conditional && one.gateways.is_empty() && one.port.is_none();
        // What no rule of a delegate matches goes on to the next rule.
        route.delegate.is_none() && (route.matches.is_empty() || route.matches.iter().any(everywhere))
    };
    let place = rules.http.iter().position(takes_all)?;
    let (catching, next) = (rules.http.get(place)?, rules.http.get(place + 1)?);
    let count = rules.http.len() - place - 1;
    let (are, them) = if count == 1 { ("rule behind it is", "it") } else { ("rules behind it are", "them") };
    let what = format!(
        "The rule at line {} takes every request, so the {count} {are} never reached: requests meant for {them} go where that \
         one sends them.",
        catching.line,
    );
    let fix = "Put the rule that takes everything last; the first rule that matches wins.";
    Some(Finding::new(
        Cause::VirtualServiceNotApplied,
        Certain,
        &rules.origin,
        next.line,
        what,
        fix.to_owned(),
    ))
}

/// Delegates that don't exist. Without its delegate a rule is dropped.
fn delegates(mesh: &Mesh, rules: &VirtualService) -> Vec<Finding> {
    let missing = |route: &HttpRoute| {
        let reference = route.delegate.as_ref()?;
        let (namespace, name) = reference.name.split_once('/')?;
        let named = || mesh.virtual_services_called(name);
        if named().any(|other| other.origin.namespace == namespace) {
            return None;
        }
        let namesake = named().next();
        let confidence = match namesake {
            _ if mesh.has_all_virtual_services() => Certain,
            Some(_) => Likely,
            None => return None,
        };
        let there = namesake.map(|other| format!("; {} does", other.origin.id())).unwrap_or_default();
        let what = format!(
            "The delegate VirtualService {name} doesn't exist in namespace {namespace}{there}: the rule is dropped, and requests \
             that it matches find no route."
        );
        let fix = "Correct the delegate's name, or give its `namespace`.";
        let finding = Finding::new(
            Cause::RouteNoMatch,
            confidence,
            &rules.origin,
            reference.line,
            what,
            fix.to_owned(),
        );
        Some(finding.with_all(namesake.map(|other| &other.origin)))
    };
    let somewhere = |route: &&HttpRoute| {
        rules.gateways.iter().any(|reference| applies(&route.matches, &reference.name, None))
            || rules.bound_to(MESH)
    };
    rules.http.iter().filter(somewhere).filter_map(missing).collect()
}
