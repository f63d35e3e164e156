//! The upstream closed the connection before it had answered in full.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Keep the upstream's idle connections open longer than the proxy does, and check \
        whether it crashed.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[
        Cause::DestinationRuleTlsConflict,
        Cause::UpstreamExpectsTls,
        Cause::UpstreamRequiresClientCertificate,
        Cause::UpstreamReset,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[LogShape::new(503, "UC", "upstream_reset_before_response_started{connection_termination}")],
    flags: &["UC"],
    section: None,
};
