//! HTTPS sent to a port declared as HTTP.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The client is usually right; the port's declaration is wrong.
    side: Side::Mesh,
    sender: Sender::Anyone,
    // Istio's passthrough chain takes what an HTTP port's own chain doesn't match.
    soft: Softness::Also,
    fix: "Declare the port as HTTPS, or send plain HTTP to it.",
    named_fixes: &["Declare port {destination_port} of {sni} as HTTPS, or send plain HTTP to it."],
    special_case_of: &[
        // The codec couldn't read it, whatever it was.
        Cause::InvalidHttpRequest,
        // It was blocked, perhaps because it didn't fit what was declared.
        Cause::EgressBlocked,
        // The upstream did reset it, perhaps because of what it received.
        Cause::UpstreamReset,
        // The client did leave, perhaps because its bytes weren't understood.
        Cause::ClientDisconnected,
    ],
    look_alikes: &[Cause::NotHttpOnHttpPort, Cause::DoubleTls, Cause::InvalidHttpRequest],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::HttpsToHttpPort),
};
