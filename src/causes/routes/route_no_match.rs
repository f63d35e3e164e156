//! The host is known, no route rule matches.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    // Any host and any path: `GET /zzz`.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Add a rule that fits the request, or a last one without match, to the host's \
        VirtualService.",
    named_fixes: &[
        "Add a rule that fits the request, or a last one without match, to the HTTPRoute or VirtualService of {backend}.",
        "Add a rule that fits the request, or a last one without match, to the VirtualService of \
            {virtual_host}.",
    ],
    special_case_of: &[],
    look_alikes: &[Cause::RouteHostUnknown, Cause::ApplicationError],
    place: Place::ClientSide,
    ends_by_itself: true,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(404, "NR", "route_not_found")],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
