//! The cluster has no endpoints.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Kubernetes gave istiod no ready pod: scaled to zero, not ready, a wrong selector. A subset whose
    // labels match nothing looks the same, and is the rarer case.
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Make the Service's selector (and the subset's labels) match a ready pod, or the cluster's \
        name resolve.",
    named_fixes: &[
        "Make the labels of subset {subset}, and the selector of the Service {service}, match a \
            ready pod.",
        "Make the selector of the Service {service} match a ready pod.",
        "Give the ServiceEntry of {external} an endpoint, or a name that DNS resolves to an \
            address.",
    ],
    special_case_of: &[],
    look_alikes: &[
        Cause::NoHealthyEndpoints,
        Cause::ClusterMissing,
        Cause::EgressBlocked,
        Cause::UpstreamDnsFailure,
    ],
    place: Place::ClientSide,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(503, "UH", "no_healthy_upstream")],
    flags: &["UH"],
    section: Some(PageSection::RequestsRejected),
};
