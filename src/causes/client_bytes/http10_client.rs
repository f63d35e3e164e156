//! The client speaks HTTP/1.0.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Downstream,
    sender: Sender::Anyone,
    // Istio's passthrough chain takes what an HTTP port's own chain doesn't match.
    soft: Softness::Also,
    fix: "Make the client send HTTP/1.1 (nginx: proxy_http_version 1.1), or set PILOT_HTTP10 on \
        istiod.",
    named_fixes: &[],
    special_case_of: &[
        // The codec couldn't read it, whatever it was.
        Cause::InvalidHttpRequest,
        // It was blocked, perhaps because it didn't fit what was declared.
        Cause::EgressBlocked,
    ],
    look_alikes: &[Cause::Http10Upstream, Cause::TrafficBypassesMesh],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(426, "", "low_version"), LogShape::new(426, "DPE", "low_version")],
    flags: &[],
    section: Some(PageSection::Http10Service),
};
