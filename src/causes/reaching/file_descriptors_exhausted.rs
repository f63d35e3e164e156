//! The proxy has no file descriptors left.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Raise the proxy's open file limit (ulimit -n), and look for connections that never \
        close.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::UpstreamUnreachable, Cause::ProxyOverloaded, Cause::CircuitBreakerOverflow],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::EnvoyCrashing),
};
