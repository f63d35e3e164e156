//! Rules for HTTP in namespaces whose traffic meets ztunnel alone: without a waypoint nobody reads HTTP there.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{AuthorizationPolicy, ServiceKind, VirtualService};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let policies = mesh.authorization_policies.iter().filter_map(|policy| unread_policy(mesh, policy));
    policies.chain(mesh.virtual_services.iter().filter_map(|rules| unread_rules(mesh, rules))).collect()
}

/// Whether a namespace is in the ambient mesh and has no waypoint, as far as was given.
fn is_without_waypoint(mesh: &Mesh, namespace: &str) -> bool {
    let Some(labels) = mesh.namespaces.get(namespace) else { return false };
    let label = |key: &str| labels.get(key).map(String::as_str);
    let waypoint = label("istio.io/use-waypoint").is_some_and(|name| name != "none")
        || mesh
            .api_gateways
            .iter()
            .any(|gateway| gateway.is_waypoint && gateway.origin.namespace == namespace);
    label("istio.io/dataplane-mode") == Some("ambient") && !waypoint
}

/// Fields of HTTP in a policy that ztunnel enforces.
fn unread_policy(mesh: &Mesh, policy: &AuthorizationPolicy) -> Option<Finding> {
    let namespace = &policy.origin.namespace;
    let (field, line) = policy.refuses_tcp(|_| true)?;
    // With `targetRefs` a waypoint would enforce it: without one nobody does.
    if policy.has_targets || !is_without_waypoint(mesh, namespace) {
        return None;
    }
    let what = format!(
        "`{field}` is known of HTTP requests only, and namespace {namespace} is ambient without a waypoint: ztunnel enforces the \
         policy, can't read HTTP, and denies the connections.",
    );
    let fix = "Add a waypoint (`istioctl waypoint apply --enroll-namespace`) and give the policy `targetRefs`; or use only what \
               connections have: principals, namespaces, addresses, ports.";
    let cause = Cause::AuthorizationPolicyDenied;
    Some(Finding::new(cause, Likely, &policy.origin, *line, what, fix.to_owned()))
}

/// `http` rules for a service of such a namespace.
fn unread_rules(mesh: &Mesh, rules: &VirtualService) -> Option<Finding> {
    if !rules.in_mesh_only() || rules.http.is_empty() {
        return None;
    }
    let (host, service) = rules.hosts.iter().find_map(|host| {
        let mut services = mesh.services_named(&host.full);
        let service = services.find(|service| service.kind == ServiceKind::Kubernetes)?;
        is_without_waypoint(mesh, &service.origin.namespace).then_some((host, service))
    })?;
    let what = format!(
        "{} is a service of namespace {}, which is ambient without a waypoint: for clients without a sidecar nobody applies these \
         `http` rules.",
        host.written, service.origin.namespace,
    );
    let fix = "Add a waypoint (`istioctl waypoint apply --enroll-namespace`).";
    let cause = Cause::VirtualServiceNotApplied;
    Some(Finding::new(cause, Possible, &rules.origin, host.line, what, fix.to_owned()).with(&service.origin))
}
