//! An idle timeout ran out.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // A timer of the proxy ran out, or its configuration changed; both ends may be as they should be.
    side: Side::Mesh,
    // A client that leaves, or sends half a request and waits.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Send keep-alives on long quiet streams, or raise the idle timeout that ran out.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::UpstreamTimeout, Cause::MaxDurationReached, Cause::ClientDisconnected],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(504, "SI", "stream_idle_timeout")],
    flags: &["SI"],
    section: None,
};
