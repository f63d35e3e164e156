//! Another filter of the proxy made this reply.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Whoever configured the filter; what it checks may be the client's or a service's fault.
    side: Side::Mesh,
    // A request that a policy is there to refuse.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Look for the filter (WasmPlugin, EnvoyFilter) that made this reply, and in its rules \
        and log for why.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[
        Cause::AuthorizationPolicyDenied,
        Cause::ExtAuthzDenied,
        Cause::ApplicationError,
        Cause::Unclassified,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: true,
    peer_may_know: false,
    // Filters may respond with any status: with these, many do.
    shapes: &[
        LogShape::new(401, "", "lua_response"),
        LogShape::new(403, "", "lua_response"),
        LogShape::new(500, "", "lua_response"),
        LogShape::new(503, "", "lua_response"),
    ],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
