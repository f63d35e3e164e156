//! No filter chain for the requested host name.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Add the requested host to a Gateway server and, for PASSTHROUGH, to a tls route of its \
        VirtualService.",
    named_fixes: &["Add {sni} to a Gateway server and, for PASSTHROUGH, to a tls route of its \
            VirtualService."],
    special_case_of: &[],
    look_alikes: &[Cause::PlaintextToStrictMtls, Cause::TlsOnPlaintextPort, Cause::RouteHostUnknown],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::GatewayPassthrough),
};
