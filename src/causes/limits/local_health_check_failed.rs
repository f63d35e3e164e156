//! The proxy reports itself as unhealthy.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Drained on purpose: the pod, not its configuration.
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Take the draining proxy out of load balancing, or undo healthcheck/fail on its admin \
        port.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::NoHealthyEndpoints, Cause::ProxyOverloaded],
    place: Place::ServerSide,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &["LH"],
    section: None,
};
