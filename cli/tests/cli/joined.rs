//! `meshwhy correlate`: the logs of several proxies.

use super::*;

#[test]
fn proxies_that_cannot_be_read_do_not_keep_the_others_from_being_joined() {
    let output = run(&["correlate", ".", "no-such-file", "gateway.log", "reviews.log"]);
    let says = err(&output);
    assert!(says.contains("is a directory") && says.contains("no-such-file"), "{says}");
    assert!(out(&output).contains("here it began"));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn several_proxies_one_verdict() {
    let output = run(&["correlate", "gateway.log", "reviews.log"]);
    golden("correlated.txt", &out(&output));
    assert_eq!(output.status.code(), Some(1));
    let one = run(&["correlate", "--json", "--id", "8496d84a", "gateway.log", "reviews.log"]);
    golden("correlated.jsonl", &out(&one));
    // meshwhy's own lines have no request id: those of the access log stand for them.
    let both = run(&["correlate", "gateway.log", "combined.log"]);
    let joined = out(&both);
    let requests = joined.lines().filter(|line| line.starts_with("request ")).count();
    assert_eq!(requests, 2 + 10, "{joined}");
    assert_eq!(run(&["correlate", "-"]).status.code(), Some(2));
}

/// In one file the lines of several proxies have one name; `explain` says that they belong together.
#[test]
fn one_file_with_several_proxies_is_joined_too() {
    let folder = std::env::temp_dir().join(format!("meshwhy-pasted-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pasted = folder.join("pasted.log");
    let read = |name: &str| {
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/logs/").to_owned() + name)
            .unwrap()
    };
    std::fs::write(&pasted, read("gateway.log") + &read("reviews.log")).unwrap();
    let pasted = pasted.to_str().unwrap();
    let joined = out(&run(&["correlate", pasted]));
    let began: Vec<&str> = joined.lines().filter(|line| line.ends_with("here it began")).collect();
    assert!(joined.contains("upstream_refused (certain)") && began.len() == 2, "{joined}");
    assert!(err(&run(&["explain", pasted])).contains("meshwhy correlate FILE"));
    assert!(!err(&run(&["explain", "gateway.log"])).contains("meshwhy correlate FILE"));
    std::fs::remove_dir_all(folder).unwrap();
}

/// What the page on the tool shows is what the tool prints of these logs.
#[test]
fn the_page_shows_the_fixes_that_are_printed() {
    let printed = include_str!("../logs/istio.txt").to_owned() + include_str!("../logs/correlated.txt");
    let fixes = |text: &'static str| text.lines().map(str::trim).filter(|line| line.starts_with("fix  "));
    let others: Vec<&str> = fixes(include_str!("../../../docs/cli.md"))
        .filter(|fix| !printed.lines().any(|line| line.trim() == *fix))
        .collect();
    // Of the two ends of a connection, which no log here shows.
    let ends = meshwhy::causes::Cause::DestinationRuleTlsConflict.fix();
    assert_eq!(others, [format!("fix       {ends}")]);
}

#[test]
fn a_request_is_named_by_the_beginning_of_its_id() {
    let correlate = |id: &str| run(&["correlate", "--json", "--id", id, "gateway.log", "reviews.log"]);
    let (whole, part) = (correlate("8496d84a"), correlate("8496"));
    assert!(!out(&whole).is_empty());
    assert_eq!((out(&part), part.status.code()), (out(&whole), Some(1)));
    // One that is in no log isn't one of which nothing failed.
    let none = correlate("nope");
    assert!(err(&none).contains("no line of these logs has a request id"), "{}", err(&none));
    assert!(!err(&none).contains("0 requests"), "{}", err(&none));
    assert_eq!((out(&none).as_str(), none.status.code()), ("", Some(2)));
    assert_eq!(correlate("").status.code(), Some(2));
}

/// A client's sidecar sends plaintext to a workload that takes mutual TLS alone: neither line names it, both together do.
#[test]
fn the_two_ends_of_a_connection_are_joined_by_its_addresses() {
    let folder = std::env::temp_dir().join(format!("meshwhy-ends-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let correlate = |files: &[&str]| {
        let output = run(&[&["correlate", "--json"], files].concat());
        let text = out(&output);
        let objects: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (objects, err(&output))
    };
    let client = write(
        "client.log",
        r#"[2026-04-28T04:14:36.102Z] "GET /a HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 3 - "-" "curl" "5d1e" "web:8080" "10.244.0.10:8080" outbound|8080||web.shop.svc.cluster.local 10.244.0.9:45690 10.96.0.7:8080 10.244.0.9:41006 - default
"#,
    );
    let listener = |from: &str, time: &str| {
        format!(
            r#"[2026-04-28T04:14:{time}Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 10.244.0.10:8080 {from} - -
"#
        )
    };
    let server = write("server.log", &listener("10.244.0.9:45690", "36.104"));
    let (objects, says) = correlate(&[&client, &server]);
    assert_eq!(objects.len(), 1, "{objects:?} {says}");
    let first = objects.first().unwrap();
    assert_eq!(
        (first["cause"].as_str(), first["confidence"].as_str(), first["request_id"].as_str()),
        (Some("destination_rule_tls_conflict"), Some("likely"), Some("5d1e"))
    );
    assert!(!says.contains("neither a request id"), "{says}");
    // Another connection's, and the same port a minute later, have nothing to do with it.
    for other in [listener("10.244.0.9:45691", "36.104"), listener("10.244.0.9:45690", "59.900")] {
        let other = write("other.log", &other);
        let (objects, _) = correlate(&[&client, &other]);
        assert_eq!(
            objects.first().unwrap()["cause"].as_str(),
            Some("upstream_closed_connection"),
            "{objects:?}"
        );
    }
    // Neither end has an id: TCP.
    let tcp = write(
        "tcp.log",
        r#"[2026-04-28T04:14:36.102Z] "- - -" 0 UF,URX - - "delayed_connect_error:_104" 0 0 3 - "-" "-" "-" "-" "10.244.0.10:8080" outbound|8080||web.shop.svc.cluster.local 10.244.0.9:45690 10.96.0.7:8080 10.244.0.9:41006 - -
"#,
    );
    let (objects, _) = correlate(&[&tcp, &server]);
    assert_eq!(objects.first().unwrap()["connection_from"].as_str(), Some("10.244.0.9:45690"), "{objects:?}");
    assert_eq!(
        objects.first().unwrap()["cause"].as_str(),
        Some("destination_rule_tls_conflict"),
        "{objects:?}"
    );
    // A gateway's connection that a node's ztunnel refused.
    let ztunnel = write(
        "ztunnel.log",
        "2026-04-28T04:14:36.103000Z\terror\taccess\tconnection complete\tsrc.addr=10.244.0.9:45690 dst.addr=10.244.0.10:8080 \
         dst.service=\"web.shop.svc.cluster.local\" direction=\"inbound\" error=\"connection closed due to policy rejection: allow \
         policies exist, but none allowed\"\n",
    );
    let (objects, _) = correlate(&[&client, &ztunnel]);
    assert_eq!(
        objects.first().unwrap()["cause"].as_str(),
        Some("authorization_policy_denied"),
        "{objects:?}"
    );
    // A waypoint's tunnel: the workload's address is what both know.
    let waypoint = write(
        "waypoint.log",
        r#"[2026-04-28T04:14:36.102Z] "GET /a HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 3 - "-" "curl" "77ab" "web:8080" "envoy://connect_originate/10.244.0.10:8080" inbound-vip|8080|http|web.shop.svc.cluster.local envoy://internal_client_address/ 10.96.0.7:8080 10.244.0.9:41006 - default
"#,
    );
    let hbone = write(
        "hbone.log",
        "2026-04-28T04:14:36.103000Z\terror\taccess\tconnection complete\tsrc.addr=10.244.0.7:5000 dst.addr=10.244.0.10:15008 \
         dst.hbone_addr=10.244.0.10:8080 direction=\"inbound\" error=\"connection failed: Connection refused (os error 111)\"\n",
    );
    let (objects, _) = correlate(&[&waypoint, &hbone]);
    assert_eq!(objects.first().unwrap()["cause"].as_str(), Some("upstream_refused"), "{objects:?}");
    // Two ztunnels, of which each names a port of its own (https://github.com/istio/istio/issues/56031).
    let tunnel = |name: &str, time: &str, port: u16, rest: &str| {
        write(
            name,
            &format!(
                "2025-04-22T08:28:{time}Z\terror\taccess\tconnection complete\tsrc.addr=10.244.3.75:{port} \
                 src.workload=\"activator-5656895fc6-c6p62\" src.identity=\"spiffe://cluster.local/ns/knative-serving/sa/activator\" \
                 dst.addr=10.244.2.174:15008 dst.hbone_addr=10.244.2.174:8012 {rest}\n"
            ),
        )
    };
    let answered = "direction=\"outbound\" duration=\"1ms\" error=\"http status: 401 Unauthorized\"";
    let rejected = "direction=\"inbound\" duration=\"0ms\" error=\"connection closed due to policy rejection: allow policies exist, but none allowed\"";
    let client = tunnel("zt-client.log", "06.295085", 53996, answered);
    let server = tunnel("zt-server.log", "06.294869", 38560, rejected);
    let (objects, says) = correlate(&[&client, &server]);
    let first = objects.first().unwrap();
    assert_eq!(
        (first["cause"].as_str(), first["connection_from"].as_str()),
        (Some("authorization_policy_denied"), Some("10.244.3.75:53996")),
        "{objects:?}"
    );
    assert!(!says.contains("without a request id"), "{says}");
    // Another time, another one.
    let later = tunnel("zt-later.log", "09.294869", 38560, rejected);
    let (objects, says) = correlate(&[&client, &later]);
    assert!(objects.is_empty() && says.contains("2 failures without a request id"), "{objects:?} {says}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The egress gateway asks for the address that the application asked for: that is no connection between them.
#[test]
fn what_the_egress_gateway_waited_for_began_there() {
    let folder = std::env::temp_dir().join(format!("meshwhy-egress-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let line = |what: &str, protocol: &str, cluster: &str, ends: &str| {
        format!(
            "[2026-11-30T01:02:03.100Z] \"GET /v1 HTTP/{protocol}\" 504 {what} - \"-\" 0 24 5003 - \"-\" \"curl\" \"7c1f2b7e\" \"api.example.com\" {cluster} {ends} - -\n"
        )
    };
    let write = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let client = line(
        "- via_upstream",
        "1.1",
        "\"10.244.3.8:8080\" outbound|80||istio-egressgateway.istio-system.svc.cluster.local",
        "10.244.2.9:45710 203.0.113.34:80 10.244.2.9:41630",
    );
    let egress = line(
        "UT response_timeout",
        "2",
        "\"203.0.113.34:80\" outbound|80||api.example.com",
        "10.244.3.8:38002 10.244.3.8:8080 10.244.2.9:45710",
    );
    let (client, egress) = (write("client.log", client), write("egress.log", egress));
    for files in [[&client, &egress], [&egress, &client]] {
        let printed = out(&run(&["correlate", "--json", files[0], files[1]]));
        let request: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(
            (&request["cause"], &request["proxy"]),
            (&"upstream_timeout".into(), &"egress".into()),
            "{request}"
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A reply's details say more than the head of the answer that follows them; where there are none, the head is all that there is.
#[test]
fn an_answers_head_in_the_debug_log_counts_where_nothing_says_more() {
    let head = "[2026-01-01 00:00:00.001][16][debug][http] [a.cc:1] [C1][S2] encoding headers via codec (end_stream=true):\n':status', '502'\n'server', 'envoy'\n";
    let told = |before: &str| out(&fed(&["explain"], format!("{before}{head}").as_bytes()));
    let alone = told("");
    assert!(alone.contains("egress_blocked (possible)"), "{alone}");
    let line =
        "[2026-01-01 00:00:00.000][16][debug][http] [a.cc:1] [C1][S2] Sending local reply with details ";
    let both = told(&format!("{line}upstream_reset_before_response_started{{protocol error}}\n"));
    assert!(both.contains("upstream_protocol_error") && !both.contains("egress_blocked"), "{both}");
}
