//! Rules for the mesh that a gateway's destination passes by.

use super::{all, checked, found, found_in_all, gateway, https, resource};

const HOST: &str = "helloworld.default.svc.cluster.local";

fn outside(host: &str, destination: &str) -> String {
    let spec =
        format!("hosts: [{host}]\ngateways: [gw]\nhttp:\n- route: [{{destination: {{{destination}}}}}]");
    resource("VirtualService", "default", "myapp", &spec)
}

fn inside(rest: &str) -> String {
    resource("VirtualService", "default", "helloworld", &format!("hosts: [helloworld]\nhttp:\n- {rest}"))
}

fn rule(subsets: &str) -> String {
    resource("DestinationRule", "default", "helloworld", &format!("host: helloworld\nsubsets: [{subsets}]"))
}

#[test]
fn a_subset_that_the_gateway_does_not_know_of() {
    let inside = inside("route: [{destination: {host: helloworld, subset: v1}}]");
    let expected = ["gateway_ignores_mesh_routes likely VirtualService/default/myapp"];
    for host in [HOST, "helloworld"] {
        assert_eq!(found(&all(&[&outside("myapp.com", &format!("host: {host}")), &inside])), expected);
    }
    let any = outside("'*'", "host: helloworld");
    assert_eq!(found(&all(&[&any, &inside])), expected);
    let two = rule("{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}");
    assert_eq!(found(&all(&[&any, &inside, &two])), expected);
    // The only subset there is may well be all of the service.
    let one = rule("{name: v1, labels: {version: v1}}");
    let possible = ["gateway_ignores_mesh_routes possible VirtualService/default/myapp"];
    assert_eq!(found(&all(&[&any, &inside, &one])), possible);
}

#[test]
fn the_gateway_has_thought_of_it() {
    let inside = inside("route: [{destination: {host: helloworld, subset: v1}}]");
    assert!(found(&all(&[&outside("myapp.com", "host: helloworld, subset: v2"), &inside])).is_empty());
    // Another service; the same short name in another namespace.
    assert!(found(&all(&[&outside("myapp.com", "host: frontend"), &inside])).is_empty());
    let elsewhere =
        outside("myapp.com", "host: helloworld").replace("namespace: default", "namespace: other");
    assert!(found(&all(&[&elsewhere, &inside])).is_empty());
    // The other one is for the gateway itself, or for another one.
    let at_gateway = inside.replace("http:", "gateways: [gw]\n  http:");
    assert!(found(&all(&[&outside("myapp.com", "host: helloworld"), &at_gateway])).is_empty());
}

#[test]
fn nothing_is_lost() {
    let plain = inside("route: [{destination: {host: helloworld}}]");
    assert!(found(&all(&[&outside("myapp.com", "host: helloworld"), &plain])).is_empty());
    let timeout = inside("timeout: 5s\n  route: [{destination: {host: helloworld}}]");
    let expected = ["gateway_ignores_mesh_routes possible VirtualService/default/myapp"];
    assert_eq!(found(&all(&[&outside("myapp.com", "host: helloworld"), &timeout])), expected);
}

#[test]
fn two_halves_of_a_path_through_an_egress_gateway() {
    let to_gateway = "hosts: [cnn.com]\nhttp:\n- route: [{destination: {host: egress.istio-system.svc.cluster.local, subset: cnn}}]";
    let onwards = "hosts: [cnn.com]\ngateways: [egress]\nhttp:\n- route: [{destination: {host: cnn.com}}]";
    let text = [("to-gateway", to_gateway), ("onwards", onwards)]
        .map(|(name, spec)| resource("VirtualService", "default", name, spec));
    assert!(found(&all(&[&text[0], &text[1]])).is_empty());
}

const PLAIN: &str = "- {port: {number: 8090, name: http, protocol: HTTP}, hosts: [myapp.com]}";

#[test]
fn only_where_a_gateway_has_the_host_and_the_routes() {
    let rules = all(&[
        &outside("myapp.com", "host: helloworld"),
        &inside("route: [{destination: {host: helloworld, subset: v1}}]"),
    ]);
    let here = "gateway_ignores_mesh_routes likely VirtualService/default/myapp";
    let at = |servers: &str| found(&all(&[&rules, &gateway("default", "gw", servers)]));
    assert_eq!(at(PLAIN), [here]);
    assert_eq!(at(&https("SIMPLE", "'*.com'")), [here]);
    assert_eq!(
        at(&https("SIMPLE", "other.com")),
        ["route_host_unknown certain VirtualService/default/myapp"]
    );
    let unread = ["no_filter_chain_for_sni certain VirtualService/default/myapp"];
    assert_eq!(at(&https("PASSTHROUGH", "'*'")), unread);
    assert_eq!(at(&https("SIMPLE", "'*'").replace("protocol: HTTPS", "protocol: TLS")), unread);
    assert!(at(&PLAIN.replace("]}", "], tls: {httpsRedirect: true}}")).is_empty());
    // A port that the Gateway doesn't have.
    let typo = rules.replacen("- route", "- match: [{port: 8091}]\n    route", 1);
    assert_eq!(
        found(&all(&[&typo, &gateway("default", "gw", PLAIN)])),
        ["route_host_unknown certain VirtualService/default/myapp"]
    );
}

#[test]
fn not_behind_a_gateway_that_does_not_exist() {
    let rules = all(&[
        &outside("myapp.com", "host: helloworld"),
        &inside("route: [{destination: {host: helloworld, subset: v1}}]"),
    ]);
    let unbound = "route_host_unknown likely VirtualService/default/myapp";
    assert_eq!(found(&all(&[&rules, &gateway("istio-system", "gw", PLAIN)])), [unbound]);
    assert!(found_in_all(&rules).iter().all(|line| !line.starts_with("gateway_")));
}

#[test]
fn only_the_hosts_that_get_there_are_named() {
    let text = all(&[
        &outside("lost.org, myapp.com", "host: helloworld"),
        &inside("route: [{destination: {host: helloworld, subset: v1}}]"),
        &gateway("default", "gw", PLAIN),
    ]);
    let checked = checked(&text, false);
    let mut findings = checked.findings.iter();
    let finding = findings.find(|one| one.cause.id() == "gateway_ignores_mesh_routes").unwrap();
    assert!(finding.what.contains(" for myapp.com go to "), "{finding:?}");
}
