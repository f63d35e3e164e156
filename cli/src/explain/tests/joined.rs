//! The lines of several proxies about one request.

use super::*;

fn hop(proxy: &str, line: &str) -> Hop {
    match read(line) {
        Reading::Failed(line, finding) => Hop { proxy: proxy.into(), line: *line, finding: Some(*finding) },
        Reading::Fine(Some(line)) => Hop { proxy: proxy.into(), line: *line, finding: None },
        other => panic!("{other:?}"),
    }
}

/// A line with the addresses by which hops are joined.
fn at(time: u8, what: &str, cluster: &str, up: (&str, &str), down: (&str, &str)) -> String {
    format!(
        r#"[2026-11-20T10:00:{time:02}.000Z] "GET / HTTP/1.1" {what} - "-" 0 0 0 - "-" "-" "id" "reviews:9080" "{}" {cluster} {} {} {} - -"#,
        up.0, up.1, down.0, down.1
    )
}

fn gateway(what: &str) -> Hop {
    hop(
        "gateway",
        &at(
            1,
            what,
            "outbound|9080||reviews",
            ("10.0.0.7:9080", "10.0.0.1:4000"),
            ("10.0.0.1:80", "9.9.9.9:1"),
        ),
    )
}

fn sidecar(what: &str) -> Hop {
    hop(
        "reviews",
        &at(1, what, "inbound|9080||", ("127.0.0.1:9080", "127.0.0.6:1"), ("10.0.0.7:9080", "10.0.0.1:4000")),
    )
}

fn parts(joined: &Joined) -> Vec<(&str, Part)> {
    joined.hops.iter().map(|(hop, part)| (hop.proxy.as_str(), *part)).collect()
}

#[test]
fn a_failure_begins_where_it_is_deepest() {
    // Whatever the order of the files.
    for hops in [
        [
            gateway("503 - via_upstream"),
            sidecar(
                "503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}",
            ),
        ],
        [
            sidecar(
                "503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}",
            ),
            gateway("503 - via_upstream"),
        ],
    ] {
        let joined = join(hops.into()).unwrap();
        assert_eq!(joined.verdict.cause, Cause::UpstreamRefused);
        assert_eq!(parts(&joined), [("gateway", Part::Consequence), ("reviews", Part::Root)]);
        assert!(!joined.recovered);
    }
}

#[test]
fn who_gave_up_made_the_other_see_a_client_leave() {
    let joined =
        join(vec![gateway("504 UT response_timeout"), sidecar("0 DC downstream_remote_disconnect")]).unwrap();
    assert_eq!(joined.verdict.cause, Cause::UpstreamTimeout);
    assert_eq!(parts(&joined), [("gateway", Part::Root), ("reviews", Part::Consequence)]);
    // The client itself left: the first to see it is the root.
    let left = "0 DC downstream_remote_disconnect";
    let joined = join(vec![sidecar(left), gateway(left)]).unwrap();
    assert_eq!(parts(&joined), [("gateway", Part::Root), ("reviews", Part::Consequence)]);
}

#[test]
fn a_proxys_own_refusal_is_its_own() {
    let joined =
        join(vec![gateway("200 - via_upstream"), sidecar("403 - rbac_access_denied_matched_policy[none]")])
            .unwrap();
    assert_eq!(joined.verdict.cause, Cause::AuthorizationPolicyDenied);
    assert!(joined.recovered);
    assert!(join(vec![gateway("200 - via_upstream"), sidecar("200 - via_upstream")]).is_none());
    // Contradictory lines: neither is believed much.
    let joined = join(vec![gateway("500 - via_upstream"), sidecar("200 - via_upstream")]).unwrap();
    assert_eq!(joined.verdict.confidence, Confidence::Possible);
}

#[test]
fn what_a_pod_asks_for_is_behind_what_it_was_asked() {
    let call = at(
        2,
        "504 UT response_timeout",
        "outbound|80||ratings",
        ("10.0.0.8:80", "10.0.0.7:5000"),
        ("10.96.0.2:80", "10.0.0.7:4999"),
    );
    let joined =
        join(vec![gateway("500 - via_upstream"), sidecar("500 - via_upstream"), hop("reviews", &call)])
            .unwrap();
    assert_eq!(joined.verdict.cause, Cause::UpstreamTimeout);
    let parts: Vec<Part> = joined.hops.iter().map(|(_, part)| *part).collect();
    assert_eq!(parts, [Part::Consequence, Part::Consequence, Part::Root]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whoever_is_joined_has_one_root(codes in proptest::collection::vec(0_usize..4, 1..8)) {
        let what = ["200 - via_upstream", "504 UT response_timeout", "0 DC downstream_remote_disconnect", "500 - via_upstream"];
        let hops: Vec<Hop> = codes.iter().enumerate().map(|(n, code)| if n % 2 == 0 { gateway(what[*code]) } else { sidecar(what[*code]) }).collect();
        let fine = codes.iter().all(|code| *code == 0);
        let joined = join(hops);
        prop_assert_eq!(joined.is_none(), fine);
        if let Some(joined) = joined {
            prop_assert_eq!(joined.hops.iter().filter(|(_, part)| *part == Part::Root).count(), 1);
        }
    }
}
