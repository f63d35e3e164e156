//! A fault was injected on purpose.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // Whoever configured the fault.
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Remove the fault block from the VirtualService once the experiment is over.",
    named_fixes: &["Remove the fault block from {resource} once the experiment is over."],
    special_case_of: &[],
    look_alikes: &[Cause::ApplicationError],
    place: Place::Either,
    ends_by_itself: false,
    by_design: true,
    peer_may_know: false,
    shapes: &[],
    flags: &["FI"],
    section: None,
};
