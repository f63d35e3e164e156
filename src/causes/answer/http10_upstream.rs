//! The upstream answers in HTTP/1.0.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Upstream,
    sender: Sender::NoClient,
    // Envoy reads HTTP/1.0 responses; they cost a connection each.
    soft: Softness::Also,
    fix: "Make the upstream answer in HTTP/1.1 with keep-alive.",
    named_fixes: &["Make {host} answer in HTTP/1.1 with keep-alive."],
    special_case_of: &[
        // The response did break the declared protocol.
        Cause::UpstreamProtocolError,
        // The upstream did close it, perhaps because of what it received.
        Cause::UpstreamClosedConnection,
    ],
    look_alikes: &[Cause::Http10Client, Cause::UpstreamClosedConnection],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::Http10Service),
};
