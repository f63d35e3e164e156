//! An AuthorizationPolicy denied the request.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // A named Istio rule decides: only its owner knows whether it is right.
    side: Side::Mesh,
    // A request that a policy is there to refuse.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Add an ALLOW rule for this caller, or narrow the DENY rule that the evidence names.",
    // Only DENY rules are named.
    named_fixes: &[
        "Narrow the rule of {resource} that denies this request, or change the caller.",
        "Add an ALLOW rule for {principal} and this method, path and port (the workload's): none matches. \
            requestPrincipals need a RequestAuthentication.",
    ],
    special_case_of: &[],
    look_alikes: &[Cause::ExtAuthzDenied, Cause::JwtRejected, Cause::MixerPermissionDenied],
    place: Place::Either,
    ends_by_itself: false,
    by_design: true,
    peer_may_know: false,
    shapes: &[LogShape::new(403, "", "rbac_access_denied_matched_policy[none]")],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
