//! A maximum duration was reached.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // A timer of the proxy ran out, or its configuration changed; both ends may be as they should be.
    side: Side::Mesh,
    // A client that leaves, or sends half a request and waits.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Raise the maximum duration that ran out, or make the request or connection shorter.",
    // Of a TCP session.
    named_fixes: &[
        "Raise tcp.maxConnectionDuration in {resource}, or have the client's pool renew connections sooner.",
    ],
    special_case_of: &[],
    look_alikes: &[Cause::IdleTimeout, Cause::UpstreamTimeout],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(504, "", "max_duration_timeout")],
    flags: &["DT", "UMSDR"],
    section: None,
};
