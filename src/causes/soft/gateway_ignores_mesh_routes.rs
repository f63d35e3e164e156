//! The gateway doesn't follow the service's own VirtualService.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Only,
    fix: "Put the subset into the VirtualService that is bound to the gateway: the mesh's own \
        doesn't apply there.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::VirtualServiceNotApplied, Cause::WeightsNotSettled],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::GatewayRouteRules),
};
