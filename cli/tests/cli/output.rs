//! What is written, and how it ends.

use super::*;

#[test]
fn the_story_the_objects_and_the_summary() {
    let output = run(&["explain", "istio.log"]);
    golden("istio.txt", &out(&output));
    assert_eq!(output.status.code(), Some(1));
    let says = err(&output);
    assert!(says.contains("7 of 8 requests failed"), "{says}");
    assert!(says.contains("1 other line of the proxy's log"), "{says}");
    assert!(says.contains("istio.log:10: this is not an access log"), "{says}");
    golden("istio.jsonl", &out(&run(&["explain", "--json", "istio.log"])));
    golden("istio.summary.txt", &out(&run(&["explain", "--summary", "istio.log"])));
}

#[test]
fn a_summary_is_one_message_and_hides_no_cause() {
    let line = |host: u32, what: &str| {
        format!(
            "[2026-11-20T10:00:01.000Z] \"GET / HTTP/1.1\" {what} - \"-\" 0 0 1 - \"-\" \"-\" \"-\" \"h{host}\" \"10.0.0.7:80\" outbound|80||h{host} - - - - -\n"
        )
    };
    let often = |host: u32| line(host, "504 UT response_timeout").repeat(2);
    let rare = |host: u32| line(host, "503 UO overflow") + &line(host, "503 NC cluster_not_found");
    let log: String = (0..10).map(often).chain((0..3).map(rare)).collect();
    let groups = |options: &[&str]| {
        let shown = out(&fed(&[&["explain", "--summary"], options].concat(), log.as_bytes()));
        (shown.matches("2026-11-20T10:00:01.000Z").count(), shown)
    };
    let (shown, summary) = groups(&[]);
    assert_eq!(shown, 10, "{summary}");
    let others =
        "      6  in 6 other groups, --top 0 shows them: circuit_breaker_overflow 3, cluster_missing 3\n";
    assert!(summary.ends_with(others), "{summary}");
    assert!(
        groups(&["--top", "15"])
            .1
            .ends_with("      1  in 1 other group, --top 0 shows them: cluster_missing 1\n")
    );
    for all in [&["--top", "0"], &["--top", "99"]] {
        let (shown, summary) = groups(all);
        assert!(shown == 16 && !summary.contains("other group"), "{summary}");
    }
    let objects = out(&fed(&["explain", "--summary", "--json"], log.as_bytes()));
    assert_eq!(objects.lines().count(), 16, "{objects}");
    let objects = out(&fed(&["explain", "--summary", "--json", "--top", "3"], log.as_bytes()));
    assert_eq!(objects.lines().count(), 3, "{objects}");
    assert_eq!(fed(&["explain", "--top", "3"], log.as_bytes()).status.code(), Some(2));
}

