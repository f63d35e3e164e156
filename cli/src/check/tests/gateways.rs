//! Gateways without pods, ports or certificates, and those that get into each other's way.

use super::{all, found, found_in_all, gateway, https, resource};

const PLAIN: &str = "- {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}";

fn pods(namespace: &str, labels: &str, container: &str) -> String {
    let spec = format!(
        "template:\n  metadata: {{labels: {{{labels}}}}}\n  spec: {{containers: [{{name: {container}, ports: [{{name: web, containerPort: 8080}}]}}]}}"
    );
    resource("Deployment", namespace, "ingress", &spec)
}

fn service(ports: &str) -> String {
    resource(
        "Service",
        "istio-system",
        "ingress",
        &format!("selector: {{istio: ingressgateway}}\nports: [{ports}]"),
    )
}

#[test]
fn selectors() {
    let gw = gateway("default", "gw", PLAIN);
    let likely = ["route_host_unknown likely Gateway/default/gw"];
    // What Helm's chart calls its pods, and what istioctl's manifests do.
    assert_eq!(found(&all(&[&gw, &pods("edge", "istio: ingress", "istio-proxy")])), likely);
    assert!(found(&all(&[&gw, &pods("edge", "istio: ingressgateway", "istio-proxy")])).is_empty());
    // Another gateway's pods, or an application's, say nothing of these.
    assert!(found(&all(&[&gw, &pods("edge", "istio: egressgateway", "istio-proxy")])).is_empty());
    assert!(found(&all(&[&gw, &pods("edge", "istio: ingress", "app")])).is_empty());
    assert!(found(&gw).is_empty() && found_in_all(&gw).is_empty());
    let certain = ["route_host_unknown certain Gateway/default/gw"];
    assert_eq!(found_in_all(&all(&[&gw, &pods("edge", "app: web", "app")])), certain);
    // What the operator or istiod itself deploys is in no YAML.
    for maker in [
        "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: x, namespace: istio-system}\nspec: {}",
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: x, namespace: edge}\nspec: {listeners: []}",
    ] {
        assert!(found_in_all(&all(&[&gw, &pods("edge", "app: web", "app"), maker])).is_empty(), "{maker}");
    }
    let passthrough = gateway("default", "gw", &https("PASSTHROUGH", "a.com"));
    let text = all(&[&passthrough, &pods("edge", "istio: ingress", "istio-proxy")]);
    assert_eq!(found(&text), ["no_filter_chain_for_sni likely Gateway/default/gw"]);
}

#[test]
fn ports() {
    let gw = |port: &str| gateway("default", "gw", &PLAIN.replace("80", port));
    let at = |port: &str, ports: &str| found(&all(&[&gw(port), &service(ports)]));
    let node = "{port: 80, targetPort: 8080, nodePort: 31380}";
    assert_eq!(at("31380", node), ["route_host_unknown likely Gateway/default/gw"]);
    assert_eq!(at("81", node), ["route_host_unknown possible Gateway/default/gw"]);
    // The Service's port, and that of the pods, as a number or by name.
    assert!(at("80", node).is_empty() && at("8080", node).is_empty());
    assert!(at("81", "{port: 80, targetPort: web}").is_empty(), "the number of web is not known");
    let named = service("{port: 80, targetPort: web}");
    let ours = pods("istio-system", "istio: ingressgateway", "istio-proxy");
    assert!(found(&all(&[&gw("8080"), &named, &ours])).is_empty());
    assert_eq!(found(&all(&[&gw("81"), &named, &ours])), ["route_host_unknown possible Gateway/default/gw"]);
    // Reached on the node itself.
    let on_node = ours.replace("containerPort: 8080", "containerPort: 8080, hostPort: 81");
    assert!(found(&all(&[&gw("81"), &named, &on_node])).is_empty());
}

