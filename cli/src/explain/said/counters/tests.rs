use super::*;

fn said(row: &str) -> Option<(&'static str, Option<String>)> {
    match read(row)? {
        Row::Fine | Row::Sound(_) => Some(("fine", None)),
        Row::Failed(line, finding) => {
            assert_eq!(finding.confidence, Confidence::Possible);
            Some((finding.cause.id(), line.get(Column::Cluster).map(str::to_owned)))
        }
    }
}

#[test]
fn what_has_failed_is_counted() {
    const REVIEWS: &str = "outbound|9080||reviews.default.svc.cluster.local";
    for (row, cause, cluster) in [
        ("cluster.$C.upstream_cx_connect_fail: 12", "upstream_refused", true),
        ("cluster.$C.upstream_cx_connect_timeout: 5", "upstream_connect_timeout", true),
        ("upstream_cx_destroy_remote_with_active_rq: 1", "upstream_closed_connection", false),
        ("cluster.$C;.upstream_rq_pending_overflow: 3", "circuit_breaker_overflow", true),
        ("cluster.$C.circuit_breakers.default.rq_pending_open: 1", "circuit_breaker_overflow", true),
        ("cluster.$C.external.upstream_rq_503: 3", "upstream_closed_connection", true),
        ("cluster.$C.ssl.fail_verify_san: 7", "upstream_certificate_rejected", true),
        ("listener.0.0.0.0_15006.ssl.fail_verify_error: 7", "client_certificate_rejected", false),
        ("listener.0.0.0.0_15006.ssl.connection_error: 7", "downstream_tls_failed", false),
        ("listener.0.0.0.0_443.no_filter_chain_match: 14", "no_filter_chain_for_sni", false),
        ("http.inbound_0.0.0.0_9080;.rbac.denied: 5", "authorization_policy_denied", false),
        ("$C::10.0.0.5:9080::health_flags::/failed_outlier_check", "no_healthy_endpoints", true),
        ("$C::10.0.0.5:9080::cx_connect_fail::3", "upstream_refused", true),
        ("envoy_cluster_upstream_cx_connect_fail{cluster_name=\"$C\"} 4", "upstream_refused", true),
        (
            "envoy_cluster_upstream_rq{envoy_response_code=\"503\",envoy_cluster_name=\"$C\"} 4",
            "upstream_closed_connection",
            true,
        ),
        (
            "envoy_cluster_external_upstream_rq{envoy_response_code=\"503\",envoy_cluster_name=\"$C\"} 4",
            "upstream_closed_connection",
            true,
        ),
        (
            "envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"5\",envoy_cluster_name=\"$C\"} 4",
            "application_error",
            true,
        ),
        // Istio's own labels.
        (
            "envoy_cluster_upstream_rq{response_code_class=\"5xx\",cluster_name=\"$C\"} 4",
            "application_error",
            true,
        ),
        ("envoy_cluster_upstream_rq_504{cluster_name=\"$C\"} 4", "upstream_timeout", true),
        // A name is taken apart at its first dot.
        (
            "envoy_cluster_default_svc_cluster_local_upstream_cx_none_healthy{envoy_cluster_name=\"outbound|9080||reviews\"} 3",
            "no_healthy_endpoints",
            true,
        ),
        (
            "envoy_cluster_my_ns_svc_cluster_local_upstream_cx_none_healthy{envoy_cluster_name=\"outbound|80||a\"} 3",
            "no_healthy_endpoints",
            false,
        ),
        ("10.0.0.5:9080     HEALTHY     FAILED            $C", "no_healthy_endpoints", true),
        ("10.0.0.5:9080     UNHEALTHY   OK                $C", "no_healthy_endpoints", true),
        (
            "a-1.default   SYNCED   STALE (Never Acknowledged)   SYNCED   istiod-1 1.20.0",
            "config_propagating",
            false,
        ),
        ("Error [IST0101] (VirtualService a/b) Referenced host not found: \"c\"", "cluster_missing", false),
    ] {
        let row = row.replace("$C", REVIEWS);
        let expected = cluster.then(|| REVIEWS.to_owned());
        assert_eq!(said(&row), Some((cause, expected)), "{row}");
    }
}

