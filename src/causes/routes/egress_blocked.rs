//! The mesh lets no traffic out to this host.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    // Any host and any path: `GET /zzz`.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Add a ServiceEntry for the host, its name to the Sidecar's egress, or set outboundTrafficPolicy to ALLOW_ANY.",
    named_fixes: &["Add a ServiceEntry for {sni}, or set outboundTrafficPolicy to ALLOW_ANY."],
    special_case_of: &[],
    look_alikes: &[Cause::TlsOnPlaintextPort, Cause::Http10Client, Cause::NoEndpoints],
    place: Place::ClientSide,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
