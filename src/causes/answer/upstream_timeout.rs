//! The upstream took too long.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Make the upstream answer sooner, or raise the timeout in its VirtualService.",
    named_fixes: &[
        "Make {host} answer sooner, or raise the timeout in {route}.",
        "Make {host} answer sooner, or raise the timeout in its VirtualService.",
    ],
    special_case_of: &[],
    look_alikes: &[
        Cause::UpstreamConnectTimeout,
        Cause::IdleTimeout,
        Cause::ApplicationError,
        Cause::ClientDisconnected,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[LogShape::new(504, "UT", "response_timeout")],
    flags: &["UT"],
    section: None,
};
