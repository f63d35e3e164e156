//! The upstream doesn't know the server name that the proxy asks for.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Set sni in the DestinationRule's tls block to a name that the upstream has a \
        certificate for.",
    named_fixes: &[],
    special_case_of: &[
        // The handshake did fail.
        Cause::UpstreamTlsFailed,
    ],
    look_alikes: &[Cause::UpstreamTlsFailed, Cause::UpstreamCertificateRejected],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::TlsMistakes),
};
