//! Lines that people asked about, and what their columns leave open.

use meshwhy::causes::Cause;

use super::*;

/// What people asked about in public threads, with the cause that it came down to, or a more general one.
#[test]
fn lines_from_public_threads() {
    for (text, cause, or_else) in [
        // Nothing but a status in a key of one's own and a flag.
        (
            r#"{"resp":400, "response_flags":"DPE", "upstream_host":null}"#,
            "invalid_http_request",
            "tls_on_plaintext_port",
        ),
        // Contour: an answer to gRPC is 200, and this log has no details.
        (
            r#"{"grpc_status_number":7,"upstream_cluster":"entity-service-green_service_5000","@timestamp":"2024-10-07T16:06:54.717Z","path":"/entity.v1.EntityIdMapperService/Map","grpc_status":"PermissionDenied","protocol":"HTTP/2","duration":0,"response_flags":"UAEX","response_code":200,"method":"POST","authority":"entity.example.net"}"#,
            "ext_authz_denied",
            "ext_authz_unavailable",
        ),
        // More facts than a bare UF, and none of them is the reason.
        (
            r#"[2022-02-09T13:34:21.473Z] "GET / HTTP/1.1" 503 UF,URX upstream_reset_before_response_started{connection_failure} - "-" 0 91 24255 - "-" "curl/7.68.0" "5ab981ed" "customer.default.svc.cluster.local:8080" "172.16.0.15:8080" outbound|8080||customer.default.svc.cluster.local - 172.18.2.58:8080 192.168.205.6:34832 - default"#,
            "upstream_connect_timeout",
            "upstream_unreachable",
        ),
        (
            r#"[2022-10-18T20:16:39.453Z] "- - -" 0 UF,URX - - "-" 0 0 10000 - "-" "-" "-" "-" "198.51.100.65:9092" PassthroughCluster - 198.51.100.65:9092 10.128.2.32:59026 - - - -"#,
            "upstream_connect_timeout",
            "upstream_unreachable",
        ),
        // A handshake that a server without TLS ended: older versions say no more of it than of a time-out.
        (
            r#"[2020-09-12T13:38:23.077Z] "- - -" 0 UF,URX "-" "-" 0 0 1001 - "-" "-" "-" "-" "10.1.1.24:6379" outbound|6379||redis.default.svc.cluster.local - 10.1.1.24:6379 10.1.1.25:45940 - -"#,
            "upstream_connect_timeout",
            "upstream_tls_failed",
        ),
        (
            r#"[2026-10-09T07:18:09.595Z] "- - -" 0 NC - - "-" 0 0 2 - "-" "-" "-" "-" "-" - - 198.51.100.171:443 10.244.0.12:57296 httpbin.org -"#,
            "cluster_missing",
            "egress_blocked",
        ),
        // The peer's sidecar answered a call that it couldn't pass on.
        (
            r#"{"method":"POST","protocol":"HTTP/2","response_code":"200","response_flags":"URX","response_code_details":"via_upstream","upstream_transport_failure_reason":"-","upstream_host":"10.244.2.22:9090","upstream_cluster":"outbound|9090||mock-server.default.svc.cluster.local","grpc_status":"Unavailable"}"#,
            "application_error",
            "upstream_proxy_error",
        ),
        // A browser uses its connection for another host of the same certificate.
        (
            r#"[2026-03-01T08:00:00.000Z] "GET / HTTP/2" 404 NR route_not_found - "-" 0 0 0 - "10.0.0.9" "Mozilla/5.0" "51c9" "b.example.com" "-" - - 10.0.0.1:8443 10.0.0.9:1 a.example.com -"#,
            "connection_reused_across_gateways",
            "route_host_unknown",
        ),
    ] {
        let (_, finding) = failed(text);
        assert_eq!((finding.cause.id(), finding.confidence.id()), (cause, "possible"), "{text}");
        assert!(finding.alternatives.iter().any(|other| other.id() == or_else), "{finding:?}");
    }
}

#[test]
fn causes_that_cannot_be_are_not_named() {
    let line = |flags: &str, cluster: &str| {
        format!(
            r#"{{"response_code":0,"response_flags":"{flags}","response_code_details":null,"method":null,"duration":3,"upstream_host":"10.0.0.1:80","upstream_cluster":"{cluster}"}}"#
        )
    };
    for (flags, cluster, never) in [
        ("UF", "outbound|80||a.default.svc.cluster.local", Cause::AuthorizationPolicyDenied),
        ("UF", "PassthroughCluster", Cause::Http10Client),
        ("UC", "inbound|80||", Cause::DestinationRuleTlsConflict),
        ("UF", "outbound|80||a.default.svc.cluster.local", Cause::PlaintextToStrictMtls),
    ] {
        let text = line(flags, cluster);
        if let Reading::Failed(_, finding) = READER.read(text.as_bytes()) {
            assert!(finding.cause != never && !finding.alternatives.contains(&never), "{text} {finding:?}");
            assert_ne!(finding.cause, Cause::Unclassified, "{text}");
        }
    }
}

/// A flag, then its details, then a reason: there is always an answer, and never less of one.
#[test]
fn more_facts_never_give_fewer_answers() {
    for flags in ["UF", "UF,URX", "UC", "UR", "UH", "NC", "NR", "UT", "UO", "UAEX", "LR", "DPE", "SI", "UPE"]
    {
        for details in
            ["", "connection_failure", "local_connection_failure", "remote_connection_failure", "local_reset"]
        {
            let details = if details.is_empty() {
                String::new()
            } else {
                format!(r#","response_code_details":"upstream_reset_before_response_started{{{details}}}""#)
            };
            for reason in ["", r#","upstream_transport_failure_reason":null"#] {
                let text = format!(
                    r#"{{"method":"GET","path":"/","response_code":503,"response_flags":"{flags}"{details}{reason},"duration":3}}"#
                );
                let (_, finding) = failed(&text);
                assert_ne!(finding.cause, Cause::Unclassified, "{text}");
            }
        }
    }
}

#[test]
fn a_column_of_the_line_is_not_asked_for() {
    let text = r#"{"method":"GET","response_code":503,"response_flags":"UH","response_code_details":"no_healthy_upstream","upstream_cluster":"outbound|80||a.default.svc.cluster.local","upstream_endpoints":0}"#;
    let (_, finding) = failed(text);
    assert!(!finding.would_tell.iter().any(|name| name.contains("num_endpoints")), "{finding:?}");
}

/// Whatever else the line lacks: a refused connect is among what a bare flag may be.
#[test]
fn few_columns_leave_no_cause_out() {
    let (_, finding) = failed(r#"{"response_code":503,"response_flags":"UF"}"#);
    let all: Vec<Cause> = std::iter::once(finding.cause).chain(finding.alternatives.clone()).collect();
    for cause in [Cause::UpstreamRefused, Cause::UpstreamConnectTimeout, Cause::UpstreamUnreachable] {
        assert!(all.contains(&cause), "{finding:?}");
    }
    assert_eq!(finding.evidence, "flags=UF");
}
