use super::*;
use crate::evidence::{ClusterName, Details, Resource, TlsVersion};

const SECOND: u64 = 1_000_000_000;

fn success(virtual_host: &str, rule: Option<&str>, cluster: &str) -> Evidence {
    let mut e = Evidence { direction: Direction::Outbound, ..Evidence::default() };
    e.route.virtual_host = Some(virtual_host.to_owned());
    e.route.resource = rule.and_then(|name| Resource::new("VirtualService", "default", name));
    e.route.name = Some("default".to_owned());
    e.upstream.cluster = ClusterName::new(cluster);
    e
}

fn named(cluster: &str) -> Evidence {
    let mut e = success("reviews:80", Some("reviews"), cluster);
    e.route.name = Some("canary".to_owned());
    e
}

fn answered(version: &str) -> Evidence {
    let mut e = success("a:80", Some("gw"), "outbound|80||a.svc");
    e.direction = Direction::Gateway;
    e.upstream.version = Some(version.to_owned());
    e
}

#[test]
fn a_rule_is_known_from_another_host_only() {
    let mut history = History::new(1);
    let plain = success("a.svc:80", None, "outbound|80||a.svc");
    assert_eq!(history.success(&plain).rule, None, "no rule is known");
    assert_eq!(history.success(&success("a.example:80", Some("a"), "outbound|80|v1|a.svc")).rule, None);
    assert_eq!(history.success(&success("b.svc:80", None, "outbound|80||b.svc")).rule, None);
    assert_eq!(history.success(&success("a.svc:81", None, "outbound|81||a.svc")).rule, None, "another port");
    let known = history.success(&plain);
    assert_eq!(known.rule_for.as_deref(), Some("a.example:80"));
    assert_eq!(known.rule.unwrap().to_string(), "VirtualService/default/a");
    // The rule goes away.
    assert_eq!(history.success(&success("a.example:80", None, "outbound|80||a.svc")).rule, None);
    assert_eq!(history.success(&plain).rule, None);
    assert_eq!(history.success(&success("x", None, "inbound|80||")).rule, None);
}

#[test]
fn a_route_of_the_gateway_api_is_its_own_services_alone() {
    let mut history = History::new(1);
    let mut routed = success("a.svc:80", None, "outbound|80||b.svc");
    routed.route.resource = Resource::new("HTTPRoute", "default", "a");
    routed.route.gateway_api = true;
    history.success(&routed);
    assert_eq!(history.success(&success("b.svc:80", None, "outbound|80||b.svc")).rule, None);
}

#[test]
fn versions_that_answer_side_by_side() {
    let mut history = History::new(1);
    let mut looks =
        |versions: &[&str]| versions.iter().map(|v| history.success(&answered(v)).versions).last().unwrap();
    assert_eq!(looks(&["v1"; 20]), None);
    assert_eq!(looks(&["v2"]), Some("v1,v2".to_owned()));
    assert_eq!(looks(&["v2"; 20]), None, "v1 is gone");
    assert_eq!(looks(&["v3"]), Some("v2,v3".to_owned()));
}

#[test]
fn weights_are_not_judged_too_early_and_not_at_all_later() {
    let mut history = History::new(1);
    let (v1, v2) = (named("outbound|80|v1|reviews"), named("outbound|80|v2|reviews"));
    for _ in 0..50 {
        assert_eq!(history.success(&v1).split, None, "one cluster is no weights");
    }
    assert_eq!(history.success(&v2).split, None, "it may lead there from now on");
    let split = history.success(&v1).split.unwrap();
    assert_eq!(split, "outbound|80|v1|reviews:51,outbound|80|v2|reviews:1");
    let reported = (0..200).filter(|_| history.success(&v1).split.is_some()).count();
    assert_eq!(reported, 47, "until a hundred were seen");
    let mut history = History::new(1);
    assert!((0..200).all(|i| history.success(if i % 2 == 0 { &v1 } else { &v2 }).split.is_none()), "even");
    let mut history = History::new(100);
    let few: Vec<_> = (0..9).map(|i| history.success(if i == 0 { &v2 } else { &v1 }).split).collect();
    assert!(few.iter().all(Option::is_none), "nine looks are nine hundred requests");
}

#[test]
fn a_route_that_was_changed_has_no_weights() {
    let mut history = History::new(1);
    for cluster in ["blue", "blue", "green", "green", "red"] {
        for _ in 0..9 {
            assert_eq!(history.success(&named(&format!("outbound|80||{cluster}"))).split, None);
        }
    }
}

