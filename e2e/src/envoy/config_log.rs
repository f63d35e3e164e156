//! The access logs of a scenario: JSON for the assertions, Istio's default text for people.

use serde_json::{Value, json};

/// A file access log with one JSON object a line.
pub fn file_log(name: &str) -> Value {
    let state = |key: &str| format!("%FILTER_STATE(wasm.{key}:PLAIN)%");
    json!({"name": "envoy.access_loggers.file", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": format!("{{folder}}/{name}"),
        "log_format": {"json_format": {
            "code": "%RESPONSE_CODE%",
            "flags": "%RESPONSE_FLAGS%",
            "details": "%RESPONSE_CODE_DETAILS%",
            "termination": "%CONNECTION_TERMINATION_DETAILS%",
            "upstream_failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
            "downstream_failure": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
            "sni": "%REQUESTED_SERVER_NAME%",
            "protocol": "%PROTOCOL%",
            "upstream_protocol": "%UPSTREAM_PROTOCOL%",
            "cluster": "%UPSTREAM_CLUSTER%",
            "route": "%ROUTE_NAME%",
            "cause": state("meshwhy.cause"),
            "confidence": state("meshwhy.confidence"),
            "side": state("meshwhy.side"),
            "resource": state("meshwhy.resource"),
            "evidence": state("meshwhy.evidence"),
            "fix": state("meshwhy.fix"),
            "meshwhy": state("meshwhy"),
        }},
    }})
}

/// A file access log in Istio's default text format, which knows nothing of meshwhy.
pub fn text_log(name: &str) -> Value {
    let format = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% \
        %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \
        \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \"%UPSTREAM_HOST%\" \
        %UPSTREAM_CLUSTER% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";
    json!({"name": "envoy.access_loggers.file", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": format!("{{folder}}/{name}"),
        "log_format": {"text_format_source": {"inline_string": format}},
    }})
}
