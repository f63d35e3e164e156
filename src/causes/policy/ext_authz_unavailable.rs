//! The external authorization service is unavailable.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // A service that the mesh relies on, not the one that the request was for.
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Bring the external authorization service back, or correct its protocol and answers: the \
        check fails closed.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::ExtAuthzDenied, Cause::MixerUnavailable],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(403, "UAEX", "ext_authz_error")],
    flags: &["UAEX"],
    section: Some(PageSection::RequestsRejected),
};
