//! Lines as collectors of logs keep them, and the keys that other control planes of Envoy use.

use std::sync::LazyLock;

use meshwhy::causes::Cause;
use serde_json::{Value, json};

use super::*;

static READER: LazyLock<Reader> = LazyLock::new(|| Reader::new(Vec::new()));

const TEXT: &str = r#"[2026-03-01T08:00:00.000Z] "GET /cart HTTP/1.1" 503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111} - "delayed_connect_error:_111" 0 145 99 - "-" "curl/8" "51c9" "shop:8080" "10.0.0.20:8080" outbound|8080||shop.default.svc.cluster.local - 10.96.0.12:8080 10.0.0.9:1 - default"#;

fn object() -> Value {
    json!({ "authority": "shop:8080", "duration": 99, "method": "GET", "path": "/cart", "protocol": "HTTP/1.1", "request_id": "51c9",
        "response_code": 503, "response_code_details": "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}",
        "response_flags": "UF", "start_time": "2026-03-01T08:00:00.000Z", "upstream_cluster": "outbound|8080||shop.default.svc.cluster.local",
        "upstream_host": "10.0.0.20:8080", "upstream_transport_failure_reason": "delayed_connect_error:_111" })
}

fn failed(text: &str) -> (Line<'static>, Finding) {
    match READER.read(text.as_bytes()) {
        Reading::Failed(line, finding) => (*line, *finding),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn one_or_two_levels_down() {
    let text = object().to_string();
    for wrapped in [
        // Cloud Logging, as text and taken apart.
        json!({ "severity": "INFO", "textPayload": TEXT, "timestamp": "2026-03-01T08:00:01Z",
            "resource": { "type": "k8s_container", "labels": { "pod_name": "web-1" } } }),
        json!({ "insertId": "1", "jsonPayload": object(), "resource": { "labels": { "pod_name": "web-1" } } }),
        // logcli, as text and JSON.
        json!({ "line": TEXT, "labels": { "pod": "web-1" }, "timestamp": "2026-03-01T08:00:01Z" }),
        json!({ "line": text, "labels": { "pod": "web-1" } }),
        // Fluent Bit, before and after its parser.
        json!({ "log": TEXT, "stream": "stdout", "kubernetes": { "pod_name": "web-1" } }),
        json!({ "log": text, "log_processed": object(), "kubernetes": { "pod_name": "web-1" } }),
        // Vector, Elasticsearch, Datadog, journald.
        json!({ "timestamp": "2026-03-01T08:00:01Z", "log": object(), "pod": "web-1" }),
        json!({ "_index": "x", "_source": { "message": TEXT, "kubernetes": { "pod": { "name": "web-1" } } } }),
        json!({ "content": { "attributes": object(), "tags": [] }, "pod": "web-1" }),
        json!({ "MESSAGE": TEXT, "_PID": "1", "pod": "web-1" }),
        // A node's agent around a container engine.
        json!({ "message": json!({ "log": TEXT, "stream": "stdout" }).to_string(), "pod": "web-1" }),
    ] {
        let (line, finding) = failed(&wrapped.to_string());
        assert_eq!(finding.cause, Cause::UpstreamRefused, "{wrapped}");
        assert_eq!(
            (line.proxy.as_deref(), line.get(Column::RequestId)),
            (Some("web-1"), Some("51c9")),
            "{wrapped}"
        );
    }
}

#[test]
fn wrapping_without_end_ends() {
    let mut wrapped = json!({ "log": TEXT });
    for _ in 0..20 {
        wrapped = json!({ "log": wrapped });
    }
    assert_eq!(READER.read(wrapped.to_string().as_bytes()), Reading::Unreadable);
}

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

/// What comes of a text of several lines: each record's first line, and its cause where it failed.
fn walked(reader: &Reader, text: &str) -> Vec<(u64, Option<Cause>)> {
    let mut seen = Vec::new();
    reader.walk(text.as_bytes(), 1, false, |read| {
        match read.reading {
            Reading::Failed(_, finding) => seen.push((read.number, Some(finding.cause))),
            Reading::Fine(_) => seen.push((read.number, None)),
            Reading::Blank => {}
            other => panic!("{}: {other:?}", String::from_utf8_lossy(read.bytes)),
        }
        true
    });
    seen
}

#[test]
fn an_object_over_several_lines_and_arrays_of_them() {
    let refused = Some(Cause::UpstreamRefused);
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let long = pretty(&object()).lines().count() as u64;
    let entries = json!([{ "jsonPayload": object() }, { "textPayload": TEXT }]);
    for (text, expected) in [
        (pretty(&object()) + "\n" + &pretty(&object()), vec![(1, refused), (1 + long, refused)]),
        (format!("{TEXT}\n{}\n{TEXT}\n", pretty(&object())), vec![(1, refused), (2, refused), (2 + long, refused)]),
        (pretty(&entries), vec![(2, refused), (4 + long, refused)]),
        (entries.to_string(), vec![(1, refused), (1, refused)]),
        (format!("[\n{},\n{}\n]", object(), object()), vec![(2, refused), (3, refused)]),
        (format!("[{},\n{},\n{}]\n", object(), object(), object()), vec![(1, refused), (2, refused), (3, refused)]),
        // Elasticsearch, CloudWatch and its Insights, Loki.
        (json!({ "took": 1, "hits": { "total": 1, "hits": [{ "_source": { "message": TEXT } }] } }).to_string(), vec![(1, refused)]),
        (pretty(&json!({ "events": [{ "timestamp": 1, "message": TEXT }], "nextToken": "x" })), vec![(1, refused)]),
        (json!({ "results": 1, "records": [[{ "field": "@timestamp", "value": "x" }, { "field": "@message", "value": TEXT }]] }).to_string(), vec![(1, refused)]),
        (
            json!({ "status": "success", "data": { "resultType": "streams", "result": [{ "stream": { "pod": "web-1" },
                "values": [["1700000000", TEXT], ["1700000001", object().to_string()]] }] } }).to_string(),
            vec![(1, refused), (1, refused)],
        ),
    ] {
        assert_eq!(walked(&READER, &text), expected, "{text}");
    }
}

#[test]
fn opentelemetrys_export() {
    let attributes: Vec<Value> = object()
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": { "stringValue": value.to_string().trim_matches('"') } }))
        .collect();
    let records = json!([
        { "timeUnixNano": "1700000000000000000", "body": { "stringValue": TEXT }, "attributes": [] },
        { "timeUnixNano": "1700000000000000000", "body": {}, "attributes": attributes.clone() },
        { "observedTimeUnixNano": "1", "body": { "kvlistValue": { "values": attributes } } },
    ]);
    let export = json!({ "resourceLogs": [{
        "resource": { "attributes": [{ "key": "k8s.pod.name", "value": { "stringValue": "web-1" } }] },
        "scopeLogs": [{ "scope": {}, "logRecords": records }],
    }] });
    for text in [export.to_string(), serde_json::to_string_pretty(&export).unwrap()] {
        let mut seen = 0;
        READER.walk(text.as_bytes(), 1, false, |read| {
            let Reading::Failed(line, finding) = read.reading else { panic!("{:?}", read.reading) };
            assert_eq!((finding.cause, line.proxy.as_deref()), (Cause::UpstreamRefused, Some("web-1")));
            seen += 1;
            true
        });
        assert_eq!(seen, 3);
    }
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

#[test]
fn a_prefix_before_a_given_format() {
    for format in [
        "%START_TIME% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%",
        "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%",
    ] {
        let reader = Reader::new(vec![Format::parse(format).unwrap()]);
        for (prefix, proxy) in [
            ("", None),
            ("[pod/web-1/istio-proxy] ", Some("web-1")),
            ("2026-11-20T10:00:01.123456789Z stdout F ", None),
            ("2026-11-20T10:00:01.123456789+02:00 stderr F ", None),
            ("web-1      | ", Some("web-1")),
            ("\u{1b}[36mweb-1  |\u{1b}[0m ", Some("web-1")),
        ] {
            let time = if format.starts_with("%START") { "2026-03-01T08:00:00.000Z " } else { "" };
            let text = format!("{prefix}{time}/a 504 UT");
            let Reading::Failed(line, finding) = reader.read(text.as_bytes()) else { panic!("{text}") };
            assert_eq!(finding.cause, Cause::UpstreamTimeout, "{text}");
            assert_eq!((line.get(Column::Path), line.proxy.as_deref()), (Some("/a"), proxy), "{text}");
        }
    }
    let reader = Reader::new(vec![Format::parse("%START_TIME% %RESPONSE_CODE% %RESPONSE_FLAGS%").unwrap()]);
    for prefix in ["web-1 istio-proxy ", "shop web-1 istio-proxy ", "2026-03-01T08:00:00.123Z "] {
        let text = format!("{prefix}2026-03-01T08:00:00.000Z 504 UT");
        let Reading::Failed(line, _) = reader.read(text.as_bytes()) else { panic!("{text}") };
        assert_eq!(line.get(Column::Time), Some("2026-03-01T08:00:00.000Z"), "{text}");
    }
}

#[test]
fn a_terminals_wrap_is_mended_where_there_is_one_way_to() {
    let wrap = |text: &str, width: usize| {
        let characters: Vec<char> = text.chars().collect();
        characters.chunks(width).map(|row| row.iter().collect::<String>()).collect::<Vec<_>>().join("\n")
    };
    let refused = Some(Cause::UpstreamRefused);
    for width in [60, 80, 120, 200] {
        for line in [TEXT.to_owned(), object().to_string()] {
            let wrapped = wrap(&line, width);
            let rows = wrapped.lines().count() as u64;
            let text = format!("{line}\n{wrapped}\n{wrapped}\n{line}\n");
            let expected = [(1, refused), (2, refused), (rows + 2, refused), (2 * rows + 2, refused)];
            assert_eq!(walked(&READER, &text), expected, "{text}");
            // As it is when the spaces at the ends of rows are lost.
            let trimmed: Vec<&str> = wrapped.lines().map(str::trim_end).collect();
            assert_eq!(walked(&READER, &trimmed.join("\n")), [(1, refused)], "{wrapped}");
        }
    }
    // Rows that don't belong together stay what they are.
    let mut unreadable = 0;
    READER.walk(TEXT.replacen(" 503", "\nhello\n503", 1).as_bytes(), 1, false, |read| {
        unreadable += u64::from(read.reading == Reading::Unreadable);
        true
    });
    assert_eq!(unreadable, 3);
}

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

#[test]
fn as_people_paste_it() {
    let object = object().to_string();
    let (quoted, inner) = (serde_json::to_string(TEXT).unwrap(), TEXT.replace('"', "\\\""));
    for (text, proxy) in [
        // Azure, Graylog, Splunk, Logstash, Datadog's API, CloudWatch Insights.
        (json!({ "TimeGenerated": "x", "PodName": "web-1", "LogMessage": TEXT }).to_string(), Some("web-1")),
        (json!({ "PodName": "web-1", "LogMessage": self::object() }).to_string(), Some("web-1")),
        (json!({ "version": "1.1", "host": "n", "short_message": TEXT }).to_string(), None),
        (json!({ "preview": false, "result": { "_raw": TEXT } }).to_string(), None),
        (json!({ "@timestamp": "x", "istio": { "accesslog": self::object() } }).to_string(), None),
        (json!({ "data": [{ "attributes": { "message": TEXT } }] }).to_string(), None),
        (json!({ "results": [[{ "field": "@message", "value": object }]] }).to_string(), None),
        // logcli's own form, `jq .textPayload`, and a value out of JSON.
        (format!("2026-03-01T08:00:01Z {{app=\"web\", pod=\"web-1\"}} {TEXT}"), Some("web-1")),
        (quoted, None),
        (inner, None),
        // Quoted in a mail; syslog; with a byte order mark.
        (format!("> {TEXT}"), None),
        (format!("\u{feff}{TEXT}"), None),
    ] {
        let mut seen = Vec::new();
        READER.walk(text.as_bytes(), 1, false, |read| {
            let Reading::Failed(line, finding) = read.reading else { panic!("{text}: {:?}", read.reading) };
            seen.push((line.proxy, finding.cause));
            true
        });
        assert_eq!(seen, [(proxy.map(str::to_owned), Cause::UpstreamRefused)], "{text}");
    }
    // Istio's extension for Cloud Logging.
    let (line, finding) = failed(
        r#"{"httpRequest":{"status":504,"requestMethod":"GET"},"labels":{"response_flag":"UT","response_details":"response_timeout","request_id":"51c9"},"timestamp":"2026-03-01T08:00:00Z"}"#,
    );
    assert_eq!((finding.cause, line.get(Column::RequestId)), (Cause::UpstreamTimeout, Some("51c9")));
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
