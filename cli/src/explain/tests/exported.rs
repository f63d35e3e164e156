//! Lines as tables, syslog, chats and web pages have them.

use std::sync::{Arc, LazyLock};

use meshwhy::causes::Cause;
use serde_json::json;

use crate::explain::*;
use crate::input::chunks::{Chunk, Chunks};

static READER: LazyLock<Reader> = LazyLock::new(|| Reader::new(Vec::new()));

const TEXT: &str = r#"[2026-03-01T08:00:00.000Z] "GET /cart HTTP/1.1" 503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111} - "delayed_connect_error:_111" 0 145 99 - "-" "curl/8" "51c9" "shop:8080" "10.0.0.20:8080" outbound|8080||shop.default.svc.cluster.local - 10.96.0.12:8080 10.0.0.9:1 - default"#;
const DETAILS: &str =
    "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}";

type Seen = (u64, Option<(String, Option<String>, Option<String>)>);

/// The number of each record, and of what failed the cause, the pod and the time; nothing where it is fine.
fn read(text: &str) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut cut = Chunks::new(0);
    let mut give = |chunk| {
        chunks.push(chunk);
        true
    };
    cut.read(&mut text.as_bytes(), true, &mut give).unwrap();
    cut.finish(&mut give);
    for chunk in &chunks {
        READER.walk_chunk(chunk, true, |read| {
            match read.reading {
                Reading::Failed(line, finding) => {
                    let time = line.get(Column::Time).map(str::to_owned);
                    seen.push((read.number, Some((finding.cause.id().to_owned(), line.proxy, time))));
                }
                Reading::Fine(_) => seen.push((read.number, None)),
                Reading::Blank => {}
                other => panic!("{}: {other:?}\n{text}", String::from_utf8_lossy(read.bytes)),
            }
            true
        });
    }
    seen
}

fn cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn refused(number: u64, pod: Option<&str>, time: &str) -> Seen {
    (number, Some((Cause::UpstreamRefused.id().into(), pod.map(str::to_owned), Some(time.to_owned()))))
}

#[test]
fn a_table_by_its_first_line() {
    let object = json!({ "response_code": 503, "response_flags": "UF", "response_code_details": DETAILS, "start_time": "2026-03-01T08:00:00.000Z" });
    let pretty = serde_json::to_string_pretty(&object).unwrap();
    let (text, object) = (cell(TEXT), cell(&object.to_string()));
    let time = "2026-03-01T08:00:00.000Z";
    for (table, expected) in [
        // Kibana: a text, and taken apart by its collector.
        (
            format!(
                "\"@timestamp\",\"kubernetes.pod.name\",message\n\"Mar 1, 2026 @ 08:00:00.000\",\"web-1\",{text}\n"
            ),
            vec![refused(2, Some("web-1"), time)],
        ),
        (
            format!(
                "\"@timestamp\",\"json.response_code\",\"json.response_flags\",\"json.response_code_details\",\"json.duration\"\r\n\"Mar 1, 2026 @ 08:00:00.000\",503,UF,{DETAILS},\"1,200\"\r\n\"Mar 1, 2026 @ 08:00:00.000\",200,-,\"via_upstream\",3\r\n"
            ),
            vec![refused(2, None, time), (3, None)],
        ),
        // Datadog.
        (
            format!("Date,Host,Service,Message\n2026-03-01T08:00:01Z,node-1,istio,{text}\n"),
            vec![refused(2, None, time)],
        ),
        (
            format!(
                "Date,Pod Name,@response_flags,@http.status_code,@response_code_details\n{time},a,UF,503,{DETAILS}\n"
            ),
            vec![refused(2, None, time)],
        ),
        // Cloud Logging and BigQuery.
        (
            format!(
                "insertId,jsonPayload.response_code,jsonPayload.response_flags,jsonPayload.response_code_details,resource.labels.pod_name,timestamp\nx,503,UF,{DETAILS},web-1,2026-03-01 08:00:00.000 UTC\n"
            ),
            vec![refused(2, Some("web-1"), time)],
        ),
        (
            format!("timestamp;textPayload\n2026;{text}\n2026;{text}\n"),
            vec![refused(2, None, time), refused(3, None, time)],
        ),
        // One's own names.
        (
            format!(
                "time,method,path,code,flags,details\n{time},GET,/a,503,UF,{DETAILS}\n{time},GET,/a,200,-,via_upstream\n"
            ),
            vec![refused(2, None, time), (3, None)],
        ),
        // One column; cells over several lines; no end.
        (format!("message\n{text}\n{text}"), vec![refused(2, None, time), refused(3, None, time)]),
        (
            format!("time,log\n1,{}\n2,{object}\n", cell(&pretty)),
            vec![refused(2, None, time), refused(8, None, time)],
        ),
        // What has no row of its own is still a line.
        (format!("time,message\n{TEXT}\n"), vec![refused(2, None, time)]),
    ] {
        assert_eq!(read(&table), expected, "{table}");
    }
}

