//! The network has no path to the upstream.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Platform,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Restore the network path to the endpoint: routes, NetworkPolicy, firewall, or a stale \
        address.",
    named_fixes: &["Restore the network path to {endpoint}: routes, NetworkPolicy, firewall, or a stale \
            address."],
    special_case_of: &[],
    look_alikes: &[Cause::UpstreamRefused, Cause::UpstreamConnectTimeout],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &["UF"],
    section: Some(PageSection::RequestsRejected),
};
