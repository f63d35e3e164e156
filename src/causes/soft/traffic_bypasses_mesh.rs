//! The traffic passes through without any rule.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Only,
    fix: "Declare the destination in a Service or ServiceEntry, so that rules apply to it.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::TlsOnPlaintextPort, Cause::Http10Client, Cause::VirtualServiceNotApplied],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RouteRulesNoEffect),
};