#[test]
fn certificates() {
    let gw = gateway("web", "gw", &https("SIMPLE", "a.com"));
    let secret = |namespace: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: cert, namespace: {namespace}}}\ntype: kubernetes.io/tls"
        )
    };
    let ours = pods("edge", "istio: ingressgateway", "istio-proxy");
    let expected = ["no_filter_chain_for_sni likely Gateway/web/gw"];
    assert_eq!(found(&all(&[&gw, &secret("web"), &ours])), expected);
    assert!(found(&all(&[&gw, &secret("edge"), &ours])).is_empty());
    assert!(found(&all(&[&gw, &secret("edge"), &secret("web"), &ours])).is_empty());
    // Where the pods run, or the Secret is, isn't known.
    assert!(found(&all(&[&gw, &secret("web")])).is_empty());
    assert!(found(&all(&[&gw, &ours])).is_empty());
    assert_eq!(
        found_in_all(&all(&[&gw, &secret("web"), &ours])),
        ["no_filter_chain_for_sni certain Gateway/web/gw"]
    );
    // What its controller makes a Secret of.
    let made = |version: &str, kind: &str, name: &str, spec: &str| {
        format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: edge}}\nspec: {{{spec}}}"
        )
    };
    for made in [
        made("cert-manager.io/v1", "Certificate", "a-com", "secretName: cert"),
        made("bitnami.com/v1alpha1", "SealedSecret", "cert", "encryptedData: {}"),
        made("external-secrets.io/v1", "ExternalSecret", "a-com", "target: {name: cert}"),
        made("external-secrets.io/v1", "ExternalSecret", "cert", "data: []"),
    ] {
        assert!(found_in_all(&all(&[&gw, &secret("web"), &made, &ours])).is_empty(), "{made}");
        let elsewhere = made.replace("namespace: edge", "namespace: web");
        assert_eq!(found(&all(&[&gw, &elsewhere, &ours])), expected, "{elsewhere}");
    }
    let other = made("cert-manager.io/v1", "Certificate", "cert", "secretName: other");
    assert_eq!(found(&all(&[&gw, &secret("web"), &other, &ours])), expected);
    let passthrough = gateway("web", "gw", &https("PASSTHROUGH", "a.com"));
    assert!(found(&all(&[&passthrough, &secret("web"), &ours])).is_empty());
}

#[test]
fn rivals() {
    let pair = |one: &str, two: &str| found(&all(&[&gateway("a", "one", one), &gateway("b", "two", two)]));
    let expected = ["route_host_unknown likely Gateway/b/two"];
    let tls = https("SIMPLE", "a.com");
    assert_eq!(pair(&tls, &tls.replace("cert", "other")), expected);
    assert_eq!(pair(&PLAIN.replace("80", "8443"), &tls.replace("443", "8443")), expected);
    // Other hosts, another port or address, plain HTTP, other pods, hosts of different namespaces.
    assert!(pair(&tls, &https("SIMPLE", "b.com").replace("cert", "other")).is_empty());
    assert!(pair(&tls, &tls.replace("443", "8443")).is_empty());
    assert!(pair(&tls, &tls.replace("}, hosts", "}, bind: 127.0.0.1, hosts")).is_empty());
    assert!(pair(PLAIN, PLAIN).is_empty());
    let others = gateway("b", "two", &tls).replace("ingressgateway", "other");
    assert!(found(&all(&[&gateway("a", "one", &tls), &others])).is_empty());
    let (one, two) = (https("SIMPLE", "x/a.com"), https("SIMPLE", "y/a.com").replace("cert", "other"));
    assert!(pair(&one, &two).is_empty());
}

#[test]
fn rivals_that_may_have_different_pods() {
    let tls = https("SIMPLE", "a.com");
    let narrower = |servers: &str| {
        gateway("b", "two", servers).replace("{istio: ingressgateway}", "{istio: ingressgateway, zone: a}")
    };
    let possible = ["route_host_unknown possible Gateway/b/two"];
    assert_eq!(
        found(&all(&[&gateway("a", "one", &tls), &narrower(&tls.replace("cert", "other"))])),
        possible
    );
    let plain = PLAIN.replace("80", "443").replace("'*'", "a.com");
    let mixed = found(&all(&[&gateway("a", "one", &plain), &narrower(&tls)]));
    assert!(mixed.contains(&possible[0].to_owned()), "{mixed:?}");
    let (one, two) =
        (https("SIMPLE", "a.com, b.com"), https("SIMPLE", "c.com, b.com").replace("cert", "other"));
    let named =
        super::checked(&all(&[&gateway("a", "one", &one), &gateway("b", "two", &two)]), false).findings;
    assert!(named[0].what.contains("the same host (b.com)"), "{named:?}");
}

#[test]
fn services_of_other_pods() {
    let gw = gateway("default", "gw", &PLAIN.replace("80", "81"));
    let ours = pods("istio-system", "istio: ingressgateway", "istio-proxy");
    let port = "{port: 80, targetPort: 8080}";
    let possible = ["route_host_unknown possible Gateway/default/gw"];
    assert_eq!(found(&all(&[&gw, &service(port), &ours])), possible);
    for apart in [
        service(port).replace("namespace: istio-system", "namespace: other"),
        service(port).replace("istio: ingressgateway", "istio: ingressgateway, zone: a"),
        service(port).replace("selector: {istio: ingressgateway}", "selector: {}"),
    ] {
        assert!(found(&all(&[&gw, &apart, &ours])).iter().all(|line| !line.starts_with("route")), "{apart}");
    }
}

#[test]
fn certificates_that_are_not_read_from_secrets_of_the_namespace() {
    let elsewhere = gateway("web", "gw", &https("SIMPLE", "a.com"))
        .replace("credentialName: cert", "credentialName: 'kubernetes-gateway://web/cert'");
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: 'kubernetes-gateway://web/cert', namespace: web}\ntype: kubernetes.io/tls";
    assert!(
        found(&all(&[&elsewhere, secret, &pods("edge", "istio: ingressgateway", "istio-proxy")])).is_empty()
    );
}
