//! A browser reused a connection that belongs to another Gateway.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    // A client that sets SNI and Host apart.
    sender: Sender::Imitator,
    soft: Softness::Never,
    fix: "Merge the Gateways that share this certificate into one wildcard Gateway and bind all \
        VirtualServices to it.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::RouteHostUnknown, Cause::GatewayWithoutHttpRoutes],
    place: Place::ClientSide,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::SharedCertificate),
};
