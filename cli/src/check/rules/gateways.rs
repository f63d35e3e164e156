//! Gateways that no proxy takes as they are meant: no pod, no way in, no certificate, or a rival.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Certain, Likely, Possible};

use crate::check::finding::Finding;
use crate::check::host::overlap;
use crate::check::mesh::Mesh;
use crate::check::model::{
    Gateway, Labels, Port, Reads, Server, Service, ServiceKind, Target, Workload, selects,
};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for gateway in &mesh.gateways {
        if let Some(finding) = selector(mesh, gateway) {
            findings.push(finding);
            continue;
        }
        for server in &gateway.servers {
            findings.extend(port(mesh, gateway, server));
            findings.extend(secret(mesh, gateway, server));
        }
    }
    findings.extend(rivals(mesh));
    findings
}

/// What clients of a server's hosts meet where the server isn't there.
fn absent(server: &Server) -> Cause {
    if server.reads == Reads::Http { Cause::RouteHostUnknown } else { Cause::NoFilterChainForSni }
}

/// A selector that no pod's labels fit.
fn selector(mesh: &Mesh, gateway: &Gateway) -> Option<Finding> {
    let first = gateway.servers.first()?;
    if gateway.selector.is_empty() || mesh.pods_of(gateway).next().is_some() {
        return None;
    }
    let named_alike =
        |workload: &&Workload| workload.is_gateway && is_nearly(&gateway.selector, &workload.labels);
    let namesake = mesh.workloads.iter().find(named_alike);
    let confidence = match namesake {
        _ if mesh.has_everything() && !mesh.workloads.is_empty() => Certain,
        Some(_) => Likely,
        None => return None,
    };
    let there = namesake.map(|workload| {
        let own = gateway.selector.keys().filter_map(|key| Some((key, workload.labels.get(key)?)));
        let own = own.map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ");
        format!("; the pods of {} have {own}", workload.origin.id())
    });
    let what = format!(
        "No pod has the labels of the selector ({}){}: no proxy takes this Gateway, and its hosts are served nowhere.",
        written(&gateway.selector),
        there.unwrap_or_default(),
    );
    let fix = "Give the Gateway the labels of the gateway's pods as `selector`.";
    let finding =
        Finding::new(absent(first), confidence, &gateway.origin, gateway.origin.line, what, fix.to_owned());
    Some(namesake.into_iter().fold(finding, |finding, workload| finding.with(&workload.origin)))
}

/// Whether the labels have the selector's keys, and values that one writes for the other: `ingress` for `ingressgateway`.
fn is_nearly(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(key, value)| {
        labels.get(key).is_some_and(|own| value.starts_with(own.as_str()) || own.starts_with(value.as_str()))
    })
}

fn written(labels: &Labels) -> String {
    labels.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}

/// A port that no Service of the gateway's pods has.
fn port(mesh: &Mesh, gateway: &Gateway, server: &Server) -> Option<Finding> {
    let services: Vec<_> = mesh.services.iter().filter(|service| leads_to(mesh, service, gateway)).collect();
    if services.is_empty() || mesh.pods_of(gateway).any(|workload| workload.on_node) {
        return None;
    }
    let ports = || services.iter().flat_map(|service| &service.ports);
    // istiod takes the number of the Service's port, or that of the pods.
    let is_open = |port: &Port| {
        port.number == server.port
            || match &port.target {
                Target::Number(number) => *number == server.port,
                Target::Name(name) => mesh
                    .pods_of(gateway)
                    .flat_map(|workload| &workload.ports)
                    .find(|(own, _)| own == name)
                    .is_none_or(|(_, number)| *number == server.port),
            }
    };
    if ports().next().is_none() || ports().any(is_open) {
        return None;
    }
    let on_nodes = ports().find(|port| port.node_port == Some(server.port));
    let confidence = match on_nodes {
        Some(_) => Likely,
        None if mesh.has_all_services() => Likely,
        None => Possible,
    };
    let have = ports().map(|port| port.number.to_string()).collect::<Vec<_>>().join(", ");
    let is = on_nodes.map(|port| format!("; {} is the node port of {}", server.port, port.number));
    let what = format!(
        "The Gateway opens port {}, which no Service of its pods has (ports: {have}){}: clients don't get there, and on the \
         Service's ports these hosts aren't served.",
        server.port,
        is.unwrap_or_default(),
    );
    let fix = match on_nodes {
        Some(port) => format!("Write the Service's port, {}, as the server's `port.number`.", port.number),
        None => format!("Add port {} to the Service, or use a port that it has.", server.port),
    };
    let finding = Finding::new(absent(server), confidence, &gateway.origin, server.port_line, what, fix);
    Some(services.iter().fold(finding, |finding, service| finding.with(&service.origin)))
}

