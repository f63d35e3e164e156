//! What is not asked for makes no difference.

use proptest::prelude::*;

use super::arbitrary::evidence;
use crate::diagnosis::{FetchPlan, diagnose, fetch_plan};
use crate::evidence::{Downstream, Evidence, Flags, Layer, Upstream};
use crate::report::Report;

/// The flags of the kinds that come often.
const USUAL: &[&str] = &["UF", "UC", "UR", "UO", "UPE", "UH", "NR", "NC", "URX", "UAEX", "RL", "FI"];

/// As Envoy shows it: what the details say of the connection is what the attribute says, an answer leaves no reason of
/// attempts before it, and the number of attempts matters where all were used up.
fn as_envoy_shows(mut e: Evidence) -> Evidence {
    e.layer = Layer::Http;
    // Of connections only.
    (e.filter_chain, e.downstream.listener, e.downstream.transport_failure) = (None, None, None);
    e.upstream.first_bytes = None;
    if e.details.via_upstream() {
        e.upstream.transport_failure = None;
    }
    e.upstream.transport_failure = e.details.transport_failure().cloned().or(e.upstream.transport_failure);
    // Mixer's replies have a flag of their own, or none.
    if e.flags.any_failure() && !e.flags.contains(Flags::UNAUTHORIZED_EXTERNAL_SERVICE) {
        e.mixer = None;
    }
    if !e.flags.contains(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED) {
        e.upstream.attempts = None;
    }
    if e.upstream.cluster.is_none() {
        let transport_failure = e.details.transport_failure().cloned();
        e.upstream = Upstream { transport_failure, ..Upstream::default() };
    }
    e
}

/// The same, without what the plan leaves out.
pub(super) fn only(groups: FetchPlan, mut e: Evidence) -> Evidence {
    if !groups.contains(FetchPlan::UPSTREAM_FAILURE) {
        e.upstream.transport_failure = e.details.transport_failure().cloned();
    }
    let groups = groups.knowing(e.upstream.transport_failure.as_ref());
    let lacks = |group| !groups.contains(group);
    let (up, route) = (&mut e.upstream, &mut e.route);
    if lacks(FetchPlan::CLIENT) {
        let Downstream { grpc, tunnel, principal, protocol, .. } = std::mem::take(&mut e.downstream);
        let protocol = protocol.filter(|_| e.details.reset_after_response());
        e.downstream = Downstream { grpc, tunnel, principal, protocol, ..Downstream::default() };
    }
    if lacks(FetchPlan::VIRTUAL_HOST) {
        route.virtual_host = None;
    }
    if lacks(FetchPlan::ROUTE) {
        (route.name, route.resource, route.gateway_api) = (None, None, false);
    }
    if lacks(FetchPlan::UPSTREAM_RULE) {
        (up.resource, up.takes_istio_mtls) = (None, None);
    }
    if lacks(FetchPlan::UPSTREAM_TLS) {
        up.tls_version = None;
    }
    if lacks(FetchPlan::ENDPOINTS) {
        up.endpoints = None;
    }
    if lacks(FetchPlan::ATTEMPTS) {
        up.attempts = None;
    }
    if lacks(FetchPlan::MIXER) {
        e.mixer = None;
    }
    if lacks(FetchPlan::UPSTREAM) {
        *up = Upstream { transport_failure: e.details.transport_failure().cloned(), ..Upstream::default() };
    }
    e
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn what_is_not_wanted_makes_no_difference(e in evidence(), short in proptest::sample::subsequence(USUAL, 0..3)) {
        // Arbitrary flags seldom fit the details: then everything is read.
        let e = Evidence { flags: Flags::from_short(&short.join(",")), ..e };
        let whole = as_envoy_shows(e);
        let groups = fetch_plan(&whole.details, whole.flags, &whole.answer);
        let part = only(groups, whole.clone());
        let (of_whole, of_part) = (diagnose(&whole), diagnose(&part));
        prop_assert_eq!(&of_whole, &of_part);
        let report = |e: &Evidence| diagnose(e).map(|verdict| Report::new(&verdict, e));
        prop_assert_eq!(report(&whole), report(&part));
    }
}
