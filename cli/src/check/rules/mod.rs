//! One file for each kind of mistake.

mod binding;
mod certificates;
mod hosts;
mod ingress;
mod mutual_tls;
mod origination;
mod ports;
mod references;

use super::finding::Finding;
use super::mesh::Mesh;

/// All mistakes of a mesh.
pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let rules = [
        binding::findings,
        certificates::findings,
        hosts::findings,
        ingress::findings,
        mutual_tls::findings,
        origination::findings,
        ports::findings,
        references::findings,
    ];
    rules.iter().flat_map(|rule| rule(mesh)).map(Finding::weighed).collect()
}
