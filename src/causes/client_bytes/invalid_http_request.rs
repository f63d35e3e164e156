//! The request breaks HTTP.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Downstream,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Correct the request in the client: the details in the evidence name what Envoy \
        refused.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::NotHttpOnHttpPort, Cause::TlsOnPlaintextPort, Cause::ApplicationError],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(400, "DPE", "http1.codec_error")],
    flags: &["DPE", "IH"],
    section: Some(PageSection::RequestsRejected),
};
