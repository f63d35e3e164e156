//! Rows for the rules: what is seen, and the verdict.

mod arbitrary;
mod client;
mod fetch_plan;
mod policy;
mod properties;
mod recorded;
mod upstream;

use super::diagnose;
use crate::evidence::{Details, Evidence, Flags, GrpcStatus, Layer};
use crate::wire::{FirstBytes, Protocol};

fn stream(code: u16, flags: &str, details: &str) -> Evidence {
    let details = Details::new(details);
    let mut e = Evidence {
        code: (code != 0).then_some(code),
        flags: Flags::from_short(flags),
        ..Evidence::default()
    };
    e.upstream.transport_failure = details.transport_failure().cloned();
    e.details = details;
    e
}

fn first(protocol: Protocol) -> Option<FirstBytes> {
    Some(FirstBytes { protocol, tls: None, http: None })
}

fn named(e: &Evidence) -> Option<(&'static str, &'static str)> {
    diagnose(e).map(|v| (v.cause.id(), v.confidence.id()))
}

const RESET: &str =
    "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end";

#[test]
fn causes_that_the_details_name_alone() {
    for (code, flags, details, cause) in [
        (403, "-", "http1.https_url_on_plaintext_connection", "https_url_on_plaintext_port"),
        (431, "DPE", "http1.headers_too_large", "request_too_large"),
        (400, "DPE", "http2.too_many_headers", "request_too_large"),
        (404, "NR", "route_configuration_not_found", "route_table_missing"),
        (503, "NC", "cluster_not_found", "cluster_missing"),
        (500, "NC", "", "cluster_missing"),
        (503, "DF", "dns_resolution_failure{x}", "upstream_dns_failure"),
        (503, "UO", "upstream_reset_before_response_started{overflow}", "circuit_breaker_overflow"),
        (504, "UT", "upstream_response_timeout", "upstream_timeout"),
        (504, "UT,URX", "upstream_per_try_timeout", "upstream_timeout"),
        (503, "UR", "upstream_reset_before_response_started{remote_reset}", "upstream_reset"),
        (
            403,
            "-",
            "rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]",
            "authorization_policy_denied",
        ),
        (401, "-", "jwt_authn_access_denied{Jwks_remote_fetch_is_failed}", "jwt_rejected"),
        (0, "DC", "downstream_local_disconnect(filter_chain_is_being_removed)", "proxy_closed_connection"),
        (200, "DC", "downstream_local_disconnect(filter_chain_is_being_removed)", "proxy_closed_connection"),
        (101, "DC", "downstream_local_disconnect(filter_chain_is_being_removed)", "proxy_closed_connection"),
        (401, "-", "jwt_authn_access_denied{Jwt_is_missing}", "jwt_rejected"),
        (403, "UAEX", "ext_authz_denied", "ext_authz_denied"),
        (403, "UAEX", "ext_authz_error", "ext_authz_unavailable"),
        (429, "RL", "local_rate_limited", "rate_limited"),
        (500, "RLSE", "rate_limiter_error", "rate_limit_service_unavailable"),
        (503, "FI", "fault_filter_abort", "fault_injected"),
        (413, "-", "request_payload_too_large", "request_too_large"),
        (403, "-", "upgrade_failed", "upgrade_refused"),
        (418, "-", "lua_response", "filter_rejected"),
        (403, "-", "csrf_origin_mismatch", "filter_rejected"),
        (401, "-", "oauth.missing_credentials", "filter_rejected"),
        (500, "-", "ext_proc_error_gRPC_error_14{down}", "filter_rejected"),
        (503, "-", "wasm_fail_stream", "filter_rejected"),
        (503, "-", "reached_concurrency_limit", "filter_rejected"),
        (400, "-", "grpc_json_transcode_failure{INVALID_ARGUMENT}", "filter_rejected"),
        (400, "-", "grpc_field_extraction_INVALID_ARGUMENT{REQUEST_OUT_OF_DATA}", "filter_rejected"),
        (400, "UAEX", "proto_message_extraction_INVALID_ARGUMENT{RESPONSE_OUT_OF_DATA}", "filter_rejected"),
        (500, "-", "response_payload_too_large", "filter_rejected"),
        (500, "-", "filter_removed_required_request_headers", "filter_rejected"),
        (429, "RL", "rate_limited_by_quota", "rate_limited"),
        (504, "SI", "stream_idle_timeout", "idle_timeout"),
        (504, "-", "max_duration_timeout", "max_duration_reached"),
        (503, "OM", "overload", "proxy_overloaded"),
        (503, "DF", "", "upstream_dns_failure"),
        (503, "LH", "", "local_health_check_failed"),
        (500, "NFCF", "", "filter_config_missing"),
    ] {
        assert_eq!(
            named(&stream(code, flags, details)),
            Some((cause, "certain")),
            "{code} {flags} {details}"
        );
    }
}

