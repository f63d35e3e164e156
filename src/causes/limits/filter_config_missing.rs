//! A filter's configuration never arrived.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Make the WasmPlugin's module reachable for this proxy, or remove the WasmPlugin.",
    named_fixes: &[],
    special_case_of: &[
        // It was denied, perhaps in place of a filter that isn't there.
        Cause::AuthorizationPolicyDenied,
    ],
    look_alikes: &[Cause::ConfigPropagating, Cause::RouteTableMissing, Cause::AuthorizationPolicyDenied],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &["NFCF"],
    section: None,
};
