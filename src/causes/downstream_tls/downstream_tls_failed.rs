//! The TLS handshake with the client failed.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Seen from this proxy, the client ended or spoiled the handshake. The manual page covers the case
    // that the gateway's own certificate is at fault.
    side: Side::Downstream,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Make client and proxy agree on TLS version, cipher and trusted certificate, or create \
        the missing secret: the evidence holds the error.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::ClientCertificateRejected, Cause::PlaintextOnTlsPort, Cause::UpstreamTlsFailed],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::TlsMistakes),
};
