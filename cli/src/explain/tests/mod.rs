//! What lines come to.

mod collected;
mod columns;
mod corpus;
mod exported;
mod filters;
mod forged;
mod formats;
mod joined;
mod rows;
mod shapes;
mod threads;

use std::sync::LazyLock;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;
use proptest::prelude::*;

use super::*;

/// What Istio's default format has behind the columns that say what happened.
const REST: &str = r#"0 91 2 - "-" "curl/8.5.0" "8496-6d84" "reviews:9080" "10.0.0.7:9080" outbound|9080|v2|reviews.default.svc.cluster.local 10.0.0.9:41854 10.96.1.1:9080 10.0.0.2:5000 - -"#;

fn istio(what: &str) -> String {
    format!(r#"[2026-11-20T10:00:01.000Z] "GET /api?token=x HTTP/1.1" {what} {REST}"#)
}

static READER: LazyLock<Reader> = LazyLock::new(|| Reader::new(Vec::new()));

fn read(text: &str) -> Reading {
    READER.read_all(text.as_bytes())
}

fn failed(text: &str) -> (Line<'static>, Finding) {
    match read(text) {
        Reading::Failed(line, finding) => (*line, *finding),
        other => panic!("{text}: {other:?}"),
    }
}

fn named(text: &str) -> (&'static str, &'static str) {
    let (_, finding) = failed(text);
    (finding.cause.id(), finding.confidence.id())
}

const REFUSED: &str = r#"503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} - "delayed_connect_error:_Connection_refused""#;

#[test]
fn istios_default_format_is_taken_apart() {
    let (line, finding) = failed(&istio(REFUSED));
    assert_eq!((finding.cause, finding.confidence), (Cause::UpstreamRefused, Confidence::Certain));
    assert_eq!(finding.source, Source::Line);
    for (column, value) in [
        (Column::Method, "GET"),
        (Column::Path, "/api?token=x"),
        (Column::RequestId, "8496-6d84"),
        (Column::Authority, "reviews:9080"),
        (Column::UpstreamHost, "10.0.0.7:9080"),
    ] {
        assert_eq!(line.get(column), Some(value));
    }
    assert!(line.shows(Column::Sni) && line.get(Column::Sni).is_none());
    assert!(!line.shows(Column::VirtualHost));
    let to = Destination::of_cluster(line.get(Column::Cluster).unwrap()).unwrap();
    assert_eq!(to.to_string(), "reviews.default.svc.cluster.local:9080 subset v2");
    let own = Destination::of_cluster("inbound|80|http|a.b.svc.cluster.local").unwrap();
    assert_eq!(own.to_string(), "a.b.svc.cluster.local:80");
}

#[test]
fn older_formats_say_less() {
    let old = r#"[2019-03-06T09:31:27.360Z] "GET /status/418 HTTP/1.1" 503 UC "-" "-" 0 135 5 - "-" "curl/7.60.0" "d209e46f" "httpbin:8000" "127.0.0.1:80" inbound|8000|http|httpbin.default.svc.cluster.local - 172.30.146.73:80 172.30.146.82:38618 outbound_.8000_._.httpbin.default.svc.cluster.local -"#;
    assert_eq!(named(old), ("upstream_closed_connection", "possible"));
    let envoys = r#"[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 504 UT 154 0 226 - "10.0.35.28" "nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80""#;
    assert_eq!(named(envoys), ("upstream_timeout", "likely"));
    let refused = r#"[2016-04-15T20:17:00.310Z] "POST / HTTP/1.1" 503 UF 154 0 226 - "-" "-" "-" "locations" "10.0.2.1:80""#;
    let (_, finding) = failed(refused);
    // It was over in 226 ms.
    assert_eq!((finding.cause, finding.confidence), (Cause::UpstreamRefused, Confidence::Possible));
    assert!(finding.alternatives.contains(&Cause::UpstreamUnreachable));
    let fine = r#"[2016-04-15T20:17:00.310Z] "POST / HTTP/2" 404 - 154 0 226 100 "-" "-" "-" "locations" "10.0.2.1:80""#;
    assert!(matches!(read(fine), Reading::Fine(_)));
}

/// README's own line: nobody reads of it that its client should correct a request.
#[test]
fn no_request_at_a_port_of_tls_is_most_probably_tls() {
    let line = |local: &str, request: &str| {
        let line = format!(
            r#"[2026-11-30T08:14:22.309Z] "{request} HTTP/1.1" 400 DPE http1.codec_error - "-" 0 11 0 - "-" "-" "-" "-" "-" - - {local} 127.0.0.1:50626 - -"#
        );
        named(&line)
    };
    for local in ["127.0.0.1:443", "10.0.0.1:6443", "[fd00::1]:8443", "10.0.0.1:9443"] {
        assert_eq!(line(local, "- -"), ("tls_on_plaintext_port", "possible"), "{local}");
    }
    for (local, request) in [("127.0.0.1:80", "- -"), ("127.0.0.1:443", "GET /"), ("127.0.0.1:1443", "- -")] {
        assert_eq!(line(local, request), ("invalid_http_request", "possible"), "{local} {request}");
    }
}

/// The fix of another cause turned mutual TLS off.
#[test]
fn a_connect_timeout_is_one_without_a_duration_too() {
    for duration in ["", r#","duration":9"#, r#","duration":10000"#] {
        let (_, finding) = failed(&format!(
            r#"{{"response_code":503,"response_flags":"UF","response_code_details":"upstream_reset_before_response_started{{connection_timeout}}","method":"GET","path":"/","upstream_cluster":"outbound|80||a.b.svc.cluster.local","upstream_host":"10.0.0.1:80"{duration}}}"#
        ));
        assert_eq!(finding.cause, Cause::UpstreamConnectTimeout, "{duration}");
        assert_eq!(finding.general_fix(), Some(Cause::UpstreamConnectTimeout.fix()), "{duration}");
        assert!(finding.fix().unwrap().contains("whether 10.0.0.1:80 is alive"), "{:?}", finding.fix());
        assert_ne!(finding.confidence, Confidence::Certain, "{duration}");
    }
}

#[test]
fn an_answer_as_long_as_envoys_own_is_the_next_proxys() {
    let answered = |sent: u32| {
        named(&istio(r#"503 - via_upstream - "-""#).replace(" 0 91 2 ", &format!(" 0 {sent} 2 ")))
    };
    assert_eq!(answered(91), ("upstream_proxy_error", "possible"));
    assert_eq!(answered(90), ("application_error", "possible"));
    // Cut off behind the numbers.
    let (front, _) = r#"[2026-03-01T08:00:00.123Z] "GET / HTTP/1.1" 503 - via_upstream - "-" 0 91 412 412 "-" "curl/8" "x"#.split_at(93);
    assert_eq!(named(front), ("upstream_proxy_error", "possible"));
}

#[test]
fn what_the_log_cannot_show_lowers_the_confidence() {
    for (what, cause, confidence) in [
        (r#"404 NR route_not_found - "-""#, "route_no_match", "possible"),
        (r#"503 UH no_healthy_upstream - "-""#, "no_endpoints", "possible"),
        (
            r#"503 UC upstream_reset_before_response_started{connection_termination} - "-""#,
            "upstream_closed_connection",
            "possible",
        ),
        (r#"504 UT response_timeout - "-""#, "upstream_timeout", "certain"),
        (r#"500 - via_upstream - "-""#, "application_error", "likely"),
        // It is as long as another proxy's words.
        (r#"503 - via_upstream - "-""#, "upstream_proxy_error", "possible"),
        // No log shows whose filter that was; in a client's sidecar it is no policy's.
        (r#"403 - rbac_access_denied_matched_policy[none] - "-""#, "authorization_policy_denied", "possible"),
        (r#"503 XYZ something_new - "-""#, "unclassified", "possible"),
        (r#"0 XYZ - - "-""#, "unclassified", "possible"),
    ] {
        assert_eq!(named(&istio(what)), (cause, confidence), "{what}");
    }
}

#[test]
fn grpcs_own_status_counts_as_the_servers_error() {
    let format = |operators: &str| {
        let format = format!(
            "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_TRANSPORT_FAILURE_REASON% {operators}"
        );
        Reader::new(vec![Format::parse(&format).unwrap()])
    };
    for (operators, written, failed) in [
        ("%GRPC_STATUS%", "Unavailable", true),
        ("%GRPC_STATUS(SNAKE_STRING)%", "DEADLINE_EXCEEDED", true),
        ("%GRPC_STATUS(NUMBER)%", "13", true),
        ("%GRPC_STATUS_NUMBER%", "0", false),
        ("%GRPC_STATUS%", "NotFound", false),
        // What Envoy makes of a 200 without one.
        ("%GRPC_STATUS%", "Unknown", false),
        ("%RESP(GRPC-STATUS)% %TRAILER(GRPC-STATUS)%", "- 2", true),
        ("%RESP(GRPC-STATUS)% %TRAILER(GRPC-STATUS)%", "14 -", true),
        ("%GRPC_STATUS%", "-", false),
    ] {
        let line = format!("200 - via_upstream - {written}");
        match format(operators).read(line.as_bytes()) {
            Reading::Failed(_, finding) if failed => {
                // A proxy behind may have made UNAVAILABLE of what it couldn't reach.
                let by_proxy = written.contains("Unavailable") || written.contains("14");
                let expected = if by_proxy { Confidence::Possible } else { Confidence::Likely };
                assert_eq!((finding.cause, finding.confidence), (Cause::ApplicationError, expected));
                assert!(finding.evidence.contains("grpc_status="), "{}", finding.evidence);
            }
            Reading::Fine(_) if !failed => {}
            other => panic!("{line}: {other:?}"),
        }
        // Of other statuses Envoy makes others up.
        let line = line.replace("200", "404");
        let found = format(operators).read(line.as_bytes());
        let sure = written.contains(' ');
        assert!(sure || matches!(found, Reading::Fine(_)), "{line}: {found:?}");
    }
    let json = r#"{"response_code":200,"response_flags":"-","response_code_details":"via_upstream","grpc_status":"Internal","upstream_host":"10.0.0.1:80"}"#;
    assert_eq!(named(json).0, "application_error");
    assert!(matches!(READER.read(json.replace("Internal", "OK").as_bytes()), Reading::Fine(_)));
    let own = r#"{"k":200,"f":"-","d":"via_upstream","g":"Internal"}"#;
    let keys =
        r#"{"k":"%RESPONSE_CODE%","f":"%RESPONSE_FLAGS%","d":"%RESPONSE_CODE_DETAILS%","g":"%GRPC_STATUS%"}"#;
    let reader = Reader::new(vec![Format::parse(keys).unwrap()]);
    assert!(matches!(reader.read(own.as_bytes()), Reading::Failed(..)));
}

#[test]
fn what_people_logged_with_older_versions() {
    // Facts from istio/istio#17140, #15861, #30594; #33281, #42822; envoyproxy/envoy#18964; istio/istio#19056.
    for (line, may_be) in [
        (
            r#"[2019-09-17T11:11:11.939Z] "GET /a HTTP/1.1" 404 NR 0 0 0 - "10.0.0.2" "curl" "id" "a:80" "-" - - 10.0.0.1:80 10.0.0.2:5"#,
            "route_no_match",
        ),
        (
            r#"[2021-02-03T20:14:37.105Z] "- - HTTP/1.1" 400 DPE "-" 0 11 0 - "-" "-" "-" "-" "-" - - 10.0.0.1:80 10.0.0.2:5 -"#,
            "invalid_http_request",
        ),
        (
            r#"{"response_code":0,"upstream_cluster":null,"response_flags":"UH","response_code_details":null,"method":null,"upstream_host":null,"connection_termination_details":null,"upstream_transport_failure_reason":null,"requested_server_name":null}"#,
            "egress_blocked",
        ),
        (
            r#"[2023-01-17T07:31:09.559Z] "- - -" 0 UF,URX - - "-" 0 0 0 - "-" "-" "-" "-" "10.0.0.1:443" InboundPassthroughClusterIpv4 - 10.0.0.1:443 10.0.0.2:5 a.example -"#,
            "upstream_refused",
        ),
        (
            r#"[2021-11-10T17:49:25.117Z] "GET / HTTP/1.1" 401 - 0 46 2 - "-" "curl/7.78.0" "id" "example.com:8443" "-""#,
            "ext_authz_denied",
        ),
        (
            r#"{"response_code":"503","response_flags":"UAEX","method":"POST","istio_policy_status":"\"UNAVAILABLE:no healthy upstream\""}"#,
            "mixer_unavailable",
        ),
    ] {
        let (_, finding) = failed(line);
        assert_ne!(finding.confidence, Confidence::Certain, "{line}");
        let all = std::iter::once(&finding.cause).chain(&finding.alternatives);
        assert!(all.map(|cause| cause.id()).any(|id| id == may_be), "{line}: {finding:?}");
    }
    let fine = r#"[2019-07-25T13:03:51.144Z] "POST /a HTTP/2" 200 - "-" 2515 12 13 12 "-" "grpc" "id" "a:1" "10.0.0.3:1" outbound|1||a - 10.0.0.1:1 10.0.0.2:5 -"#;
    assert!(matches!(read(fine), Reading::Fine(_)));
}

#[test]
fn without_first_bytes_a_codec_error_is_only_that() {
    let line = r#"[2026-11-20T10:00:01.000Z] "- - HTTP/1.1" 400 DPE http1.codec_error - "-" 0 11 0 - "-" "-" "-" "-" "-" - - 10.0.0.1:80 10.0.0.2:1 - -"#;
    let (_, finding) = failed(line);
    assert_eq!((finding.cause, finding.confidence), (Cause::InvalidHttpRequest, Confidence::Possible));
    assert!(finding.alternatives.contains(&Cause::TlsOnPlaintextPort));
}

#[test]
fn who_is_reset_on_the_default_chain_may_have_sent_tls_to_an_http_port() {
    let line = r#"[2026-11-21T11:32:40.230Z] "- - -" 0 UR - - "-" 517 0 3 - "-" "-" "-" "-" "10.96.0.12:80" PassthroughCluster 10.89.0.11:60114 10.96.0.12:80 10.89.0.11:60100 orders -"#;
    let (_, finding) = failed(line);
    assert_eq!((finding.cause, finding.confidence), (Cause::UpstreamReset, Confidence::Possible));
    assert!(finding.alternatives.contains(&Cause::TlsOnPlaintextPort));
}

#[test]
fn a_column_more_and_the_cause_is_known() {
    let format = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_TRANSPORT_FAILURE_REASON% %CEL(upstream.num_endpoints)%";
    let reader = Reader::new(vec![Format::parse(format).unwrap()]);
    for (endpoints, cause) in [("0", Cause::NoEndpoints), ("3", Cause::NoHealthyEndpoints)] {
        let Reading::Failed(_, finding) =
            reader.read(format!("503 UH no_healthy_upstream - {endpoints}").as_bytes())
        else {
            panic!("not failed");
        };
        assert_eq!((finding.cause, finding.confidence), (cause, Confidence::Likely));
    }
    // Istio's proxies always say 0.
    let format = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER% %CEL(upstream.num_endpoints)%";
    let reader = Reader::new(vec![Format::parse(format).unwrap()]);
    let Reading::Failed(_, finding) =
        reader.read(b"503 UH no_healthy_upstream outbound|80||reviews.default.svc.cluster.local 0")
    else {
        panic!("not failed");
    };
    assert_eq!((finding.cause, finding.confidence), (Cause::NoEndpoints, Confidence::Possible));
    assert_eq!(finding.alternatives, [Cause::NoHealthyEndpoints]);
}

#[test]
fn a_client_that_left_before_any_answer_failed_and_one_in_its_middle_may_have_had_enough() {
    let line = istio(r#"0 DC downstream_remote_disconnect - "-""#);
    assert_eq!(failed(&line).1.cause, Cause::ClientDisconnected);
    let line = istio(r#"200 DC downstream_remote_disconnect - "-""#);
    assert!(matches!(read(&line), Reading::Fine(_)));
    assert!(matches!(read(&line.replace("GET", "CONNECT")), Reading::Fine(_)));
}

#[test]
fn nothing_failed() {
    for what in [
        r#"200 - via_upstream - "-""#,
        r#"404 - via_upstream - "-""#,
        r#"200 DI via_upstream - "-""#,
        r#"404 - direct_response - "-""#,
        r#"101 UC via_upstream - "-""#,
        r#"101 DR http2.remote_reset - "-""#,
    ] {
        assert!(matches!(read(&istio(what)), Reading::Fine(_)), "{what}");
    }
    for line in [
        // A connection over TCP, and a connection manager's at its listener.
        r#"[2026-11-20T10:00:01.000Z] "- - -" 0 - - - "-" 1 2 3 - "-" "-" "-" "-" "10.0.0.1:80" backend - 10.0.0.1:80 10.0.0.2:1 - -"#,
        r#"[2026-11-20T10:00:01.000Z] "- - HTTP/1.1" 0 DPE - - "-" 1 2 3 - "-" "-" "-" "-" "-" - - 10.0.0.1:80 10.0.0.2:1 - -"#,
    ] {
        assert!(matches!(read(line), Reading::Fine(_)), "{line}");
    }
}

#[test]
fn who_has_to_act_is_said_where_a_gateway_would_say_the_same() {
    let side = |text: &str| failed(text).1.side().map(meshwhy::causes::Side::id);
    let reported = |side: &str| {
        format!(
            r#"{{"response_code":400,"response_flags":"DPE","response_code_details":"http1.codec_error","cause":"tls_on_plaintext_port","confidence":"certain",{side}"evidence":"x","fix":"-"}}"#
        )
    };
    // The filter knew where it was.
    assert_eq!(side(&reported(r#""side":"downstream","#)), Some("downstream"));
    assert_eq!(side(&reported(r#""side":"mesh","#)), Some("mesh"));
    assert_eq!(side(&reported("")), None);
    // A line that a sidecar or a gateway may have written: a stranger can ask for anything.
    assert_eq!(side(&istio(REFUSED)), Some("upstream"));
    let denied = r#"403 - rbac_access_denied_matched_policy[none] - "-""#;
    assert_eq!(side(&istio(denied)), None);
    assert_eq!(
        side(&istio(denied).replace("outbound|9080|v2|reviews.default.svc.cluster.local", "inbound|9080||")),
        Some("mesh")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = READER.read_all(&bytes);
    }

    #[test]
    fn a_spoilt_line_is_read_without_harm(at in 0_usize..400, byte in any::<u8>()) {
        let mut bytes = istio(REFUSED).into_bytes();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let _ = READER.read(&bytes);
    }

    #[test]
    fn any_format_is_parsed_or_refused(text in "[%A-Z_():{}0-9 \"?-]{0,60}") {
        let _ = Format::parse(&text);
    }
}