#[test]
fn what_no_rule_knows_is_a_lead() {
    assert_eq!(named(&stream(503, "DO", "drop_overload")), Some(("unclassified", "possible")));
}

#[test]
fn nothing_failed() {
    for (code, flags, details) in [
        (200, "-", "via_upstream"),
        (404, "-", "via_upstream"),
        (429, "-", "via_upstream"),
        (200, "DI", "via_upstream"),
        (200, "URX", "via_upstream"),
        (404, "URX", "via_upstream"),
        (200, "RFCF", "response_from_cache_filter"),
        (101, "UC", "via_upstream"),
        (101, "DC", "downstream_remote_disconnect"),
        (101, "DR", "http2.remote_reset"),
        (404, "-", "direct_response"),
        (0, "-", ""),
        (418, "-", "direct_response"),
        (301, "-", "direct_response"),
        (302, "UAEX", "ext_authz_denied"),
    ] {
        assert_eq!(named(&stream(code, flags, details)), None, "{code} {flags} {details}");
    }
    let tcp = Evidence { layer: Layer::Tcp, ..Evidence::default() };
    let listener = Evidence { layer: Layer::Listener, ..Evidence::default() };
    assert_eq!((named(&tcp), named(&listener)), (None, None));
}

#[test]
fn a_configured_error_is_one_where_its_virtual_host_is_known() {
    for (code, status, virtual_host, verdict) in [
        (503, None, Some("a"), Some(("configured_error_reply", "certain"))),
        (500, None, None, Some(("configured_error_reply", "likely"))),
        (502, None, None, Some(("egress_blocked", "possible"))),
        (502, None, Some("block_all"), Some(("egress_blocked", "certain"))),
        (200, Some(14), Some("a"), Some(("configured_error_reply", "certain"))),
        (200, Some(12), Some("a"), None),
        (404, None, Some("a"), None),
    ] {
        let mut e = stream(code, "-", "direct_response");
        e.answer.grpc_status = status.map(GrpcStatus);
        e.route.virtual_host = virtual_host.map(str::to_owned);
        assert_eq!(named(&e), verdict, "{code} {status:?} {virtual_host:?}");
    }
}

#[test]
fn a_rule_of_the_gateway_api_answers_500_where_it_has_no_backend() {
    for (code, status, gateway_api, cause) in [
        (500, None, true, "route_without_backend"),
        (200, Some(2), true, "route_without_backend"),
        (500, None, false, "configured_error_reply"),
        (503, None, true, "configured_error_reply"), // of istiod's
    ] {
        let mut e = stream(code, "-", "direct_response");
        e.answer.grpc_status = status.map(GrpcStatus);
        e.route.gateway_api = gateway_api;
        assert_eq!(named(&e), Some((cause, "likely")), "{code} {status:?} {gateway_api}");
    }
}

#[test]
fn envoy_gateway_answers_503_where_no_backend_has_an_endpoint() {
    for (code, status, name, verdict) in [
        (503, None, "httproute/a/b/rule/0/match/0/*", ("no_endpoints", "possible")),
        (200, Some(14), "grpcroute/a/b/rule/0/match/0/*", ("no_endpoints", "possible")),
        (502, None, "httproute/a/b/rule/0/match/0/*", ("configured_error_reply", "likely")),
        (503, None, "httproutes", ("configured_error_reply", "likely")),
    ] {
        let mut e = stream(code, "-", "direct_response");
        e.answer.grpc_status = status.map(GrpcStatus);
        e.route.name = Some(name.to_owned());
        assert_eq!(named(&e), Some(verdict), "{code} {name}");
    }
}

#[test]
fn either_side_may_end_a_tunnel() {
    for (code, flags, details, fails) in [
        (200, "DC", "downstream_remote_disconnect", false),
        (200, "DR", "http2.remote_reset", false),
        (200, "UC", "via_upstream", false),
        (200, "UR", "upstream_reset_after_response_started{remote_reset}", true),
        (503, "UF", "upstream_reset_before_response_started{remote_connection_failure}", true),
        (0, "DC", "downstream_remote_disconnect", true),
    ] {
        let mut e = stream(code, flags, details);
        e.downstream.tunnel = Some(true);
        assert_eq!(named(&e).is_some(), fails, "{code} {flags} {details}");
        e.downstream.tunnel = Some(false);
        assert!(named(&e).is_some(), "{code} {flags} {details}: no tunnel");
    }
}
