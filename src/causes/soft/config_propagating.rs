//! The configuration is still on its way.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Only,
    fix: "Wait some seconds for istiod's push, and create subsets before the routes that use \
        them.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::ClusterMissing, Cause::RouteTableMissing, Cause::VirtualServiceNotApplied],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RouteRulesNoEffect),
};
