//! The route points to a cluster that doesn't exist.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    // True of the configuration, whatever was sent.
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Define what the route points to: the host, its port, and the subset in a \
        DestinationRule.",
    named_fixes: &[
        "Correct the backendRefs of {gateway_route}: a Service that exists, a port that it has, and a \
            ReferenceGrant where it is in another namespace.",
        "Define what {resource} points to: the host, its port, and the subset in a \
            DestinationRule.",
    ],
    special_case_of: &[],
    look_alikes: &[Cause::NoEndpoints, Cause::ConfigPropagating],
    place: Place::Either,
    ends_by_itself: true,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(503, "NC", "cluster_not_found")],
    flags: &["NC"],
    section: Some(PageSection::RequestsRejected),
};
