//! This proxy closed the connection.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // A timer of the proxy ran out, or its configuration changed; both ends may be as they should be.
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Let clients reconnect, or raise the drain duration: this proxy replaced or drained the \
        listener.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::ClientDisconnected, Cause::IdleTimeout, Cause::MaxDurationReached],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: None,
};
