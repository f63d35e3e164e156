//! No route table entry for this host.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    // Any host and any path: `GET /zzz`.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Add the host to a Gateway's server and a VirtualService bound to it, to a listener and its HTTPRoute, or to a \
        Service or ServiceEntry on this port.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[
        Cause::RouteNoMatch,
        Cause::GatewayWithoutHttpRoutes,
        Cause::ConnectionReusedAcrossGateways,
        Cause::RouteTableMissing,
    ],
    place: Place::ClientSide,
    ends_by_itself: true,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(404, "NR", "route_not_found")],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
