//! What upstreams do: refuse, reset, cut short, answer for themselves.

use super::{RESET, named, stream};
use crate::causes::Cause;
use crate::diagnosis::{Confidence, diagnose};
use crate::evidence::{
    ClusterName, Direction, Evidence, Flags, GrpcStatus, Layer, Page, Resource, TlsVersion, TransportFailure,
};
use crate::report::Report;

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
    assert_eq!(named(&by_another_filter), Some(("filter_rejected", "certain")));
}

#[test]
fn a_connection_that_was_used_before_may_have_been_closing() {
    for (ready, lived, verdict) in [
        (Some(29), Some(3), ("upstream_closed_idle_connection", "likely")),
        (Some(29), Some(2010), ("upstream_closed_connection", "likely")),
        (Some(225), Some(1), ("upstream_closed_connection", "likely")),
        (None, Some(1), ("upstream_closed_connection", "likely")),
    ] {
        let mut e = stream(503, "UC", "upstream_reset_before_response_started{connection_termination}");
        e.upstream.pool_ready = ready;
        e.lived = lived;
        assert_eq!(named(&e), Some(verdict), "{ready:?} {lived:?}");
        // What took plaintext before doesn't demand mutual TLS.
        e.upstream.takes_istio_mtls = Some(true);
        let conflict = ("destination_rule_tls_conflict", "likely");
        assert_eq!(named(&e), Some(if ready == Some(29) { verdict } else { conflict }));
    }
}

#[test]
fn another_proxys_own_reply_says_little_of_the_application() {
    let mut e = stream(503, "-", "via_upstream");
    e.answer.by_proxy = Some(true);
    assert_eq!(named(&e), Some(("application_error", "likely")));
    e.answer.page =
        Page::of_proxy(b"upstream connect error or disconnect/reset before headers. reset reason: x");
    assert_eq!(named(&e), Some(("upstream_proxy_error", "likely")));
    e.answer.by_proxy = Some(false);
    assert_eq!(named(&e), Some(("application_error", "likely")), "passed on by another server");
    e.answer.anonymous = true;
    assert_eq!(named(&e), Some(("upstream_proxy_error", "possible")));
    for (body, whole) in [
        ("no healthy upstream", true),
        ("no healthy upstream\n", false),
        ("sorry: no healthy upstream", false),
        ("upstream connect error or disconnect/reset before headers. reset reason: overflow", true),
        ("upstream connect error or disconnect/reset before headers\n</html>", false),
        ("", false),
    ] {
        assert_eq!(Page::of_proxy(body.as_bytes()).is_some(), whole, "{body}");
    }
}

#[test]
fn an_error_of_somebody_without_a_name_may_be_a_proxys() {
    let mut e = stream(503, "-", "via_upstream");
    (e.answer.by_proxy, e.answer.anonymous) = (Some(false), true);
    assert_eq!(named(&e), Some(("application_error", "likely")));
    e.direction = Direction::Inbound;
    assert_eq!(named(&e), Some(("application_error", "certain")), "nobody is between it and its sidecar");
    (e.direction, e.answer.anonymous) = (Direction::Outbound, false);
    assert_eq!(named(&e), Some(("application_error", "certain")), "another server named itself");
}

#[test]
fn a_bad_gateway_may_speak_of_the_server_behind_it() {
    for code in [502, 504] {
        let mut e = stream(code, "-", "via_upstream");
        e.answer.by_proxy = Some(false);
        for (direction, confidence) in
            [(Direction::Outbound, "likely"), (Direction::Gateway, "likely"), (Direction::Inbound, "certain")]
        {
            e.direction = direction;
            assert_eq!(named(&e), Some(("application_error", confidence)), "{code} {direction:?}");
            let verdict = diagnose(&e).unwrap();
            assert!(Report::new(&verdict, &e).fix.contains("502 and 504 are what a proxy there"), "{code}");
        }
    }
}

