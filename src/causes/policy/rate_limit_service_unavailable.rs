//! The rate limit service is unavailable.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // A service that the mesh relies on, not the one that the request was for.
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Bring the rate limit service back: it answered no check, and the check fails closed.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::RateLimited, Cause::ExtAuthzUnavailable],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &["RLSE"],
    section: Some(PageSection::RequestsRejected),
};
