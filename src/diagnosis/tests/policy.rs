//! What policies and Mixer refuse.

use super::{named, stream};
use crate::causes::Side;
use crate::diagnosis::diagnose;
use crate::evidence::{ClusterName, Details, Direction, Evidence, Flags, Layer, MixerStatus};
use crate::report::Report;

#[test]
fn an_authorization_policy_is_named_with_namespace_and_name() {
    let id = "rbac_access_denied_matched_policy[ns[prod]-policy[deny-all]-rule[0]]";
    let verdict = diagnose(&stream(403, "-", id)).unwrap();
    assert_eq!(verdict.resource.unwrap().to_string(), "AuthorizationPolicy/prod/deny-all");
    let tcp = Evidence {
        layer: Layer::Tcp,
        termination: Details::new(id),
        flags: Flags::from_bits_retain(1 << 3),
        ..Evidence::default()
    };
    assert_eq!(named(&tcp), Some(("authorization_policy_denied", "certain")));
}

#[test]
fn no_authorization_policy_is_for_outbound_traffic() {
    let mut e = stream(403, "-", "rbac_access_denied_matched_policy[none]");
    assert_eq!(named(&e), Some(("authorization_policy_denied", "likely")), "whose filter nobody could read");
    e.substitute = Some(true);
    assert_eq!(named(&e), Some(("filter_config_missing", "certain")));
    e.substitute = Some(false);
    assert_eq!(named(&e), Some(("authorization_policy_denied", "certain")));
    e.direction = Direction::Outbound;
    assert_eq!(named(&e), Some(("authorization_policy_denied", "possible")));
    let mut tcp = Evidence { layer: Layer::Tcp, ..Evidence::default() };
    tcp.termination = Details::new("rbac_access_denied_matched_policy[none]");
    assert_eq!(
        named(&tcp),
        Some(("authorization_policy_denied", "likely")),
        "or a substitute, which leaves no mark"
    );
    tcp.direction = Direction::Outbound;
    assert_eq!(named(&tcp), Some(("filter_config_missing", "possible")));
}

#[test]
fn what_to_allow_depends_on_what_the_caller_showed() {
    let fix = |direction, principal: Option<&str>| {
        let mut e = stream(403, "-", "rbac_access_denied_matched_policy[none]");
        (e.direction, e.substitute) = (direction, Some(false));
        e.downstream.principal = principal.map(str::to_owned);
        Report::new(&diagnose(&e).unwrap(), &e).fix.into_owned()
    };
    let known = Some("spiffe://cluster.local/ns/default/sa/client");
    assert!(fix(Direction::Inbound, known).contains("sa/client and this method, path and port"));
    assert!(fix(Direction::Inbound, None).contains("it showed no certificate"));
    assert!(fix(Direction::Gateway, None).contains("Preflights"));
    let mut tcp = Evidence { layer: Layer::Tcp, ..Evidence::default() };
    tcp.termination = Details::new("rbac_access_denied_matched_policy[none]");
    assert!(Report::new(&diagnose(&tcp).unwrap(), &tcp).fix.contains("never match TCP"));
    tcp.termination = Details::new("rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]");
    assert!(!Report::new(&diagnose(&tcp).unwrap(), &tcp).fix.contains("never match TCP"));
}

#[test]
fn a_connection_over_the_limit_was_never_tried() {
    let mut e = Evidence { layer: Layer::Tcp, flags: Flags::from_short("URX"), ..Evidence::default() };
    assert_eq!(named(&e), Some(("rate_limited", "likely")));
    e.upstream.address = Some("10.0.0.1:5432".into());
    assert_eq!(named(&e), Some(("unclassified", "possible")), "this one was");
    e.upstream.address = None;
    e.flags = Flags::from_short("UF,URX");
    assert_ne!(named(&e).map(|(cause, _)| cause), Some("rate_limited"));
}