#[test]
fn what_has_not_failed_is_fine_and_other_texts_are_none() {
    for row in [
        "cluster.a.upstream_cx_connect_fail: 0",
        "cluster.a.upstream_rq_total: 1200",
        "cluster.xds-grpc.upstream_cx_connect_fail: 4",
        "cluster.a.upstream_rq_time: P0(nan,0) P25(nan,2.06878)",
        "server.live: 1",
        "a::10.0.0.5:9080::health_flags::healthy",
        "a::10.0.0.5:9080::cx_connect_fail::0",
        "a::added_via_api::true",
        "envoy_cluster_upstream_cx_connect_fail{cluster_name=\"a\"} 0",
        "10.0.0.5:9080     HEALTHY     OK                outbound|9080||a.b.svc.cluster.local",
        "a-1.default   Kubernetes   SYNCED   SYNCED   SYNCED   SYNCED   NOT SENT   istiod-1   1.20.0",
        "\u{2714} No validation issues found when analyzing namespace: default.",
        "Info [IST0102] (Namespace default) The namespace is not enabled for Istio injection.",
    ] {
        assert_eq!(said(row), Some(("fine", None)), "{row}");
    }
    for text in
        ["", "cluster is down: 5", "std::io::Error", "linkerd_app_core::serve: Connection closed", "a: 5"]
    {
        assert_eq!(said(text), None, "{text}");
    }
}

#[test]
fn no_row_is_found_in_the_words_of_others() {
    for text in [
        "2026-11-20 ERROR my_app::priority::queue: connection refused (os error 111)",
        "my_app::priority::queue",
        "my_app::pool::priority::queue",
        "\"GET /x::zone::y HTTP/1.1\" 503 UF upstream_reset_before_response_started{connection_failure} 0 91",
        "503|UF|a::10.0.0.1:80::zone::y",
        "/a::10.0.0.1:80::zone::y",
        "a::10.0.0.1:80::cx_connect_fail::refused",
        "a::10.0.0.1:80::health_flags::503",
        "\"GET /x HTTP/1.1\" 503 UF foo 0 91 \"curl  SYNCED istiod\"",
        "\"GET /x HTTP/1.1\" 503 UF foo 0 91 \"curl  SYNCED istiod  STALE\"",
        "\"GET /x HTTP/1.1\" 503 UF foo 0 91 \"No validation issues found\"",
        "503 No validation issues found",
        "No validation issues found 503 UF /x",
        "envoy_cluster_x{a=\"b\"} 4 503 UF /x",
        "a.b SYNCED SYNCED SYNCED istiod 1.20 503 UF",
        "a.b UF SYNCED SYNCED SYNCED istiod 503 x",
        "GET HEALTHY OK /a",
        "\"GET / HTTP/1.1\" 503 UF \"x HEALTHY OK y\"",
        "http.example.com: connection refused",
        "server.shop.example: 503",
        "dns.shop: no such host",
    ] {
        assert_eq!(said(text), None, "{text}");
    }
    for row in [
        "v6::[2001:db8::1]:1::hostname::",
        "a::default_priority::max_connections::1024",
        "a::outlier::success_rate_average::-1",
        "a::/tmp/a.sock::cx_active::0",
        "a-1.b   SYNCED   SYNCED   SYNCED (100%)   SYNCED   istio-pilot-6c5c6b586c-9gwn5   1.5.0",
        "a-1.b   K   SYNCED (5m3s)   SYNCED (5m3s)   SYNCED (4m)   IGNORED   istiod-1",
        "server.uptime: 503",
        "cluster.a.upstream_rq_per_cx: No recorded values",
    ] {
        assert_eq!(said(row), Some(("fine", None)), "{row}");
    }
}

#[test]
fn of_two_counters_the_one_that_says_why_decides() {
    let of = |row: &str| match read(row) {
        Some(Row::Failed(_, finding)) => rank(&finding),
        other => panic!("{other:?}"),
    };
    assert!(of("cluster.a.upstream_cx_connect_fail: 1") < of("cluster.a.external.upstream_rq_503: 9"));
}

