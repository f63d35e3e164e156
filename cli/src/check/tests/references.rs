//! Names of what doesn't exist.

use super::{all, checked, dump, found, found_in_all, gateway, https, resource};

const MISSING: &str = "cluster_missing certain VirtualService/default/vs";
const PERHAPS: &str = "cluster_missing likely VirtualService/default/vs";

fn to(destination: &str) -> String {
    let spec = format!("hosts: [reviews]\nhttp:\n- route: [{{destination: {{{destination}}}}}]");
    resource("VirtualService", "default", "vs", &spec)
}

fn service(namespace: &str) -> String {
    resource("Service", namespace, "reviews", "selector: {app: reviews}\nports: [{port: 80, name: http}]")
}

fn rule(host: &str, subset: &str) -> String {
    let spec = format!("host: {host}\nsubsets: [{{name: {subset}, labels: {{version: {subset}}}}}]");
    resource("DestinationRule", "default", "rule", &spec)
}

#[test]
fn subsets() {
    let route = to("host: reviews, subset: v2");
    assert_eq!(found(&all(&[&route, &rule("reviews", "v1")])), [PERHAPS]);
    assert!(found(&all(&[&route, &rule("reviews", "v2")])).is_empty());
    for host in ["'*.default.svc.cluster.local'", "reviews.default.svc.cluster.local"] {
        assert!(found(&all(&[&route, &rule(host, "v2")])).is_empty(), "{host}");
    }
    // The rule may be in a file that was not given.
    assert!(found(&route).is_empty());
    assert!(found(&all(&[&route, &rule("ratings", "v1")])).is_empty());
    assert_eq!(found_in_all(&all(&[&route, &service("default")])), [MISSING]);
    assert_eq!(found(&dump(&[&route, &service("default"), &rule("reviews", "v1")])), [MISSING]);
}

#[test]
fn ports() {
    assert_eq!(found(&all(&[&to("host: reviews, port: {number: 81}"), &service("default")])), [MISSING]);
    assert!(found(&all(&[&to("host: reviews, port: {number: 80}"), &service("default")])).is_empty());
    assert!(found(&to("host: reviews, port: {number: 81}")).is_empty());
    // Another ServiceEntry for the host may have the port.
    let entry = resource(
        "ServiceEntry",
        "default",
        "x",
        "hosts: [x.com]\nports: [{number: 80, name: http, protocol: HTTP}]",
    );
    assert_eq!(found(&all(&[&to("host: x.com, port: {number: 81}"), &entry])), [PERHAPS]);
}

/// Of several destinations, one with `weight: 0` gets no request: it may be there for a release to come.
#[test]
fn destinations_without_weight() {
    let pair = |weight: &str| {
        let spec = format!(
            "hosts: [reviews]\nhttp:\n- route:\n  - {{destination: {{host: reviews, port: {{number: 80}}}}}}\n  \
             - {{destination: {{host: reviews, port: {{number: 81}}}}{weight}}}"
        );
        found(&all(&[&resource("VirtualService", "default", "vs", &spec), &service("default")]))
    };
    assert!(pair(", weight: 0").is_empty());
    assert_eq!(pair(", weight: 1"), [MISSING]);
    assert_eq!(pair(""), [MISSING]);
    let alone = to("host: reviews, port: {number: 81}").replace("}}]", "}, weight: 0}]");
    assert!(alone.contains("}, weight: 0}]"), "{alone}");
    assert_eq!(found(&all(&[&alone, &service("default")])), [MISSING]);
}

#[test]
fn hosts() {
    // A short name means the VirtualService's namespace; a name with a dot is taken as it is.
    let common = ["cluster_missing possible VirtualService/default/vs"];
    assert_eq!(found(&all(&[&to("host: reviews"), &service("prod")])), common);
    assert_eq!(found(&all(&[&to("host: reviews.prod"), &service("prod")])), [PERHAPS]);
    for host in ["reviews.prod.svc.cluster.local", "reviews.prod.svc.example.org"] {
        assert!(found(&all(&[&to(&format!("host: {host}")), &service("prod")])).is_empty(), "{host}");
    }
    // The domain of a set of clusters, or of this one if it isn't cluster.local.
    for domain in ["clusterset.local", "example.org"] {
        let route = to(&format!("host: reviews.default.svc.{domain}, port: {{number: 81}}"));
        assert!(found_in_all(&all(&[&route, &service("default")])).is_empty(), "{domain}");
    }
    assert!(found(&to("host: reviews")).is_empty());
    assert!(found(&all(&[&to("host: httpbin.org"), &service("prod")])).is_empty());
    assert_eq!(found_in_all(&to("host: httpbin.org")), [MISSING]);
    let wildcard = resource(
        "ServiceEntry",
        "default",
        "x",
        "hosts: ['*.example.com']\nports: [{number: 80, name: http, protocol: HTTP}]",
    );
    assert!(found_in_all(&all(&[&to("host: a.example.com"), &wildcard])).is_empty());
}

