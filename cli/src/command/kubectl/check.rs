//! `kubectl meshwhy check`.

use std::collections::BTreeSet;

use anyhow::ensure;

use super::arguments::{Check, Reach};
use crate::check::Finding;
use crate::cluster::{Kubectl, Scope};
use crate::command::check;
use crate::command::outcome::Outcome;

/// What is asked for, as far as the cluster has it: the resource, its group and kind. No Secrets: nothing here needs them.
const RESOURCES: &[(&str, &str, &str)] = &[
    ("gateways", "networking.istio.io", "Gateway"),
    ("virtualservices", "networking.istio.io", "VirtualService"),
    ("destinationrules", "networking.istio.io", "DestinationRule"),
    ("serviceentries", "networking.istio.io", "ServiceEntry"),
    ("sidecars", "networking.istio.io", "Sidecar"),
    ("peerauthentications", "security.istio.io", "PeerAuthentication"),
    ("authorizationpolicies", "security.istio.io", "AuthorizationPolicy"),
    ("gateways", "gateway.networking.k8s.io", "Gateway"),
    ("httproutes", "gateway.networking.k8s.io", "HTTPRoute"),
    ("grpcroutes", "gateway.networking.k8s.io", "GRPCRoute"),
    ("tlsroutes", "gateway.networking.k8s.io", "TLSRoute"),
    ("tcproutes", "gateway.networking.k8s.io", "TCPRoute"),
    ("referencegrants", "gateway.networking.k8s.io", "ReferenceGrant"),
    ("backendtlspolicies", "gateway.networking.k8s.io", "BackendTLSPolicy"),
    ("ingresses", "networking.k8s.io", "Ingress"),
    ("services", "", "Service"),
    ("deployments", "apps", "Deployment"),
    ("statefulsets", "apps", "StatefulSet"),
    ("daemonsets", "apps", "DaemonSet"),
    ("pods", "", "Pod"),
    (NAMESPACES, "", "Namespace"),
];

/// Not of a namespace.
const NAMESPACES: &str = "namespaces";

/// Runs it.
pub fn run(reach: &Reach, options: &Check) -> anyhow::Result<Outcome> {
    let kubectl = reach.kubectl();
    let scope = reach.scope(&kubectl, options.all_namespaces)?;
    of(&kubectl, &scope, &options.reporting, |_| true)
}

/// Checks what the cluster holds, and prints the findings that are asked for.
pub fn of(
    kubectl: &Kubectl,
    scope: &Scope,
    reporting: &check::Reporting,
    is_asked: impl Fn(&Finding) -> bool,
) -> anyhow::Result<Outcome> {
    let known = kubectl.run(&["api-resources", "-o", "name", "--verbs=list"])?;
    let known: BTreeSet<&str> = known.lines().map(str::trim).collect();
    let there = RESOURCES.iter().filter(|(resource, group, _)| {
        known.contains(full(resource, group).as_str()) && (*resource != NAMESPACES || *scope == Scope::All)
    });
    let there: Vec<_> = there.collect();
    ensure!(
        there.iter().any(|(_, group, _)| group.ends_with("istio.io") || group.starts_with("gateway.")),
        "this cluster knows neither Istio's resources nor the Gateway API's: is it the right context?"
    );
    let names: Vec<String> = there.iter().map(|(resource, group, _)| full(resource, group)).collect();
    let all = ["get", &names.join(","), "-o", "yaml"];
    let (text, refused) = kubectl.list(&[&all[..], &scope.arguments()].concat())?;
    let mut texts = vec![text];
    refused.iter().for_each(|line| warn!("meshwhy: not checked: {line}"));
    let may = |resource: &str, group: &str| {
        let words = format!("cannot list resource \"{resource}\" in API group \"{group}\"");
        !refused.iter().any(|line| line.contains(&words))
    };
    let kinds = there.iter().filter(|(resource, group, _)| may(resource, group));
    let kinds: Vec<_> = kinds.map(|(_, group, kind)| (*group, *kind)).collect();
    // Had one been refused in other words, it would be taken for one that doesn't exist.
    let is_all = *scope == Scope::All && kinds.len() + refused.len() == there.len();
    let all_of = if is_all { kinds.as_slice() } else { &[] };
    if let Scope::Namespace(name) = scope {
        texts.extend(kubectl.run(&["get", "namespace", name, "-o", "yaml"]));
    }
    // Whoever may not read it gets what holds by default.
    let mesh = ["get", "configmap", "istio", "-n", "istio-system", "--ignore-not-found", "-o", "yaml"];
    texts.extend(kubectl.run(&mesh).ok().filter(|text| !text.trim().is_empty()));
    let outcome = check::of_cluster(texts, all_of, reporting, is_asked)?;
    Ok(if refused.is_empty() { outcome } else { Outcome::Unreadable })
}

/// As `kubectl api-resources -o name` prints it.
fn full(resource: &str, group: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}
