//! `--summary`: what is pasted into a message to others.

use super::*;

/// Of the first group of these lines.
fn group(log: &str) -> serde_json::Value {
    let output = fed(&["explain", "--summary", "--json"], log.as_bytes());
    serde_json::from_str(out(&output).lines().next().unwrap()).unwrap()
}

/// Ten refused connects to one endpoint and then an answer: the application was starting. And so on, where the same place answers.
#[test]
fn lines_that_belong_together_decide_together() {
    let failure = |what: &str, host: &str| {
        format!(
            r#"[2026-11-20T10:00:0N.453Z] "GET / HTTP/1.1" {what} 0 2 26 - "-" "curl" "id" "ratings:9080" "{host}" outbound|9080||ratings - 10.96.1.2:9080 10.0.0.2:2 - default"#
        )
    };
    let at = "10.0.0.8:9080";
    let elsewhere = [FINE.replace(at, "10.0.0.8:90801"), FINE.replace(at, "110.0.0.8:9080")];
    let others = [FINE.replace("||ratings ", "||ratings-2 "), FINE.replace("|9080||", "|90||")];
    let refused = r#"503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111} - "delayed_connect_error:_111""#;
    let closed = r#"503 UC upstream_reset_before_response_started{connection_termination} - "-""#;
    for (line, cause, together, alone, unrelated) in [
        (failure(refused, at), "upstream_refused", "readiness probe", "listen on 10.0.0.8:9080", &elsewhere),
        (
            failure(r#"503 UH no_healthy_upstream - "-""#, "-"),
            "no_endpoints",
            "maxUnavailable",
            "ServiceEntry of ratings",
            &others,
        ),
        (failure(closed, at), "upstream_closed_connection", "keep-alive", "", &elsewhere),
    ] {
        let group = |last: &str| {
            let lines: Vec<String> = (0..10).map(|n| line.replacen('N', &n.to_string(), 1)).collect();
            let log = format!("{}\n{last}\n", lines.join("\n"));
            let output = fed(&["explain", "--summary", "--json"], log.as_bytes());
            let group: serde_json::Value =
                serde_json::from_str(out(&output).lines().next().unwrap()).unwrap();
            assert_eq!((group["cause"].as_str(), group["count"].as_u64()), (Some(cause), Some(10)));
            (group["fix"].as_str().unwrap().to_owned(), group["recovered"].as_u64())
        };
        let (said, recovered) = group(FINE);
        assert!(said.contains(together) && recovered == Some(1), "{cause}: {said}");
        for last in unrelated {
            let (said, recovered) = group(last);
            assert!(
                said.contains(alone) && !said.contains(together) && recovered.is_none(),
                "{cause}: {said}"
            );
        }
    }
}

/// Exports begin with what is newest: what stands behind a failure there was before it.
#[test]
fn what_answered_before_the_failure_has_not_recovered() {
    let refused = r#"[2026-11-20T10:00:07.453Z] "GET / HTTP/1.1" 503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111} - "delayed_connect_error:_111" 0 2 26 - "-" "curl" "id" "ratings:9080" "10.0.0.8:9080" outbound|9080||ratings - 10.96.1.2:9080 10.0.0.2:2 - default"#;
    let newest_first = group(&format!("{refused}\n{FINE}\n"));
    assert_eq!(newest_first.get("recovered"), None, "{newest_first}");
    let later = FINE.replace("10:00:02", "10:00:09");
    assert_eq!(group(&format!("{refused}\n{later}\n"))["recovered"], 1);
}

#[test]
fn the_first_and_the_last_are_so_by_the_clock_whatever_the_zone_and_the_order() {
    let at = |time: &str| TIMEOUT.replace("2026-11-20T10:00:03.453Z", time);
    let lines =
        ["2026-11-20T10:30:00.000Z", "2026-11-20T11:10:00.000+0100", "2026-11-20T10:00:00.000Z"].map(at);
    let group = group(&lines.join("\n"));
    assert_eq!(
        (group["first"].as_str(), group["last"].as_str()),
        (Some("2026-11-20T10:00:00.000Z"), Some("2026-11-20T10:30:00.000Z"))
    );
    let counts: Vec<u64> = serde_json::from_value(group["rate"]["counts"].clone()).unwrap();
    let cells: Vec<usize> = (0..counts.len()).filter(|at| counts[*at] > 0).collect();
    assert_eq!(cells, [0, 7, 23], "{group}");
    assert_eq!(group["rate"]["from"], "2026-11-20T10:00:00Z");
}

#[test]
fn seconds_since_1970_are_times_too() {
    let at = |time: &str| {
        format!(
            r#"{{"start_time":{time},"response_code":504,"response_flags":"UT","response_code_details":"response_timeout"}}"#
        )
    };
    let lines = ["\"1795168803.453\"", "1795168863453"].map(at);
    let group = group(&lines.join("\n"));
    assert_eq!(
        (group["count"].as_u64(), group["rate"]["every_ms"].as_i64()),
        (Some(2), Some(2_501)),
        "{group}"
    );
}

/// An application's own log may be all that there is.
#[test]
fn what_clients_say_is_counted() {
    for line in [
        "2026-11-20T10:00:00Z ERROR NNN dial tcp 10.0.0.7:8080: connect: connection refused",
        r#"10.0.0.1 - - [20/Nov/2026:10:00:00 +0000] "GET /NNN HTTP/1.1" 500 157 "-" "curl/8.0""#,
        r#"2026/11/20 10:00:00 [error] 7#7: *NNN connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.9, server: , request: "GET /a HTTP/1.1", upstream: "http://10.0.0.7:8080/a""#,
        "2026-11-20 10:00:00,NNN ERROR call failed: java.net.ConnectException: Connection refused",
    ] {
        let log: String = (100..400).map(|n| line.replace("NNN", &n.to_string()) + "\n").collect();
        let group = group(&log);
        assert_eq!(group["count"].as_u64(), Some(300), "{group}");
    }
}
