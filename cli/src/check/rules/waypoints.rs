//! What extends proxies and passes waypoints by: they take nothing without `targetRefs`. No request fails of it, so it is a note.

use crate::check::mesh::Mesh;
use crate::check::resource::{Note, Resource};
use crate::check::yaml::Node;

/// One note for each of them that a waypoint would be expected to take.
pub fn notes(resources: &[Resource], mesh: &Mesh) -> Vec<Note> {
    let extensions = || resources.iter().filter(|resource| is_extension(resource));
    let unaimed = extensions().filter(|one| !is_aimed(one) && is_for_all(one));
    // The same for waypoints alone may stand beside it.
    let alone = unaimed.filter(|one| !extensions().any(|other| is_aimed(other) && is_same(one, other)));
    alone.filter_map(|resource| note(resource, mesh)).collect()
}

fn note(resource: &Resource, mesh: &Mesh) -> Option<Note> {
    let origin = &resource.origin;
    let is_above =
        |namespace: &str| origin.namespace == namespace || origin.namespace == mesh.config.root_namespace;
    let waypoint = mesh
        .api_gateways
        .iter()
        .find(|gateway| gateway.is_waypoint && is_above(&gateway.origin.namespace))?;
    let message = format!(
        "{} has no targetRefs: {} and other waypoints don't take it",
        origin.id(),
        waypoint.origin.id()
    );
    Some(Note { file: origin.file.clone(), line: origin.line, message })
}

fn is_extension(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.origin.kind.as_str()),
        ("extensions.istio.io", "WasmPlugin" | "TrafficExtension") | ("networking.istio.io", "EnvoyFilter")
    )
}

fn is_aimed(resource: &Resource) -> bool {
    let spec = resource.spec();
    !spec.list("targetRefs").is_empty() || spec.get("targetRef").is_some()
}

/// Whether it selects no pods, and isn't only for what waypoints don't have: gateways, and the way out of a sidecar.
fn is_for_all(resource: &Resource) -> bool {
    let spec = resource.spec();
    let selects = spec.get("selector").is_some() || spec.get("workloadSelector").is_some();
    let elsewhere = |patch: &Node| {
        let context = patch.at(&["match", "context"]).and_then(Node::as_text);
        matches!(context, Some("GATEWAY" | "SIDECAR_OUTBOUND"))
    };
    let patches = spec.list("configPatches");
    !selects && (patches.is_empty() || !patches.iter().all(elsewhere))
}

/// Whether both are of one kind, and plug in the same module where it is named.
fn is_same(one: &Resource, other: &Resource) -> bool {
    one.origin.kind == other.origin.kind && one.spec().text("url") == other.spec().text("url")
}
