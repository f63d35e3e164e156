//! Plain HTTP sent to a TLS port.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Downstream,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Use https:// for this port in the client, or give plain HTTP a port of its own.",
    named_fixes: &[],
    special_case_of: &[
        // The handshake did fail.
        Cause::DownstreamTlsFailed,
    ],
    look_alikes: &[Cause::PlaintextToStrictMtls, Cause::DownstreamTlsFailed],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::TlsMistakes),
};
