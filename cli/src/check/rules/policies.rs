//! Policies for ports that they don't fit.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{
    AuthorizationPolicy, Labels, MtlsMode, PeerAuthentication, Port, Protocol, Rule, Service, ServiceKind,
    selects,
};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let ports = mesh.peer_authentications.iter().filter_map(|policy| port_level(mesh, policy));
    let policies = mesh.authorization_policies.iter().flat_map(|policy| {
        [on_tcp(mesh, policy), by_service_port(mesh, policy), with_scheme(policy)].into_iter().flatten()
    });
    ports.chain(policies).collect()
}

/// The services of a namespace whose pods a policy is for.
fn services<'mesh>(
    mesh: &'mesh Mesh,
    namespace: &'mesh str,
    selector: Option<&'mesh Labels>,
) -> impl Iterator<Item = &'mesh Service> {
    mesh.services_in(namespace, selector).filter(move |service| {
        service.kind == ServiceKind::Kubernetes
            && !service.selector.is_empty()
            && selector.is_none_or(|selector| {
                let backends = mesh.backends(service, None);
                !backends.is_empty() && backends.iter().all(|backend| selects(selector, backend.labels))
            })
    })
}

/// `portLevelMtls` without a selector, or by the Service's port where it means the pods'.
fn port_level(mesh: &Mesh, policy: &PeerAuthentication) -> Option<Finding> {
    let (first, _) = policy.ports.first()?;
    let namespace = policy.origin.namespace.as_str();
    if policy.selector.is_none() {
        let what = "`portLevelMtls` has an effect only in a policy with a `selector`: this one's ports follow the general mode."
            .to_owned();
        let fix = "Give the policy a `selector` for the pods whose ports are meant.".to_owned();
        return Some(plaintext(policy, what, fix));
    }
    let wrong = services(mesh, namespace, policy.selector.as_ref()).find_map(|service| {
        let meant = |port: &&Port| {
            let target = number(mesh, service, port);
            let listed = |number: u16| policy.ports.iter().any(|(own, _)| *own == number);
            target.is_some_and(|target| port.number != target && listed(port.number) && !listed(target))
        };
        // Another of its ports may be reached under that number.
        let port = service.ports.iter().find(meant)?;
        let is_target = service
            .ports
            .iter()
            .any(|other| number(mesh, service, other).is_none_or(|own| own == port.number));
        (!is_target).then_some((service, port))
    });
    let (service, port) = wrong?;
    let target = number(mesh, service, port).unwrap_or(*first);
    let what = format!(
        "`portLevelMtls` means ports of the pods: {} is the port of {}, whose pods listen on {target}. The entry has no effect.",
        port.number,
        service.origin.id(),
    );
    let fix = format!("Write {target} instead of {}.", port.number);
    Some(plaintext(policy, what, fix).with(&service.origin))
}

/// Where a port was to be open for plain text, clients without certificates are refused.
fn plaintext(policy: &PeerAuthentication, what: String, fix: String) -> Finding {
    let opens = policy.ports.iter().any(|(_, mode)| matches!(mode, MtlsMode::Disable | MtlsMode::Permissive));
    let confidence = if opens { Likely } else { Possible };
    Finding::new(Cause::PlaintextToStrictMtls, confidence, &policy.origin, policy.origin.line, what, fix)
}

/// The number on which the pods of a service listen for a port of it.
fn number(mesh: &Mesh, service: &Service, port: &Port) -> Option<u16> {
    port.number_in(mesh.pods_behind(service))
}