#[test]
fn names_of_istiods_that_others_may_use_prove_nothing() {
    let mut e = stream(502, "-", "direct_response");
    e.route.name = Some("block_all".into());
    assert_eq!(named(&e), Some(("egress_blocked", "likely")), "no virtual host was seen");
    e.code = Some(503);
    assert_eq!(named(&e), Some(("configured_error_reply", "likely")), "istiod's own is a 502");
    e.code = Some(502);
    e.route.virtual_host = Some("reviews:80".into());
    assert_ne!(named(&e).map(|(cause, _)| cause), Some("egress_blocked"), "a route that somebody named so");
    e.route.virtual_host = Some("block_all".into());
    assert_eq!(named(&e), Some(("egress_blocked", "certain")));
    let mut own_port = Evidence { layer: Layer::Tcp, flags: Flags::from_short("UH"), ..Evidence::default() };
    own_port.upstream.cluster = ClusterName::new("BlackHoleCluster");
    own_port.filter_chain = Some("virtualInbound-blackhole".into());
    own_port.direction = Direction::Outbound;
    assert_eq!(named(&own_port), Some(("egress_blocked", "certain")));
    own_port.direction = Direction::Inbound;
    assert_eq!(named(&own_port), Some(("unclassified", "possible")), "the proxy's own port");
}

#[test]
fn keys_that_cannot_be_fetched_are_not_the_clients_fault() {
    for (reason, confidence, side) in [
        ("Jwks_remote_fetch_is_failed", "certain", Some(Side::Platform)),
        ("Jwks_is_an_invalid_JSON", "certain", Some(Side::Platform)),
        ("Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt", "likely", Some(Side::Mesh)),
        ("Jwt_verification_fails", "likely", Some(Side::Mesh)),
        ("Jwt_is_expired", "certain", None),
        ("Jwt_is_missing", "certain", None),
    ] {
        let mut e = stream(401, "-", &format!("jwt_authn_access_denied{{{reason}}}"));
        assert_eq!(named(&e), Some(("jwt_rejected", confidence)), "{reason}");
        let side_at = |e: &Evidence| Report::new(&diagnose(e).unwrap(), e).side;
        // Strangers reach gateways, and anyone can forge a token: it takes the issuer's own fault to blame another there.
        let at_gateway = side.filter(|_| confidence == "certain").unwrap_or(Side::Downstream);
        assert_eq!(side_at(&e), at_gateway, "{reason}");
        e.direction = Direction::Inbound;
        assert_eq!(side_at(&e), side.unwrap_or(Side::Downstream), "{reason}");
    }
}

#[test]
fn mixers_denial_is_distinguished_from_other_failures() {
    let named_with = |code, flags, details| {
        let mixer = Some(MixerStatus::Unavailable);
        named(&Evidence { mixer, ..stream(code, flags, details) })
    };
    assert_eq!(named_with(503, "UAEX", ""), Some(("mixer_unavailable", "certain")));
    assert_eq!(named_with(503, "-", "lua_response"), Some(("mixer_unavailable", "likely")));
    // Let pass by a policy that fails open, and failed for a reason of its own.
    assert_eq!(named_with(403, "UAEX", "ext_authz_denied"), Some(("ext_authz_denied", "certain")));
    assert_eq!(named_with(404, "NR", "route_not_found"), Some(("route_host_unknown", "likely")));
    assert_eq!(named_with(503, "-", "via_upstream"), Some(("application_error", "likely")));
    assert_eq!(named_with(599, "-", "via_upstream"), Some(("application_error", "likely")));
    assert_eq!(named_with(600, "-", "via_upstream"), None);
    let refused =
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}";
    assert_eq!(named_with(503, "UF", refused), Some(("upstream_refused", "likely")));
    assert_eq!(named_with(200, "-", "via_upstream"), None);
}

#[test]
fn a_custom_policy_whose_provider_nobody_defined() {
    let e = stream(
        403,
        "-",
        "rbac_access_denied_matched_policy[istio-ext-authz-p-ns[a]-policy[b]-rule[0]-deny-due-to-bad-CUSTOM-action]",
    );
    let verdict = crate::diagnosis::diagnose(&e).unwrap();
    assert_eq!(verdict.resource.unwrap().path(), "AuthorizationPolicy/a/b");
    assert!(verdict.advice.is_some_and(|advice| advice.fix.contains("extensionProviders")));
}