#[test]
fn where_a_connection_wanted_to_go_is_said() {
    let line = |cluster: &str, address: &str, sni: &str| {
        format!(
            "[2026-11-20T10:00:01.000Z] \"- - -\" 0 NR filter_chain_not_found - \"-\" 0 0 0 - \"-\" \"-\" \"-\" \"-\" \"-\" {cluster} - {address} 10.0.0.9:5 {sni} -\n"
        )
    };
    for (line, said) in [
        (line("-", "10.0.0.7:443", "a.example.com"), "came to   10.0.0.7:443 (a.example.com in TLS)"),
        (line("-", "10.0.0.7:443", "-"), "came to   10.0.0.7:443\n"),
        (line("-", "-", "a.example.com"), "came to   a.example.com in TLS"),
        (line("outbound|443||b", "10.0.0.7:443", "-"), "sent to   b:443"),
    ] {
        let text = out(&fed(&["explain"], line.as_bytes()));
        assert!(text.contains(said) && text.matches(" to   ").count() == 1, "{text}");
    }
    let object = out(&fed(&["explain", "--json"], line("-", "10.0.0.7:443", "a.example.com").as_bytes()));
    assert!(object.contains(r#""local_address":"10.0.0.7:443","sni":"a.example.com""#), "{object}");
}

#[test]
fn a_group_has_the_fix_that_all_of_its_lines_have() {
    let line = |endpoint: &str| {
        format!(
            "[2026-11-20T10:00:01.000Z] \"GET / HTTP/1.1\" 503 UF upstream_reset_before_response_started{{remote_connection_failure,delayed_connect_error:_111}} - \"delayed_connect_error:_111\" 0 145 9 - \"-\" \"-\" \"-\" \"h\" \"{endpoint}\" outbound|80||a.b.svc.cluster.local - 10.96.0.1:80 10.0.0.9:5 - default\n"
        )
    };
    let fix = |log: String| out(&fed(&["explain", "--summary"], log.as_bytes()));
    let same = fix(line("10.0.0.7:80").repeat(3));
    assert!(same.contains("a.b.svc.cluster.local on 10.0.0.7:80"), "{same}");
    let different = fix(line("10.0.0.7:80") + &line("10.0.0.8:80"));
    assert!(
        different.contains("on the Service's target port") && !different.contains("10.0.0.7:80"),
        "{different}"
    );
}

#[test]
fn the_hint_at_the_end_is_about_the_most_frequent_cause() {
    let line = |what: &str| {
        format!(
            "[2026-11-20T10:00:01.000Z] \"GET / HTTP/1.1\" {what} - \"-\" 0 0 1 - \"-\" \"-\" \"-\" \"h\" \"10.0.0.7:80\" outbound|80||h - - - - -\n"
        )
    };
    let log = line("503 NC cluster_not_found")
        + &line("503 UO overflow").repeat(3)
        + &line("504 UT response_timeout").repeat(3);
    let says = err(&fed(&["explain", "--summary"], log.as_bytes()));
    assert!(says.contains("meshwhy causes circuit_breaker_overflow"), "{says}");
}

/// What a real proxy wrote: Envoy's own log with meshwhy's lines, and the access log, which comes later.
#[test]
fn what_stands_in_both_logs_of_a_container_is_told_once() {
    let output = run(&["explain", "combined.log"]);
    golden("combined.txt", &out(&output));
    // 13 in the access log, and a handshake that failed, of which only the filter's line knows.
    assert!(err(&output).contains("14 of 15 requests failed"), "{}", err(&output));
    let log = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/combined.log"));
    let log = log.unwrap();
    let count = |input: &str, mode: &[&str]| -> usize {
        let output = fed(&[&["explain", "--json"], mode].concat(), input.as_bytes());
        let objects = out(&output);
        let objects = objects.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        objects.map(|object| object["count"].as_u64().unwrap_or(1) as usize).sum()
    };
    let (own, accessed): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| line.contains("\"event\""));
    let backwards: Vec<&str> = log.lines().rev().collect();
    let prefixed =
        |pod: &str| log.lines().map(|line| format!("[pod/{pod}/istio-proxy] {line}\n")).collect::<String>();
    for (input, expected) in [
        (own.join("\n"), 14),
        (accessed.join("\n"), 13),
        ([accessed.clone(), own.clone()].concat().join("\n"), 14),
        ([own, accessed].concat().join("\n"), 14),
        (backwards.join("\n"), 14),
        (prefixed("a") + &prefixed("b"), 28),
    ] {
        assert_eq!(count(&input, &[]), expected, "{input}");
        assert_eq!(count(&input, &["--summary"]), expected, "{input}");
    }
    // Another input is another proxy.
    let twice = run(&["explain", "--summary", "combined.log", "combined.log"]);
    assert!(err(&twice).contains("28 of 30 requests failed"), "{}", err(&twice));
}

#[test]
fn what_the_filter_left_out_of_the_proxys_log_is_said() {
    let line = r#"[2026-11-20 10:00:01.000][7][warning][wasm] [context.cc:1] wasm log m: {"event":"meshwhy","cause":"upstream_refused","confidence":"certain","evidence":"flags=UF","direction":"gateway","suppressed":40}"#;
    let output = fed(&["explain"], line.as_bytes());
    assert!(out(&output).contains("2026-11-20T10:00:01.000Z  - UF  (no request logged)"), "{}", out(&output));
    assert!(err(&output).contains("left 40 more out"), "{}", err(&output));
}

#[test]
fn who_reads_along_does_not_wait_for_an_access_log_that_has_none_of_it() {
    let log = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/combined.log"));
    let log = log.unwrap();
    let (own, accessed): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| line.contains("\"event\""));
    let mut child =
        meshwhy(&["explain", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    writeln!(stdin, "{}", own[0]).unwrap();
    let reported = lines.next().unwrap().unwrap();
    assert!(reported.contains("upstream_refused") && !reported.contains("request_id"), "{reported}");
    // Here it is after all, and another one.
    writeln!(stdin, "{}\n{}", accessed[0], accessed[1]).unwrap();
    drop(stdin);
    let reported = lines.next().unwrap().unwrap();
    assert!(reported.contains("no_endpoints"), "{reported}");
    assert!(lines.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn secrets_in_queries_are_not_repeated() {
    for mode in [
        &["explain", "istio.log"][..],
        &["explain", "--json", "istio.log"],
        &["explain", "--summary", "istio.log"],
    ] {
        let text = out(&run(mode)).to_lowercase();
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn exit_codes_for_scripts() {
    for (arguments, input, code) in [
        (&["explain", "--quiet"][..], format!("{FINE}\n{FINE}"), 0),
        (&["explain", "--quiet"], format!("{FINE}\n{TIMEOUT}\n"), 1),
        (&["explain"], String::new(), 0),
        (&["explain"], "nothing\nof this\n".into(), 2),
        (&["explain", "--format", "%START_TIME%"], String::new(), 2),
        (&["explain", "--no-such-option"], String::new(), 2),
        (&["causes", "no_such_cause"], String::new(), 2),
        (&["explain", "no-such-file"], String::new(), 2),
        (&["explain", "."], String::new(), 2),
    ] {
        let output = fed(arguments, input.as_bytes());
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {}", err(&output));
        if arguments.contains(&"--quiet") {
            assert!(output.stdout.is_empty() && output.stderr.is_empty());
        }
    }
    // One that can't be read doesn't keep the others from being read.
    let output = run(&["explain", "no-such-file", "istio.log"]);
    assert!(err(&output).contains("no-such-file") && out(&output).contains("upstream_refused"));
    assert_eq!(output.status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn names_from_outside_never_reach_the_terminal_as_they_are() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = std::env::temp_dir().join(format!("meshwhy-names-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let evil = "evil\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\nmeshwhy: 0 of 1 requests failed";
    let path = |end: &str| {
        let name = [evil.as_bytes(), b"\xff", end.as_bytes()].concat();
        folder.join(std::ffi::OsStr::from_bytes(&name))
    };
    let yaml = r#"apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: "evil\e[2J\x9b31m\u202e\nx"}
spec: {hosts: ["a.example"], ports: [{number: 443, name: "http", protocol: HTTP}]}
"#;
    let pod = serde_json::json!({ "message": TIMEOUT, "podName": evil });
    let own = serde_json::json!({ "response_code": 503, "response_flags": evil, "cause": "upstream_refused",
        "confidence": "certain", "resource": evil, "evidence": evil, "authority": evil, "path": evil, "request_id": evil });
    for (end, text) in [
        (".log", format!("{TIMEOUT}\n{pod}\n{own}\nno log {evil}\n")),
        (".yaml", yaml.into()),
        ("-broken.yaml", format!("a: {evil}\nb: [")),
    ] {
        std::fs::write(path(end), text).unwrap();
    }
    let missing = folder.join(evil);
    for arguments in [
        vec!["explain"],
        vec!["explain", "--json"],
        vec!["explain", "--summary"],
        vec!["explain", "--summary", "--json"],
        vec!["correlate"],
        vec!["correlate", "--json"],
        vec!["check"],
        vec!["check", "--json"],
        vec!["explain", "--no-such-option\u{1b}[31m\u{9b}"],
        vec!["causes", "\u{1b}[31m"],
    ] {
        let end = if arguments[0] == "check" { [".yaml", "-broken.yaml"] } else { [".log", ".log"] };
        let mut command = meshwhy(&arguments);
        if arguments[0] != "causes" {
            command.args(end.map(path)).arg(&missing);
        }
        // As a terminal would have it.
        let output = command.env("CLICOLOR_FORCE", "1").output().unwrap();
        for text in [out(&output), err(&output)] {
            let plain = without_styles(&text);
            let shown = |c: char| c == '\n' || !(c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c));
            assert!(plain.chars().all(shown), "{arguments:?} {plain:?}");
            assert!(!plain.lines().any(|line| line.starts_with("meshwhy: 0 of 1")), "{arguments:?} {plain}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn counts_beyond_all_bounds_are_counts() {
    let line = r#"[2026-11-20 10:00:01.000][7][warning][wasm] [context.cc:1] wasm log m: {"event":"meshwhy","cause":"upstream_refused","confidence":"certain","evidence":"flags=UF","suppressed":18446744073709551615}"#;
    let output = fed(&["explain"], format!("{line}\n{line}\n").as_bytes());
    assert!(err(&output).contains("left 18446744073709551615 more out"), "{}", err(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn nobody_may_be_listening() {
    for (arguments, code) in [
        (&["explain", "istio.log", "no-such-file"][..], 2),
        (&["explain", "istio.log"], 1),
        (&["correlate", "gateway.log", "reviews.log"], 1),
        (&["check", "no-such-file"], 2),
    ] {
        // A pipe that nobody reads any more.
        let mut child = meshwhy(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    for arguments in [
        &["explain", "istio.log"][..],
        &["explain", "--summary", "istio.log"],
        &["correlate", "gateway.log", "reviews.log"],
        &["causes"],
        &["completions", "bash"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = meshwhy(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {}", err(&output));
        assert!(err(&output).contains("No space left"), "{arguments:?} {}", err(&output));
    }
}

#[test]
fn whoever_has_seen_enough_may_go() {
    let input = format!("{TIMEOUT}\n").repeat(20_000);
    let mut child = meshwhy(&["explain"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    drop(child.stdout.take());
    let feeder = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!(err(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn causes_in_the_terminal() {
    let page = out(&run(&["causes", "destination_rule_tls_conflict"]));
    assert!(page.contains("kind: DestinationRule") && page.contains("Confirm") && !page.contains('\u{1b}'));
    let list = out(&run(&["causes"]));
    assert_eq!(list.lines().count(), meshwhy::causes::Cause::ALL.len());
    assert!(out(&run(&["causes", "mixer"])).lines().count() > 1);
    // A part that only one id has is enough.
    assert!(out(&run(&["causes", "file_desc"])).contains("ulimit"));
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(out(&run(&["completions", shell])).contains("correlate"), "{shell}");
    }
    let folder = std::env::temp_dir().join(format!("meshwhy-man-{}", std::process::id()));
    assert!(run(&["man", folder.to_str().unwrap()]).status.success());
    for page in ["meshwhy.1", "meshwhy-explain.1", "meshwhy-correlate.1"] {
        assert!(std::fs::read_to_string(folder.join(page)).unwrap().contains(".TH meshwhy"), "{page}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    let help = out(&run(&["explain", "--help"]));
    assert!(help.contains("Exit status:") && help.contains("kubectl logs -f"));
}

#[test]
fn free_text_of_details_is_marked() {
    const LINE: &str = r#"[2026-11-20T10:00:03.453Z] "GET /callback HTTP/1.1" 401 - State_query_param_is_not_a_valid_JSON:_TOKEN-12345 - "-" 0 2 26 - "-" "curl" "id" "shop:9080" "-" - - 10.96.1.2:9080 10.0.0.2:2 - default"#;
    let story = out(&fed(&["explain"], LINE.as_bytes()));
    assert!(story.contains("evidence  details=[cut]"), "{story}");
    assert!(
        story.contains("the log   details=State_query_param_is_not_a_valid_JSON:_TOKEN-12345"),
        "{story}"
    );
    let object: serde_json::Value =
        serde_json::from_str(&out(&fed(&["explain", "--json"], LINE.as_bytes()))).unwrap();
    assert_eq!(object["details"], "[cut]");
    assert_eq!(object["log_text"]["details"], "State_query_param_is_not_a_valid_JSON:_TOKEN-12345");
    let summary = out(&fed(&["explain", "--summary"], LINE.as_bytes()));
    assert!(!summary.contains("TOKEN"), "{summary}");
    // Where all is known, nothing is said twice.
    let known: serde_json::Value =
        serde_json::from_str(&out(&fed(&["explain", "--json"], TIMEOUT.as_bytes()))).unwrap();
    assert_eq!((&known["details"], known.get("log_text")), (&"response_timeout".into(), None));
}
