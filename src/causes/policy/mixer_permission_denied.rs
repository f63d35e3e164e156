//! Mixer's authorization denied the request (Istio 1.7 and older).

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // A named Istio rule decides: only its owner knows whether it is right.
    side: Side::Mesh,
    // A request that a policy is there to refuse.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Allow this caller in Mixer's rules, or move them to an AuthorizationPolicy.",
    named_fixes: &[],
    special_case_of: &[
        // Mixer's was a filter, too.
        Cause::FilterRejected,
    ],
    look_alikes: &[Cause::AuthorizationPolicyDenied, Cause::ExtAuthzDenied],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
