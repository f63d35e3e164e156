//! Hosts of VirtualServices that their Gateways don't have.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};

use crate::check::finding::Finding;
use crate::check::host::overlap;
use crate::check::mesh::Mesh;
use crate::check::model::{Host, MESH, Reads, Server, VirtualService};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    mesh.virtual_services.iter().flat_map(|service| hosts_outside(mesh, service)).collect()
}

/// Hosts of a VirtualService that none of its Gateways serves.
fn hosts_outside(mesh: &Mesh, service: &VirtualService) -> Vec<Finding> {
    let named: Vec<_> = service.gateways.iter().filter(|gateway| gateway.name != MESH).collect();
    let known: Vec<_> = named.iter().filter_map(|gateway| mesh.gateway(&gateway.name)).collect();
    let servers = || known.iter().flat_map(|gateway| &gateway.servers);
    if known.is_empty() || known.len() < named.len() || known.iter().any(|gateway| gateway.servers.is_empty())
    {
        return Vec::new();
    }
    let outside = |host: &&Host| !servers().any(|server| serves(server, &service.origin.namespace, host));
    let lost: Vec<_> = service.hosts.iter().filter(outside).collect();
    let all = lost.len() == service.hosts.len();
    // With `mesh` among the gateways, some hosts are for inside.
    if lost.is_empty() || (service.in_mesh() && !all) {
        return Vec::new();
    }
    let confidence = if all && !service.in_mesh() { Certain } else { Likely };
    // Without a server for HTTP nothing answers: there is a filter chain or there is none.
    let (cause, consequence) = if servers().all(|server| server.reads != Reads::Http) {
        (Cause::NoFilterChainForSni, "connections for it are closed without an answer, or refused,")
    } else {
        (Cause::RouteHostUnknown, "requests for it get 404")
    };
    let report = |host: &&Host| {
        let elsewhere = servers().any(|server| server.hosts.iter().any(|(_, own)| overlap(own, &host.full)));
        let why = if elsewhere { "takes it from another namespace only" } else { "doesn't have it" };
        let names = known.iter().map(|gateway| gateway.origin.id()).collect::<Vec<_>>().join(", ");
        let have = servers().map(Server::host_names).collect::<Vec<_>>().join(", ");
        let what = format!(
            "The host {} is bound to {names}, which {why} (hosts: {have}): {consequence} there.",
            host.written
        );
        let fix = "Make `hosts` of the Gateway's server and of the VirtualService overlap; `namespace/host` in a Gateway \
                   takes only VirtualServices of that namespace.";
        let finding = Finding::new(cause, confidence, &service.origin, host.line, what, fix.to_owned());
        finding.with_all(known.iter().map(|gateway| &gateway.origin))
    };
    lost.iter().map(report).collect()
}

/// Whether a host of a VirtualService in a namespace can be bound to a server, as it is written or in full.
pub fn serves(server: &Server, namespace: &str, host: &Host) -> bool {
    server.takes(namespace, &host.full) || server.takes(namespace, &host.written.to_ascii_lowercase())
}
