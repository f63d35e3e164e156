//! No VirtualService applied to the request.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Only,
    fix: "Check hosts, gateways and exportTo of the VirtualService: none applied to this \
        request.",
    named_fixes: &["Check hosts, gateways and exportTo of {resource}: it didn't apply to this request."],
    special_case_of: &[],
    look_alikes: &[
        Cause::GatewayIgnoresMeshRoutes,
        Cause::HttpTreatedAsTcp,
        Cause::TrafficBypassesMesh,
        Cause::ConfigPropagating,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RouteRulesNoEffect),
};
