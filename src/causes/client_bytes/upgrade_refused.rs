//! This proxy doesn't allow the upgrade.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // What the listener and the connection manager take is configured here, whatever is in front of them.
    side: Side::Mesh,
    sender: Sender::Anyone,
    soft: Softness::Never,
    fix: "Allow the upgrade in upgrade_configs of the connection manager or route, or don't ask \
        for it.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::AuthorizationPolicyDenied, Cause::ConnectToNonProxyPort],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(403, "", "upgrade_failed")],
    flags: &[],
    section: None,
};
