//! Ports that are declared to speak something else than they do.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Certain, Likely, Possible};

use crate::check::finding::Finding;
use crate::check::mesh::Mesh;
use crate::check::model::{
    Host, MESH, Port, Protocol, Reads, Service, ServiceKind, Target, VirtualService, applies,
};

/// What clients use TLS on, by custom.
const TLS_PORTS: [u16; 4] = [443, 6443, 8443, 9443];
/// What servers take plain HTTP on, by custom.
const HTTP_PORTS: [u16; 2] = [80, 8080];

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in &mesh.services {
        findings.extend(service.ports.iter().filter_map(|port| https_as_http(mesh, service, port)));
    }
    findings.extend(plaintext_gateways(mesh));
    findings.extend(mesh.virtual_services.iter().flat_map(|service| http_as_tcp(mesh, service)));
    findings
}

/// A TLS port that is declared as HTTP, and nothing that makes TLS of it.
fn https_as_http(mesh: &Mesh, service: &Service, port: &Port) -> Option<Finding> {
    let confidence = suspicion(service, port)?;
    let originated = mesh.rules_for(service).any(|rule| {
        let subsets = std::iter::once(None).chain(rule.subsets.iter().map(Some));
        subsets
            .into_iter()
            .any(|subset| rule.tls(subset, port.number).is_some_and(|tls| tls.mode.originates()))
    });
    if port.protocol != Protocol::Http || originated || mesh.is_routed_to(service, port.number) {
        return None;
    }
    let (number, name) = (port.number, service.name());
    let what = format!(
        "Port {number} of {name} is declared as HTTP ({}): a client that sends https://{name}{} is misread (`wrong version \
         number`), or passes every rule by.",
        port.declared,
        if number == 443 { String::new() } else { format!(":{number}") },
    );
    let fix = match service.kind {
        ServiceKind::Entry => {
            "Set `protocol: HTTPS` (and name the port https). If the mesh is to originate TLS, let a \
                               DestinationRule do it (mode SIMPLE) and clients send plain http://."
        }
        ServiceKind::Kubernetes => "Name the port `https...`, or set `appProtocol: https`.",
    };
    Some(Finding::new(
        Cause::TlsOnPlaintextPort,
        confidence,
        &service.origin,
        port.line,
        what,
        fix.to_owned(),
    ))
}

/// How much a port's number, name and target look like TLS.
fn suspicion(service: &Service, port: &Port) -> Option<Confidence> {
    let named = port.name == "https" || port.name.starts_with("https-");
    let (kept, plain) = match &port.target {
        Target::Number(number) => {
            (*number == port.number || TLS_PORTS.contains(number), HTTP_PORTS.contains(number))
        }
        Target::Name(name) => (name.starts_with("https") || name.starts_with("tls"), true),
    };
    match service.kind {
        ServiceKind::Entry if named => Some(Likely),
        // Wherever the server listens, clients send https:// to 443.
        ServiceKind::Entry if port.number == 443 && (kept || !plain) => Some(Likely),
        // A load balancer in front has taken the TLS off already.
        ServiceKind::Kubernetes if service.load_balanced => None,
        ServiceKind::Kubernetes if port.number == 443 && kept => Some(Likely),
        ServiceKind::Kubernetes if named || (port.number == 443 && !plain) => Some(Possible),
        _ if TLS_PORTS.contains(&port.number) && kept => Some(Possible),
        _ => None,
    }
}

/// Port 443 of a Gateway as HTTP: right behind a load balancer that terminates TLS, else wrong.
fn plaintext_gateways(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for gateway in &mesh.gateways {
        for server in gateway.servers.iter().filter(|server| server.port == 443) {
            if server.reads != Reads::Http || server.terminates || server.redirects {
                continue;
            }
            let what = format!(
                "Port 443 for {} is declared as HTTP: unless a load balancer in front terminates TLS, https:// fails with \
                 `wrong version number`.",
                server.host_names()
            );
            let fix = "Set `protocol: HTTPS` and a `tls` block with mode SIMPLE and a credentialName.";
            let cause = Cause::TlsOnPlaintextPort;
            findings.push(Finding::new(
                cause,
                Possible,
                &gateway.origin,
                server.port_line,
                what,
                fix.to_owned(),
            ));
        }
    }
    findings
}

/// Rules for HTTP, for a service none of whose ports is HTTP.
fn http_as_tcp(mesh: &Mesh, rules: &VirtualService) -> Vec<Finding> {
    let meant = rules.http.iter().any(|route| applies(&route.matches, MESH, None));
    if !(rules.in_mesh() && meant && rules.tcp.is_empty() && rules.tls.is_empty()) {
        return Vec::new();
    }
    let one = |host: &Host| {
        let services: Vec<_> = mesh.services_named(&host.full).collect();
        let ports: Vec<_> = services
            .iter()
            .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
            .filter(|(_, port)| port.protocol != Protocol::Udp)
            .collect();
        let any = |protocol| ports.iter().any(|(_, port)| port.protocol == protocol);
        if any(Protocol::Http) || any(Protocol::Tls) {
            return None;
        }
        let unnamed = any(Protocol::Automatic);
        let (service, port) =
            ports.iter().find(|(_, port)| !unnamed || port.protocol == Protocol::Automatic)?;
        // A host may have more than one ServiceEntry.
        let only = mesh.has_all_services() || services.iter().any(|one| one.kind == ServiceKind::Kubernetes);
        let (confidence, why) = match unnamed {
            false if rules.in_mesh_only() && only => (Certain, "is declared as TCP"),
            false => (Likely, "is declared as TCP"),
            true => (Possible, "is declared as nothing, so each connection's first bytes decide"),
        };
        let what = format!(
            "Port {} of {} {why} ({}): the `http` rules of {} don't apply to what is handled as TCP.",
            port.number,
            host.full,
            port.declared,
            rules.origin.id(),
        );
        let fix = match service.kind {
            ServiceKind::Kubernetes => "Name the port `http...` (`http2`, `grpc`), or set `appProtocol`.",
            ServiceKind::Entry => "Set the port's `protocol` to HTTP (HTTP2, GRPC).",
        };
        let cause = Cause::HttpTreatedAsTcp;
        Some(
            Finding::new(cause, confidence, &service.origin, port.line, what, fix.to_owned())
                .with(&rules.origin),
        )
    };
    rules.hosts.iter().filter_map(one).collect()
}
