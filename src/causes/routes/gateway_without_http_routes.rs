//! The gateway terminates TLS (or takes HTTP), and no HTTP route is bound to it.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    // True of the configuration, whatever was sent.
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Bind a VirtualService with http routes, or an HTTPRoute that the listener allows, to this gateway: tls routes \
        do nothing where it terminates TLS.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[
        Cause::RouteHostUnknown,
        Cause::ConnectionReusedAcrossGateways,
        Cause::NoFilterChainForSni,
    ],
    place: Place::ClientSide,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::GatewayTermination),
};
