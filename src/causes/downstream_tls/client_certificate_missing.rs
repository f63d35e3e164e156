//! The client presented no certificate.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Seen from this proxy, the client ended or spoiled the handshake. The manual page covers the case
    // that the gateway's own certificate is at fault.
    side: Side::Downstream,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Have the client present a certificate (in a mesh: plaintext through its sidecar), or \
        set the Gateway's tls mode to SIMPLE.",
    named_fixes: &[],
    special_case_of: &[
        // The handshake did fail.
        Cause::DownstreamTlsFailed,
    ],
    look_alikes: &[
        Cause::ClientCertificateRejected,
        Cause::PlaintextToStrictMtls,
        Cause::UpstreamRequiresClientCertificate,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::TlsMistakes),
};
