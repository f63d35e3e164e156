//! A rule of the Gateway API has no valid backend.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    // True of the configuration, whatever was sent.
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Give the rule a backendRef to a Service and port that exist, with a weight above 0, \
        and allow it by a ReferenceGrant.",
    named_fixes: &["Give the rule of {resource} a backendRef to a Service and port that exist, with a \
            weight above 0, and allow it by a ReferenceGrant."],
    special_case_of: &[],
    look_alikes: &[Cause::ClusterMissing, Cause::ConfiguredErrorReply, Cause::NoEndpoints],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: None,
};
