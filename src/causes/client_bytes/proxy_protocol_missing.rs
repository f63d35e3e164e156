//! The listener demands the PROXY protocol and gets none.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // What the listener and the connection manager take is configured here, whatever is in front of them.
    side: Side::Mesh,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Turn the PROXY protocol on at the load balancer in front, or off at the listener \
        (proxy_protocol filter).",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::NoFilterChainForSni, Cause::DownstreamTlsFailed],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
