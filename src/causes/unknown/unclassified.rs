//! Envoy reports a failure that no rule knows.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Envoy reported it and no rule knows it: whoever runs the proxies looks first.
    side: Side::Mesh,
    // Unknown, and never more than a lead.
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Look up the flags and details in the evidence, and report them so that a rule can be \
        added.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::ApplicationError],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
