//! What proxies don't see.

use super::{all, found, gateway, resource};

const SERVER: &str = "- {port: {number: 80, name: http, protocol: HTTP}, hosts: [a.com]}";

fn rules(namespace: &str, spec: &str) -> String {
    resource(
        "VirtualService",
        namespace,
        "vs",
        &format!("{spec}\nhttp: [{{route: [{{destination: {{host: web.prod.svc.cluster.local}}}}]}}]"),
    )
}

/// The pods of the gateway in its own namespace.
fn ingress_pods() -> String {
    resource(
        "Deployment",
        "edge",
        "ingress",
        "template: {metadata: {labels: {istio: ingressgateway}}, spec: {containers: [{name: istio-proxy}]}}",
    )
}

fn service(namespace: &str, name: &str) -> String {
    resource(
        "Service",
        namespace,
        name,
        &format!("selector: {{app: {name}}}\nports: [{{port: 80, name: http}}]"),
    )
}

#[test]
fn a_public_host_without_gateways() {
    let gw = gateway("edge", "gw", SERVER);
    let inside = rules("default", "hosts: [a.com]");
    let expected = ["route_host_unknown likely VirtualService/default/vs"];
    assert_eq!(found(&all(&[&gw, &inside])), expected);
    // Another VirtualService is bound to the gateway, the Gateway takes any host, or the host is one of the mesh.
    let bound = resource(
        "VirtualService",
        "default",
        "at-gateway",
        "hosts: [a.com]\ngateways: [edge/gw]\nhttp: [{route: [{destination: {host: web}}]}]",
    );
    assert!(found(&all(&[&gw, &inside, &bound])).is_empty());
    assert!(found(&all(&[&gw.replace("a.com", "'*'"), &inside])).is_empty());
    let entry = resource(
        "ServiceEntry",
        "default",
        "a",
        "hosts: [a.com]\nports: [{number: 80, name: http, protocol: HTTP}]",
    );
    assert!(found(&all(&[&gw, &inside, &entry])).is_empty());
    assert!(found(&all(&[&gw, &rules("default", "hosts: [b.com]")])).is_empty());
    assert!(found(&inside).is_empty());
}

#[test]
fn export_to_leaves_the_gateway_out() {
    let gw = gateway("edge", "gw", SERVER);
    let pods = ingress_pods();
    let bound = |export: &str| rules("default", &format!("hosts: [a.com]\ngateways: [edge/gw]\n{export}"));
    let expected = ["route_host_unknown likely VirtualService/default/vs"];
    assert_eq!(found(&all(&[&gw, &pods, &bound("exportTo: ['.']")])), expected);
    for export in ["exportTo: ['*']", "exportTo: ['.', edge]", ""] {
        assert!(found(&all(&[&gw, &pods, &bound(export)])).is_empty(), "{export}");
    }
    assert!(found(&all(&[&gw, &bound("exportTo: ['.']")])).is_empty(), "where the pods run is not known");
}

#[test]
fn a_sidecar_hides_a_service_of_its_own_namespace() {
    let hidden = |hosts: &str| {
        let sidecar = resource("Sidecar", "prod", "default", &format!("egress: [{{hosts: [{hosts}]}}]"));
        found(&all(&[&sidecar, &service("prod", "web"), &rules("prod", "hosts: [web]")]))
    };
    assert_eq!(hidden("'istio-system/*'"), ["traffic_bypasses_mesh likely VirtualService/prod/vs"]);
    for hosts in ["'./*'", "'*/*'", "'prod/web.prod.svc.cluster.local'"] {
        assert!(hidden(hosts).is_empty(), "{hosts}");
    }
}

#[test]
fn a_subset_in_a_namespace_where_nobody_looks() {
    let rule = |namespace: &str| {
        let spec = "host: web.prod.svc.cluster.local\nsubsets: [{name: v1, labels: {version: v1}}]";
        resource("DestinationRule", namespace, "web", spec)
    };
    let uses = rules("prod", "hosts: [web]").replace("cluster.local}", "cluster.local, subset: v1}");
    let at = |namespace: &str| found(&all(&[&service("prod", "web"), &uses, &rule(namespace)]));
    assert_eq!(at("config"), ["cluster_missing likely VirtualService/prod/vs"]);
    assert!(at("prod").is_empty() && at("istio-system").is_empty());
    assert!(found(&all(&[&service("prod", "web"), &uses, &rule("config"), &rule("prod")])).is_empty());
    // Clients of the VirtualService's own namespace look there.
    let theirs = uses.replace("namespace: prod", "namespace: config");
    assert!(found(&all(&[&service("prod", "web"), &theirs, &rule("config")])).is_empty());
}

#[test]
fn pods_of_a_gateway_in_several_namespaces() {
    let gw = gateway("edge", "gw", SERVER);
    let pods = |namespace: &str| {
        let spec = "template: {metadata: {labels: {istio: ingressgateway}}, spec: {containers: [{name: istio-proxy}]}}";
        resource("Deployment", namespace, "ingress", spec)
    };
    let bound = rules("default", "hosts: [a.com]\ngateways: [edge/gw]\nexportTo: ['.']");
    assert_eq!(found(&all(&[&gw, &pods("edge"), &pods("dmz"), &bound])).len(), 1);
    for (one, two) in [("edge", "default"), ("default", "edge")] {
        assert!(found(&all(&[&gw, &pods(one), &pods(two), &bound])).is_empty(), "{one} {two}");
    }
}

#[test]
fn a_subset_that_the_gateways_pods_find() {
    let rule = resource(
        "DestinationRule",
        "edge",
        "web",
        "host: web.prod.svc.cluster.local\nsubsets: [{name: v1, labels: {version: v1}}]",
    );
    let uses = rules("prod", "hosts: [a.com]\ngateways: [edge/gw]")
        .replace("cluster.local}", "cluster.local, subset: v1}");
    let gw = gateway("edge", "gw", SERVER);
    let with =
        |more: &[&str]| found(&all(&[&[service("prod", "web").as_str(), &uses, &rule, &gw], more].concat()));
    assert_eq!(with(&[]), ["cluster_missing possible VirtualService/prod/vs"]);
    let pods = |namespace: &str| {
        let spec = "template: {metadata: {labels: {istio: ingressgateway}}, spec: {containers: [{name: istio-proxy}]}}";
        resource("Deployment", namespace, "ingress", spec)
    };
    assert!(with(&[&pods("edge")]).is_empty());
    assert_eq!(with(&[&pods("dmz")]), ["cluster_missing possible VirtualService/prod/vs"]);
}

#[test]
fn who_sees_what() {
    let gw = gateway("edge", "gw", SERVER);
    let pods = ingress_pods();
    let bound = |export: &str| {
        rules("default", &format!("hosts: [a.com]\ngateways: [edge/gw]\nexportTo: [{export}]"))
    };
    for (export, hidden) in [("'~'", true), ("other", true), ("edge", false), ("'*', '.'", false)] {
        assert_eq!(!found(&all(&[&gw, &pods, &bound(export)])).is_empty(), hidden, "{export}");
    }
    // Exported to its own namespace, where the gateway runs.
    let own = bound("'.'").replace("namespace: default", "namespace: edge");
    assert!(found(&all(&[&gw, &pods, &own])).is_empty());
}
