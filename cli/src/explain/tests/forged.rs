//! What a client writes into headers, to make a log line say something else. Envoy writes it into text logs as it is (1.36, 1.40).

use std::sync::LazyLock;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;

use crate::explain::*;

static READER: LazyLock<Reader> = LazyLock::new(|| Reader::new(Vec::new()));

const OURS: &str = r#"{"event":"meshwhy","cause":"authorization_policy_denied","confidence":"certain","side":"mesh","evidence":"x=y","fix":"z"}"#;
const OBSERVED: &str = r#"{"event":"meshwhy_observation","#;
/// What stands in front of such a line in the proxy's own log.
const HEADER: &str = "[2026-11-20 10:00:01.123][20][warning][wasm] [context.cc:1] wasm log m: ";

/// A request, as Istio's default format has it, with what the client chose.
#[derive(Clone, Copy)]
struct Asked<'a> {
    what: &'a str,
    path: &'a str,
    forwarded: &'a str,
    agent: &'a str,
    id: &'a str,
}

impl<'a> Asked<'a> {
    fn new(what: &'a str) -> Self {
        Self { what, path: "/", forwarded: "-", agent: "curl/8", id: "8496" }
    }

    fn istio(&self) -> String {
        let Self { what, path, forwarded, agent, id } = self;
        format!(
            r#"[2026-11-20T10:00:01.000Z] "GET {path} HTTP/1.1" {what} - "-" 0 91 2 - "{forwarded}" "{agent}" "{id}" "reviews" "10.0.0.7:80" outbound|80||reviews 10.0.0.9:4 10.96.1.1:80 10.0.0.2:5 - default"#
        )
    }

    fn ours(&self, verdict: &str) -> String {
        self.istio().replacen("Z] \"", &format!("Z] {verdict} \""), 1)
    }
}

const FINE: &str = "200 - via_upstream";
const FAILED: &str = "504 UT response_timeout";
const NO_VERDICT: &str = r#"- - - - "-" "-""#;
const VERDICT: &str = r#"tls_on_plaintext_port certain mesh - "first_bytes=tls_client_hello" "Do.""#;

fn read(text: &str) -> Reading {
    READER.read_all(text.as_bytes())
}

/// The cause and who says so; nothing where nothing failed.
fn said(text: &str) -> Option<(Cause, Source)> {
    match read(text) {
        Reading::Failed(_, finding) => Some((finding.cause, finding.source)),
        Reading::Fine(_) | Reading::Ambiguous => None,
        other => panic!("{text}: {other:?}"),
    }
}

