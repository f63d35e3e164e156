//! What each cause's facts say of logs, against what `explain` makes of such lines.

use std::fs;
use std::path::Path;

use meshwhy::causes::Cause;
use serde_json::{Value, json};

use crate::explain::{Reader, Reading};

/// The causes that a line may have; none where it shows no failure.
fn named(line: &Value) -> Vec<Cause> {
    match Reader::new(Vec::new()).read_all(line.to_string().as_bytes()) {
        Reading::Failed(_, finding) => [&[finding.cause], finding.alternatives.as_slice()].concat(),
        Reading::Fine(_) => Vec::new(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn a_shape_names_its_cause() {
    for cause in Cause::ALL {
        for shape in cause.definition().shapes {
            let line = json!({
                "response_code": shape.code,
                "response_flags": if shape.flag.is_empty() { "-" } else { shape.flag },
                "response_code_details": shape.details,
            });
            assert!(named(&line).contains(cause), "{}: {shape:?}: {:?}", cause.id(), named(&line));
        }
    }
}

/// Where no rule knows more.
#[test]
fn a_flag_suggests_its_cause() {
    for cause in Cause::ALL {
        for flag in cause.definition().flags {
            let named = named(&json!({"method": "GET", "response_flags": flag}));
            let covers = |one: &Cause| one == cause || one.is_broader_than(*cause);
            assert!(named.iter().any(covers), "{}: {flag}: {named:?}", cause.id());
        }
    }
}

/// Too rare to be a candidate wherever a log has no details.
const RARE: &[(Cause, &str)] = &[
    (Cause::FilterRejected, "cdn_loop_detected"),
    (Cause::FilterRejected, "ext_proc_error"),
    (Cause::FilterRejected, "filter_removed_required_request_headers"),
    (Cause::FilterRejected, "health_check_failed_no_cluster_found"),
    (Cause::ProxyOverloaded, "overload"),
    // The flag is the upstream's protocol error.
    (Cause::UpstreamClosedConnection, "upstream_reset_after_response_started{protocol_error}"),
];

/// Each failure that was recorded on a real proxy, as a log without details has it: the cause, or a broader one, is among
/// the candidates. A cause that details decide lacks a [`meshwhy::causes::LogShape`] otherwise.
#[test]
fn a_log_without_details_leaves_no_cause_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recorded");
    let (mut seen, mut left_out) = (0, Vec::new());
    for file in fs::read_dir(folder).unwrap() {
        for look in fs::read_to_string(file.unwrap().path()).unwrap().lines().skip(1) {
            let look: Value = serde_json::from_str(look).unwrap();
            let (evidence, soft) = (&look["evidence"], look["soft"] == true);
            let Some(cause) = look["reports"][0]["cause"].as_str().and_then(Cause::from_id) else { continue };
            let details = evidence["details"].as_str().unwrap_or_default();
            let rare = RARE.iter().any(|(one, start)| *one == cause && details.starts_with(start));
            // A custom response that finds no route drops what is known of the upstream.
            let forgotten = details == "via_upstream" && evidence["upstream"]["address"].is_null();
            if soft || rare || forgotten || !evidence["layer"].is_null() {
                continue;
            }
            let named = named(&without_details(evidence));
            // Clients' errors may be the application's own: without details there is no failure to explain.
            let covers = |one: &Cause| *one == cause || one.is_broader_than(cause);
            let scenario = look["scenario"].as_str().unwrap_or_default();
            if !(named.is_empty() || named.iter().any(covers)) {
                left_out.push(format!("{scenario}: {}: {named:?}", cause.id()));
            }
            seen += 1;
        }
    }
    assert!(left_out.is_empty(), "{left_out:#?}");
    assert!(seen > 300, "{seen} failures");
}

fn without_details(e: &Value) -> Value {
    let (up, down) = (&e["upstream"], &e["downstream"]);
    let method = if down["tunnel"] == true { "CONNECT" } else { "GET" };
    json!({
        "response_code": e["code"].as_u64().unwrap_or(0),
        "response_flags": e["flags"].as_str().unwrap_or("-"),
        "method": if e["code"].is_null() || e["details"] == "http1.codec_error" { Value::Null } else { json!(method) },
        "protocol": down["protocol"],
        "upstream_host": up["address"],
        "upstream_cluster": up["cluster"],
        "upstream_transport_failure_reason": up["transport_failure"].as_str().map(|reason| reason.replace(' ', "_")),
        "requested_server_name": down["sni"],
        "route_name": e["route"]["name"],
    })
}
