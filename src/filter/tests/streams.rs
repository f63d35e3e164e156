//! Which streams are failures, and which are not.

use super::{KNOWN_OF_A_REFUSAL, UF, answered, counted, http, looked_at, plugin, success};
use crate::evidence::Flags;
use crate::filter::HttpStream;
use crate::host::memory::MemoryHost;
use crate::host::{Buffer, HeaderMap};
use crate::report::Series;

/// A stream that was accepted, and that the client ended.
fn left(method: &str) -> MemoryHost {
    answered(200, Flags::DOWNSTREAM_CONNECTION_TERMINATION.bits())
        .with_property("response.code_details", "downstream_remote_disconnect")
        .with_property("request.method", method)
        .with_property("xds.cluster_name", "backend")
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

#[test]
fn an_answer_of_no_stated_length_is_not_odd_in_a_tunnel() {
    for (method, observed) in [("CONNECT", 0), ("GET", 1)] {
        let host =
            success().with_property("request.method", method).with_property("request.protocol", "HTTP/1.1");
        let mut plugin = plugin(r#"{"observe_every":1}"#);
        looked_at(&host, &mut plugin, &mut Series::default());
        assert_eq!(counted(&host).len(), observed, "{method}");
    }
}

#[test]
fn a_response_that_is_cut_off_is_looked_at() {
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
fn an_answer_of_the_application_is_its_own_business() {
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
