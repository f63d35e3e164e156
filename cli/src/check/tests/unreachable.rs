//! Rules that no request meets.

use super::{all, found, found_in_all, gateway, resource};

const PLAIN: &str = "- {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}";
const ROUTE: &str = "route: [{destination: {host: web}}]";

fn rules(gateways: &str, http: &str) -> String {
    resource(
        "VirtualService",
        "default",
        "vs",
        &format!("hosts: [a.com]\ngateways: [{gateways}]\nhttp: [{http}]"),
    )
}

#[test]
fn matches_for_gateways_that_are_not_its_own() {
    let all_dead = ["route_host_unknown certain VirtualService/default/vs"];
    let some_dead = ["virtual_service_not_applied likely VirtualService/default/vs"];
    let (other, own) = (format!("{{match: [{{gateways: [bad]}}], {ROUTE}}}"), format!("{{{ROUTE}}}"));
    assert_eq!(found(&rules("good", &other)), all_dead);
    assert_eq!(found(&rules("good", &format!("{other}, {own}"))), some_dead);
    for gateways in ["good, bad", "bad", "default/bad"] {
        assert!(found(&rules(gateways, &other)).is_empty(), "{gateways}");
    }
    // One of its matches is enough.
    let either = format!("{{match: [{{gateways: [bad]}}, {{gateways: [good]}}], {ROUTE}}}");
    assert!(found(&rules("good", &either)).is_empty());
    // A delegate's matches are for the gateways of those that name it.
    assert!(found(&rules("", &other).replace("hosts: [a.com]", "hosts: []")).is_empty());
    let in_mesh = format!("{{match: [{{gateways: [mesh]}}], {ROUTE}}}");
    assert_eq!(found(&rules("good", &in_mesh)), all_dead);
    assert!(found(&rules("good, mesh", &in_mesh)).is_empty());
}

#[test]
fn matches_for_ports_that_no_server_has() {
    let on = |port: u16| rules("gw", &format!("{{match: [{{port: {port}}}], {ROUTE}}}"));
    let here = gateway("default", "gw", PLAIN);
    let expected = ["route_host_unknown certain VirtualService/default/vs"];
    assert_eq!(found(&all(&[&on(8080), &here])), expected);
    assert!(found(&all(&[&on(80), &here])).is_empty());
    assert!(found(&on(8080)).is_empty(), "the Gateway was not given");
    let also_inside = on(8080).replace("[gw]", "[gw, mesh]");
    assert!(found(&all(&[&also_inside, &here])).is_empty(), "sidecars have other ports");
}

#[test]
fn behind_a_rule_that_takes_everything() {
    let expected = ["virtual_service_not_applied certain VirtualService/default/vs"];
    let rule = |conditions: &str| format!("{{match: [{{{conditions}}}], {ROUTE}}}");
    let first = |first: &str| found(&rules("mesh", &format!("{first}, {}", rule("uri: {prefix: /v2}"))));
    assert_eq!(first(&format!("{{{ROUTE}}}")), expected);
    assert_eq!(first(&rule("uri: {prefix: /}")), expected);
    for narrower in [
        "uri: {prefix: /v1}",
        "uri: {exact: /}",
        "port: 80",
        "gateways: [mesh]",
        "headers: {a: {exact: b}}",
        "uri: {prefix: /}, method: {exact: GET}",
        "sourceLabels: {app: a}",
    ] {
        assert!(first(&rule(narrower)).is_empty(), "{narrower}");
    }
    // What no rule of the delegate matches goes on to the next.
    assert!(first("{delegate: {name: other}}").is_empty());
    assert!(first("{match: [{uri: {prefix: /}}], delegate: {name: other}}").is_empty());
    let last = format!("{}, {{{ROUTE}}}", rule("uri: {prefix: /v2}"));
    assert!(found(&rules("mesh", &last)).is_empty());
}

#[test]
fn delegates() {
    let root = |delegate: &str| {
        rules("gw", &format!("{{match: [{{uri: {{prefix: /a}}}}], delegate: {{{delegate}}}}}"))
    };
    let child = resource("VirtualService", "team", "child", &format!("http: [{{{ROUTE}}}]"));
    let likely = ["route_no_match likely VirtualService/default/vs"];
    assert_eq!(found(&all(&[&root("name: child"), &child])), likely);
    assert!(found(&all(&[&root("name: child, namespace: team"), &child])).is_empty());
    assert!(found(&root("name: child")).is_empty());
    let missing = found_in_all(&root("name: child"));
    assert!(missing.contains(&"route_no_match certain VirtualService/default/vs".to_owned()), "{missing:?}");
}

#[test]
fn rules_of_other_protocols_are_left() {
    let dead = rules("good", &format!("{{match: [{{gateways: [bad]}}], {ROUTE}}}"));
    let likely = ["virtual_service_not_applied likely VirtualService/default/vs"];
    for more in [
        "tls: [{match: [{sniHosts: [a.com]}], route: [{destination: {host: web}}]}]",
        "tcp: [{route: [{destination: {host: web}}]}]",
    ] {
        assert_eq!(found(&format!("{dead}  {more}\n")), likely, "{more}");
    }
}

#[test]
fn ports_of_the_gateway_that_is_named() {
    let on = |matched: &str| rules("gw, other", &format!("{{match: [{{{matched}}}], {ROUTE}}}"));
    let (http, https) =
        (gateway("default", "gw", PLAIN), gateway("default", "other", &PLAIN.replace("80", "8080")));
    let of = |matched: &str| found(&all(&[&on(matched), &http, &https]));
    assert!(of("port: 8080").is_empty() && of("port: 80").is_empty());
    assert!(of("port: 8080, gateways: [other]").is_empty());
    assert_eq!(of("port: 8080, gateways: [gw]"), ["route_host_unknown certain VirtualService/default/vs"]);
    // A Gateway without servers says nothing of ports.
    let empty = gateway("default", "gw", "[]").replace("servers:\n  []", "servers: []");
    assert!(found(&all(&[&rules("gw", &format!("{{match: [{{port: 81}}], {ROUTE}}}")), &empty])).is_empty());
}