/// What only HTTP has, asked of connections that aren't HTTP: an ALLOW rule never fits, and a DENY rule always does.
fn on_tcp(mesh: &Mesh, policy: &AuthorizationPolicy) -> Option<Finding> {
    if policy.has_targets {
        return None;
    }
    let namespace = policy.origin.namespace.as_str();
    // Another policy for the same pods may allow what this one doesn't.
    let others = mesh.allowing_policies(namespace) > usize::from(policy.action == "ALLOW");
    let (service, port, (field, line)) =
        services(mesh, namespace, policy.selector.as_ref()).find_map(|service| {
            let tcp = service.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
            let refused = |port: &Port| {
                let number = number(mesh, service, port);
                let about = |rule: &Rule| {
                    rule.ports.is_empty() || number.is_some_and(|own| rule.ports.contains(&own))
                };
                policy.refuses_tcp(about)
            };
            tcp.filter_map(|port| Some((service, port, refused(port)?))).next()
        })?;
    let consequence = match policy.action.as_str() {
        "DENY" => "there Istio leaves the field out, and the rule denies every connection",
        _ => "there no rule fits, and every connection is denied",
    };
    let what = format!(
        "`{field}` is known of HTTP requests only, and the policy is for port {} of {} as well, which is TCP ({}): {consequence}.",
        port.number,
        service.origin.id(),
        port.declared,
    );
    let fix = "Limit the rule by `to.operation.ports` to ports that speak HTTP, and allow the TCP port by a rule without such fields; \
               or declare the port as `http`, if it speaks it.";
    let confidence = if others && policy.action == "ALLOW" { Possible } else { Likely };
    let cause = Cause::AuthorizationPolicyDenied;
    Some(Finding::new(cause, confidence, &policy.origin, *line, what, fix.to_owned()).with(&service.origin))
}

/// A port of the Service in a rule that means the pods'.
fn by_service_port(mesh: &Mesh, policy: &AuthorizationPolicy) -> Option<Finding> {
    if policy.has_targets || policy.action != "ALLOW" {
        return None;
    }
    let namespace = policy.origin.namespace.as_str();
    let of_pods = || services(mesh, namespace, policy.selector.as_ref());
    // Where one isn't known, it may be any.
    let is_open = |wanted: u16| {
        of_pods().any(|service| {
            service.ports.iter().any(|port| number(mesh, service, port).is_none_or(|own| own == wanted))
        })
    };
    let (rule, service, port) = policy.rules.iter().find_map(|rule| {
        let named = |port: &&Port| rule.ports.contains(&port.number);
        let hit = of_pods().find_map(|service| Some((service, service.ports.iter().find(named)?)));
        let (service, port) = hit.filter(|_| !rule.ports.iter().any(|wanted| is_open(*wanted)))?;
        Some((rule, service, port))
    })?;
    let target = number(mesh, service, port)?;
    let what = format!(
        "`ports` means ports of the pods: {} is the port of {}, whose pods listen on {target}. The rule allows nothing.",
        port.number,
        service.origin.id(),
    );
    let fix = format!("Write {target} instead of {}.", port.number);
    let confidence = if policy.rules.len() == 1 { Likely } else { Possible };
    let cause = Cause::AuthorizationPolicyDenied;
    Some(Finding::new(cause, confidence, &policy.origin, rule.line, what, fix).with(&service.origin))
}

/// Principals with the scheme of their SPIFFE IDs, which Istio adds itself.
fn with_scheme(policy: &AuthorizationPolicy) -> Option<Finding> {
    let has_scheme = |principal: &str| principal.starts_with("spiffe://");
    let none_fits = |rule: &&Rule| {
        !rule.principals.is_empty() && rule.principals.iter().all(|(principal, _)| has_scheme(principal))
    };
    if policy.action != "ALLOW" {
        return None;
    }
    let (principal, line) = policy.rules.iter().find(none_fits)?.principals.first()?;
    let what = format!(
        "The principal {principal} has the scheme `spiffe://`, which Istio adds itself: no client has that name."
    );
    let fix = format!("Write {}.", principal.trim_start_matches("spiffe://"));
    let confidence = if policy.rules.iter().all(|rule| none_fits(&rule)) { Likely } else { Possible };
    let cause = Cause::AuthorizationPolicyDenied;
    Some(Finding::new(cause, confidence, &policy.origin, *line, what, fix))
}