#[test]
fn routes_without_a_name_are_not_one_route() {
    let mut history = History::new(1);
    for cluster in ["outbound|80|v1|a", "outbound|80|v1|a", "outbound|80|v2|a"].repeat(10) {
        let mut e = named(cluster);
        e.route.name = None;
        assert_eq!(history.success(&e).split, None);
    }
}

#[test]
fn an_endpoint_that_took_mutual_tls_is_known() {
    let mut history = History::new(1);
    let mut e = success("a", None, "outbound|80||a.svc");
    e.upstream.address = Some("10.0.0.1:8080".to_owned());
    history.success(&e);
    assert!(!history.failure(&e).took_mtls, "plaintext");
    e.upstream.tls_version = Some(TlsVersion::V1_3);
    e.upstream.takes_istio_mtls = Some(true);
    history.success(&e);
    assert!(history.failure(&e).took_mtls);
    e.upstream.address = Some("10.0.0.2:8080".to_owned());
    assert!(!history.failure(&e).took_mtls, "another endpoint");
}

#[test]
fn a_cluster_that_answered_is_known() {
    let mut history = History::new(1);
    let mut e = success("a", None, "outbound|80||a.svc");
    e.upstream.address = Some("10.0.0.1:8080".to_owned());
    history.success(&e);
    assert!(!history.before(&e).answered, "a reply of this proxy's own");
    e.details = Details::new("via_upstream");
    history.success(&e);
    assert!(history.before(&e).answered);
    e.upstream.cluster = ClusterName::new("inbound|8080||");
    e.direction = Direction::Inbound;
    assert!(!history.failure(&e).answered);
    assert!(history.before(&e).answered, "an error is an answer, too");
    e.upstream.cluster = ClusterName::new("PassthroughCluster");
    history.success(&e);
    assert!(!history.before(&e).answered, "many services are behind it");
}

#[test]
fn a_failure_that_ended_by_itself_is_reported_once() {
    let mut history = History::new(1);
    let recoveries = history.recoveries();
    let (request, other) = (RequestKey::new(b"GET", b"a", b"/"), RequestKey::new(b"GET", b"a", b"/b"));
    assert!(!recoveries.awaited());
    recoveries.failed(request, 100 * SECOND);
    recoveries.failed(request, 104 * SECOND);
    assert!(recoveries.awaited());
    assert_eq!(recoveries.succeeded(other, 110 * SECOND), None);
    assert_eq!(recoveries.succeeded(request, 105 * SECOND), None, "too early to say");
    assert_eq!(recoveries.succeeded(request, 108 * SECOND), Some(4));
    assert_eq!(recoveries.succeeded(request, 109 * SECOND), None);
    assert!(!recoveries.awaited());
    recoveries.failed(request, 200 * SECOND);
    assert_eq!(recoveries.succeeded(request, 210 * SECOND), None, "it comes again");
}

#[test]
fn failures_that_take_turns_or_last_are_not_reported() {
    let mut history = History::new(1);
    let recoveries = history.recoveries();
    let (turns, long) = (RequestKey::new(b"GET", b"a", b"/"), RequestKey::new(b"GET", b"b", b"/"));
    recoveries.failed(turns, 0);
    recoveries.succeeded(turns, SECOND);
    recoveries.failed(turns, 2 * SECOND);
    assert_eq!(recoveries.succeeded(turns, 10 * SECOND), None);
    recoveries.failed(long, 0);
    assert_eq!(recoveries.succeeded(long, 31 * SECOND), None);
}

#[test]
fn nothing_grows_without_bound() {
    let mut history = History::new(1);
    for i in 0..10_000_u64 {
        let cluster = format!("outbound|80|v{i}|host{i}");
        let mut e = success(&format!("host{i}"), Some("a"), &cluster);
        e.route.name = Some(format!("route{i}"));
        e.upstream.version = Some(format!("v{i}"));
        e.upstream.address = Some(format!("10.0.0.1:{i}"));
        e.upstream.takes_istio_mtls = Some(true);
        e.details = Details::new("via_upstream");
        history.success(&e);
        history.failure(&e);
        e.direction = Direction::Gateway;
        e.upstream.tls_version = Some(TlsVersion::V1_3);
        history.success(&e);
        history.recoveries().failed(RequestKey::new(b"GET", b"a", &i.to_le_bytes()), i);
    }
    assert_eq!(history.rules.iter().count(), CAPACITY);
    assert_eq!(history.versions.iter().count(), CAPACITY);
    assert_eq!(history.splits.iter().count(), CAPACITY);
    for seen in [&history.mutual, &history.plain, &history.answered, &history.failed] {
        assert_eq!(seen.len(), CAPACITY);
    }
}
