//! The next proxy made this reply.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Read the log of the proxy at the endpoint (sidecar, gateway, ztunnel): it made this reply, and \
        its flags say why.",
    named_fixes: &[
        "Read the log of the proxy at {endpoint} (sidecar, gateway, ztunnel): it made this reply, and its \
            flags say why.",
    ],
    special_case_of: &[
        // It came from the upstream's side, perhaps from a proxy there.
        Cause::ApplicationError,
    ],
    look_alikes: &[Cause::ApplicationError, Cause::UpstreamRefused, Cause::UpstreamClosedConnection],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[],
    flags: &[],
    section: None,
};
