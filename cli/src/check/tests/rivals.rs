//! Two VirtualServices for one host.

use super::{all, found, resource};

fn rules(namespace: &str, name: &str, spec: &str) -> String {
    let spec = format!(
        "hosts: [web.a.svc.cluster.local]\n{spec}\nhttp: [{{route: [{{destination: {{host: web.a.svc.cluster.local}}}}]}}]"
    );
    resource("VirtualService", namespace, name, &spec)
}

#[test]
fn in_the_mesh() {
    let expected = ["virtual_service_not_applied likely VirtualService/b/two"];
    let pair = |one: &str, two: &str| found(&all(&[&rules("a", "one", one), &rules("b", "two", two)]));
    assert_eq!(pair("", ""), expected);
    assert_eq!(pair("exportTo: ['*']", "exportTo: ['.']"), Vec::<String>::new());
    assert_eq!(pair("exportTo: [b]", ""), expected);
    assert!(pair("gateways: [gw]", "").is_empty());
    // Short names of two namespaces are two hosts.
    let short = |namespace: &str| rules(namespace, "vs", "").replace("web.a.svc.cluster.local", "web");
    assert!(found(&all(&[&short("a"), &short("b")])).is_empty());
}

#[test]
fn at_a_gateway() {
    let bound = "gateways: [x/gw]";
    let narrow =
        |name: &str| rules("b", name, bound).replace("{route", "{match: [{uri: {prefix: /v2}}], route");
    let catching = rules("a", "one", bound);
    let expected = ["virtual_service_not_applied possible VirtualService/b/two"];
    assert_eq!(found(&all(&[&catching, &narrow("two")])), expected);
    assert_eq!(found(&all(&[&narrow("two"), &catching])), expected);
    // A delegate takes what its own rules match, and no more.
    let delegating = catching
        .replace("{route: [{destination: {host: web.a.svc.cluster.local}}]}", "{delegate: {name: d}}");
    assert!(delegating.contains("delegate"));
    assert!(found(&all(&[&delegating, &narrow("two")])).is_empty());
    // Gateways merge what has conditions.
    assert!(found(&all(&[&narrow("two"), &narrow("three")])).is_empty());
    assert!(found(&all(&[&catching, &narrow("two").replace("x/gw", "x/other")])).is_empty());
    assert!(found(&all(&[&catching, &narrow("two").replacen("web.a", "shop.a", 1)])).is_empty());
}

#[test]
fn who_sees_which() {
    let pair = |one: &str, two: &str| found(&all(&[one, two])).len();
    let here = |name: &str, spec: &str| rules("a", name, spec);
    // In one namespace, all clients there see both.
    assert_eq!(pair(&here("one", "exportTo: ['.']"), &here("two", "exportTo: ['.']")), 1);
    assert_eq!(pair(&here("one", ""), &rules("b", "two", "exportTo: [c]")), 0);
    assert_eq!(pair(&here("one", "exportTo: [c]"), &rules("b", "two", "")), 0);
    // One has no rule for sidecars.
    let outside =
        here("one", "gateways: [mesh, x/gw]").replace("{route", "{match: [{gateways: [x/gw]}], route");
    assert_eq!(pair(&outside, &here("two", "")), 0);
    assert_eq!(pair(&here("two", ""), &outside), 0);
}

#[test]
fn what_takes_everything_at_a_gateway() {
    let bound = "gateways: [x/gw]";
    let narrow = rules("b", "two", bound).replace("{route", "{match: [{uri: {prefix: /v2}}], route");
    let with = |conditions: &str| {
        let other =
            rules("a", "one", bound).replace("{route", &format!("{{match: [{{{conditions}}}], route"));
        found(&all(&[&other, &narrow])).len()
    };
    assert_eq!((with("uri: {prefix: /}"), with("gateways: [x/gw]")), (1, 1));
    assert_eq!((with("port: 80"), with("uri: {prefix: /v1}")), (0, 0));
    // What a match for sidecars takes, the gateway doesn't meet.
    let both = rules("a", "one", "gateways: [x/gw, mesh]")
        .replace("{route", "{match: [{gateways: [mesh]}, {gateways: [x/gw], uri: {prefix: /v1}}], route");
    assert!(found(&all(&[&both, &narrow])).is_empty());
}
