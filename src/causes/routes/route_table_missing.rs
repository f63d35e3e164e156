//! The route table never arrived.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    // True of the configuration, whatever was sent.
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Find out with istioctl proxy-status why istiod has not delivered this route table, and \
        restore that.",
    named_fixes: &[],
    special_case_of: &[],
    look_alikes: &[Cause::RouteHostUnknown, Cause::ConfigPropagating, Cause::ClusterMissing],
    place: Place::Either,
    ends_by_itself: true,
    by_design: false,
    peer_may_know: false,
    shapes: &[LogShape::new(404, "NR", "route_configuration_not_found")],
    flags: &[],
    section: Some(PageSection::RequestsRejected),
};
