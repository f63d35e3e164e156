//! HTTP traffic handled as TCP.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Only,
    fix: "Name the Service port http or http-NAME, or set its appProtocol to http.",
    named_fixes: &["Name port {port} of the Service {service} http or http-NAME, or set its appProtocol to \
            http."],
    special_case_of: &[],
    look_alikes: &[Cause::VirtualServiceNotApplied, Cause::TrafficBypassesMesh, Cause::Http10Client],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::RouteRulesNoEffect),
};
