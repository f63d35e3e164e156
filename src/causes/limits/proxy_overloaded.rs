//! The proxy sheds load.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Out of memory: the pod, not its configuration.
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Give the proxy more memory, or more replicas: its overload manager sheds load.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::CircuitBreakerOverflow, Cause::FileDescriptorsExhausted, Cause::RateLimited],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &["OM"],
    section: Some(PageSection::EnvoyCrashing),
};
