//! The upstream reset the stream.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Find in the upstream's log why it reset the stream.",
    named_fixes: &["Find in the log of {host} why it reset the stream."],
    special_case_of: &[],
    look_alikes: &[Cause::UpstreamClosedConnection, Cause::ClientDisconnected, Cause::UpstreamProtocolError],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[LogShape::new(503, "UR", "upstream_reset_before_response_started{remote_reset}")],
    flags: &["UR", "LR"],
    section: None,
};
