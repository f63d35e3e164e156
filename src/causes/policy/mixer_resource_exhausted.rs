//! Mixer's quota is used up (Istio 1.7 and older).

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The caller sends too much.
    side: Side::Downstream,
    // A request that a policy is there to refuse.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Send fewer requests, or raise the quota in Mixer.",
    named_fixes: &[],
    special_case_of: &[
        // Mixer's was a filter, too.
        Cause::FilterRejected,
    ],
    look_alikes: &[Cause::RateLimited, Cause::CircuitBreakerOverflow],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
