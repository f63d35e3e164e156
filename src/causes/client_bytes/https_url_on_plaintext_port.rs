//! An https:// URL in a plain HTTP request.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Downstream,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Send https URLs over TLS, or write http:// into the request line on this port.",
    named_fixes: &[],
    special_case_of: &[
        // The codec couldn't read it, whatever it was.
        Cause::InvalidHttpRequest,
    ],
    look_alikes: &[Cause::TlsOnPlaintextPort],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(403, "", "http1.https_url_on_plaintext_connection")],
    flags: &[],
    section: None,
};
