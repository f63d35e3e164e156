//! A rate limit of the proxy was hit.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The caller sends too much.
    side: Side::Downstream,
    // A request that a policy is there to refuse.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Send fewer requests, or raise the rate limit.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[
        Cause::CircuitBreakerOverflow,
        Cause::RateLimitServiceUnavailable,
        Cause::MixerResourceExhausted,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: true,
    peer_may_know: false,
    shapes: &[],
    flags: &["RL"],
    section: Some(PageSection::RequestsRejected),
};