#[test]
fn gateways() {
    let route = |gateway: &str| {
        to("host: reviews")
            .replace("http:", &format!("gateways: [{gateway}]\n  http:"))
            .replace("[reviews]", "[a.com]")
    };
    let gw = gateway("istio-system", "gw", &https("SIMPLE", "'*'"));
    let unbound = ["route_host_unknown likely VirtualService/default/vs"];
    assert_eq!(found(&all(&[&route("gw"), &gw])), unbound);
    for name in ["istio-system/gw", "gw.istio-system.svc.cluster.local", "mesh"] {
        assert!(found(&all(&[&route(name), &gw])).is_empty(), "{name}");
    }
    assert!(found(&route("gw")).is_empty());
    assert!(found(&all(&[&route("other"), &gw])).is_empty());
    assert_eq!(
        found(&dump(&[&route("other"), &gw])),
        ["route_host_unknown certain VirtualService/default/vs"]
    );
}

#[test]
fn several_definitions_of_one_resource_settle_nothing() {
    let wrong = to("host: reviews, port: {number: 81}");
    let text = all(&[&wrong, &to("host: reviews, port: {number: 82}"), &service("default")]);
    assert_eq!(found(&text), ["cluster_missing possible VirtualService/default/vs"]);
    // The last one counts; the same twice is one.
    assert!(found(&all(&[&wrong, &to("host: reviews"), &service("default")])).is_empty());
    assert_eq!(found(&all(&[&wrong, &wrong, &service("default")])), [MISSING]);
}

#[test]
fn what_the_client_gets() {
    let tcp = to("host: reviews, port: {number: 81}").replace("http:", "tcp:");
    for (route, says) in [
        (to("host: reviews, port: {number: 81}"), ": requests get 503 (NC)."),
        (tcp, ": connections are closed without an answer."),
    ] {
        let found = checked(&all(&[&route, &service("default")]), false).findings;
        assert!(found[0].what.ends_with(says), "{found:?}");
    }
}

#[test]
fn what_clients_of_a_missing_gateway_meet() {
    let gw = gateway("istio-system", "gw", &https("SIMPLE", "'*'"));
    let with = |rules: &str| {
        let spec = format!("hosts: [a.com]\ngateways: [gw]\n{rules}");
        found(&all(&[&resource("VirtualService", "default", "vs", &spec), &gw]))
    };
    const TO: &str = "route: [{destination: {host: a.b.com}}]";
    let tls = format!("tls: [{{match: [{{sniHosts: [a.com]}}], {TO}}}]");
    let http = format!("http: [{{{TO}}}]");
    assert_eq!(with(&tls), ["no_filter_chain_for_sni likely VirtualService/default/vs"]);
    assert_eq!(with(&http), ["route_host_unknown likely VirtualService/default/vs"]);
    assert_eq!(with(&format!("{tls}\n{http}")), ["route_host_unknown likely VirtualService/default/vs"]);
    assert_eq!(with(&format!("tcp: [{{{TO}}}]")), ["route_host_unknown likely VirtualService/default/vs"]);
}

/// The sign of a cluster that printed all of a kind: a list with the API server's own Service.
#[test]
fn when_nothing_else_exists() {
    let route = to("host: reviews, subset: v2");
    let documents = [route.as_str(), &service("default"), &rule("reviews", "v1")];
    assert_eq!(found(&dump(&documents)), [MISSING]);
    let text = dump(&documents);
    let own = "{uid: x, name: kubernetes, namespace: default, uid: x}";
    assert!(text.contains(own), "{text}");
    for other in [
        "{name: kubernetes, namespace: default}",
        "{uid: x, name: kubernetes, namespace: other}",
        "{uid: x, name: other, namespace: default}",
    ] {
        assert_eq!(found(&text.replace(own, other)), [PERHAPS], "{other}");
    }
    // Kinds that were not asked for, or are in another file.
    assert_eq!(found(&all(&[&dump(&[&service("default")]), &route, &rule("reviews", "v1")])), [PERHAPS]);
    let without = dump(&[&to("host: ratings"), &service("default")]);
    assert!(found(&without).is_empty(), "ServiceEntries were not asked for");
    let entry = resource(
        "ServiceEntry",
        "default",
        "x",
        "hosts: [x.com]\nports: [{number: 80, name: http, protocol: HTTP}]",
    );
    assert_eq!(found(&dump(&[&to("host: ratings"), &service("default"), &entry])), [PERHAPS]);
}

#[test]
fn hosts_of_destination_rules() {
    let at = |host: &str| found(&all(&[&rule(host, "v1"), &service("prod")]));
    let without_effect = "virtual_service_not_applied";
    assert_eq!(at("reviews.prod"), [format!("{without_effect} likely DestinationRule/default/rule")]);
    // Its own namespace may have one that was not given.
    assert_eq!(at("reviews"), [format!("{without_effect} possible DestinationRule/default/rule")]);
    for host in [
        "reviews.prod.svc.cluster.local",
        "reviews.prod.svc",
        "'*.prod.svc.cluster.local'",
        "reviews.other",
        "ratings",
        "x.com",
    ] {
        assert!(at(host).is_empty(), "{host}");
    }
    assert!(found(&all(&[&rule("reviews", "v1"), &service("default"), &service("prod")])).is_empty());
    let uses = to("host: reviews.prod.svc.cluster.local, subset: v1");
    let used = found(&all(&[&rule("reviews.prod", "v1"), &service("prod"), &uses]));
    assert_eq!(used, ["cluster_missing likely DestinationRule/default/rule"]);
}
