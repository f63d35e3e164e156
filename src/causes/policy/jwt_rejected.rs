//! The token (JWT) was rejected.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The caller's credentials.
    side: Side::Downstream,
    // A request that a policy is there to refuse.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Send a valid, unexpired token with an issuer and audience that the \
        RequestAuthentication accepts, or make its jwksUri reachable.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::AuthorizationPolicyDenied, Cause::ExtAuthzDenied, Cause::MixerUnauthenticated],
    place: Place::Either,
    ends_by_itself: false,
    by_design: true,
    peer_may_know: false,
    shapes: &[
        LogShape::new(401, "", "jwt_authn_access_denied{Jwt_is_missing}"),
        LogShape::new(403, "", "jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}"),
    ],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
