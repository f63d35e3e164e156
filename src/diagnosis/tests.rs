use proptest::prelude::*;

use super::*;
use crate::catalogue::Softness;
use crate::evidence::{
    ClusterName, Details, Direction, GrpcStatus, ListenerKind, MixerStatus, Page, TransportFailure,
};
use crate::wire::{FirstBytes, Protocol};

fn stream(code: u16, flags: &str, details: &str) -> Evidence {
    let details = Details::new(details);
    let mut e = Evidence {
        code: (code != 0).then_some(code),
        flags: Flags::from_short(flags),
        ..Evidence::default()
    };
    e.upstream.transport_failure = details.transport_failure();
    e.details = details;
    e
}

fn first(protocol: Protocol) -> Option<FirstBytes> {
    Some(FirstBytes { protocol, tls: None, http: None })
}

fn named(e: &Evidence) -> Option<(&'static str, &'static str)> {
    diagnose(e).map(|v| (v.cause.id(), v.confidence.id()))
}

#[test]
fn causes_that_the_details_name_alone() {
    for (code, flags, details, cause) in [
        (426, "-", "low_version", "http10_client"),
        (426, "DPE", "low_version", "http10_client"),
        (403, "-", "http1.https_url_on_plaintext_connection", "https_url_on_plaintext_port"),
        (431, "DPE", "http1.headers_too_large", "invalid_http_request"),
        (400, "DPE", "http2.too_many_headers", "invalid_http_request"),
        (404, "NR", "route_configuration_not_found", "route_table_missing"),
        (503, "NC", "cluster_not_found", "cluster_missing"),
        (500, "NC", "", "cluster_missing"),
        (503, "DF", "dns_resolution_failure{x}", "upstream_dns_failure"),
        (503, "UO", "upstream_reset_before_response_started{overflow}", "circuit_breaker_overflow"),
        (504, "UT", "upstream_response_timeout", "upstream_timeout"),
        (504, "UT,URX", "upstream_per_try_timeout", "upstream_timeout"),
        (503, "UR", "upstream_reset_before_response_started{remote_reset}", "upstream_reset"),
        (403, "-", "rbac_access_denied_matched_policy[none]", "authorization_policy_denied"),
        (401, "-", "jwt_authn_access_denied{Jwt_is_missing}", "jwt_rejected"),
        (403, "UAEX", "ext_authz_denied", "ext_authz_denied"),
        (403, "UAEX", "ext_authz_error", "ext_authz_unavailable"),
        (429, "RL", "local_rate_limited", "rate_limited"),
        (500, "RLSE", "rate_limiter_error", "rate_limit_service_unavailable"),
        (503, "FI", "fault_filter_abort", "fault_injected"),
        (504, "SI", "stream_idle_timeout", "idle_timeout"),
        (504, "-", "max_duration_timeout", "max_duration_reached"),
        (503, "OM", "overload", "proxy_overloaded"),
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
fn a_client_that_left_may_have_spoken_something_else() {
    let mut e = stream(0, "DC", "downstream_remote_disconnect");
    assert_eq!(named(&e), Some(("client_disconnected", "possible")));
    e.downstream.first_bytes = first(Protocol::Text);
    assert_eq!(named(&e), Some(("client_disconnected", "likely")));
    e.downstream.first_bytes = first(Protocol::Http1);
    assert_eq!(named(&e), Some(("client_disconnected", "certain")));
    e.downstream.first_bytes = first(Protocol::Mongodb);
    assert_eq!(named(&e), Some(("not_http_on_http_port", "certain")));
}

#[test]
fn what_no_rule_knows_is_a_lead() {
    assert_eq!(named(&stream(418, "-", "lua_response")), Some(("unclassified", "possible")));
}

#[test]
fn nothing_failed() {
    for (code, flags, details) in [
        (200, "-", "via_upstream"),
        (404, "-", "via_upstream"),
        (429, "-", "via_upstream"),
        (200, "DI", "via_upstream"),
        (200, "RFCF", "response_from_cache_filter"),
        (101, "UC", "via_upstream"),
        (101, "DC", "downstream_remote_disconnect"),
        (101, "DR", "http2.remote_reset"),
        (404, "-", "direct_response"),
        (0, "-", ""),
        (503, "-", "direct_response"),
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

#[test]
fn a_grpc_call_can_fail_with_status_200() {
    for (status, by_proxy, verdict) in [
        (14, Some(false), Some(("application_error", "certain"))),
        (13, Some(true), Some(("application_error", "likely"))),
        (2, None, Some(("application_error", "likely"))),
        // NOT_FOUND, RESOURCE_EXHAUSTED, PERMISSION_DENIED: the application's answers to its caller.
        (5, Some(false), None),
        (8, Some(false), None),
        (7, Some(false), None),
    ] {
        let mut e = stream(200, "-", "via_upstream");
        e.answer.grpc_status = Some(GrpcStatus(status));
        e.answer.by_proxy = by_proxy;
        assert_eq!(named(&e), verdict, "{status}");
    }
    let mut by_another_filter = stream(200, "-", "lua_response");
    by_another_filter.answer.grpc_status = Some(GrpcStatus(7));
    assert_eq!(named(&by_another_filter), Some(("unclassified", "possible")));
}

#[test]
fn plaintext_to_an_endpoint_that_took_mutual_tls() {
    let mut e = stream(503, "UC", "upstream_reset_before_response_started{connection_termination}");
    e.upstream.takes_istio_mtls = Some(false);
    e.upstream.resource = Resource::new("DestinationRule", "default", "reviews");
    assert_eq!(named(&e), Some(("upstream_closed_connection", "likely")));
    e.past.took_mtls = true;
    let verdict = diagnose(&e).unwrap();
    assert_eq!((verdict.cause, verdict.confidence), (Cause::DestinationRuleTlsConflict, Confidence::Likely));
    assert_eq!(verdict.resource, e.upstream.resource);
    e.upstream.tls_version = Some("TLSv1.3".into());
    assert_eq!(named(&e), Some(("upstream_closed_connection", "likely")), "it still does");
}

#[test]
fn another_proxys_own_reply_says_little_of_the_application() {
    let mut e = stream(503, "-", "via_upstream");
    e.answer.by_proxy = Some(true);
    assert_eq!(named(&e), Some(("application_error", "likely")));
    e.answer.page =
        Page::recognise(b"upstream connect error or disconnect/reset before headers. reset reason: x");
    assert_eq!(named(&e), Some(("application_error", "possible")));
}

#[test]
fn a_body_that_ends_too_early_was_cut_short() {
    let cut = |promised, passed| {
        let mut e = stream(200, "UPE", "upstream_reset_after_response_started{protocol_error}");
        (e.answer.promised, e.answer.passed) = (promised, passed);
        named(&e)
    };
    assert_eq!(cut(Some(100), Some(4)), Some(("upstream_closed_connection", "likely")));
    // Chunked, or all of it there: its form is broken.
    assert_eq!(cut(None, Some(4)), Some(("upstream_protocol_error", "likely")));
    assert_eq!(cut(Some(4), Some(4)), Some(("upstream_protocol_error", "likely")));
}

#[test]
fn no_filter_chain_without_a_word_of_the_inspector() {
    let listener = |sni: Option<&str>, direction| {
        let details = Details::new("filter_chain_not_found");
        let mut e = Evidence { layer: Layer::Listener, details, direction, ..Evidence::default() };
        e.downstream.sni = sni.map(str::to_owned);
        named(&e)
    };
    let (gateway, inbound) = (Direction::Gateway, Direction::Inbound);
    assert_eq!(listener(None, gateway), Some(("no_filter_chain_for_sni", "possible")));
    assert_eq!(listener(None, inbound), Some(("plaintext_to_strict_mtls", "possible")));
    assert_eq!(listener(Some("a.test.com"), gateway), Some(("no_filter_chain_for_sni", "likely")));
    // An application's own TLS, where Istio takes plaintext and its mutual TLS.
    assert_eq!(listener(Some("orders"), inbound), Some(("tls_on_plaintext_port", "likely")));
    let meshs_own = "outbound_.80_._.orders.default.svc.cluster.local";
    assert_eq!(listener(Some(meshs_own), inbound), Some(("no_filter_chain_for_sni", "likely")));
}

#[test]
fn an_inspectors_note_tells_plaintext_from_a_broken_client_hello() {
    let noted = |word: &str, direction| {
        let details = Details::new("filter_chain_not_found");
        let mut e = Evidence { layer: Layer::Listener, details, direction, ..Evidence::default() };
        let note = format!("TLS_error|error:10000095:SSL_routines:OPENSSL_internal:{word}:TLS_error_end");
        e.downstream.transport_failure = TransportFailure::new(&note);
        named(&e)
    };
    let (gateway, inbound) = (Direction::Gateway, Direction::Inbound);
    assert_eq!(noted("HTTP_REQUEST", gateway), Some(("plaintext_on_tls_port", "certain")));
    assert_eq!(noted("HTTPS_PROXY_REQUEST", gateway), Some(("plaintext_on_tls_port", "certain")));
    assert_eq!(noted("WRONG_VERSION_NUMBER", gateway), Some(("plaintext_on_tls_port", "likely")));
    assert_eq!(noted("HTTP_REQUEST", inbound), Some(("plaintext_to_strict_mtls", "likely")));
    assert_eq!(noted("WRONG_VERSION_NUMBER", inbound), Some(("plaintext_to_strict_mtls", "possible")));
    for broken in ["ERROR_PARSING_EXTENSION", "CLIENTHELLO_PARSE_FAILED", "SSLV3_ALERT_HANDSHAKE_FAILURE"] {
        assert_eq!(noted(broken, gateway), Some(("downstream_tls_failed", "likely")));
        assert_eq!(noted(broken, inbound), Some(("downstream_tls_failed", "likely")));
    }
}

#[test]
fn an_authorization_policy_is_named_with_namespace_and_name() {
    let id = "rbac_access_denied_matched_policy[ns[prod]-policy[deny-all]-rule[0]]";
    let verdict = diagnose(&stream(403, "-", id)).unwrap();
    assert_eq!(verdict.resource.unwrap().to_string(), "AuthorizationPolicy/prod/deny-all");
    let tcp = Evidence {
        layer: Layer::Tcp,
        termination: Some(id.into()),
        flags: Flags(1 << 3),
        ..Evidence::default()
    };
    assert_eq!(named(&tcp), Some(("authorization_policy_denied", "certain")));
}

#[test]
fn mixers_refusal_is_told_from_other_failures() {
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
    assert_eq!(named_with(503, "UF", refused), Some(("upstream_refused", "certain")));
    assert_eq!(named_with(200, "-", "via_upstream"), None);
}

#[test]
fn resets_in_all_their_spellings() {
    for (reason, cause) in [
        ("remote_connection_failure,delayed_connect_error:_111", "upstream_refused"),
        ("remote_connection_failure|delayed_connect_error:_Connection_refused", "upstream_refused"),
        ("connection_failure|immediate_connect_error:_Network_is_unreachable", "upstream_unreachable"),
        ("remote_connection_failure|delayed_connect_error:_113", "upstream_unreachable"),
        (
            "remote_connection_failure|TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
            "upstream_speaks_plaintext",
        ),
        ("remote_connection_failure|TLS_error:_Secret_is_not_supplied_by_SDS", "upstream_tls_failed"),
    ] {
        let details = format!("upstream_reset_before_response_started{{{reason}}}");
        assert_eq!(named(&stream(503, "UF", &details)), Some((cause, "certain")), "{reason}");
    }
}

const RESET: &str =
    "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end";

#[test]
fn a_client_that_resets_tls_is_no_failed_handshake() {
    let mut e = Evidence { layer: Layer::Listener, ..Evidence::default() };
    e.downstream.transport_failure = TransportFailure::new(RESET);
    assert_eq!(named(&e), None);
}

#[test]
fn an_upstream_that_resets_tls_refused_it_only_before_there_was_a_connection() {
    let reason = RESET.replace(' ', "_");
    let details = format!("upstream_reset_before_response_started{{remote_connection_failure|{reason}}}");
    assert_eq!(named(&stream(503, "UF,URX", &details)), Some(("upstream_tls_failed", "likely")));
    let mut e = stream(503, "UC", "upstream_reset_before_response_started{connection_termination}");
    e.upstream.tls_version = Some("TLSv1.3".into());
    e.upstream.transport_failure = TransportFailure::new(RESET);
    assert_eq!(named(&e), Some(("upstream_closed_connection", "likely")));
}

#[test]
fn tls_in_the_meshs_own_tls_is_no_double_tls() {
    for (sni, bytes, verdict) in [
        ("outbound_.80_._.orders.default", Protocol::TlsClientHello, ("tls_on_plaintext_port", "likely")),
        ("cart.shop.test", Protocol::TlsClientHello, ("double_tls", "certain")),
        ("cart.shop.test", Protocol::TlsOther, ("double_tls", "likely")),
    ] {
        let mut e = stream(400, "DPE", "http1.codec_error");
        e.downstream.sni = Some(sni.into());
        e.downstream.tls_version = Some("TLSv1.3".into());
        e.downstream.first_bytes = first(bytes);
        assert_eq!(named(&e), Some(verdict), "{sni}");
    }
}

#[test]
fn tls_that_fell_through_and_was_reset_without_a_word() {
    let mut e = Evidence { layer: Layer::Tcp, flags: Flags::from_short("UR"), ..Evidence::default() };
    e.direction = Direction::Outbound;
    e.filter_chain = Some("PassthroughFilterChain".into());
    e.upstream.cluster = ClusterName::new("PassthroughCluster");
    e.downstream.listener = Some(ListenerKind::Http);
    e.downstream.first_bytes = first(Protocol::TlsClientHello);
    assert_eq!(named(&e), Some(("tls_on_plaintext_port", "likely")));
    e.upstream.first_bytes = first(Protocol::TlsServerHello);
    assert_eq!(named(&e), None, "some servers end every conversation so");
}

#[test]
fn what_only_the_proxy_has_an_address_for_is_no_ones_network_failure() {
    let tcp = |flags| Evidence { layer: Layer::Tcp, flags: Flags::from_short(flags), ..Evidence::default() };
    let mut e = tcp("UF,URX");
    e.direction = Direction::Outbound;
    e.upstream.cluster = ClusterName::new("PassthroughCluster");
    e.upstream.transport_failure = TransportFailure::new("delayed connect error: Network is unreachable");
    assert_eq!(named(&e), Some(("upstream_unreachable", "certain")));
    e.filter_chain = Some("PassthroughFilterChain".into());
    assert_eq!(named(&e), Some(("upstream_unreachable", "likely")));
    e.downstream.sni = Some("vip.depot.test".into());
    assert_eq!(named(&e), Some(("tls_on_plaintext_port", "possible")));
    e.downstream.listener = Some(ListenerKind::Tls);
    assert_eq!(named(&e), Some(("upstream_unreachable", "likely")));
}

#[test]
fn no_endpoint_is_left_or_all_are_ejected() {
    let mut e = stream(503, "UH", "no_healthy_upstream");
    assert_eq!(named(&e), Some(("no_endpoints", "possible")));
    e.past.endpoint_failed = Some(false);
    assert_eq!(named(&e), Some(("no_endpoints", "possible")));
    e.upstream.cluster = ClusterName::new("outbound|80|v9|reviews.default.svc.cluster.local");
    assert_eq!(named(&e), Some(("no_endpoints", "likely")));
    e.past.endpoint_failed = Some(true);
    assert_eq!(named(&e), Some(("no_healthy_endpoints", "possible")));
    e.upstream.endpoints = Some(0);
    assert_eq!(named(&e), Some(("no_endpoints", "likely")));
}

#[test]
fn an_endpoint_that_took_plaintext_takes_more_than_mutual_tls() {
    let mut e = stream(503, "UC", "upstream_reset_before_response_started{connection_termination}");
    e.upstream.takes_istio_mtls = Some(true);
    assert_eq!(named(&e), Some(("destination_rule_tls_conflict", "likely")));
    e.past.took_plaintext = true;
    assert_eq!(named(&e), Some(("destination_rule_tls_conflict", "possible")));
}

#[test]
fn a_version_that_nobody_knows_is_no_http10() {
    for (version, cause) in [("HTTP/1.0", "http10_client"), ("HTTP/1.2", "invalid_http_request")] {
        let mut e = stream(426, "DPE", "low_version");
        let mut sniffer = crate::wire::Sniffer::client();
        sniffer.push(format!("GET / {version}\r\n\r\n").as_bytes());
        e.downstream.first_bytes = sniffer.seen().cloned();
        assert_eq!(named(&e), Some((cause, "certain")), "{version}");
    }
}

/// Fields that can be missing: each clears one. Not the TLS versions: Envoy has them exactly where TLS was agreed, so
/// there absence is what was seen.
const FORGET: &[fn(&mut Evidence)] = &[
    |e| e.termination = None,
    |e| e.lived = None,
    |e| e.filter_chain = None,
    |e| e.downstream.first_bytes = None,
    |e| e.downstream.sni = None,
    |e| e.downstream.protocol = None,
    |e| e.downstream.grpc = None,
    |e| e.downstream.sni_is_authority = None,
    |e| e.downstream.certificate_covers_authority = None,
    |e| e.route.name = None,
    |e| e.upstream.cluster = None,
    |e| e.upstream.address = None,
    |e| e.upstream.endpoints = None,
    |e| e.upstream.takes_istio_mtls = None,
    |e| e.upstream.attempts = None,
    |e| e.upstream.first_bytes = None,
    |e| e.mixer = None,
    |e| e.downstream.listener = None,
    |e| e.answer.unframed = None,
    |e| e.answer.page = None,
    |e| e.answer.by_proxy = None,
    |e| e.answer.grpc_status = None,
    |e| e.answer.promised = None,
    |e| e.answer.passed = None,
];

const DETAILS: &[&str] = &[
    "",
    "via_upstream",
    "route_not_found",
    "http1.codec_error",
    "low_version",
    "cluster_not_found",
    "direct_response",
    "no_healthy_upstream",
    "downstream_remote_disconnect",
    "filter_chain_not_found",
    "rbac_access_denied_matched_policy[none]",
    "lua_response",
    "response_timeout",
    "missing_host_header",
    "upstream_reset_before_response_started{connection_termination}",
    "upstream_reset_before_response_started{protocol_error}",
    "upstream_reset_before_response_started{connection_timeout}",
    "upstream_reset_before_response_started{overflow}",
    "upstream_reset_after_response_started{remote_reset}",
    "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}",
    "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|1:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end}",
];

const FAILURES: &[&str] = &[
    "delayed connect error: 111",
    "TLS_error:|1:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
    "TLS_error:|1:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end",
    "TLS_error|error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST",
    "socket_creation_failure",
];

fn optional<T: Clone + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(proptest::sample::select(values))
}

fn words(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    optional(values).prop_map(|v| v.map(str::to_owned))
}

fn failure() -> impl Strategy<Value = Option<TransportFailure>> {
    optional(FAILURES).prop_map(|v| v.and_then(TransportFailure::new))
}

fn bytes() -> impl Strategy<Value = Option<FirstBytes>> {
    optional(Protocol::ALL).prop_map(|p| p.and_then(first))
}

prop_compose! {
    fn downstream()(
        first_bytes in bytes(),
        sni in words(&["a.test.com"]),
        tls_version in words(&["TLSv1.3"]),
        protocol in words(&["HTTP/1.1", "HTTP/2"]),
        grpc in any::<Option<bool>>(),
        tunnel in any::<Option<bool>>(),
        transport_failure in failure(),
        sni_is_authority in any::<Option<bool>>(),
        certificate_covers_authority in any::<Option<bool>>(),
        listener in optional(&[ListenerKind::Http, ListenerKind::Tls]),
    ) -> crate::evidence::Downstream {
        crate::evidence::Downstream {
            first_bytes, sni, tls_version, protocol, grpc, tunnel, transport_failure, sni_is_authority,
            certificate_covers_authority, listener,
        }
    }
}

prop_compose! {
    fn upstream()(
        cluster in words(&["backend", "BlackHoleCluster", "PassthroughCluster", "outbound|80|v1|a.b"]),
        endpoints in optional(&[0_u64, 3]),
        tls_version in words(&["TLSv1.2"]),
        takes_istio_mtls in any::<Option<bool>>(),
        transport_failure in failure(),
        attempts in optional(&[1_u64, 3]),
        first_bytes in bytes(),
    ) -> crate::evidence::Upstream {
        crate::evidence::Upstream {
            cluster: cluster.and_then(|name| ClusterName::new(&name)),
            resource: None,
            address: None,
            version: None,
            endpoints, tls_version, takes_istio_mtls, transport_failure, attempts, first_bytes,
        }
    }
}

prop_compose! {
    pub(super) fn evidence()(
        layer in proptest::sample::select(&[Layer::Http, Layer::Tcp, Layer::Listener][..]),
        direction in proptest::sample::select(&[Direction::Inbound, Direction::Outbound, Direction::Gateway][..]),
        code in optional(&[101_u16, 200, 400, 404, 426, 502, 503, 505]),
        flag_bits in proptest::collection::vec(0_u32..30, 0..3),
        details in proptest::sample::select(DETAILS),
        virtual_host in words(&["blackhole:443", "reviews:80", "block_all"]),
        downstream in downstream(),
        upstream in upstream(),
        page in optional(&[Page::PlaintextToTlsPort, Page::ClientCertificateRequired]),
        by_proxy in any::<Option<bool>>(),
        unframed in any::<Option<bool>>(),
        mixer in optional(MixerStatus::ALL),
        filter_chain in words(&["PassthroughFilterChain", "virtualOutbound-catchall-tcp"]),
        promised in optional(&[4_u64, 100]),
        passed in optional(&[4_u64]),
        grpc_status in optional(&[GrpcStatus(5), GrpcStatus(14)]),
    ) -> Evidence {
        let mut e = Evidence { layer, direction, code, details: Details::new(details), downstream, upstream, ..Evidence::default() };
        e.flags = Flags(flag_bits.iter().fold(0, |all, bit| all | 1 << bit));
        e.route.virtual_host = virtual_host;
        e.answer =
            crate::evidence::Answer { page, by_proxy, unframed, promised, passed, grpc_status };
        e.filter_chain = filter_chain;
        e.mixer = mixer;
        e
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn every_failure_has_one_verdict(e in evidence()) {
        let verdict = diagnose(&e);
        prop_assert_eq!(&diagnose(&e), &verdict);
        if e.layer == Layer::Http && e.flags.any_failure() && !e.is_ended_tunnel() {
            prop_assert!(verdict.is_some());
        }
    }

    #[test]
    fn a_failure_is_not_observed_as_well(e in evidence()) {
        let observed: Vec<Verdict> = observe(&e).collect();
        prop_assert!(diagnose(&e).is_none() || observed.is_empty());
        for verdict in observed {
            prop_assert!(verdict.cause.soft() != Softness::Never, "{verdict:?}");
            prop_assert!(verdict.facts.iter().any(|fact| fact.value(&e).is_some()), "{verdict:?}");
        }
    }

    #[test]
    fn a_certain_verdict_shows_what_it_rests_on(e in evidence()) {
        if let Some(verdict) = diagnose(&e).filter(|v| v.confidence == Confidence::Certain) {
            let decisive = verdict.facts.iter().any(|fact| fact.value(&e).is_some());
            prop_assert!(decisive, "{verdict:?}");
        }
    }

    #[test]
    fn forgetting_never_makes_a_cause_more_certain(e in evidence(), which in 0..FORGET.len()) {
        let mut less = e.clone();
        FORGET[which](&mut less);
        if let (Some(before), Some(after)) = (diagnose(&e), diagnose(&less)) {
            prop_assert!(
                after.cause != before.cause || after.confidence <= before.confidence,
                "{:?} {:?} became {:?}", before.cause, before.confidence, after.confidence
            );
        }
    }
}

/// Evidence as the scenarios give it, where the verdict is a doubtful one.
fn doubtful() -> Vec<Evidence> {
    let mut conflict = stream(503, "UC", "upstream_reset_before_response_started{connection_termination}");
    conflict.upstream.takes_istio_mtls = Some(true);
    conflict.upstream.cluster = ClusterName::new("backend");
    let mut gave_up = stream(0, "DC", "downstream_remote_disconnect");
    gave_up.downstream.first_bytes = first(Protocol::Binary);
    let mut text = stream(400, "DPE", "http1.codec_error");
    text.downstream.first_bytes = first(Protocol::Text);
    let mut reused = stream(404, "NR", "route_not_found");
    reused.downstream.sni = Some("a.test.com".into());
    reused.downstream.tls_version = Some("TLSv1.3".into());
    reused.downstream.protocol = Some("HTTP/2".into());
    reused.downstream.sni_is_authority = Some(false);
    reused.downstream.certificate_covers_authority = Some(true);
    let mut empty = stream(503, "UH", "no_healthy_upstream");
    empty.upstream.endpoints = Some(0);
    let mut twice = Evidence { layer: Layer::Tcp, flags: Flags::from_short("UF,URX"), ..Evidence::default() };
    twice.downstream.sni = Some("a.test.com".into());
    twice.upstream.takes_istio_mtls = Some(false);
    twice.upstream.transport_failure = TransportFailure::new(FAILURES[2]);
    let mut chain = Evidence {
        layer: Layer::Listener,
        details: Details::new("filter_chain_not_found"),
        ..Evidence::default()
    };
    chain.downstream.sni = Some("a.test.com".into());
    let mut grpc = stream(200, "UPE", "upstream_reset_before_response_started{protocol_error}");
    grpc.downstream.grpc = Some(true);
    let mut cut_short = stream(200, "UPE", "upstream_reset_after_response_started{protocol_error}");
    (cut_short.answer.promised, cut_short.answer.passed) = (Some(100), Some(4));
    let mut passed_on = stream(503, "-", "via_upstream");
    passed_on.answer.by_proxy = Some(true);
    vec![conflict, gave_up, text, reused, empty, twice, chain, grpc, cut_short, passed_on]
}

#[test]
fn forgetting_never_turns_a_doubt_into_certainty() {
    for e in doubtful() {
        let before = diagnose(&e).unwrap();
        assert!(before.confidence < Confidence::Certain, "{before:?}");
        for forget in FORGET {
            let mut less = e.clone();
            forget(&mut less);
            let after = diagnose(&less);
            let certain = after.as_ref().is_some_and(|v| v.confidence == Confidence::Certain);
            assert!(!certain, "{before:?} became {after:?}");
        }
    }
}

#[test]
fn no_authorization_policy_is_for_outbound_traffic() {
    let mut e = stream(403, "-", "rbac_access_denied_matched_policy[none]");
    assert_eq!(named(&e), Some(("authorization_policy_denied", "certain")));
    e.direction = Direction::Outbound;
    assert_eq!(named(&e), Some(("authorization_policy_denied", "possible")));
}
