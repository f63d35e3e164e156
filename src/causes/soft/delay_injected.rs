//! A fault filter delays requests.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Whoever configured the fault.
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Only,
    fix: "Remove the fault block from the VirtualService once the experiment is over: it delays \
        requests.",
    named_fixes: &["Remove the fault block from {route} once the experiment is over: it delays requests."],
    special_case_of: &[],
    look_alikes: &[Cause::FaultInjected, Cause::SucceededAfterRetries],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: None,
};
