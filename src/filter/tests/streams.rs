//! Which streams are failures, and which are not.

use super::{KNOWN_OF_A_REFUSAL, UF, answered, counted, http, plugin, sampled, success};
use crate::evidence::Flags;
use crate::filter::HttpStream;
use crate::host::fake::{Calls, FakeHost};
use crate::host::{Buffer, HeaderMap};
use crate::report::Series;

/// A stream that was accepted, and that the client ended.
fn left(method: &str) -> FakeHost {
    answered(200, Flags::DOWNSTREAM_CONNECTION_TERMINATION.bits())
        .with_property("response.code_details", "downstream_remote_disconnect")
        .with_property("request.method", method)
        .with_property("xds.cluster_name", "backend")
}

#[test]
fn a_stream_that_only_its_client_ends_is_no_failure() {
    for (kind, size, failures) in [
        ("text/event-stream", 0, 0),
        ("application/grpc", 5, 0),
        ("application/grpc", 0, 1),
        ("application/json", 5, 1),
    ] {
        let host = left("GET")
            .with_header(HeaderMap::Response, "content-type", kind)
            .with_number("response.size", size);
        let mut stream = HttpStream::default();
        stream.on_response_headers(&host, false);
        stream.on_log(&host, &mut plugin("{}"), &mut Series::default());
        assert_eq!(counted(&host).len(), failures, "{kind}, {size} bytes");
    }
}

