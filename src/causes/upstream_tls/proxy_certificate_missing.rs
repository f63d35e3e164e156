//! This proxy has no certificate for its TLS.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Make the secret available that this proxy's TLS needs (credentialName, istiod's CA): \
        it was not supplied by SDS.",
    named_fixes: &[],
    special_case_of: &[
        // The handshake did fail.
        Cause::UpstreamTlsFailed,
    ],
    look_alikes: &[Cause::UpstreamTlsFailed, Cause::UpstreamRequiresClientCertificate],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::TlsMistakes),
};
