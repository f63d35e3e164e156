//! Services and subsets that select no pod.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{
    DestinationRule, Port, Service, ServiceKind, Subset, Target, Workload, label_list, selects,
};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let in_kubernetes = mesh.services.iter().filter(|service| service.kind == ServiceKind::Kubernetes);
    let mut findings = Vec::new();
    for service in in_kubernetes.filter(|service| !service.selector.is_empty()) {
        match mesh.pods_behind(service).next() {
            Some(_) => {
                findings.extend(subsets(mesh, service));
                findings.extend(named_port(mesh, service));
            }
            None => findings.extend(selector(mesh, service)),
        }
    }
    findings
}

fn neighbours<'mesh>(mesh: &'mesh Mesh, service: &'mesh Service) -> impl Iterator<Item = &'mesh Workload> {
    mesh.workloads_in(&service.origin.namespace)
}

/// A selector that no pod's labels fit.
fn selector(mesh: &Mesh, service: &Service) -> Option<Finding> {
    let namesake = neighbours(mesh, service).find(|workload| workload.origin.name == service.origin.name);
    let confidence = match namesake {
        _ if mesh.has_all_pods(&service.origin.namespace) && neighbours(mesh, service).next().is_some() => {
            Certain
        }
        Some(_) => Possible,
        None => return None,
    };
    let there = namesake
        .map(|workload| format!("; those of {} have {}", workload.origin.id(), label_list(&workload.labels)));
    let what = format!(
        "No pod has the labels that the Service selects ({}){}: it has no endpoints, and requests get 503 (UH).",
        label_list(&service.selector),
        there.unwrap_or_default(),
    );
    let fix = "Make the Service's selector and the labels of the pods agree.";
    let line = service.origin.line;
    let finding = Finding::new(Cause::NoEndpoints, confidence, &service.origin, line, what, fix.to_owned());
    Some(finding.with_all(namesake.map(|workload| &workload.origin)))
}

/// Subsets whose labels none of the service's pods has.
fn subsets(mesh: &Mesh, service: &Service) -> Vec<Finding> {
    let rules = mesh.rules_covering(service.name()).filter(|rule| rule.host == service.name());
    let empty =
        rules.flat_map(|rule| rule.subsets.iter().map(move |subset| (rule, subset))).filter(|(_, subset)| {
            !subset.labels.is_empty()
                && !mesh.pods_behind(service).any(|workload| selects(&subset.labels, &workload.labels))
        });
    let is_used = |name: &str| mesh.is_sent_to(service.name(), name);
    let finding = |(rule, subset): (&DestinationRule, &Subset)| {
        // One that is deployed later, or scaled to none, is common where nothing is sent to it yet.
        let confidence = if is_used(&subset.name) { Likely } else { Possible };
        let what = format!(
            "No pod of {} has the labels of the subset {} ({}): it has no endpoints, and requests sent to it get 503 (UH).",
            service.name(),
            subset.name,
            label_list(&subset.labels),
        );
        let fix = "Correct the subset's `labels`, or label the pods.";
        let found =
            Finding::new(Cause::NoEndpoints, confidence, &rule.origin, subset.line, what, fix.to_owned());
        found.with(&service.origin).with_all(mesh.pods_behind(service).map(|workload| &workload.origin))
    };
    empty.map(finding).collect()
}

/// A `targetPort` by a name that no container of the pods has.
fn named_port(mesh: &Mesh, service: &Service) -> Option<Finding> {
    let unknown = |port: &&Port| match &port.target {
        Target::Name(name) => {
            mesh.pods_behind(service).all(|pod| pod.ports.iter().all(|(own, _)| own != name))
        }
        Target::Number(_) => false,
    };
    let port = service.ports.iter().find(unknown)?;
    let Target::Name(name) = &port.target else { return None };
    let what = format!(
        "Port {} has the `targetPort` {name}, and no container of the Service's pods has a port of that name: it has no endpoints, and \
         requests get 503 (UH).",
        port.number,
    );
    let fix = format!("Name the container's port {name}, or write its number as `targetPort`.");
    let finding = Finding::new(Cause::NoEndpoints, Likely, &service.origin, port.line, what, fix);
    Some(finding.with_all(mesh.pods_behind(service).take(4).map(|pod| &pod.origin)))
}
