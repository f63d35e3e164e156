//! The access logs of a scenario: JSON for the assertions, and Istio's own.

use serde_json::{Value, json};

/// A file access log with one JSON object a line.
pub fn file_log(name: &str) -> Value {
    let state = |key: &str| format!("%FILTER_STATE(wasm.{key}:PLAIN)%");
    let format = json!({"json_format": {
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
            "port": "%DOWNSTREAM_LOCAL_PORT%",
            "cause": state("meshwhy.cause"),
            "confidence": state("meshwhy.confidence"),
            "side": state("meshwhy.side"),
            "resource": state("meshwhy.resource"),
            "evidence": state("meshwhy.evidence"),
            "fix": state("meshwhy.fix"),
            "meshwhy": state("meshwhy"),
    }});
    log(name, format)
}

/// All that a log can show and the tool understands, for `meshwhy explain --format`.
pub const RICH: &str = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% '%CONNECTION_TERMINATION_DETAILS%' \
    '%UPSTREAM_TRANSPORT_FAILURE_REASON%' '%DOWNSTREAM_TRANSPORT_FAILURE_REASON%' %REQ(:METHOD)% %PROTOCOL% \
    %REQUESTED_SERVER_NAME% %UPSTREAM_CLUSTER_RAW% %UPSTREAM_HOST% '%ROUTE_NAME%' '%REQ(:AUTHORITY)%' \
    '%CEL(xds.virtual_host_name)%' '%FILTER_CHAIN_NAME%' %DOWNSTREAM_TLS_VERSION% %UPSTREAM_TLS_VERSION% \
    %UPSTREAM_REQUEST_ATTEMPT_COUNT% %CEL(upstream.num_endpoints)% \
    %METADATA(UPSTREAM_HOST:envoy.transport_socket_match:tlsMode)% '%METADATA(ROUTE:istio:config)%' \
    '%METADATA(CLUSTER:istio:config)%' '%REQ(CONTENT-TYPE)%' '%GRPC_STATUS%' \
    '%TRAILER(GRPC-STATUS)%' '%RESP(GRPC-STATUS)%' %BYTES_SENT%\n";

/// Istio's own access logs, which know nothing of meshwhy: the default format in text (`NAME.txt`), and in JSON
/// (`NAME.json`); and the rich one (`NAME.rich`).
pub fn other_logs(name: &str) -> [Value; 3] {
    let text = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% \
        %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \
        \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
        %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \
        \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% \
        %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% \
        %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";
    let json = json!({
        "start_time": "%START_TIME%",
        "route_name": "%ROUTE_NAME%",
        "method": "%REQ(:METHOD)%",
        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "protocol": "%PROTOCOL%",
        "response_code": "%RESPONSE_CODE%",
        "response_flags": "%RESPONSE_FLAGS%",
        "response_code_details": "%RESPONSE_CODE_DETAILS%",
        "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        "duration": "%DURATION%",
        "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
        "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%",
        "user_agent": "%REQ(USER-AGENT)%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "authority": "%REQ(:AUTHORITY)%",
        "upstream_host": "%UPSTREAM_HOST%",
        "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
        "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%",
        "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
        "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "requested_server_name": "%REQUESTED_SERVER_NAME%",
        "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    });
    [
        log(&format!("{name}.txt"), json!({"text_format_source": {"inline_string": text}})),
        log(&format!("{name}.json"), json!({"json_format": json})),
        log(&format!("{name}.rich"), json!({"text_format_source": {"inline_string": RICH}})),
    ]
}

fn log(name: &str, format: Value) -> Value {
    json!({"name": "envoy.access_loggers.file", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": format!("{{folder}}/{name}"),
        "log_format": format,
    }})
}
