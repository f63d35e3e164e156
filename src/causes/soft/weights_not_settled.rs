//! Too few requests to judge a weighted route.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Only,
    fix: "Wait for at least 100 requests before judging how a weighted route splits.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[
        Cause::VirtualServiceNotApplied,
        Cause::ConfigPropagating,
        Cause::GatewayIgnoresMeshRoutes,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RouteRulesNoEffect),
};
