//! The upstream's answer breaks HTTP.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Declare the port with the protocol that the upstream speaks, or correct its response: \
        it breaks that protocol.",
    named_fixes: &[
        "Declare port {port} of {host} with the protocol that it speaks, see whether {rule} has \
            h2UpgradePolicy, or correct its response: it breaks that protocol.",
        "Declare port {port} of {host} with the protocol that it speaks, or correct its \
            response: it breaks that protocol.",
    ],
    special_case_of: &[],
    look_alikes: &[Cause::Http2ToHttp1Upstream, Cause::UpstreamClosedConnection],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[LogShape::new(502, "UPE", "upstream_reset_before_response_started{protocol_error}")],
    flags: &["UPE"],
    section: None,
};
