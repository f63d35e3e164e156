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
fn one_file_may_have_the_lines_of_several_proxies() {
    let refused =
        "503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}";
    let same = |mut hop: Hop| {
        hop.proxy = "pasted".into();
        hop
    };
    for hops in
        [[gateway("503 - via_upstream"), sidecar(refused)], [sidecar(refused), gateway("503 - via_upstream")]]
    {
        let joined = join(hops.map(same).into()).unwrap();
        assert_eq!(joined.verdict.cause, Cause::UpstreamRefused);
        assert_eq!(parts(&joined), [("pasted", Part::Consequence), ("pasted", Part::Root)]);
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
    // Passed on to the client, it is no failure of the gateway's, and no good answer either.
    for refused in [
        "403 - rbac_access_denied_matched_policy[none]",
        "401 - jwt_authn_access_denied{Jwt_is_missing}",
        "429 RL local_rate_limited",
    ] {
        let passed_on = refused.split(' ').next().unwrap().to_owned() + " - via_upstream";
        let joined = join(vec![gateway(&passed_on), sidecar(refused)]).unwrap();
        assert_eq!(parts(&joined), [("gateway", Part::Fine), ("reviews", Part::Root)], "{refused}");
        assert!(!joined.recovered, "{refused}");
    }
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

/// What two proxies log of one request, by the addresses of the connection between them.
#[test]
fn one_connection_carries_a_request() {
    let line = |time: u8, request: &str, up: (&str, &str), down: (&str, &str)| {
        let text = format!(
            r#"[2026-11-20T10:00:{time:02}.000Z] "{request} HTTP/1.1" 503 UF - - "-" 0 0 100 - "-" "-" "id" "reviews:9080" "{}" c {} {} {} - -"#,
            up.0, up.1, down.0, down.1
        );
        failed(&text).0
    };
    let outer = |up| line(1, "GET /a", up, ("10.0.0.1:80", "9.9.9.9:1"));
    let inner = |time, request: &str, down| line(time, request, ("127.0.0.1:9080", "127.0.0.6:1"), down);
    let carried = |outer: &Line<'_>, inner: &Line<'_>| connection::carried(outer, inner, connection::SKEW);
    const UP: (&str, &str) = ("10.0.0.7:9080", "10.0.0.1:4000");
    const DOWN: (&str, &str) = ("10.0.0.7:9080", "10.0.0.1:4000");
    assert!(carried(&outer(UP), &inner(1, "GET /a", DOWN)));
    assert!(carried(&outer(UP), &inner(2, "GET /a", DOWN)), "the clocks of two nodes");
    // What one of the two doesn't say, speaks against nothing.
    assert!(carried(&outer(("-", UP.1)), &inner(1, "GET /a", DOWN)));
    assert!(carried(&outer(UP), &inner(1, "GET /a", ("-", DOWN.1))));
    assert!(
        carried(&outer(("envoy://inner/10.0.0.7:9080", UP.1)), &inner(1, "GET /a", DOWN)),
        "a waypoint's"
    );
    for (up, time, request, down) in [
        (UP, 1, "GET /a", (DOWN.0, "10.0.0.1:4001")),
        (UP, 1, "GET /a", ("10.0.0.8:9080", DOWN.1)),
        (UP, 1, "POST /a", DOWN),
        (UP, 1, "GET /b", DOWN),
        (UP, 9, "GET /a", DOWN),
        ((UP.0, "-"), 1, "GET /a", DOWN),
        (UP, 1, "GET /a", (DOWN.0, "-")),
        // Addresses without a port of the connection's own.
        ((UP.0, "10.0.0.1:0"), 1, "GET /a", (DOWN.0, "10.0.0.1:0")),
        ((UP.0, ":4000"), 1, "GET /a", (DOWN.0, ":4000")),
        ((UP.0, "10.0.0.1:x"), 1, "GET /a", (DOWN.0, "10.0.0.1:x")),
        ((UP.0, "10.0.0.1"), 1, "GET /a", (DOWN.0, "10.0.0.1")),
    ] {
        assert!(!carried(&outer(up), &inner(time, request, down)), "{up:?} {time} {request} {down:?}");
    }
    // Both ends of it ended together.
    let at = |time| inner(time, "GET /a", DOWN);
    assert!(connection::are_close(&at(1), &at(6)) && connection::are_close(&at(6), &at(1)));
    assert!(!connection::are_close(&at(1), &at(7)));
}

/// "The upstream's own error" is believed unless the next proxy itself saw a success.
#[test]
fn whose_success_is_doubted() {
    let own_error = "500 - via_upstream";
    let confidence = |hops: Vec<Hop>| join(hops).unwrap().verdict.confidence;
    let likely = confidence(vec![gateway(own_error)]);
    assert_ne!(likely, Confidence::Possible);
    assert_eq!(confidence(vec![gateway(own_error), sidecar("200 - via_upstream")]), Confidence::Possible);
    // A failure of another kind stays what it is; and what is behind another hop says nothing of this one.
    let late = confidence(vec![gateway("504 UT response_timeout"), sidecar("200 - via_upstream")]);
    assert_eq!(late, confidence(vec![gateway("504 UT response_timeout")]));
    assert_eq!(confidence(vec![gateway("200 - via_upstream"), sidecar(own_error)]), likely);
}

/// After a retry the first hop names the last endpoint only: the others are found by what was asked for.
#[test]
fn the_endpoint_of_an_earlier_attempt() {
    let refused =
        "503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}";
    let other = |authority: &str, cluster: &str, proxy: &str| {
        let line =
            at(1, refused, cluster, ("127.0.0.1:9080", "127.0.0.6:1"), ("10.0.0.8:9080", "10.0.0.1:4001"));
        hop(proxy, &line.replace("reviews:9080\"", &format!("{authority}\"")))
    };
    let behind = |hop| {
        let joined = join(vec![gateway("503 - via_upstream"), hop]).unwrap();
        joined.hops.iter().any(|(hop, part)| hop.proxy == "gateway" && *part == Part::Consequence)
    };
    assert!(behind(other("reviews:9080", "inbound|9080||", "reviews-2")));
    assert!(!behind(other("ratings:9080", "inbound|9080||", "reviews-2")));
    assert!(!behind(other("reviews:9080", "outbound|9080||reviews", "reviews-2")));
    assert!(!behind(other("reviews:9080", "inbound-vip|9080||", "reviews-2")));
}

/// Neither end alone knows: one sent plaintext, and the other has a filter chain for TLS only.
#[test]
fn plaintext_for_which_the_peer_has_no_filter_chain() {
    let ended = "503 UC upstream_reset_before_response_started{connection_termination}";
    let peer = |what: &str| sidecar(what);
    let cause = |asked: &str, peer: Hop| join(vec![gateway(asked), peer]).unwrap().verdict.cause;
    const NO_CHAIN: &str = "0 NR filter_chain_not_found";
    assert_eq!(cause(ended, peer(NO_CHAIN)), Cause::DestinationRuleTlsConflict);
    // With a server name it was TLS; another end of the peer's is another matter, and so is a connection that never was.
    let named = at(
        1,
        NO_CHAIN,
        "inbound|9080||",
        ("127.0.0.1:9080", "127.0.0.6:1"),
        ("10.0.0.7:9080", "10.0.0.1:4000"),
    );
    let named = named.strip_suffix("- -").unwrap().to_owned() + "a.com -";
    assert_ne!(cause(ended, hop("reviews", &named)), Cause::DestinationRuleTlsConflict);
    let refused =
        "503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}";
    assert_ne!(cause(refused, peer(NO_CHAIN)), Cause::DestinationRuleTlsConflict);
    assert_ne!(cause(ended, peer("0 UF -")), Cause::DestinationRuleTlsConflict);
}
