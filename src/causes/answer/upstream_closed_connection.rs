//! The upstream closed the connection before it had answered in full.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Find out why the upstream closed the connection: a crash, a restart, a limit, an idle \
        timeout shorter than the proxy's.",
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