#[test]
fn both_forms_of_a_counter_say_the_same() {
    for (stats, prometheus, cause) in [
        (
            "listener.0.0.0.0_1.ssl.fail_verify_san: 3",
            "envoy_listener_ssl_fail_verify_san{envoy_listener_address=\"0.0.0.0_1\"} 3",
            "client_certificate_rejected",
        ),
        (
            "listener.0.0.0.0_1.ssl.connection_error: 3",
            "envoy_listener_ssl_connection_error{envoy_listener_address=\"0.0.0.0_1\"} 3",
            "downstream_tls_failed",
        ),
        (
            "cluster.a.ssl.fail_verify_san: 3",
            "envoy_cluster_ssl_fail_verify_san{envoy_cluster_name=\"a\"} 3",
            "upstream_certificate_rejected",
        ),
        (
            "http.a.downstream_rq_timeout: 3",
            "envoy_http_downstream_rq_timeout{envoy_http_conn_manager_prefix=\"a\"} 3",
            "idle_timeout",
        ),
        (
            "tcp.a.downstream_cx_no_route: 3",
            "envoy_tcp_downstream_cx_no_route{envoy_tcp_prefix=\"a\"} 3",
            "cluster_missing",
        ),
        (
            "http.a.no_route: 3",
            "envoy_http_no_route{envoy_http_conn_manager_prefix=\"a\"} 3",
            "route_no_match",
        ),
        (
            "http.a.downstream_rq_5xx: 3",
            "envoy_http_downstream_rq_xx{envoy_response_code_class=\"5\",envoy_http_conn_manager_prefix=\"a\"} 3",
            "application_error",
        ),
        (
            "listener.0.0.0.0_1.http.a.downstream_rq_5xx: 3",
            "envoy_listener_http_downstream_rq_xx{envoy_response_code_class=\"5\",envoy_http_conn_manager_prefix=\"a\",envoy_listener_address=\"0.0.0.0_1\"} 3",
            "application_error",
        ),
        (
            "http.a.rbac.denied: 3",
            "envoy_http_rbac_denied{envoy_http_conn_manager_prefix=\"a\"} 3",
            "authorization_policy_denied",
        ),
        (
            "cluster_manager.cds.update_rejected: 3",
            "envoy_cluster_manager_cds_update_rejected{} 3",
            "cluster_missing",
        ),
        (
            "listener_manager.lds.update_rejected: 3",
            "envoy_listener_manager_lds_update_rejected{} 3",
            "virtual_service_not_applied",
        ),
        (
            "cluster.a.update_rejected: 3",
            "envoy_cluster_update_rejected{envoy_cluster_name=\"a\"} 3",
            "no_endpoints",
        ),
        (
            "http.a.rds.80.update_rejected: 3",
            "envoy_http_rds_update_rejected{envoy_rds_route_config=\"80\",envoy_http_conn_manager_prefix=\"a\"} 3",
            "virtual_service_not_applied",
        ),
        // What the cluster has counted as well, the proxy's own servers, and what isn't the proxy's fault.
        (
            "cluster.a.retry.upstream_rq_503: 3",
            "envoy_cluster_retry_upstream_rq{envoy_response_code=\"503\",envoy_cluster_name=\"a\"} 3",
            "fine",
        ),
        (
            "http.admin.downstream_rq_5xx: 3",
            "envoy_http_downstream_rq_xx{envoy_response_code_class=\"5\",envoy_http_conn_manager_prefix=\"admin\"} 3",
            "fine",
        ),
        (
            "http.a.downstream_rq_4xx: 3",
            "envoy_http_downstream_rq_xx{envoy_response_code_class=\"4\",envoy_http_conn_manager_prefix=\"a\"} 3",
            "fine",
        ),
        (
            "cluster.a.upstream_rq_200: 3",
            "envoy_cluster_upstream_rq{envoy_response_code=\"200\",envoy_cluster_name=\"a\"} 3",
            "fine",
        ),
        (
            "cluster.xds-grpc.upstream_cx_connect_fail: 3",
            "envoy_cluster_upstream_cx_connect_fail{envoy_cluster_name=\"xds-grpc\"} 3",
            "fine",
        ),
    ] {
        for row in [stats, prometheus] {
            assert_eq!(said(row).map(|(cause, _)| cause), Some(cause), "{row}");
            if let Some(Row::Failed(_, finding)) = read(row) {
                assert!(finding.evidence.ends_with("; value=3"), "{row}: {}", finding.evidence);
            }
        }
    }
}

#[test]
fn a_cluster_may_be_called_as_a_part_of_a_counters_name() {
    for (row, cluster) in [
        ("cluster.retry.upstream_rq_503: 3", "retry"),
        ("envoy_cluster_upstream_rq{envoy_response_code=\"503\",envoy_cluster_name=\"retry\"} 3", "retry"),
        ("cluster.default.upstream_rq_503: 3", "default"),
        ("cluster.my-default.external.upstream_rq_503: 3", "my-default"),
        ("cluster.a.circuit_breakers.high.rq_open: 1", "a"),
    ] {
        assert_eq!(said(row).and_then(|(_, cluster)| cluster).as_deref(), Some(cluster), "{row}");
    }
}

#[test]
fn a_flag_with_which_an_endpoint_still_gets_requests_is_none_of_a_failure() {
    for (flags, cause) in [
        ("/degraded_active_hc", "fine"),
        ("/degraded_eds_health", "fine"),
        ("/pending_dynamic_removal", "fine"),
        ("/failed_active_hc", "no_healthy_endpoints"),
        ("/failed_eds_health/degraded_active_hc", "no_healthy_endpoints"),
    ] {
        let row = format!("a::10.0.0.1:80::health_flags::{flags}");
        assert_eq!(said(&row).map(|(cause, _)| cause), Some(cause), "{row}");
    }
}
