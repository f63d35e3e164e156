//! Mixer failed internally (Istio 1.7 and older).

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // A service that the mesh relies on, not the one that the request was for.
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Correct the Mixer adapter or rule that the log of istio-policy names.",
    named_fixes: &[],
    special_case_of: &[
        // Mixer's was a filter, too.
        Cause::FilterRejected,
    ],
    look_alikes: &[Cause::ExtAuthzUnavailable, Cause::FilterConfigMissing, Cause::MixerUnavailable],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
