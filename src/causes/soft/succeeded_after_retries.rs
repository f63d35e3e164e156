//! It worked, but not at the first attempt.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // An endpoint failed: the proxy retried, there or at another one.
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Only,
    fix: "Find out why attempts fail: retries hide it, and each one costs time and load.",
    named_fixes: &["Find out why attempts at {host} fail: retries hide it, and each one costs time and \
            load."],
    special_case_of: &[],
    look_alikes: &[Cause::UpstreamTimeout, Cause::UpstreamRefused, Cause::DelayInjected],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: None,
};
