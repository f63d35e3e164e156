//! The application answered with an error.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Read the application's log: it sent this error itself, and the mesh passed it on.",
    named_fixes: &[
        "Read the log of {host}: it sent this error itself, unless its proxy's log has other details \
            than via_upstream.",
    ],
    special_case_of: &[],
    look_alikes: &[Cause::UpstreamTimeout, Cause::NoEndpoints, Cause::UpstreamClosedConnection],
    place: Place::Either,
    ends_by_itself: false,
    by_design: true,
    peer_may_know: true,
    shapes: &[],
    flags: &[],
    section: None,
};