/// A table of something else.
#[test]
fn cells_of_clients_are_no_lines() {
    for table in [
        format!("time,user_agent.original,status\n1,{},200\n", cell(TEXT)),
        format!("time,path,status\n1,{},503\n", cell(TEXT)),
        "time,status,method\n1,503,GET\n".to_owned(),
        "time,code,flags\n1,503,UF\n".to_owned(),
    ] {
        let chunk = Chunk {
            bytes: table.clone().into_bytes(),
            first_line: 1,
            head: table.lines().next().map(|line| Arc::from(line.as_bytes())),
            ..Chunk::default()
        };
        READER.walk_chunk(&chunk, false, |read| {
            assert_eq!(read.reading, Reading::Unreadable, "{table}");
            true
        });
    }
}

#[test]
fn rows_stay_whole_in_each_piece() {
    let row = format!("1,{}\n", cell(&format!("{TEXT}\nand more, \"quoted\"")));
    let table = format!("time,message\n{}", row.repeat(10_000));
    let expected: Vec<u64> = (0..10_000).map(|row| 2 + 2 * row).collect();
    let (mut cut, mut seen, mut pieces) = (Chunks::new(0), Vec::new(), 0);
    let mut give = |chunk: Chunk| {
        pieces += 1;
        READER.walk_chunk(&chunk, false, |read| {
            assert!(matches!(read.reading, Reading::Failed(..)), "{:?}", read.reading);
            seen.push(read.number);
            true
        });
        true
    };
    cut.read(&mut table.as_bytes(), false, &mut give).unwrap();
    cut.finish(&mut give);
    assert!(pieces > 3);
    assert_eq!(seen, expected);
}

