//! The keys and texts of other control planes of Envoy.

use meshwhy::causes::Cause;

use super::*;

#[test]
fn keys_of_other_control_planes() {
    let (line, finding) = failed(
        r#"{":authority":"a.example","@timestamp":"2026-03-01T08:00:00Z","x-envoy-origin-path":"/a","x-request-id":"51c9","response_code":504,"response_flags":"UT","response_code_details":"response_timeout","upstream_transport_failure_reason":null}"#,
    );
    assert_eq!(finding.cause, Cause::UpstreamTimeout);
    for (column, value) in [
        (Column::Authority, "a.example"),
        (Column::Path, "/a"),
        (Column::RequestId, "51c9"),
        (Column::Time, "2026-03-01T08:00:00Z"),
    ] {
        assert_eq!(line.get(column), Some(value), "{column:?}");
    }
}

#[test]
fn a_flag_counts_whatever_the_other_keys_are() {
    for flags in ["DPE", "UF", "NR", "UC", "UT", "NC", "UH", "DC", "OM", "UAEX", "RL", "XYZ"] {
        let (_, finding) =
            failed(&format!(r#"{{"resp":400,"response_flags":"{flags}","upstream_host":null}}"#));
        assert_ne!(finding.confidence.id(), "certain", "{flags}: {finding:?}");
    }
    assert!(matches!(READER.read(br#"{"resp":200,"response_flags":"-"}"#), Reading::Fine(_)));
}

#[test]
fn keys_however_they_are_written() {
    // Gloo's and kgateway's examples; App Mesh's; Contour's and Emissary's are Envoy's own.
    for text in [
        r#"{"httpMethod":"GET","protocol":"HTTP/1.1","responseCode":"504","clientDuration":"1","targetDuration":"1","path":"/a","upstreamName":"shop","systemTime":"2026-03-01T08:00:00Z","requestId":"51c9","responseFlags":"UT"}"#,
        r#"{"Method":"GET","Response-Code":504,"Response-Flags":"UT","path":"/a","X-Request-Id":"51c9"}"#,
        r#"{"RESPONSE_CODE":504,"RESPONSE_FLAGS":"UT","METHOD":"GET","PATH":"/a","REQUEST_ID":"51c9"}"#,
        r#"{"status":504,"response_flags":"UT","method":"GET","path":"/a","request_id":"51c9"}"#,
    ] {
        let (line, finding) = failed(text);
        assert_eq!(finding.cause, Cause::UpstreamTimeout, "{text}");
        assert_eq!(
            (line.get(Column::Path), line.get(Column::RequestId)),
            (Some("/a"), Some("51c9")),
            "{text}"
        );
    }
    // Anybody's log has these.
    for text in [r#"{"status":504,"method":"GET","path":"/a"}"#, r#"{"code":504,"host":"a"}"#] {
        assert_eq!(READER.read(text.as_bytes()), Reading::Unreadable, "{text}");
    }
}

#[test]
fn text_of_other_control_planes() {
    for (text, proxy) in [
        // Kuma's for HTTP and TCP.
        (
            r#"[2026-03-01T08:00:00.000Z] default "GET /a HTTP/1.1" 504 UT 0 24 301 - "-" "curl/8" "-" "51c9" "shop" "web_default_svc_80" "shop_default_svc_80" "10.0.0.9" "10.0.0.20:80""#,
            None,
        ),
        (
            r#"[2026-03-01T08:00:00.000Z] UF default 10.0.0.9(web_default_svc_80)->10.0.0.20:80(db_default_svc_5432) took 3ms, sent 0 bytes, received: 0 bytes"#,
            None,
        ),
        // Emissary's.
        (
            r#"ACCESS [2026-03-01T08:00:00.000Z] "GET /a HTTP/1.1" 504 UT 0 24 301 - "10.0.0.9" "curl/8" "51c9" "shop" "10.0.0.20:80""#,
            None,
        ),
    ] {
        let (line, _) = failed(text);
        assert_eq!(line.proxy.as_deref(), proxy, "{text}");
        assert_eq!(line.get(Column::UpstreamHost), Some("10.0.0.20:80"), "{text}");
    }
}

/// Read as 1.2's, its reason for the failed connection would be Mixer's, and its route a part of the server name.
#[test]
fn istio_1_8s_text_is_not_1_2s() {
    let line = |reason: &str| {
        format!(
            r#"[2022-05-27T13:21:24.535Z] "POST /token HTTP/1.1" 503 UF,URX "{reason}" 96 159 16 - "-" "curl" "19fe" "keycloak:8080" "10.44.0.31:8080" outbound|8080||keycloak.services.svc.cluster.local - 10.28.81.125:8080 10.32.0.25:60032 - default"#
        )
    };
    let (parsed, _) = failed(&line("TLS error: Secret is not supplied by SDS"));
    assert_eq!(parsed.get(Column::UpstreamFailure), Some("TLS error: Secret is not supplied by SDS"));
    assert_eq!((parsed.get(Column::Sni), parsed.get(Column::Route)), (None, Some("default")));
    let (_, finding) = failed(&line("delayed connect error: 111"));
    assert_eq!(finding.cause, Cause::UpstreamRefused);
    let mixer = line("UNAVAILABLE:no healthy upstream").replace(" - default", " -").replace("UF,URX", "UAEX");
    assert_eq!(failed(&mixer).1.cause, Cause::MixerUnavailable);
}
