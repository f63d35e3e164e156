//! No filter chain for the requested host name.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix:
        "Add the requested host to a Gateway's listener with a certificate that exists, or where TLS passes \
        through to a tls route or TLSRoute.",
    named_fixes: &[
        "Add {sni} to a Gateway's listener with a certificate that exists, or where TLS passes through to a \
            tls route or TLSRoute.",
    ],
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
