//! TLS inside TLS.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    // A ClientHello where this proxy adds TLS to plaintext.
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Declare the port as HTTP and send plain HTTP to it, or remove the DestinationRule that \
        originates TLS.",
    named_fixes: &["Declare port {port} of {host} as HTTP and send plain HTTP to it, or remove the tls \
            block of {rule}."],
    special_case_of: &[
        // The codec couldn't read it, whatever it was.
        Cause::InvalidHttpRequest,
        // The handshake did fail.
        Cause::UpstreamTlsFailed,
        // The upstream did reset it, perhaps because of what it received.
        Cause::UpstreamReset,
        // The client did leave, perhaps because its bytes weren't understood.
        Cause::ClientDisconnected,
    ],
    look_alikes: &[Cause::TlsOnPlaintextPort, Cause::UpstreamCertificateRejected],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::DoubleTls),
};
