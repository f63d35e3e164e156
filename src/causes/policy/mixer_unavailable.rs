//! Mixer can't be reached (Istio 1.7 and older).

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // A service that the mesh relies on, not the one that the request was for.
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Bring istio-policy back, or disable its policy checks: Mixer left Istio in 1.8.",
    named_fixes: &[],
    special_case_of: &[
        // Mixer's was a filter, too.
        Cause::FilterRejected,
    ],
    look_alikes: &[Cause::ExtAuthzUnavailable, Cause::RateLimitServiceUnavailable],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
