//! One certificate on several servers of a gateway: browsers reuse a connection across them.

use std::collections::BTreeMap;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};

use crate::check::finding::Finding;
use crate::check::host::covers;
use crate::check::mesh::Mesh;
use crate::check::model::{Gateway, HttpRoute, Reads, Server, applies};

/// Servers whose hosts are shown, at the most.
const MAX_SHOWN: usize = 6;

/// A server and the Gateway it belongs to.
struct Door<'mesh> {
    gateway: &'mesh Gateway,
    server: &'mesh Server,
    /// The hosts that have `http` routes here.
    routed: Vec<&'mesh str>,
}

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let doors: Vec<Door<'_>> = mesh
        .gateways
        .iter()
        .flat_map(|gateway| gateway.servers.iter().map(move |server| (gateway, server)))
        .filter(|(_, server)| server.terminates && server.reads == Reads::Http)
        .map(|(gateway, server)| Door { gateway, server, routed: routed(mesh, gateway, server) })
        .collect();
    let mut sharing: BTreeMap<(&str, u16), Vec<&Door<'_>>> = BTreeMap::new();
    for door in &doors {
        for certificate in &door.server.certificates {
            sharing.entry((certificate, door.server.port)).or_default().push(door);
        }
    }
    sharing.iter().filter_map(|((certificate, _), doors)| shared(certificate, doors)).collect()
}

/// One finding for all servers that share a certificate, at the last of them.
fn shared(certificate: &str, doors: &[&Door<'_>]) -> Option<Finding> {
    let apart = |one: &Door<'_>, two: &Door<'_>| {
        !std::ptr::eq(one.server, two.server)
            && one.server.bind == two.server.bind
            && one.gateway.may_share_pods(two.gateway)
            && (goes_astray(one, two) || goes_astray(two, one))
    };
    let involved: Vec<_> = doors.iter().filter(|one| doors.iter().any(|two| apart(one, two))).collect();
    let (first, last) = (involved.first()?, involved.last()?);
    let same_pods = involved.iter().all(|door| door.gateway.selector == first.gateway.selector);
    let shown = involved.iter().take(MAX_SHOWN).map(|door| door.server.host_names());
    let more = (involved.len() > MAX_SHOWN).then(|| "...".to_owned());
    let hosts = shown.chain(more).collect::<Vec<_>>().join("; ");
    let what = format!(
        "{} servers on port {} share {certificate} and serve different hosts ({hosts}): a browser that has a connection \
         for one of them reuses it for another, and gets 404 there.",
        involved.len(),
        last.server.port,
    );
    let fix = "Serve all hosts of the certificate from one Gateway server with a wildcard host, and bind every \
               VirtualService to it; or give each host a certificate of its own.";
    let confidence = if same_pods { Likely } else { Possible };
    let cause = Cause::ConnectionReusedAcrossGateways;
    let finding =
        Finding::new(cause, confidence, &last.gateway.origin, last.server.line, what, fix.to_owned());
    Some(finding.with_all(involved.iter().take(MAX_SHOWN).map(|door| &door.gateway.origin)))
}

/// Whether a host of `other` has no route on a connection that was opened to `own`.
fn goes_astray(own: &Door<'_>, other: &Door<'_>) -> bool {
    if own.routed.is_empty() || other.routed.is_empty() {
        // Nothing is routed yet, as far as was given: the servers' own hosts decide.
        let covered = |host: &str| own.server.hosts.iter().any(|(_, own)| covers(own, host));
        return other.server.hosts.iter().any(|(_, host)| !covered(host));
    }
    other.routed.iter().any(|host| !own.routed.iter().any(|own| covers(own, host)))
}

fn routed<'mesh>(mesh: &'mesh Mesh, gateway: &Gateway, server: &Server) -> Vec<&'mesh str> {
    let name = gateway.name();
    let here = |route: &HttpRoute| applies(&route.matches, &name, Some(server.port));
    let bound = mesh.bound_to(gateway).filter(|service| service.http.iter().any(here));
    let hosts = bound.flat_map(|service| service.hosts.iter().map(|host| (&service.origin.namespace, host)));
    let taken = hosts.filter(|(namespace, host)| server.takes(namespace, &host.full));
    taken.map(|(_, host)| host.full.as_str()).collect()
}
