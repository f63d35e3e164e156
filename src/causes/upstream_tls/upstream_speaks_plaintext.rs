//! TLS sent to an upstream that speaks plain text.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Set tls mode DISABLE in the DestinationRule, or remove its tls block: the upstream \
        speaks no TLS.",
    named_fixes: &[
        "Remove the BackendTLSPolicy for {backend}, or let its port {port} speak TLS.",
        "Send TLS for {external} to a port that speaks it (targetPort of its ServiceEntry), or remove the tls \
            block of its DestinationRule: port {port} speaks none.",
        "Set trafficPolicy.tls.mode of {rule} to DISABLE, or remove its tls block: port {port} \
            of {host} speaks no TLS.",
    ],
    special_case_of: &[
        // The handshake did fail.
        Cause::UpstreamTlsFailed,
    ],
    look_alikes: &[
        Cause::DestinationRuleTlsConflict,
        Cause::UpstreamTlsFailed,
        Cause::UpstreamConnectTimeout,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &["UF"],
    section: Some(PageSection::DestinationRule503),
};
