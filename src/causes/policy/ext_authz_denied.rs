//! The external authorization service denied the request.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The caller's credentials.
    side: Side::Downstream,
    // A request that a policy is there to refuse.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Send what the external authorization service asks for, or change its decision there.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[
        Cause::ExtAuthzUnavailable,
        Cause::AuthorizationPolicyDenied,
        Cause::MixerPermissionDenied,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: true,
    peer_may_know: false,
    // Versions up to 1.20 forgot the flag (envoyproxy/envoy#18964); the service chooses the status.
    shapes: &[
        LogShape::new(401, "", "ext_authz_denied"),
        LogShape::new(401, "UAEX", "ext_authz_denied"),
        LogShape::new(403, "", "ext_authz_denied"),
        LogShape::new(403, "UAEX", "ext_authz_denied"),
    ],
    flags: &["UAEX"],
    section: Some(PageSection::RequestsRejected),
};
