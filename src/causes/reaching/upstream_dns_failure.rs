//! The upstream's name can't be resolved.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Correct the host name in the ServiceEntry, or repair DNS: the proxy can't resolve it.",
    named_fixes: &["Correct the host name {host} in the ServiceEntry, or repair DNS: the proxy can't \
            resolve it."],
    special_case_of: &[
        // The cluster has none, perhaps because its name doesn't resolve.
        Cause::NoEndpoints,
    ],
    look_alikes: &[Cause::NoEndpoints],
    place: Place::ClientSide,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &["DF"],
    section: None,
};
