//! The upstream demands a client certificate.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Set tls mode MUTUAL in the DestinationRule, with a client certificate that the \
        upstream accepts.",
    named_fixes: &["Set trafficPolicy.tls.mode of {rule} to MUTUAL, with a client certificate that {host} \
            accepts."],
    special_case_of: &[
        // The handshake did fail.
        Cause::UpstreamTlsFailed,
        // The upstream did close it, perhaps because of what it received.
        Cause::UpstreamClosedConnection,
    ],
    look_alikes: &[
        Cause::UpstreamTlsFailed,
        Cause::UpstreamClosedConnection,
        Cause::ClientCertificateMissing,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::TlsMistakes),
};
