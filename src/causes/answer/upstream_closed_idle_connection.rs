//! The server was closing an idle connection as the request came.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Set idleTimeout in the DestinationRule below the server's keep-alive timeout, and \
        retry on reset-before-request.",
    named_fixes: &[],
    special_case_of: &[
        // The upstream did close it, perhaps because of what it received.
        Cause::UpstreamClosedConnection,
    ],
    look_alikes: &[Cause::UpstreamClosedConnection, Cause::DestinationRuleTlsConflict],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: None,
};
