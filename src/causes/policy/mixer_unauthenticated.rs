//! Mixer's authentication rejected the request (Istio 1.7 and older).

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The caller's credentials.
    side: Side::Downstream,
    // A request that a policy is there to refuse.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Send valid credentials: Mixer's authentication rejected those of this request.",
    named_fixes: &[],
    special_case_of: &[
        // Mixer's was a filter, too.
        Cause::FilterRejected,
    ],
    look_alikes: &[Cause::JwtRejected, Cause::ExtAuthzDenied],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