#[test]
fn a_misdirected_request_is_the_server_names_over_tls_alone() {
    let mut e = stream(421, "-", "via_upstream");
    e.answer.page = Some(Page::Misdirected);
    e.direction = Direction::Outbound;
    assert_eq!(named(&e), None, "in plaintext it is the application's");
    e.upstream.tls_version = Some(TlsVersion::V1_3);
    assert_eq!(named(&e), Some(("upstream_requires_sni", "likely")));
    e.direction = Direction::Gateway;
    assert_eq!(named(&e), Some(("upstream_requires_sni", "possible")), "its clients choose the Host");
}

#[test]
fn a_refusal_beyond_the_registry_may_be_kube_proxys() {
    let mut e = stream(
        503,
        "UF",
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}",
    );
    e.upstream.cluster = ClusterName::new("outbound|80||reviews.default.svc.cluster.local");
    assert_eq!(named(&e), Some(("upstream_refused", "certain")));
    e.upstream.cluster = ClusterName::new("PassthroughCluster");
    assert_eq!(named(&e), Some(("upstream_refused", "likely")));
}

#[test]
fn a_body_that_ends_too_early_was_cut_short() {
    let cut = |promised, passed| {
        let mut e = stream(200, "UPE", "upstream_reset_after_response_started{protocol_error}");
        (e.answer.promised, e.answer.passed) = (promised, passed);
        (e.direction, e.downstream.protocol) = (crate::evidence::Direction::Inbound, Some("HTTP/1.1".into()));
        e
    };
    let mut short = cut(Some(100), Some(4));
    assert_eq!(named(&short), Some(("upstream_closed_connection", "likely")));
    // Chunked, or all of it there: its form is broken.
    assert_eq!(named(&cut(None, Some(4))), Some(("upstream_protocol_error", "likely")));
    assert_eq!(named(&cut(Some(4), Some(4))), Some(("upstream_protocol_error", "likely")));
    // By HTTP/2 the server may have ended it, and have promised more.
    short.downstream.protocol = Some("HTTP/2".into());
    assert_eq!(named(&short), Some(("upstream_protocol_error", "likely")));
    (short.direction, short.downstream.protocol) =
        (crate::evidence::Direction::Outbound, Some("HTTP/1.1".into()));
    assert_eq!(named(&short), Some(("upstream_protocol_error", "likely")));
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
        ("remote_connection_failure|TLS_error:_Secret_is_not_supplied_by_SDS", "proxy_certificate_missing"),
    ] {
        let details = format!("upstream_reset_before_response_started{{{reason}}}");
        let mut e = stream(503, "UF", &details);
        e.upstream.cluster = ClusterName::new("outbound|80||reviews.default.svc.cluster.local");
        assert_eq!(named(&e), Some((cause, "certain")), "{reason}");
    }
}

