//! Lines as collectors of logs keep them, and as people paste them.

mod control_planes;
mod threads;

use std::sync::LazyLock;

use meshwhy::causes::Cause;
use serde_json::{Value, json};

use crate::explain::*;

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
    // Rows that don't belong together stay what they are: the last has details of its own, and no request.
    let (mut unreadable, mut requests) = (0, 0);
    READER.walk(TEXT.replacen(" 503", "\nhello\n503", 1).as_bytes(), 1, false, |read| {
        unreadable += u64::from(read.reading == Reading::Unreadable);
        requests += u64::from(matches!(read.reading, Reading::Failed(line, _) if line.shows(Column::Path)));
        true
    });
    assert_eq!((unreadable, requests), (2, 0));
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

/// What docs/access-logs.md shows of each kind of log with the filter's verdict in it.
#[test]
fn the_filters_fix_is_the_one_that_is_shown() {
    for line in [
        r#"{"cause":"double_tls","confidence":"likely","fix":"Do this.","response_code":503,"response_flags":"UF","side":"mesh"}"#,
        r#"{"attributes":{"http.request.method":"GET","http.response.status_code":"503","meshwhy.cause":"double_tls","meshwhy.confidence":"likely","meshwhy.evidence":"-","meshwhy.fix":"Do this.","meshwhy.resource":"-","meshwhy.side":"mesh","url.path":"/a"},"body":"GET a 503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"}"#,
        r#"{"common_properties":{"filter_state_objects":{"wasm.meshwhy.cause":"double_tls","wasm.meshwhy.confidence":"likely","wasm.meshwhy.fix":"Do this.","wasm.meshwhy.side":"mesh"}},"response":{"response_code":503,"response_code_details":"upstream_reset_before_response_started{connection_failure}"}}"#,
    ] {
        let reading = Reader::new(Vec::new()).read_all(line.as_bytes());
        let Reading::Failed(_, finding) = reading else { panic!("{line}: {reading:?}") };
        assert_eq!((finding.cause, finding.source), (Cause::DoubleTls, Source::Filter), "{line}");
        assert_eq!(
            (finding.fix(), finding.side().map(|side| side.id())),
            (Some("Do this."), Some("mesh")),
            "{line}"
        );
    }
    // A healthy request of OpenTelemetry's.
    let fine = r#"{"attributes":{"http.request.method":"GET","http.response.status_code":"200","meshwhy.cause":"-","url.path":"/a"},"body":"GET a 200 - via_upstream"}"#;
    assert!(matches!(Reader::new(Vec::new()).read_all(fine.as_bytes()), Reading::Fine(_)));
}

/// As docs/cli.md has it.
#[test]
fn a_line_that_a_sentence_shows_may_be_cut() {
    for (text, cause) in [
        ("I see `[2026-...] \"GET / HTTP/1.1\" 503 UF ...`", Some(Cause::UpstreamRefused)),
        ("we often get `\"GET / HTTP/1.1\" 503 UC` there", Some(Cause::UpstreamClosedConnection)),
        ("the docs say `\"GET / HTTP/1.1\" 200 -` is fine", None),
    ] {
        let named = match Reader::new(Vec::new()).read_whole(text.as_bytes(), false) {
            Reading::Failed(_, finding) => Some((finding.cause, finding.confidence.id())),
            _ => None,
        };
        assert_eq!(named, cause.map(|cause| (cause, "possible")), "{text}");
    }
}

/// What a terminal's scrollback has left of a line.
#[test]
fn a_line_may_be_cut_in_front() {
    let rest = r#"503 UF upstream_reset_before_response_started{remote_connection_failure,delayed_connect_error:_111} - "delayed_connect_error:_111" 0 145 9 - "-" "curl/8" "94de6761-681b-482d-89ce-e349a541d8e9" "reviews:9080" "10.0.0.7:9080" outbound|9080|v2|reviews.default.svc.cluster.local - 10.96.1.1:9080 10.0.0.2:5000 - default"#;
    for front in ["P/1.1", "/2", "ET /reviews/0?user=bob HTTP/1.1", "/reviews HTTP/2", "HTTP/1.1"] {
        let text = format!("{front}\" {rest}");
        let reading = Reader::new(Vec::new()).read_whole(text.as_bytes(), false);
        let Reading::Failed(line, finding) = reading else { panic!("{text}: {reading:?}") };
        assert_eq!((finding.cause, finding.confidence.id()), (Cause::UpstreamRefused, "possible"), "{text}");
        assert_eq!(line.get(Column::Cluster), Some("outbound|9080|v2|reviews.default.svc.cluster.local"));
        assert!(line.get(Column::Path).is_none_or(|path| path == "-"), "{line:?}");
    }
    let text = format!("he said HTTP/1.1\" {rest}");
    assert!(
        !matches!(Reader::new(Vec::new()).read_whole(text.as_bytes(), false), Reading::Failed(line, _) if line.shows(Column::Code))
    );
}
