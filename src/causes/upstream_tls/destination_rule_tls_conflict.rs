//! Plain text sent to a workload that accepts only mutual TLS.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Set trafficPolicy.tls.mode to ISTIO_MUTUAL in the DestinationRule, or remove its tls \
        block.",
    named_fixes: &["Set trafficPolicy.tls.mode of {rule} to ISTIO_MUTUAL, or remove its tls block."],
    special_case_of: &[
        // It did reject it: Istio's certificates are trusted by mutual TLS alone.
        Cause::UpstreamCertificateRejected,
        // The handshake did fail.
        Cause::UpstreamTlsFailed,
        // The upstream did reset it, perhaps because of what it received.
        Cause::UpstreamReset,
        // The upstream did close it, perhaps because of what it received.
        Cause::UpstreamClosedConnection,
    ],
    look_alikes: &[
        Cause::UpstreamClosedConnection,
        Cause::UpstreamExpectsTls,
        Cause::PlaintextToStrictMtls,
        Cause::UpstreamSpeaksPlaintext,
    ],
    place: Place::ClientSide,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::DestinationRule503),
};
