//! HTTP/2 sent to an upstream that speaks HTTP/1.1.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The declared protocol (http2, grpc) is wrong, not the server.
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Declare the port as http rather than http2 or grpc, or remove h2UpgradePolicy from the \
        DestinationRule.",
    named_fixes: &["Declare port {port} of {host} as http rather than http2 or grpc, or remove \
            h2UpgradePolicy from its DestinationRule."],
    special_case_of: &[
        // The response did break the declared protocol.
        Cause::UpstreamProtocolError,
        // The upstream did close it, perhaps because of what it received.
        Cause::UpstreamClosedConnection,
    ],
    look_alikes: &[Cause::UpstreamProtocolError, Cause::UpstreamReset],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[],
    flags: &[],
    section: None,
};