/// Whether a Service leads to the pods of a Gateway.
fn leads_to(mesh: &Mesh, service: &Service, gateway: &Gateway) -> bool {
    if service.kind != ServiceKind::Kubernetes || service.selector.is_empty() || gateway.selector.is_empty() {
        return false;
    }
    let mut pods = mesh.pods_of(gateway).peekable();
    if pods.peek().is_none() {
        return selects(&gateway.selector, &service.selector);
    }
    pods.any(|workload| {
        workload.origin.namespace == service.origin.namespace && selects(&service.selector, &workload.labels)
    })
}

/// A certificate whose Secret is in another namespace than the gateway's pods, where they can't read it.
fn secret(mesh: &Mesh, gateway: &Gateway, server: &Server) -> Option<Finding> {
    let (name, line) = server.credential.as_ref().filter(|_| server.terminates)?;
    let mut homes: Vec<&str> =
        mesh.pods_of(gateway).map(|workload| workload.origin.namespace.as_str()).collect();
    homes.sort_unstable();
    homes.dedup();
    let given =
        || mesh.secrets.iter().filter(|(_, own)| own == name).map(|(namespace, _)| namespace.as_str());
    let [home] = homes.as_slice() else { return None };
    if name.contains("://") || given().any(|namespace| namespace == *home) {
        return None;
    }
    let elsewhere = given().next()?;
    let what = format!(
        "The Secret {name} is in namespace {elsewhere}, but the gateway's pods run in {home} and read Secrets of their own \
         namespace only: the server has no certificate, and TLS handshakes for {} fail.",
        server.host_names(),
    );
    let fix = format!("Create the Secret {name} in namespace {home}.");
    let confidence = if mesh.has_everything() { Certain } else { Likely };
    let finding = Finding::new(Cause::DownstreamTlsFailed, confidence, &gateway.origin, *line, what, fix);
    Some(mesh.pods_of(gateway).fold(finding, |finding, workload| finding.with(&workload.origin)))
}

/// Servers of the same pods and port of which istiod takes only the one of the older Gateway.
fn rivals(mesh: &Mesh) -> Vec<Finding> {
    let doors = || {
        mesh.gateways.iter().flat_map(|gateway| gateway.servers.iter().map(move |server| (gateway, server)))
    };
    let mut findings = Vec::new();
    for (number, (gateway, server)) in doors().enumerate() {
        let earlier = doors().take(number).find(|(other, rival)| {
            !std::ptr::eq(*rival, server)
                && rival.port == server.port
                && rival.bind == server.bind
                && may_be_one_pod(gateway, other)
                && contends(rival, server)
        });
        let Some((other, rival)) = earlier else { continue };
        findings.push(rivalry(gateway, server, other, rival));
    }
    findings
}

fn rivalry(gateway: &Gateway, server: &Server, other: &Gateway, rival: &Server) -> Finding {
    let same = gateway.selector == other.selector;
    let (why, confidence): (_, Confidence) = if is_plain(server) == is_plain(rival) {
        (
            format!("has TLS for the same host ({})", shared(rival, server)),
            if same { Likely } else { Possible },
        )
    } else {
        ("speaks another protocol there".to_owned(), if same { Likely } else { Possible })
    };
    let what = format!(
        "{} {why} on port {} of the same pods: of the two servers Istio takes only the one of the older Gateway, and what is bound \
         to the other is not served.",
        other.origin.id(),
        server.port,
    );
    let fix = "Leave one server for the port and host, and bind all VirtualServices to its Gateway; or use another port.";
    Finding::new(absent(server), confidence, &gateway.origin, server.line, what, fix.to_owned())
        .with(&other.origin)
}

/// Selectors that the same pod can have.
fn may_be_one_pod(one: &Gateway, two: &Gateway) -> bool {
    selects(&one.selector, &two.selector) || selects(&two.selector, &one.selector)
}

fn is_plain(server: &Server) -> bool {
    server.reads == Reads::Http && !server.terminates
}

/// Whether only one of two servers on a port can be there. Servers for plain HTTP are merged.
fn contends(one: &Server, two: &Server) -> bool {
    match (is_plain(one), is_plain(two)) {
        (true, true) => false,
        (false, false) => !shared(one, two).is_empty(),
        _ => true,
    }
}

/// The hosts that both have, written alike and for the same namespaces.
fn shared(one: &Server, two: &Server) -> String {
    let both = one.hosts.iter().filter(|(namespace, host)| {
        two.hosts.iter().any(|(other, own)| other == namespace && own == host && overlap(own, host))
    });
    both.map(|(_, host)| host.as_str()).collect::<Vec<_>>().join(", ")
}