#[test]
fn behind_syslogs_header() {
    let object = json!({ "response_code": 503, "response_flags": "UF", "response_code_details": DETAILS });
    for line in [TEXT.to_owned(), object.to_string()] {
        for (header, host) in [
            (r#"<165>1 2026-03-01T08:00:00.003Z node-1 envoy 123 - [a@1 b="c"] "#, Some("node-1")),
            ("<165>1 2026-03-01T08:00:00.003Z - envoy - - - \u{feff}", None),
            ("<134>Mar  1 08:00:00 node-1 envoy[123]: ", Some("node-1")),
            ("Mar  1 08:00:00 node-1 envoy[123]: ", Some("node-1")),
            ("2026-03-01T08:00:00.003+01:00 node-1 envoy[123]: ", Some("node-1")),
        ] {
            let seen = read(&format!("{header}{line}\n"));
            let found = seen.first().and_then(|(_, failed)| failed.as_ref());
            let (cause, proxy, _) = found.unwrap();
            assert_eq!((&**cause, proxy.as_deref()), ("upstream_refused", host), "{header}{line}");
        }
    }
}

#[test]
fn an_object_each_of_whose_lines_has_a_prefix() {
    let object = json!({ "response_code": 503, "response_flags": "UF", "response_code_details": DETAILS, "a": { "b": [1, { "c": "d" }] } });
    let pretty = serde_json::to_string_pretty(&object).unwrap();
    let clock = |line: usize| format!("2026-03-01T08:00:00.{line}Z ");
    for (prefix, proxy) in [
        ("web-1 istio-proxy ", Some("web-1")),
        ("[pod/web-1/istio-proxy] ", Some("web-1")),
        ("web-1      | ", Some("web-1")),
        ("> ", None),
        ("    ", None),
    ] {
        for timed in [false, true] {
            let lines = pretty.lines().chain(pretty.lines()).enumerate();
            let text: String = lines
                .map(|(number, line)| {
                    format!("{prefix}{}{line}\n", if timed { clock(number) } else { String::new() })
                })
                .collect();
            let seen: Vec<_> =
                read(&text).into_iter().map(|(number, failed)| (number, failed.unwrap().1)).collect();
            let second = 1 + pretty.lines().count() as u64;
            let proxy = proxy.map(str::to_owned);
            assert_eq!(seen, [(1, proxy.clone()), (second, proxy)], "{text}");
        }
    }
}

#[test]
fn as_chats_and_pages_show_it() {
    let object =
        json!({ "response_code": 503, "response_flags": "UF", "response_code_details": DETAILS }).to_string();
    for line in [TEXT, &object] {
        for pasted in [
            line.replace('"', "\u{201d}"),
            line.replace('"', "&quot;"),
            format!("```json\n{line}\n```"),
            format!("> ```\n> {line}\n> ```"),
            format!(">{line}"),
            format!("* `{line}`"),
            format!("                    {line}"),
            line.replace('_', "\\_"),
            line.replace(' ', "\u{a0}"),
            cell(line),
        ] {
            let seen = read(&pasted);
            let cause = seen.first().and_then(|(_, failed)| Some(failed.as_ref()?.0.as_str()));
            assert_eq!((cause, seen.len()), (Some("upstream_refused"), 1), "{pasted}");
        }
    }
}

/// What was cut off is not taken for absent.
#[test]
fn columns_that_were_cut_off_are_not_shown() {
    let whole = r#"[2026-03-01T08:00:00.000Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 10.0.0.1:8080 10.0.0.2:5000 - -"#;
    for (cut, shown) in [(0, [true, true]), (2, [true, false]), (4, [false, false])] {
        let text = whole.get(..whole.len() - cut).unwrap();
        let Reading::Failed(line, finding) = READER.read(text.as_bytes()) else { panic!("{text}") };
        assert_eq!([Column::Sni, Column::Route].map(|column| line.shows(column)), shown, "{text}");
        assert_eq!(line.get(Column::RemoteAddress), Some("10.0.0.2:5000"));
        let causes = [&[finding.cause], finding.alternatives.as_slice()].concat();
        assert!(causes.contains(&Cause::PlaintextToStrictMtls), "{text}: {causes:?}");
    }
}

/// A client may send all of this, too.
#[test]
fn nothing_that_is_restored_makes_a_failure_of_a_value() {
    let quotes = |text: &str| text.replace('"', "\u{201d}");
    for sent in [
        quotes(TEXT),
        TEXT.replace('"', "&quot;"),
        cell(TEXT),
        quotes("x\",\"response_flags\":\"UF\",\"a\":\""),
    ] {
        for line in [
            json!({ "method": "GET", "path": "/", "status": 200, "user_agent": sent }).to_string(),
            format!("GET /a 200 {sent}"),
            format!("\"GET /a\" 200 \"{sent}\""),
            format!("200 {sent}"),
        ] {
            assert_eq!(READER.read(line.as_bytes()), Reading::Unreadable, "{line}");
        }
        let fine = TEXT
            .replace("503 UF", "200 -")
            .replace(DETAILS, "via_upstream")
            .replace("delayed_connect_error:_111", "-");
        let line = fine.replace("curl/8", &sent);
        assert!(matches!(READER.read(line.as_bytes()), Reading::Fine(_) | Reading::Ambiguous), "{line}");
    }
}

/// A trace as Jaeger exports it: each of its spans is a request.
#[test]
fn spans_of_a_trace() {
    let span = |flags: &str, code: &str| {
        json!({ "operationName": "shop:8080/*", "tags": [
            { "key": "http.status_code", "type": "string", "value": code },
            { "key": "response_flags", "type": "string", "value": flags },
        ] })
    };
    let trace = json!({ "data": [{ "traceID": "1", "spans": [span("-", "200"), span("UF,URX", "503")] }] })
        .to_string();
    let mut seen = Vec::new();
    READER.walk(trace.as_bytes(), 1, false, |read| {
        seen.push(match read.reading {
            Reading::Failed(_, finding) => finding.cause.id(),
            Reading::Fine(_) => "fine",
            other => panic!("{other:?}"),
        });
        true
    });
    assert_eq!(seen, ["fine", "upstream_refused"]);
}

/// Not the reason of a connection that no filter chain matched.
#[test]
fn a_handshake_that_a_client_failed_needs_no_details() {
    let line = json!({
        "response_code": 0, "response_flags": "-", "method": null, "upstream_host": null,
        "downstream_transport_failure_reason": "TLS error: 268435648:SSL routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE",
    });
    let Reading::Failed(_, finding) = READER.read(line.to_string().as_bytes()) else { panic!("{line}") };
    assert_eq!(finding.cause.id(), "client_certificate_missing");
}

/// What curl shows of Envoy's own replies. An application's line that has one in it is none.
#[test]
fn envoys_own_replies() {
    const UPSTREAM: &str = "upstream connect error or disconnect/reset before headers.";
    for (reply, cause) in [
        (
            format!(
                "{UPSTREAM} reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused"
            ),
            "upstream_refused",
        ),
        (
            format!(
                "{UPSTREAM} retried and the latest reset reason: remote connection failure, transport failure reason: delayed connect error: 111%"
            ),
            "upstream_refused",
        ),
        (format!("{UPSTREAM} reset reason: connection termination"), "upstream_closed_connection"),
        (format!("{UPSTREAM} reset reason: overflow"), "circuit_breaker_overflow"),
        ("no healthy upstream".to_owned(), "no_endpoints"),
        ("upstream request timeout".to_owned(), "upstream_timeout"),
        ("RBAC: access denied".to_owned(), "authorization_policy_denied"),
        ("Jwt is missing".to_owned(), "jwt_rejected"),
        ("Jwt is expired".to_owned(), "jwt_rejected"),
        ("Jwt verification fails".to_owned(), "jwt_rejected"),
        ("Audiences in Jwt are not allowed%".to_owned(), "jwt_rejected"),
        ("stream timeout".to_owned(), "idle_timeout"),
        ("local_rate_limited".to_owned(), "rate_limited"),
    ] {
        let Reading::Failed(_, finding) = READER.read(reply.as_bytes()) else { panic!("{reply}") };
        assert_eq!(finding.cause.id(), cause, "{reply}");
        assert_ne!(finding.confidence.id(), "certain", "{reply}");
        for grpc in ["rpc error: code = Unavailable desc = ", "  Message: "] {
            let read = READER.read(format!("{grpc}{reply}").as_bytes());
            assert_eq!(read, READER.read(reply.as_bytes()), "{grpc}{reply}");
        }
        // Where others repeat it.
        let reply = reply.trim_end_matches('%');
        for logged in [
            format!("ERROR shop: {reply} (attempt 1)"),
            format!("2026-03-01 08:00:00 WARN c.e.Shop - 503 Service Unavailable: \"{reply}\""),
            format!("  details = \"{reply}\""),
            json!({ "level": "error", "msg": "no answer", "error": format!("status 503: {reply}") }).to_string(),
            json!({ "time": 1, "status": 503, "response": { "headers": { "server": "envoy" }, "body": reply } }).to_string(),
            json!({ "message": json!({ "error": { "message": reply } }).to_string() }).to_string(),
        ] {
            let Reading::Failed(_, finding) = READER.read(logged.as_bytes()) else { panic!("{logged}") };
            assert_eq!((finding.cause.id(), finding.confidence.id()), (cause, "possible"), "{logged}");
        }
        for other in [
            format!("10.0.0.9 - - [01/Mar/2026:08:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"{reply}\""),
            json!({ "method": "GET", "path": "/", "status": 200, "user_agent": reply }).to_string(),
            json!({ "headers": { "x-body": reply } }).to_string(),
        ] {
            let read = READER.read(other.as_bytes());
            assert!(matches!(read, Reading::Unreadable | Reading::Application), "{other}: {read:?}");
        }
    }
}
