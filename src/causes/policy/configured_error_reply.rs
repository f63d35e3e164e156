//! A route answers with an error, as it is configured.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Whoever configured the reply.
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Remove the direct response (directResponse of the VirtualService) once it isn't meant \
        any more.",
    named_fixes: &["Remove the direct response of {resource} once it isn't meant any more."],
    special_case_of: &[],
    look_alikes: &[Cause::EgressBlocked, Cause::FaultInjected, Cause::ApplicationError],
    place: Place::Either,
    ends_by_itself: false,
    by_design: true,
    peer_may_know: false,
    shapes: &[
        LogShape::new(500, "", "direct_response"),
        LogShape::new(502, "", "direct_response"),
        LogShape::new(503, "", "direct_response"),
        LogShape::new(504, "", "direct_response"),
    ],
    flags: &[],
    section: None,
};
