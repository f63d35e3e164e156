//! Gateways that no proxy takes as they are meant: no pod, no way in, no certificate, or a rival.

use std::collections::{BTreeSet, HashMap};

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{
    Gateway, Labels, Port, Reads, Server, Service, ServiceKind, Workload, label_list, port_list, selects,
};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for gateway in &mesh.gateways {
        if let Some(finding) = selector(mesh, gateway) {
            findings.push(finding);
            continue;
        }
        let services = leading_to(mesh, gateway);
        for server in &gateway.servers {
            findings.extend(port(mesh, gateway, &services, server));
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
        _ if mesh.has_all_pods_anywhere() && !mesh.workloads.is_empty() => Certain,
        Some(_) => Likely,
        None => return None,
    };
    let there = namesake.map(|workload| {
        let own = gateway.selector.keys().filter_map(|key| Some((key, workload.labels.get(key)?)));
        format!("; the pods of {} have {}", workload.origin.id(), label_list(own))
    });
    let what = format!(
        "No pod has the labels of the selector ({}){}: no proxy takes this Gateway, and its hosts are served nowhere.",
        label_list(&gateway.selector),
        there.unwrap_or_default(),
    );
    let fix = "Give the Gateway the labels of the gateway's pods as `selector`.";
    let finding =
        Finding::new(absent(first), confidence, &gateway.origin, gateway.origin.line, what, fix.to_owned());
    Some(finding.with_all(namesake.map(|workload| &workload.origin)))
}

/// Whether the labels have the selector's keys, and values that one writes for the other: `ingress` for `ingressgateway`.
fn is_nearly(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(key, value)| {
        labels.get(key).is_some_and(|own| value.starts_with(own.as_str()) || own.starts_with(value.as_str()))
    })
}

