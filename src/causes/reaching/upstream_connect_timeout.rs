//! The upstream didn't answer the connect.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Check NetworkPolicy, firewalls and whether the address is alive: nothing answered the \
        connect.",
    named_fixes: &["Check NetworkPolicy, firewalls and whether {endpoint} is alive: nothing answered the \
            connect."],
    special_case_of: &[],
    look_alikes: &[Cause::UpstreamUnreachable, Cause::UpstreamTimeout, Cause::UpstreamSpeaksPlaintext],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(503, "UF", "upstream_reset_before_response_started{connection_timeout}")],
    flags: &["UF", "LR"],
    section: Some(PageSection::RequestsRejected),
};
