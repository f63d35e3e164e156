//! The client left before the response was complete.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Downstream,
    // A client that leaves, or sends half a request and waits.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Check the client's timeout and log: it left before the response was complete.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::UpstreamTimeout, Cause::NotHttpOnHttpPort, Cause::UpstreamReset],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[
        LogShape::new(0, "DC", "downstream_remote_disconnect"),
        LogShape::new(0, "DR", "http2.remote_reset"),
    ],
    flags: &["DC", "DR"],
    section: None,
};
