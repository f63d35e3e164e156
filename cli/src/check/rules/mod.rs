//! One file for each kind of mistake.

mod ambient;
mod binding;
mod certificates;
mod destinations;
mod entries;
mod gateway_api;
mod gateways;
mod hosts;
mod ingress;
mod mutual_tls;
mod origination;
mod pods;
mod policies;
mod ports;
mod references;
mod rivals;
mod unreachable;
mod visibility;
mod waypoints;

use super::finding::Finding;
use super::mesh::Mesh;

pub use waypoints::notes;

/// All mistakes of a mesh.
pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let rules = [
        ambient::findings,
        binding::findings,
        certificates::findings,
        destinations::findings,
        entries::findings,
        gateway_api::findings,
        gateways::findings,
        hosts::findings,
        ingress::findings,
        mutual_tls::findings,
        origination::findings,
        pods::findings,
        policies::findings,
        ports::findings,
        references::findings,
        rivals::findings,
        unreachable::findings,
        visibility::findings,
    ];
    rules.iter().flat_map(|rule| rule(mesh)).map(Finding::weighed).collect()
}
