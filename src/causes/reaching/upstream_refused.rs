//! The upstream refused the connection.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Only a host that is alive refuses: the application doesn't listen there.
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Start the application on the Service's target port, listening on the pod's address and \
        not only on 127.0.0.1.",
    named_fixes: &[
        "Start the application of {service} on {endpoint}, listening on the pod's address and \
            not only on 127.0.0.1, or correct the target port.",
        "Start what should listen on {endpoint}, on the pod's address and not only on 127.0.0.1, \
            or correct the port.",
    ],
    special_case_of: &[],
    look_alikes: &[
        Cause::UpstreamUnreachable,
        Cause::UpstreamConnectTimeout,
        Cause::DestinationRuleTlsConflict,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(503, "UF", "upstream_reset_before_response_started{remote_connection_failure}")],
    flags: &["UF"],
    section: Some(PageSection::RequestsRejected),
};
