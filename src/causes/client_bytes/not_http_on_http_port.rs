//! Something other than HTTP on a port declared as HTTP.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // The client is usually right; the port's declaration is wrong.
    side: Side::Mesh,
    sender: Sender::Anyone,
    // Istio's passthrough chain takes what an HTTP port's own chain doesn't match.
    soft: Softness::Also,
    fix: "Declare the port with the protocol really spoken on it, for example appProtocol tcp.",
    named_fixes: &["Declare port {destination_port} with the protocol really spoken on it, for example \
            appProtocol tcp."],
    special_case_of: &[
        // The codec couldn't read it, whatever it was.
        Cause::InvalidHttpRequest,
        // It was blocked, perhaps because it didn't fit what was declared.
        Cause::EgressBlocked,
        // The client did leave, perhaps because its bytes weren't understood.
        Cause::ClientDisconnected,
    ],
    look_alikes: &[Cause::TlsOnPlaintextPort, Cause::InvalidHttpRequest],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::HttpsToHttpPort),
};
