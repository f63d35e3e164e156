//! The client's certificate was rejected.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Seen from this proxy, the client ended or spoiled the handshake. The manual page covers the case
    // that the gateway's own certificate is at fault.
    side: Side::Downstream,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Give the client a valid certificate from a CA this proxy trusts, or add its CA to the \
        gateway's secret.",
    named_fixes: &[],
    special_case_of: &[
        // The handshake did fail.
        Cause::DownstreamTlsFailed,
    ],
    look_alikes: &[
        Cause::ClientCertificateMissing,
        Cause::DownstreamTlsFailed,
        Cause::UpstreamCertificateRejected,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::TlsMistakes),
};
