//! Lines as collectors of logs keep them, and the keys that other control planes of Envoy use.

use std::sync::LazyLock;

use meshwhy::catalogue::Cause;
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
