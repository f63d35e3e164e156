//! All endpoints are unhealthy or ejected.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The endpoints are there; their own failures got them ejected or marked unhealthy.
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Repair the endpoints: they exist, and all are unhealthy or ejected by outlier \
        detection.",
    named_fixes: &[
        "Repair the endpoints of {host}: they exist, and all are unhealthy or ejected by {rule}.",
        "Repair the endpoints of {host}: they exist, and all are unhealthy or ejected by outlier \
            detection.",
    ],
    special_case_of: &[],
    look_alikes: &[Cause::NoEndpoints, Cause::CircuitBreakerOverflow],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(503, "UH", "no_healthy_upstream")],
    flags: &["UH"],
    section: Some(PageSection::RequestsRejected),
};
