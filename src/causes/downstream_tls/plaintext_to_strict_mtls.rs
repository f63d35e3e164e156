//! Plain text to a workload that takes only mutual TLS.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The client can't present a mesh certificate by itself: a sidecar or a policy can.
    side: Side::Mesh,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Give the client a sidecar, or set the server's PeerAuthentication to PERMISSIVE until \
        it has one.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[
        Cause::DestinationRuleTlsConflict,
        Cause::NoFilterChainForSni,
        Cause::UpstreamClosedConnection,
    ],
    place: Place::ServerSide,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::DestinationRule503),
};