/// A port that no Service of the gateway's pods has.
fn port(mesh: &Mesh, gateway: &Gateway, services: &[&Service], server: &Server) -> Option<Finding> {
    if services.is_empty() || mesh.pods_of(gateway).any(|workload| workload.on_node) {
        return None;
    }
    let ports = || services.iter().flat_map(|service| &service.ports);
    // istiod takes the number of the Service's port, or that of the pods.
    let is_open = |port: &Port| {
        port.number == server.port
            || port.number_in(mesh.pods_of(gateway)).is_none_or(|number| number == server.port)
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
    let have = port_list(ports());
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
    Some(finding.with_all(services.iter().map(|service| &service.origin)))
}

/// The namespaces of a Gateway's pods.
fn homes<'mesh>(mesh: &'mesh Mesh, gateway: &'mesh Gateway) -> Vec<&'mesh str> {
    let homes: BTreeSet<_> = mesh.pods_of(gateway).map(|pod| pod.origin.namespace.as_str()).collect();
    homes.into_iter().collect()
}

/// The Services that lead to the pods of a Gateway.
fn leading_to<'mesh>(mesh: &'mesh Mesh, gateway: &'mesh Gateway) -> Vec<&'mesh Service> {
    if gateway.selector.is_empty() {
        return Vec::new();
    }
    let namespaces = homes(mesh, gateway);
    let takes = |service: &&Service| service.kind == ServiceKind::Kubernetes && !service.selector.is_empty();
    if namespaces.is_empty() {
        // What a Service selects, its pods have.
        let services = mesh.services_selecting(&gateway.selector).into_iter();
        return services.filter(takes).collect();
    }
    let selects_some = |service: &&Service| {
        mesh.pods_of(gateway).any(|pod| {
            pod.origin.namespace == service.origin.namespace && selects(&service.selector, &pod.labels)
        })
    };
    let services =
        namespaces.iter().flat_map(|namespace| mesh.services_in(namespace, Some(&gateway.selector)));
    services.filter(takes).filter(selects_some).collect()
}

/// A certificate whose Secret is in another namespace than the gateway's pods, where they can't read it.
fn secret(mesh: &Mesh, gateway: &Gateway, server: &Server) -> Option<Finding> {
    let (name, line) = server.credential.as_ref().filter(|_| server.terminates)?;
    let homes = homes(mesh, gateway);
    let given = || mesh.secrets.get(name).into_iter().flatten().map(String::as_str);
    let [home] = homes.as_slice() else { return None };
    if name.contains("://") || given().any(|namespace| namespace == *home) {
        return None;
    }
    let elsewhere = given().next()?;
    let what = format!(
        "The Secret {name} is in namespace {elsewhere}, but the gateway's pods run in {home} and read Secrets of their own \
         namespace only: the listener waits for the certificate, and connections for {} are refused, or closed without an answer.",
        server.host_names(),
    );
    let fix = format!("Create the Secret {name} in namespace {home}.");
    let confidence = if mesh.has_everything() { Certain } else { Likely };
    let finding = Finding::new(Cause::NoFilterChainForSni, confidence, &gateway.origin, *line, what, fix);
    Some(finding.with_all(mesh.pods_of(gateway).map(|workload| &workload.origin)))
}

/// Servers of the same pods and port of which istiod takes only the one of the older Gateway.
fn rivals(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut doors: HashMap<(u16, Option<&str>), Doors<'_>> = HashMap::new();
    for gateway in &mesh.gateways {
        for server in &gateway.servers {
            let door = (gateway, server);
            let earlier = doors.entry((server.port, server.bind.as_deref())).or_default();
            if let Some((other, rival)) = earlier.rival(door) {
                findings.push(rivalry(gateway, server, other, rival));
            }
            earlier.add(door);
        }
    }
    findings
}

type Door<'mesh> = (&'mesh Gateway, &'mesh Server);

/// The servers of one port.
#[derive(Default)]
struct Doors<'mesh> {
    /// The first of each selector that is plain, and the first that is not.
    first: HashMap<(&'mesh Labels, bool), Door<'mesh>>,
    /// Those with TLS, by host and the namespace that may bind to it.
    tls: HashMap<&'mesh (Option<String>, String), Vec<Door<'mesh>>>,
}

impl<'mesh> Doors<'mesh> {
    fn add(&mut self, door: Door<'mesh>) {
        let (gateway, server) = door;
        let plain = is_plain(server);
        self.first.entry((&gateway.selector, plain)).or_insert(door);
        for host in server.hosts.iter().filter(|_| !plain) {
            self.tls.entry(host).or_default().push(door);
        }
    }

    /// One that keeps a new server out, or is kept out by it.
    fn rival(&self, (gateway, server): Door<'mesh>) -> Option<Door<'mesh>> {
        let plain = is_plain(server);
        let together = |(other, _): &Door<'mesh>| gateway.may_share_pods(other);
        let same_host = server.hosts.iter().filter(|_| !plain).filter_map(|host| self.tls.get(host));
        let same_host = same_host.flatten().copied().find(together);
        let mut others = self.first.iter().filter(|((_, other), _)| *other != plain).map(|(_, door)| *door);
        same_host.or_else(|| others.find(together))
    }
}

fn rivalry(gateway: &Gateway, server: &Server, other: &Gateway, rival: &Server) -> Finding {
    let confidence = if gateway.selector == other.selector { Likely } else { Possible };
    let why = if is_plain(server) == is_plain(rival) {
        format!("has TLS for the same host ({})", shared(rival, server))
    } else {
        "speaks another protocol there".to_owned()
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

fn is_plain(server: &Server) -> bool {
    server.reads == Reads::Http && !server.terminates
}

/// The hosts that both have, written alike and for the same namespaces.
fn shared(one: &Server, two: &Server) -> String {
    let both = one.hosts.iter().filter(|host| two.hosts.contains(host));
    both.map(|(_, host)| host.as_str()).collect::<Vec<_>>().join(", ")
}
