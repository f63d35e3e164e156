//! A circuit breaker's limit is reached.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The limit is a setting, whoever made the load.
    side: Side::Mesh,
    // Load fills a limit that somebody set, and its owner has to know.
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Raise the connectionPool limits in the DestinationRule, or give the upstream more \
        capacity.",
    named_fixes: &["Raise the connectionPool limits of {rule}, or give {host} more capacity."],
    special_case_of: &[],
    look_alikes: &[Cause::NoHealthyEndpoints, Cause::ProxyOverloaded, Cause::RateLimited],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[
        LogShape::new(503, "UO", "upstream_reset_before_response_started{overflow}"),
        LogShape::new(503, "UO", "maintenance_mode"),
    ],
    flags: &["UO"],
    section: Some(PageSection::RequestsRejected),
};