#[test]
fn an_upstream_that_resets_tls_refused_it_only_before_there_was_a_connection() {
    let reason = RESET.replace(' ', "_");
    let details = format!("upstream_reset_before_response_started{{remote_connection_failure|{reason}}}");
    assert_eq!(named(&stream(503, "UF,URX", &details)), Some(("upstream_tls_failed", "likely")));
    let mut e = stream(503, "UC", "upstream_reset_before_response_started{connection_termination}");
    e.upstream.tls_version = Some(TlsVersion::V1_3);
    e.upstream.transport_failure = TransportFailure::new(RESET);
    assert_eq!(named(&e), Some(("upstream_closed_connection", "likely")));
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
fn plaintext_to_an_endpoint_that_took_mutual_tls() {
    let mut e = stream(503, "UC", "upstream_reset_before_response_started{connection_termination}");
    e.upstream.takes_istio_mtls = Some(false);
    e.upstream.resource = Resource::new("DestinationRule", "default", "reviews");
    assert_eq!(named(&e), Some(("upstream_closed_connection", "likely")));
    e.past.took_mtls = true;
    let verdict = diagnose(&e).unwrap();
    assert_eq!((verdict.cause, verdict.confidence), (Cause::DestinationRuleTlsConflict, Confidence::Likely));
    assert_eq!(verdict.resource, e.upstream.resource);
    e.upstream.tls_version = Some(TlsVersion::V1_3);
    assert_eq!(named(&e), Some(("upstream_closed_connection", "likely")), "it still does");
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
fn a_page_with_a_clients_text_in_it_is_a_lead() {
    for page in [Page::PlaintextToTlsPort, Page::ClientCertificateRequired, Page::ClientCertificateRefused] {
        let mut e = stream(400, "-", "via_upstream");
        e.answer.page = Some(page);
        assert_eq!(diagnose(&e).unwrap().confidence, Confidence::Likely, "{page:?}");
        e.answer.repeats = true;
        assert_eq!(diagnose(&e).unwrap().confidence, Confidence::Possible, "{page:?}");
    }
}

#[test]
fn a_custom_response_takes_the_place_of_the_applications_error() {
    assert_eq!(named(&stream(503, "-", "internal_redirect")), Some(("application_error", "likely")));
    assert_eq!(named(&stream(404, "-", "internal_redirect")), None);
    assert_eq!(named(&stream(302, "-", "internal_redirect")), None);
}

#[test]
fn an_answer_that_is_no_handshake_is_the_applications() {
    let refused = |code| named(&stream(code, "-", "websocket_handshake_unsuccessful"));
    assert_eq!(refused(502), Some(("application_error", "likely")));
    assert_eq!(refused(200), None);
}

#[test]
fn tls_of_ones_own_to_an_endpoint_that_took_the_meshs() {
    for reason in ["Connection_reset_by_peer", "CERTIFICATE_VERIFY_FAILED"] {
        let reason =
            if reason.starts_with("Conn") { "system_library:_Connection_reset_by_peer" } else { reason };
        let details = format!(
            "upstream_reset_before_response_started{{remote_connection_failure|TLS_error:_{reason}}}"
        );
        let mut e = stream(503, "UF", &details);
        e.upstream.takes_istio_mtls = Some(false);
        let before = named(&e);
        assert_ne!(before, Some(("destination_rule_tls_conflict", "likely")));
        e.past.took_mtls = true;
        assert_eq!(named(&e), Some(("destination_rule_tls_conflict", "likely")));
        e.upstream.takes_istio_mtls = Some(true);
        assert_eq!(named(&e), before, "it is Istio's TLS");
    }
}

/// The ambient mesh (1.40, Istio 1.31): a waypoint's streams, and the lines of the tunnels that they go through.
#[test]
fn tunnels_fail_apart_from_what_is_behind_them() {
    const TUNNELED: &str = "envoy://connect_originate/10.89.0.32:8080";
    const FAILED: &str = "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Invalid_argument}";
    const CLOSED: &str = "upstream_reset_before_response_started{connection_termination}";
    const NO_CHAIN: &str = "upstream_reset_before_response_started{remote_connection_failure|immediate_connect_error:_Invalid_argument|remote_address:envoy://main_internal/}";
    for (flags, details, address, cluster, verdict) in [
        (
            "UF,URX",
            FAILED,
            TUNNELED,
            "inbound-vip|80|http|a.b.svc.cluster.local",
            ("upstream_unreachable", "likely"),
        ),
        ("UF,URX", FAILED, "10.0.0.1:80", "outbound|80||a.b.svc.cluster.local", ("unclassified", "possible")),
        (
            "UC",
            CLOSED,
            TUNNELED,
            "inbound-vip|80|http|a.b.svc.cluster.local",
            ("upstream_closed_connection", "possible"),
        ),
        (
            "UC",
            CLOSED,
            "10.0.0.1:80",
            "inbound-vip|80|http|a.b.svc.cluster.local",
            ("upstream_closed_connection", "likely"),
        ),
        ("UF", NO_CHAIN, "envoy://main_internal/", "main_internal", ("route_host_unknown", "likely")),
    ] {
        let mut e = stream(503, flags, details);
        e.upstream.cluster = ClusterName::new(cluster);
        e.upstream.address = Some(address.into());
        assert_eq!(named(&e), Some(verdict), "{flags} {details} {address}");
        let advised = diagnose(&e).is_some_and(|verdict| verdict.advice.is_some());
        assert_eq!(advised, address.starts_with("envoy://"), "{address}");
        // Its own connect time-out, as it was seen.
        let late = flags == "UC" && address == TUNNELED;
        let late = if late { ("upstream_connect_timeout", "possible") } else { verdict };
        for (lived, verdict) in [(9_000, verdict), (9_998, late), (10_001, late), (11_000, verdict)] {
            e.lived = Some(lived);
            assert_eq!(named(&e), Some(verdict), "{flags} {address} {lived}");
        }
        // A connection to an internal listener takes no time: how long it took says nothing.
        (e.upstream.pool_ready, e.lived) = (Some(10), Some(1));
        let reused = flags == "UC" && address != TUNNELED;
        assert_eq!(
            named(&e),
            Some(if reused { ("upstream_closed_idle_connection", "likely") } else { verdict })
        );
    }
    for (reason, verdict) in [
        ("tunnel_response:503", ("upstream_proxy_error", "likely")),
        ("tunnel_response:401", ("upstream_proxy_error", "likely")),
        ("delayed connect error: Connection refused", ("upstream_refused", "certain")),
        ("delayed connect error: No route to host", ("upstream_unreachable", "likely")),
    ] {
        let mut e = stream(0, "UF,URX", "-");
        e.layer = Layer::Tcp;
        e.upstream.cluster = ClusterName::new("connect_originate");
        e.upstream.address = Some("10.89.0.32:15008".into());
        e.upstream.transport_failure = TransportFailure::new(reason);
        assert_eq!(named(&e), Some(verdict), "{reason}");
    }
}

#[test]
fn a_waypoints_chain_names_the_service_of_a_route_that_is_missing() {
    let mut e = stream(404, "NR", "route_not_found");
    e.route.virtual_host = Some("inbound|http|80".into());
    for (chain, service) in [
        ("inbound-vip|80|http|catalog.shop.svc.cluster.local", Some("Service/shop/catalog")),
        ("inbound-vip|80|http|api.example.com", None),
        ("outbound|80||catalog.shop.svc.cluster.local", None),
        ("virtualInbound", None),
    ] {
        e.filter_chain = Some(chain.into());
        let verdict = diagnose(&e).unwrap();
        assert_eq!(verdict.cause.id(), "route_no_match");
        assert_eq!(verdict.resource.as_ref().map(|resource| resource.path()), service, "{chain}");
    }
}

#[test]
fn what_the_mesh_does_not_know_goes_past_it() {
    let fix = |e: &Evidence| Report::new(&diagnose(e).unwrap(), e).fix.into_owned();
    let mut http = stream(503, "UC", "upstream_reset_before_response_started{connection_termination}");
    (http.direction, http.lived) = (Direction::Outbound, Some(1));
    http.upstream.pool_ready = Some(500);
    let mut tcp = Evidence { layer: Layer::Tcp, flags: Flags::from_short("UR"), ..Evidence::default() };
    tcp.direction = Direction::Outbound;
    let details = "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Network_is_unreachable}";
    let mut unreachable = stream(503, "UF", details);
    unreachable.direction = Direction::Outbound;
    // Through its Service's cluster the endpoint took mutual TLS before; that is what a DestinationRule may spoil, and none holds here.
    let mut known = http.clone();
    (known.past.took_mtls, known.upstream.takes_istio_mtls) = (true, Some(false));
    known.upstream.cluster = ClusterName::new("PassthroughCluster");
    assert_eq!(named(&known), Some(("upstream_closed_connection", "likely")));
    assert!(fix(&known).contains("this went past it in plaintext"));
    known.past.took_plaintext = true;
    assert!(!fix(&known).contains("this went past it"), "it takes plaintext");
    (known.past.took_plaintext, known.upstream.cluster) =
        (false, ClusterName::new("outbound|80||a.b.svc.cluster.local"));
    assert_eq!(named(&known), Some(("destination_rule_tls_conflict", "likely")));
    for (cluster, past) in [("PassthroughCluster", true), ("outbound|80||a.b.svc.cluster.local", false)] {
        for (e, words) in [
            (&mut http, "this went past it in plaintext"),
            (&mut tcp, "this went past it in plaintext"),
            (&mut unreachable, "not its target port"),
        ] {
            e.upstream.cluster = ClusterName::new(cluster);
            assert_eq!(fix(e).contains(words), past, "{}", fix(e));
        }
    }
}
