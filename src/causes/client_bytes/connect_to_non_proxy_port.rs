//! CONNECT to a port that is no forward proxy.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Downstream,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Except this host from the client's proxy (NO_PROXY), or declare the forward proxy's \
        port as TCP.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::RouteHostUnknown, Cause::RouteNoMatch, Cause::EgressBlocked],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: None,
};
