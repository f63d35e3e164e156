//! A PROXY protocol header arrives where nobody takes it.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // What the listener and the connection manager take is configured here, whatever is in front of them.
    side: Side::Mesh,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Turn the PROXY protocol off at the load balancer in front, or let the listener take it \
        (proxy_protocol filter).",
    named_fixes: &[],
    special_case_of: &[
        // The codec couldn't read it, whatever it was.
        Cause::InvalidHttpRequest,
        // The upstream did reset it, perhaps because of what it received.
        Cause::UpstreamReset,
    ],
    look_alikes: &[Cause::NotHttpOnHttpPort, Cause::InvalidHttpRequest, Cause::PlaintextOnTlsPort],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
