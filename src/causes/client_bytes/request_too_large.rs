//! The request is too large for this proxy.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Downstream,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Send a smaller request, or raise the limit that the details name.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::InvalidHttpRequest, Cause::FilterRejected],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[
        LogShape::new(413, "", "request_payload_too_large"),
        LogShape::new(507, "", "request_payload_exceeded_retry_buffer_limit"),
        LogShape::new(431, "", "http1.headers_too_large"),
        LogShape::new(431, "DPE", "http1.headers_too_large"),
    ],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