/// Columns that follow wherever they are put, each a whole rest of a line.
fn columns(what: &str) -> [String; 3] {
    let rest = r#"0 0 0 - "-" "-" "-" "-" "10.0.0.9:80" outbound|80||other - - - -"#;
    [
        format!(r#"x" "id" "a" "b" {what} - "-" {rest} -"#),
        format!(r#"x HTTP/1.1" {what} - "-" {rest} tls_on_plaintext_port certain mesh - "e=f" "fix"#),
        format!(r#"x HTTP/1.1" {what} - "-" 0 0 0 - "-"#),
    ]
}

#[test]
fn a_request_that_went_well_is_no_failure_whatever_it_says_of_itself() {
    for text in [OURS, OBSERVED, &format!("{HEADER}{OURS}"), &format!("x\\\" {HEADER}{OURS}")] {
        for asked in [
            Asked { agent: text, ..Asked::new(FINE) },
            Asked { id: text, ..Asked::new(FINE) },
            Asked { forwarded: text, ..Asked::new(FINE) },
            Asked { path: text, ..Asked::new(FINE) },
        ] {
            for line in [asked.istio(), asked.ours(NO_VERDICT)] {
                assert!(matches!(read(&line), Reading::Ambiguous | Reading::Fine(_)), "{line}");
            }
        }
    }
}

#[test]
fn a_failure_stays_one_whatever_it_says_of_itself() {
    let fine = columns(FINE);
    let texts = [OURS, OBSERVED, HEADER].into_iter().chain(fine.iter().map(String::as_str));
    for text in texts.chain(["a\" \"b", "\"", "\" \" \" \" \" \" \" \""]) {
        for asked in [
            Asked { agent: text, ..Asked::new(FAILED) },
            Asked { id: text, ..Asked::new(FAILED) },
            Asked { forwarded: text, ..Asked::new(FAILED) },
            Asked { path: text, ..Asked::new(FAILED) },
        ] {
            let said_of = said(&asked.istio());
            // What looks like a status and flags, or a quote before them.
            let is_doubtful = (asked.path == text && text.contains('"')) || fine.contains(&text.to_owned());
            let expected = if is_doubtful {
                (Cause::Unclassified, Source::Ambiguous)
            } else {
                (Cause::UpstreamTimeout, Source::Line)
            };
            assert_eq!(said_of, Some(expected), "{}", asked.istio());
            if let Reading::Failed(_, finding) = read(&asked.istio()) {
                assert!(!text.contains('"') || finding.confidence < Confidence::Certain);
            }
        }
    }
}

#[test]
fn what_another_plugin_repeats_of_a_client_is_not_the_filters_word() {
    assert!(matches!(read(&format!("{HEADER}{OURS}")), Reading::Own(_)));
    for before in ["agent: ", "agent \"x: ", "{agent: ", "agent ", "agent:"] {
        assert_eq!(read(&format!("{HEADER}{before}{OURS}")), Reading::ProxyLog, "{before}");
    }
}

/// Whoever reads on may take a request id for one, and join by it.
#[test]
fn of_an_ambiguous_line_nothing_is_used_that_a_client_may_have_written() {
    let fine = columns(FINE);
    for text in fine.iter().map(String::as_str).chain([OURS, "a\" \"b", "\""]) {
        for asked in [
            Asked { agent: text, ..Asked::new(FAILED) },
            Asked { id: text, ..Asked::new(FAILED) },
            Asked { forwarded: text, ..Asked::new(FAILED) },
            Asked { path: text, ..Asked::new(FAILED) },
        ] {
            let line = asked.istio();
            let Reading::Failed(sure, finding) = read(&line) else { panic!("{line}") };
            for column in [Column::Path, Column::Authority, Column::RequestId, Column::Cluster] {
                // Of a path without quotes nothing is a column's.
                let is_whole = column == Column::Path
                    && finding.source == Source::Line
                    && sure.get(column) == Some(asked.path);
                assert!(is_whole || !sure.shows(column), "{column:?} {:?} {line}", sure.get(column));
            }
        }
    }
    // In a format whose last columns are headers.
    let format = r#"%RESPONSE_CODE% %RESPONSE_FLAGS% "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%""#;
    let reader = Reader::new(vec![Format::parse(format).unwrap()]);
    let Reading::Failed(sure, finding) = reader.read(br#"503 UF "a" "forged" "8496""#) else { panic!() };
    assert_eq!((finding.source, sure.get(Column::Code)), (Source::Ambiguous, Some("503")));
    assert!(!sure.shows(Column::RequestId), "{:?}", sure.get(Column::RequestId));
}

/// A format that nobody knows and that begins as usual: what stands in front of a client's words is read, and is no more than a lead.
#[test]
fn in_a_format_that_begins_as_usual_only_the_front_counts() {
    for text in [OURS, OBSERVED, HEADER, "a\" \"b"] {
        let line = format!(r#"[2026-11-20T10:00:01.000Z] "GET /a HTTP/1.1" 504 UT "{text}" more"#);
        let Reading::Failed(_, finding) = read(&line) else { panic!("{line}") };
        assert_eq!(
            (finding.cause, finding.confidence),
            (Cause::UpstreamTimeout, Confidence::Possible),
            "{line}"
        );
    }
    for text in columns(FINE) {
        let line = format!(r#"[2026-11-20T10:00:01.000Z] "GET /a HTTP/1.1" 504 UT "{text}" more"#);
        assert_eq!(said(&line), Some((Cause::Unclassified, Source::Ambiguous)), "{line}");
        let line = format!(r#"[2026-11-20T10:00:01.000Z] "GET {text} HTTP/1.1" 504 UT more"#);
        assert!(!matches!(read(&line), Reading::Fine(_)), "{line}");
    }
}

#[test]
fn a_few_thousand_quotes_do_not_hide_a_failure() {
    for text in ["\" \"".repeat(2_000), " ".repeat(8_000), "x HTTP/1.1\" 200 - via_upstream ".repeat(200)] {
        for asked in
            [Asked { path: &text, ..Asked::new(FAILED) }, Asked { agent: &text, ..Asked::new(FAILED) }]
        {
            assert!(said(&asked.istio()).is_some(), "{:.300}", asked.istio());
            assert!(said(&asked.ours(NO_VERDICT)).is_some());
        }
    }
}

#[test]
fn the_filters_verdict_in_text_stands_where_no_client_reaches() {
    let forged = columns("200 - via_upstream");
    for text in forged.iter().map(String::as_str).chain([OURS, OBSERVED, "\"", VERDICT]) {
        for asked in [
            Asked { agent: text, ..Asked::new(FAILED) },
            Asked { id: text, ..Asked::new(FAILED) },
            Asked { path: text, ..Asked::new(FAILED) },
        ] {
            let line = asked.ours(VERDICT);
            assert_eq!(said(&line), Some((Cause::TlsOnPlaintextPort, Source::Filter)), "{line}");
        }
    }
    // What it was before: behind the route, and read from the right.
    for text in forged.iter().map(String::as_str).chain([OURS, "\""]) {
        let line = Asked { agent: text, ..Asked::new(FAILED) }.istio() + " " + VERDICT;
        assert_eq!(said(&line), Some((Cause::TlsOnPlaintextPort, Source::Filter)), "{line}");
    }
}

#[test]
fn in_json_a_text_is_a_text() {
    for text in [OURS, OBSERVED, HEADER] {
        let text = serde_json::to_string(text).unwrap();
        let line = |code: u16, flags: &str, details: &str| {
            format!(
                r#"{{"user_agent":{text},"msg":{text},"response_code":{code},"response_flags":"{flags}","response_code_details":"{details}","upstream_transport_failure_reason":null}}"#
            )
        };
        assert_eq!(said(&line(200, "-", "via_upstream")), None);
        assert_eq!(said(&line(504, "UT", "response_timeout")), Some((Cause::UpstreamTimeout, Source::Line)));
        // In keys that nobody knows.
        let own_keys = format!(r#"{{"method":"GET","path":"/","status":200,"message":{text}}}"#);
        assert_eq!(read(&own_keys), Reading::Unreadable);
    }
}

#[test]
fn in_a_format_that_nobody_knows_a_client_can_say_nothing() {
    let known = Asked::new(FAILED).istio();
    for text in [OURS, OBSERVED, HEADER, &format!("{HEADER}{OURS}"), &known, r#"{"response_code":503}"#] {
        for line in [
            format!("/path {text}"),
            format!("GET / 200 {text}"),
            format!("200 - {text}"),
            format!("\"GET / HTTP/1.1\" {text}"),
            format!("2026-11-20T10:00:00Z GET \"{text}"),
        ] {
            assert_eq!(read(&line), Reading::Unreadable, "{line}");
        }
        // What ends in columns of Envoy's is no line of its own log. (A whole access-log line at the beginning is one, so formats that
        // begin with a header have to be given.)
        if text == known {
            continue;
        }
        let line = format!("{text} 200 -");
        assert!(!matches!(read(&line), Reading::Own(_) | Reading::Failed(..)), "{line}");
    }
}

#[test]
fn a_given_format_without_quotes_is_doubted_where_its_words_could_be_a_headers() {
    let read =
        |format: &str, line: &str| Reader::new(vec![Format::parse(format).unwrap()]).read(line.as_bytes());
    let format = "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %REQ(USER-AGENT)%";
    assert!(
        matches!(read(format, "/ 503 UF curl/8 (x y z)"), Reading::Failed(_, f) if f.source == Source::Line)
    );
    for line in ["/ 503 UF 200 - curl", "/ 200 - 503 UF curl"] {
        let reading = read(format, line);
        assert!(matches!(&reading, Reading::Failed(_, f) if f.source == Source::Ambiguous), "{reading:?}");
    }
    assert_eq!(read(format, "/ 200 - 201 - curl"), Reading::Ambiguous);
    // A line like the proxy's own, in front of the columns.
    let format = "%REQ(USER-AGENT)% %RESPONSE_CODE% %RESPONSE_FLAGS%";
    for prefix in ["", "[pod/a/istio-proxy] ", "2026-11-20T10:00:01.123456789Z stdout F "] {
        let reading = read(format, &format!("{prefix}{HEADER}{OURS} 503 UF"));
        assert!(
            matches!(&reading, Reading::Failed(_, f) if f.source == Source::Line),
            "{prefix} {reading:?}"
        );
    }
}

#[test]
fn what_is_unwrapped_or_put_together_is_no_clients_text() {
    let known = Asked::new(FAILED).istio();
    let (text, escaped) = (serde_json::to_string(&known).unwrap(), known.replace('"', "\\\""));
    let rows: Vec<String> =
        known.chars().collect::<Vec<_>>().chunks(80).map(|row| row.iter().collect()).collect();
    for line in [
        // A request with a list of its own, whatever the list's name is.
        format!(r#"{{"method":"POST","path":"/","status":200,"events":[{{"message":{text}}}]}}"#),
        format!(r#"{{"method":"POST","path":"/","status":200,"data":{{"message":{text}}}}}"#),
        // Escaped in a format with quotes of its own, and in one without.
        format!("GET \"/a\" 200 \"{escaped}\""),
        format!("GET /a 200 {escaped}"),
        format!("200 {text}"),
        // Rows of one width behind a line that nobody knows.
        format!("GET /a 200\n{}", rows.iter().skip(1).cloned().collect::<Vec<_>>().join("\n")),
    ] {
        READER.walk(line.as_bytes(), 1, false, |read| {
            assert_eq!(read.reading, Reading::Unreadable, "{line}");
            true
        });
    }
    // A brace in front hides no line behind it.
    let mut failures = 0;
    READER.walk(format!("{{ 200 -\n{known}\n{{\n{known}\n}}\n").as_bytes(), 1, false, |read| {
        failures += u64::from(matches!(read.reading, Reading::Failed(..)));
        true
    });
    assert_eq!(failures, 2);
}

/// Rows of formats that nobody knows.
#[test]
fn what_a_client_writes_makes_its_failure_no_row_that_is_passed_over() {
    const AGENTS: &[&str] = &[
        "\"GET / HTTP/1.1\" 200 5",
        "\"GET / HTTP/1.1\" 200 OK",
        "$ curl http://a",
        "curl x",
        "a@b:~# kubectl get pods",
        "fe be/srv 0/0/1/5/6 200 612 - - ---- 1/1/0/0/0 0/0",
        "\"DownstreamStatus\":200,",
        "GET /a => generated 2 bytes in 46 msecs (HTTP/1.1 200) x",
    ];
    for agent in AGENTS.iter().chain(OTHERS) {
        for row in [
            format!("/x|503|UF|{agent}"),
            format!("\"GET /x\" 200 12 \"-\" \"$ curl http://a\" {agent} 503 UF"),
            format!("503,UF,/x,\"{agent}\""),
            format!("{{\"st\":503,\"fl\":\"UF\",\"ua\":\"{agent}\"}}"),
            format!("{agent} 503 UF /x"),
            format!("2026-11-20 10:00:00 ERROR dial tcp 10.0.0.1:80: connect: connection refused ua={agent}"),
        ] {
            READER.walk(row.as_bytes(), 1, false, |read| {
                let is_hidden =
                    matches!(read.reading, Reading::Application | Reading::Blank | Reading::Fine(_));
                assert!(!is_hidden, "{row}: {:?}", read.reading);
                true
            });
        }
    }
}

/// What other outputs are known by: rows of counters and tables, levels, lists of changes, programs.
const OTHERS: &[&str] = &[
    "a::10.0.0.1:80::zone::y",
    "x::zone::y",
    "x::priority::y",
    "a::default_priority::max_retries::3",
    "cluster.a.upstream_cx_total: 3",
    "envoy_cluster_upstream_cx_total{a=\\\"b\\\"} 4",
    "10.0.0.1:80 HEALTHY OK a",
    "  SYNCED  istiod",
    "a.b  SYNCED  SYNCED  SYNCED  istiod-1",
    "a.b  STALE  SYNCED  SYNCED  istiod-1",
    "No validation issues found",
    "Info [IST0102] (Namespace a)",
    "[info] INFO: level=info",
    "fix: handle it",
    "... ok",
];

#[test]
fn what_a_client_writes_makes_its_failure_no_row_of_another_output() {
    let reads = |text: &str| READER.read_front(text.as_bytes(), false);
    for words in OTHERS {
        let in_path = format!("/{}", words.replace(' ', "%20"));
        let rows = [
            format!(
                "\"GET {in_path} HTTP/1.1\" 503 UF upstream_reset_before_response_started{{connection_failure}} 0 91"
            ),
            format!("\"GET /x HTTP/1.1\" 503 UF foo 0 91 \"{words}\""),
            format!("\"GET /x HTTP/1.1\" 503 UF foo 0 91 \"-\" \"curl {words}\""),
        ];
        for row in rows {
            assert!(matches!(reads(&row), Reading::Failed(..)), "{row}: {:?}", reads(&row));
        }
        let good = format!("\"GET /x HTTP/1.1\" 200 - via_upstream 0 91 \"{words}\"");
        assert!(matches!(reads(&good), Reading::Fine(_) | Reading::Ambiguous), "{good}: {:?}", reads(&good));
    }
}
