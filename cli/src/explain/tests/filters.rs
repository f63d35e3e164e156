//! What the filter itself has written, in the access log and in the proxy's own.

use super::*;

#[test]
fn the_filters_own_verdict_counts() {
    let ours = r#"{"response_code":400,"response_flags":"DPE","response_code_details":"http1.codec_error","cause":"tls_on_plaintext_port","confidence":"certain","side":"mesh","resource":"VirtualService/a/b","evidence":"first_bytes=tls_client_hello","fix":"-"}"#;
    let (_, finding) = failed(ours);
    assert_eq!((finding.cause, finding.confidence), (Cause::TlsOnPlaintextPort, Confidence::Certain));
    assert_eq!((finding.source, finding.resource.as_deref()), (Source::Filter, Some("VirtualService/a/b")));
    let without = ours.replace("\"tls_on_plaintext_port\"", "null").replace("\"certain\"", "null");
    assert_eq!(named(&without), ("invalid_http_request", "possible"));
}

fn own(text: &str) -> Own {
    match read(text) {
        Reading::Own(own) => *own,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_filters_own_line_is_known_however_it_is_wrapped() {
    let object = r#"{"event":"meshwhy","cause":"upstream_refused","confidence":"certain","side":"upstream","evidence":"connect_error=refused; cluster=outbound|81||a%3Bb; endpoint=10.0.0.7:1","fix":"x","direction":"outbound","suppressed":7}"#;
    let escaped = object.replace('"', "\\\"");
    let envoys = format!(
        "[2026-11-20 10:00:01.123][20][warning][wasm] [source/context.cc:1204] wasm log meshwhy: {object}"
    );
    let istios = format!(
        "2026-11-20T10:00:01.123456Z\twarning\tenvoy wasm source/context.cc:1204\twasm log meshwhy: {object}\tthread=25"
    );
    let json = format!(
        r#"{{"time":"2026-11-20T10:00:01.123456Z","level":"warning","scope":"envoy wasm","msg":"wasm log meshwhy: {escaped}","caller":"source/context.cc:1204","thread":"25"}}"#
    );
    let docker = serde_json::json!({ "log": format!("{envoys}\n"), "stream": "stderr", "time": "2026-11-20T10:00:09Z" });
    for (text, time, proxy) in [
        (envoys.clone(), "2026-11-20T10:00:01.123Z", None),
        (istios.clone(), "2026-11-20T10:00:01.123456Z", None),
        (json.clone(), "2026-11-20T10:00:01.123456Z", None),
        (docker.to_string(), "2026-11-20T10:00:01.123Z", None),
        (format!("2026-11-20T10:00:09.5Z stderr F {envoys}"), "2026-11-20T10:00:01.123Z", None),
        (
            format!("[pod/web-1/istio-proxy] 2026-11-20T10:00:09Z {istios}"),
            "2026-11-20T10:00:01.123456Z",
            Some("web-1"),
        ),
        (format!("[pod/web-1/istio-proxy] {json}"), "2026-11-20T10:00:01.123456Z", Some("web-1")),
        (format!("web-1 istio-proxy {envoys}"), "2026-11-20T10:00:01.123Z", Some("web-1")),
    ] {
        let own = own(&text);
        assert_eq!(
            (own.finding.cause, own.finding.confidence),
            (Cause::UpstreamRefused, Confidence::Certain)
        );
        assert_eq!((own.finding.source, own.suppressed), (Source::Filter, 7));
        assert_eq!((own.line.get(Column::Time), own.line.proxy.as_deref()), (Some(time), proxy), "{text}");
        assert_eq!(own.line.get(Column::Cluster), Some("outbound|81||a;b"));
        assert_eq!(own.line.get(Column::UpstreamHost), Some("10.0.0.7:1"));
    }
    assert_eq!(read(&envoys.replace("\"meshwhy\"", "\"meshwhy_observation\"")), Reading::ProxyLog);
    assert_eq!(read(&json.replace("meshwhy\\\"", "meshwhy_observation\\\"")), Reading::ProxyLog);
}

#[test]
fn the_proxys_own_log_is_known() {
    for line in [
        "[2026-11-20 10:00:01.000][20][warning][config] gRPC config stream closed",
        "2026-11-20T10:00:01.000000Z\tinfo\txdsproxy\tconnected to upstream",
        r#"{"level":"info","time":"2026-11-20T10:00:01.000000Z","scope":"xdsproxy","msg":"connected to upstream"}"#,
    ] {
        assert_eq!(read(line), Reading::ProxyLog);
    }
    assert_eq!(read("   \r\n"), Reading::Blank);
    assert_eq!(read("hello"), Reading::Unreadable);
}
