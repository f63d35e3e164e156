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