#[test]
fn the_end_of_a_tunnel_is_no_failure() {
    for (method, failures) in [("CONNECT", 0), ("GET", 1)] {
        let (host, mut series) = (left(method), Series::default());
        let (mut http, mut logger) = (plugin("{}"), plugin(r#"{"role":"access_log"}"#));
        let mut stream = HttpStream::default();
        stream.on_response_headers(&host, false);
        stream.on_log(&host, &mut http, &mut series);
        assert_eq!(counted(&host).len(), failures, "{method}");
        let (host, mut series) = (left(method), Series::default());
        logger.on_access_log(&host, &mut series);
        assert_eq!(counted(&host).len(), failures, "{method} at the access logger");
    }
}

/// Where no route takes CONNECT, and where istiod blocks what it doesn't know.
#[test]
fn connect_is_read_where_a_client_may_take_this_port_for_a_proxy() {
    for (code, details, virtual_host, other) in [
        (404, "route_not_found", "allow_any", "route_no_match"),
        (502, "direct_response", "block_all", "egress_blocked"),
    ] {
        for (method, cause) in [("CONNECT", "connect_to_non_proxy_port"), ("GET", other)] {
            let host = answered(code, 0)
                .with_property("response.code_details", details)
                .with_property("xds.virtual_host_name", virtual_host)
                .with_property("request.method", method);
            http(&host, &mut plugin("{}"), &mut Series::default());
            assert_eq!(host.state("meshwhy.cause").as_deref(), Some(cause), "{method} {details}");
        }
    }
}

/// Anyone may write a name as the mesh's proxies do: what they have more is a certificate.
#[test]
fn a_name_of_the_meshs_counts_from_clients_with_a_certificate() {
    for (mutual, cause) in [([0], "double_tls"), ([1], "tls_on_plaintext_port")] {
        let host = answered(400, Flags::DOWNSTREAM_PROTOCOL_ERROR.bits())
            .with_property("response.code_details", "http1.codec_error")
            .with_property("connection.tls_version", "TLSv1.3")
            .with_property(
                "connection.requested_server_name",
                "outbound_.80_._.shop.default.svc.cluster.local",
            )
            .with_property("connection.mtls", mutual)
            .with_state("meshwhy.first_bytes", "tls_client_hello");
        http(&host, &mut plugin("{}"), &mut Series::default());
        assert_eq!(host.state("meshwhy.cause").as_deref(), Some(cause), "{mutual:?}");
    }
}

/// The filter that Istio's agent puts in the place of a module is known by its metadata alone.
#[test]
fn a_substitute_is_known_by_its_metadata() {
    const KEY: &str = "envoy.filters.http.rbac\0wasm-default-denyenforced_engine_result";
    let denied =
        answered(403, 0).with_property("response.code_details", "rbac_access_denied_matched_policy[none]");
    http(&denied, &mut plugin("{}"), &mut Series::default());
    assert_eq!(denied.state("meshwhy.cause").as_deref(), Some("authorization_policy_denied"));
    let substitute = answered(403, 0)
        .with_property("response.code_details", "rbac_access_denied_matched_policy[none]")
        .with_path(&format!("metadata\0filter_metadata\0{KEY}"), "denied");
    http(&substitute, &mut plugin("{}"), &mut Series::default());
    assert_eq!(substitute.state("meshwhy.cause").as_deref(), Some("filter_config_missing"));
}

/// Behind a tunnel whoever asks has shown a certificate that the stream doesn't have.
#[test]
fn a_waypoints_callers_are_not_told_to_get_a_sidecar() {
    for (node, chain, told) in [
        ("sidecar~10.0.0.1~app.default~x", "virtualInbound", true),
        ("waypoint~10.0.0.1~waypoint.default~x", "inbound-vip|80|http|shop.default.svc.cluster.local", false),
    ] {
        let host = answered(403, 0)
            .with_property("response.code_details", "rbac_access_denied_matched_policy[none]")
            .with_property("xds.node.id", node)
            .with_property("xds.filter_chain_name", chain)
            .with_number("xds.listener_direction", 1);
        http(&host, &mut plugin("{}"), &mut Series::default());
        let fix = host.state("meshwhy.fix").unwrap();
        assert_eq!(fix.contains("Give the caller a sidecar"), told, "{node}: {fix}");
    }
}

#[test]
fn an_answer_of_no_stated_length_is_not_odd_in_a_tunnel() {
    for (method, observed) in [("CONNECT", 0), ("GET", 1)] {
        let host =
            success().with_property("request.method", method).with_property("request.protocol", "HTTP/1.1");
        let mut plugin = plugin(r#"{"observe_every":1}"#);
        sampled(&host, &mut plugin, &mut Series::default());
        assert_eq!(counted(&host).len(), observed, "{method}");
    }
}

#[test]
fn a_truncated_response_is_diagnosed() {
    let details = "upstream_reset_after_response_started{connection_termination}";
    let host = success()
        .with_number("response.flags", Flags::UPSTREAM_CONNECTION_TERMINATION.bits())
        .with_property("response.code_details", details);
    let (mut plugin, mut stream) = (plugin("{}"), HttpStream::default());
    stream.on_response_headers(&host, false);
    stream.on_response_body(&host, false);
    stream.on_log(&host, &mut plugin, &mut Series::default());
    assert_eq!(host.state("meshwhy.cause").unwrap(), "upstream_closed_connection");
}

#[test]
fn an_applications_own_response_is_no_failure() {
    let host = answered(404, 0).with_property("response.code_details", "via_upstream");
    http(&host, &mut plugin("{}"), &mut Series::default());
    assert!(counted(&host).is_empty() && host.state_keys().is_empty());
}

#[test]
fn a_refusal_to_grpc_is_seen_although_its_status_is_200() {
    let host = success()
        .with_header(HeaderMap::Response, "grpc-status", "7")
        .with_property("response.code_details", "rbac_access_denied_matched_policy[none]");
    let (mut plugin, mut stream) = (plugin("{}"), HttpStream::default());
    stream.on_response_headers(&host, true);
    stream.on_log(&host, &mut plugin, &mut Series::default());
    assert_eq!(host.state("meshwhy.cause").unwrap(), "authorization_policy_denied");
}

#[test]
fn the_page_of_a_tls_server_is_recognised() {
    let host = answered(400, 0)
        .with_property("response.code_details", "via_upstream")
        .with_property("xds.cluster_name", "backend");
    host.set_buffer(Buffer::ResponseBody, b"Client sent an HTTP request to an HTTPS server.\n");
    http(&host, &mut plugin("{}"), &mut Series::default());
    assert_eq!(host.state("meshwhy.cause").unwrap(), "upstream_expects_tls");
    assert_eq!(host.state("meshwhy.confidence").unwrap(), "likely");
    // Go writes no headers there; whoever does repeats what it was asked for.
    for header in ["server", "content-type"] {
        let host = answered(400, 0).with_property("response.code_details", "via_upstream").with_header(
            HeaderMap::Response,
            header,
            "x",
        );
        host.set_buffer(Buffer::ResponseBody, b"Client sent an HTTP request to an HTTPS server.\n");
        http(&host, &mut plugin("{}"), &mut Series::default());
        assert!(host.state("meshwhy.cause").is_none(), "{header}");
    }
}

/// `SECURITY.md` says which: of an application's other answers nothing is read.
#[test]
fn an_upstreams_page_is_read_of_these_statuses_alone() {
    let is_read = |code: u64, details: &str, length: Option<&str>| {
        let host = answered(code, 0).with_property("response.code_details", details);
        let host = match length {
            Some(length) => host.with_header(HeaderMap::Response, "content-length", length),
            None => host,
        };
        host.set_buffer(Buffer::ResponseBody, b"no healthy upstream");
        let (mut plugin, mut stream) = (plugin("{}"), HttpStream::default());
        if stream.on_response_headers(&host, false) {
            stream.on_notable_headers(&host, &mut plugin);
        }
        host.take_calls();
        stream.on_response_body(&host, true);
        host.take_calls() != Calls::default()
    };
    for code in 200..600 {
        let mistake_in_tls = matches!(code, 400 | 495..=497);
        let error = (500..600).contains(&code);
        assert_eq!(is_read(code, "via_upstream", Some("512")), mistake_in_tls || error, "{code}");
        assert_eq!(is_read(code, "via_upstream", Some("513")), mistake_in_tls, "{code}: no Envoy's");
        assert_eq!(is_read(code, "via_upstream", None), mistake_in_tls, "{code}: of no stated length");
        assert!(!is_read(code, "lua_response", Some("19")), "{code}: this proxy's own");
    }
}

#[test]
fn another_proxys_reply_is_known_whatever_its_status() {
    let said = |code: u64, server: &str, length: &str, page: &[u8]| {
        let host = answered(code, 0)
            .with_property("response.code_details", "via_upstream")
            .with_property("xds.cluster_name", "backend")
            .with_header(HeaderMap::Response, "server", server)
            .with_header(HeaderMap::Response, "content-length", length);
        host.set_buffer(Buffer::ResponseBody, page);
        http(&host, &mut plugin("{}"), &mut Series::default());
        (host.state("meshwhy.cause").unwrap(), host.state("meshwhy.confidence").unwrap())
    };
    let is = |cause: &str, confidence: &str| (cause.to_owned(), confidence.to_owned());
    for code in [500, 502, 503, 504] {
        let reply = said(code, "istio-envoy", "19", b"no healthy upstream");
        assert_eq!(reply, is("upstream_proxy_error", "likely"), "{code}");
        let more = said(code, "istio-envoy", "24", b"no healthy upstream");
        assert_eq!(more, is("application_error", "likely"), "{code}: only the beginning has come");
        let other = said(code, "nginx", "19", b"no healthy upstream");
        assert_eq!(other, is("application_error", "likely"), "{code}: an application that passes it on");
    }
}

/// A reply to gRPC has no body: its words are a header's.
#[test]
fn another_proxys_reply_to_grpc_is_known() {
    for (message, cause) in [("no healthy upstream", "upstream_proxy_error"), ("busy", "application_error")] {
        let host = success()
            .with_property("xds.cluster_name", "backend")
            .with_header(HeaderMap::Response, "server", "istio-envoy")
            .with_header(HeaderMap::Response, "grpc-status", "14")
            .with_header(HeaderMap::Response, "grpc-message", message);
        let (mut plugin, mut stream) = (plugin("{}"), HttpStream::default());
        assert!(stream.on_response_headers(&host, true));
        stream.on_notable_headers(&host, &mut plugin);
        stream.on_log(&host, &mut plugin, &mut Series::default());
        assert_eq!(host.state("meshwhy.cause").as_deref(), Some(cause), "{message}");
    }
}

#[test]
fn a_client_that_hangs_up_behind_a_whole_answer_has_missed_nothing() {
    let host = answered(503, Flags::DOWNSTREAM_CONNECTION_TERMINATION.bits())
        .with_property("response.code_details", "via_upstream");
    http(&host, &mut plugin("{}"), &mut Series::default());
    assert_eq!(host.state("meshwhy.cause").unwrap(), "application_error");
}

/// Each attribute is missing in some version, or somewhere in a stream's life.
#[test]
fn without_any_one_attribute_a_failure_is_still_a_failure() {
    for (at, missing) in KNOWN_OF_A_REFUSAL.iter().enumerate() {
        let others = KNOWN_OF_A_REFUSAL.iter().enumerate().filter(|(other, _)| *other != at);
        let host = answered(503, UF);
        let host = others.fold(host, |host, (_, (path, value))| host.with_property(path, value));
        let mut series = Series::default();
        http(&host, &mut plugin(""), &mut series);
        assert_eq!(counted(&host).len(), 1, "without {missing:?}");
    }
}
