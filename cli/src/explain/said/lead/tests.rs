//! What Envoy's own log says.

use super::*;

#[test]
fn an_address_may_be_in_front_of_a_handshakes_failure() {
    let message = "[Tags: \"ConnectionId\":\"708\"] remote address:10.244.0.19:46782,TLS_error:|268435709:SSL \
                   routines:OPENSSL_internal:NO_COMMON_SIGNATURE_ALGORITHMS:TLS_error_end";
    assert!(is_of_either_side(message));
    assert!(read(message).is_some());
}

#[test]
fn what_envoy_says_before_it_replies() {
    for (said, details) in [
        (
            "Resetting stream due to upstream_response_timeout. Prior headers have already been sent",
            "upstream_response_timeout",
        ),
        ("max pending requests overflow", "upstream_reset_before_response_started{overflow}"),
        ("upstream per try timeout", "upstream_per_try_timeout"),
        (
            "upstream reset: reset reason connection termination",
            "upstream_reset_before_response_started{connection_termination}",
        ),
        ("stream reset: reset reason: local reset, response details: http1.codec_error", "http1.codec_error"),
        (
            "disconnect. resetting 1 pending requests",
            "upstream_reset_before_response_started{connection_termination}",
        ),
        ("stream 45323 closed: 2", "upstream_reset_before_response_started{remote_reset}"),
        ("dns resolution for a.b failed with c-ares status 4", "dns_resolution_failure"),
        ("delayed connection error: 111", "upstream_reset_before_response_started{connection_failure}"),
        ("closing connection from 10.0.0.9:1: no matching filter chain found", "filter_chain_not_found"),
        ("ext_authz filter rejected the request. Response status code: '401", "ext_authz_denied"),
        ("no cluster match for URL '/a'", "route_not_found"),
        ("Jwt authentication completed with: Unknown issuer", "jwt_authn_access_denied{Unknown_issuer}"),
        (
            "origins-0: JWT token verification completed with: Jwt is expired",
            "jwt_authn_access_denied{Jwt_is_expired}",
        ),
        (
            "StreamClusters gRPC config stream to contour closed since 76s ago: 14, upstream connect error or disconnect/reset \
             before headers. reset reason: overflow",
            "upstream_reset_before_response_started{overflow}",
        ),
        ("Preparing local reply with details wasm_fail_stream thread=63", "wasm_fail_stream"),
    ] {
        let (line, _) = read(&format!("[C1][S2] {said}")).unwrap_or_else(|| panic!("{said}"));
        assert_eq!(line.get(Column::Details), Some(details), "{said}");
    }
    for said in [
        "Jwt authentication completed with: OK",
        "p: JWT token verification completed with: Jwt is missing",
        "Warm up completed with: errors",
        "gRPC config stream closed: 13, ",
        "Resetting stream due to x",
        "disconnect. resetting 0 pending requests",
        "stream closed: 0",
        "stream 5 closed: 8",
        "stream reset: reset reason: remote reset, response details: -",
        "upstream reset: reset reason unknown",
    ] {
        assert_eq!(read(said), None, "{said}");
    }
}

#[test]
fn an_answers_head_is_one_that_curl_would_show() {
    let said = "[C1][S2] encoding headers via codec (end_stream=true):\n':status', '502'\n'server', 'nginx'\n'x-a', 'b'";
    let (rows, stream) = head(said).unwrap();
    assert_eq!(rows, ["HTTP/1.1 502 -", "server: envoy", "content-length: 0", "x-a: b"]);
    assert_eq!(stream, "[C1][S2]");
    assert!(is_applications(&rows));
    let own =
        head("[C1] encoding headers via codec (end_stream=false):\n':status', '503'\n'date', 'x'").unwrap();
    assert!(!is_applications(&own.0));
    for said in
        ["encoding headers via codec (end_stream=true):", "router decoding headers:\n':status', '502'"]
    {
        assert_eq!(head(said), None, "{said}");
    }
}

#[test]
fn what_is_said_of_a_stream() {
    let read = |message: &str| {
        let (line, stream) = read(message)?;
        Some((line.get(Column::Details)?.to_owned(), stream))
    };
    let said = |details: &str, stream: &str| Some((details.to_owned(), stream.to_owned()));
    assert_eq!(
        read(
            "[C1][S2] Sending local reply with details upstream_reset_before_response_started{protocol error}"
        ),
        said("upstream_reset_before_response_started{protocol_error}", "[C1][S2]")
    );
    assert_eq!(
        read("[Tags: \"ConnectionId\":\"1\"] Preparing local reply with details route_not_found\tthread=25"),
        said("route_not_found", "[Tags: \"ConnectionId\":\"1\"]")
    );
    assert_eq!(
        read("[C1][S2] upstream reset: reset reason: connection failure, transport failure reason: x"),
        said("upstream_reset_before_response_started{connection_failure}", "[C1][S2]")
    );
    assert_eq!(
        read("enforced denied, matched policy ns[a]-policy[b]-rule[0]"),
        said("rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]", "")
    );
    assert_eq!(read("no healthy host for HTTP connection pool"), said("no_healthy_upstream", ""));
    assert_eq!(read("[src/envoy/a.cc:1] [C1][S2] upstream timeout"), said("response_timeout", "[C1][S2]"));
    assert_eq!(
        read("[C1] client disconnected, failure reason: delayed connect error: 111"),
        said("upstream_reset_before_response_started{connection_failure}", "[C1]")
    );
    assert_eq!(
        read("StreamAggregatedResources gRPC config stream closed: 14, no healthy upstream"),
        said("no_healthy_upstream", "")
    );
    let refused = "StreamAggregatedResources gRPC config stream to xds-grpc closed since 412s ago: 14, connection error: \
        desc = \"transport: Error while dialing: dial tcp 10.96.0.17:15012: connect: connection refused\"";
    assert_eq!(read(refused), said("upstream_reset_before_response_started{connection_failure}", ""));
    assert_eq!(
        read("Function: proxy_on_log failed: Uncaught RuntimeError: unreachable"),
        said("wasm_fail_stream", "")
    );
    for other in [
        "gRPC config stream closed: 13, ",
        "client disconnected, failure reason: ",
        "enforced allowed",
        "[C1] new stream",
        "x Sending local reply with details y",
        "",
    ] {
        assert_eq!(read(other), None, "{other}");
    }
}
