//! Plain text sent to an upstream that expects TLS.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Originate TLS with a DestinationRule of tls mode SIMPLE, or send HTTPS to a port \
        declared as HTTPS.",
    named_fixes: &[
        "Set tls.mode SIMPLE or MUTUAL for port {port} in {rule}; in a sidecar its credentialName counts only with \
            a workloadSelector.",
        "Originate TLS with a DestinationRule of tls mode SIMPLE for port {port} of {host}, or \
            send HTTPS to a port declared as HTTPS.",
    ],
    special_case_of: &[
        // The handshake did fail.
        Cause::UpstreamTlsFailed,
        // The upstream did close it, perhaps because of what it received.
        Cause::UpstreamClosedConnection,
    ],
    look_alikes: &[
        Cause::DestinationRuleTlsConflict,
        Cause::UpstreamClosedConnection,
        Cause::ApplicationError,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::TlsMistakes),
};
