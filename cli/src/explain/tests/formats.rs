//! Formats: JSON, prefixes, and those that are given.

use super::*;

#[test]
fn json_whatever_its_order_and_types() {
    let line = r#"{"upstream_host":null,"response_flags":"UF,URX","start_time":"2026-11-20T10:00:01.000Z","response_code":503,"nested":{"response_code":200},"list":[1,{"a":2}],"response_code_details":"upstream_reset_before_response_started{connection_timeout}","method":"GET","path":"/\u00e9\"x","upstream_transport_failure_reason":"-"}"#;
    let (parsed, finding) = failed(line);
    assert_eq!((finding.cause, finding.confidence), (Cause::UpstreamConnectTimeout, Confidence::Likely));
    assert_eq!(parsed.get(Column::Path), Some("/é\"x"));
    assert_eq!(parsed.code(), Some(503));
    assert_eq!(read(r#"{"level":"info","msg":"started"}"#), Reading::Application);
    assert_eq!(read(r#"{"response_code":503,"#), Reading::Unreadable);
}

#[test]
fn a_text_that_imitates_a_fine_line_in_json_does_not_hide_a_failure() {
    let line = r#"{"user_agent":"\"response_code\":200,\"response_flags\":\"-\",\"response_code_details\":\"via_upstream\"","response_code":504,"response_flags":"UT","response_code_details":"response_timeout","upstream_transport_failure_reason":null}"#;
    assert_eq!(named(line), ("upstream_timeout", "certain"));
}

#[test]
fn prefixes_are_passed_over_and_name_the_pod() {
    let line = istio(REFUSED);
    for (prefix, pod) in [
        ("", None),
        ("[pod/reviews-v1-abc/istio-proxy] ", Some("reviews-v1-abc")),
        ("2026-11-20T10:00:01.123456789Z ", None),
        ("[pod/reviews-v1-abc/istio-proxy] 2026-11-20T10:00:01.123456789Z ", Some("reviews-v1-abc")),
        ("reviews-v1-abc istio-proxy ", Some("reviews-v1-abc")),
        ("2026-11-20T10:00:01.123456789Z stdout F ", None),
        ("reviews_1  | ", Some("reviews_1")),
    ] {
        let (parsed, finding) = failed(&format!("{prefix}{line}"));
        assert_eq!(finding.cause, Cause::UpstreamRefused, "{prefix}");
        assert_eq!(parsed.proxy.as_deref(), pod, "{prefix}");
    }
    let quoted = serde_json::to_string(&format!("{line}\n")).unwrap();
    for wrapped in [
        format!(r#"{{"log":{quoted},"stream":"stdout","time":"2026-11-20T10:00:01Z"}}"#),
        format!(r#"{{"message":{quoted},"podName":"p"}}"#),
    ] {
        assert_eq!(failed(&wrapped).1.cause, Cause::UpstreamRefused, "{wrapped}");
    }
}

#[test]
fn formats_of_ones_own() {
    for (format, line) in [
        (
            "%START_TIME(%Y/%m/%d %H:%M)% [%RESPONSE_CODE%] flags=%RESPONSE_FLAGS% details=%RESPONSE_CODE_DETAILS% up=%UPSTREAM_TRANSPORT_FAILURE_REASON% 100%%\n",
            "2026/11/20 10:00 [504] flags=UT details=response_timeout up=- 100%",
        ),
        (
            "%REQ(:METHOD):3% %RESPONSE_CODE% %RESPONSE_FLAGS_LONG% %RESPONSE_CODE_DETAILS% %UPSTREAM_TRANSPORT_FAILURE_REASON%",
            "GET 504 UpstreamRequestTimeout response_timeout -",
        ),
        (
            r#"{"s": "%RESPONSE_CODE%", "f": "%RESPONSE_FLAGS%", "d": "%RESPONSE_CODE_DETAILS%", "u": "%UPSTREAM_TRANSPORT_FAILURE_REASON%"}"#,
            r#"{"d":"response_timeout","f":"UT","s":504,"u":null}"#,
        ),
    ] {
        let reader = Reader::new(vec![Format::parse(format).unwrap()]);
        for prefix in ["", "[pod/a/istio-proxy] "] {
            let reading = reader.read(format!("{prefix}{line}").as_bytes());
            let Reading::Failed(_, finding) = reading else { panic!("{format}: {reading:?}") };
            assert_eq!((finding.cause, finding.confidence), (Cause::UpstreamTimeout, Confidence::Certain));
        }
        // The known ones are still read.
        assert!(matches!(reader.read(istio(REFUSED).as_bytes()), Reading::Failed(..)));
    }
}

#[test]
fn formats_that_cannot_be_read_are_refused() {
    for (format, says) in [
        ("%START_TIME% %REQ(:PATH)%", "%RESPONSE_CODE%"),
        ("%RESPONSE_CODE%%RESPONSE_FLAGS%", "another operator"),
        ("%RESPONSE_CODE", "an operator looks like"),
        ("%RESPONSE_CODE% 100% of", "an operator looks like"),
        ("%REQ(:PATH% %RESPONSE_CODE%", "an operator looks like"),
        ("", "%RESPONSE_CODE%"),
    ] {
        let error = Format::parse(format).unwrap_err().to_string();
        assert!(error.contains(says), "{format}: {error}");
    }
}
