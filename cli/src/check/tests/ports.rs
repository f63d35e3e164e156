//! What ports are declared to speak, and TLS that is made twice.

use super::{all, dump, found, found_in_all, resource};

fn entry(ports: &str) -> String {
    resource(
        "ServiceEntry",
        "default",
        "httpbin",
        &format!("hosts: [httpbin.org]\nresolution: DNS\nports: [{ports}]"),
    )
}

fn service(ports: &str) -> String {
    resource("Service", "default", "web", &format!("selector: {{app: web}}\nports: [{ports}]"))
}

fn originates(spec: &str) -> String {
    resource(
        "DestinationRule",
        "default",
        "originate",
        &format!("host: httpbin.org\ntrafficPolicy: {{{spec}}}"),
    )
}

fn routes(host: &str, destination: &str) -> String {
    let spec = format!("hosts: [{host}]\nhttp:\n- route: [{{destination: {{{destination}}}}}]");
    resource("VirtualService", "default", "routes", &spec)
}

const SIMPLE: &str = "tls: {mode: SIMPLE}";

#[test]
fn https_declared_as_http() {
    let expected = ["tls_on_plaintext_port likely ServiceEntry/default/httpbin"];
    for port in [
        "{number: 443, name: http, protocol: HTTP}",
        "{number: 443, name: x, protocol: grpc}",
        "{number: 443, name: http, protocol: HTTP, targetPort: 9102}",
        "{number: 1234, name: https, protocol: HTTP}",
    ] {
        assert_eq!(found(&entry(port)), expected, "{port}");
    }
    let expected = ["tls_on_plaintext_port likely Service/default/web"];
    for port in [
        "{port: 443, name: http}",
        "{port: 443, name: web, appProtocol: http}",
        "{port: 443, name: http-web, targetPort: 8443}",
    ] {
        assert_eq!(found(&service(port)), expected, "{port}");
    }
    assert_eq!(
        found(&service("{port: 443, name: http, targetPort: 9102}")),
        ["tls_on_plaintext_port possible Service/default/web"]
    );
    assert_eq!(
        found(&entry("{number: 8443, name: http, protocol: HTTP}")),
        ["tls_on_plaintext_port possible ServiceEntry/default/httpbin"]
    );
}

#[test]
fn https_declared_as_such_or_not_at_all() {
    for port in [
        "{number: 443, name: https, protocol: HTTPS}",
        "{number: 443, name: tls, protocol: TLS}",
        "{number: 443, name: tcp, protocol: TCP}",
        "{number: 80, name: http, protocol: HTTP}",
        "{number: 80, name: http, protocol: HTTP, targetPort: 443}",
        "{number: 443, name: http, protocol: HTTP, targetPort: 80}",
        "{number: 8443, name: http, protocol: HTTP, targetPort: 9102}",
    ] {
        assert!(found(&entry(port)).is_empty(), "{port}");
    }
    for port in [
        "{port: 443}",
        "{port: 443, name: web}",
        "{port: 443, name: https}",
        "{port: 443, name: http, targetPort: 8080}",
        "{port: 443, name: http, targetPort: web}",
        "{port: 443, name: http, protocol: UDP}",
    ] {
        assert!(found(&service(port)).is_empty(), "{port}");
    }
    // A load balancer in front terminates TLS and sends plain text on.
    let behind = service("{port: 443, name: http}").replace("selector", "type: LoadBalancer\n  selector");
    assert!(found(&behind).is_empty());
}

#[test]
fn http_on_443_with_tls_origination_is_the_remedy_of_double_tls() {
    let http = entry("{number: 443, name: http, protocol: HTTP}");
    assert!(found(&all(&[&http, &originates(SIMPLE)])).is_empty());
    let port = "portLevelSettings: [{port: {number: 443}, tls: {mode: MUTUAL}}]";
    assert!(found(&all(&[&http, &originates(port)])).is_empty());
    let target = entry("{number: 443, name: http, protocol: HTTP, targetPort: 9102}");
    assert!(found(&all(&[&target, &originates(SIMPLE)])).is_empty());
    assert!(found(&all(&[&target, &routes("httpbin.org", "host: httpbin.org")])).is_empty());
    // For another port, or mesh TLS: no origination here.
    let other = "portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]";
    assert_eq!(found(&all(&[&http, &originates(other)])).len(), 1);
}

#[test]
fn double_tls() {
    let https = entry("{number: 443, name: https, protocol: HTTPS}");
    let likely = ["double_tls likely DestinationRule/default/originate"];
    for policy in
        [SIMPLE, "tls: {mode: MUTUAL}", "portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]"]
    {
        assert_eq!(found(&all(&[&https, &originates(policy)])), likely, "{policy}");
        assert_eq!(found_in_all(&all(&[&https, &originates(policy)])), likely, "{policy}");
    }
    let wildcard = originates(SIMPLE).replace("host: httpbin.org", "host: '*.org'");
    assert_eq!(found(&all(&[&https, &wildcard])), likely);
    let other = routes("other.com", "host: httpbin.org, port: {number: 443}")
        .replace("http:", "tls:")
        .replace("- route", "- match: [{sniHosts: [other.com]}]\n    route");
    assert_eq!(found(&dump(&[&https, &originates(SIMPLE), &other])), likely);
}

#[test]
fn tls_once() {
    let https = entry("{number: 443, name: https, protocol: HTTPS}");
    for policy in [
        "tls: {mode: DISABLE}",
        "tls: {mode: ISTIO_MUTUAL}",
        "loadBalancer: {simple: RANDOM}",
        // A port's own settings replace the general ones, TLS included.
        "tls: {mode: SIMPLE}, portLevelSettings: [{port: {number: 443}, loadBalancer: {simple: RANDOM}}]",
        "portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]",
    ] {
        assert!(found(&all(&[&https, &originates(policy)])).is_empty(), "{policy}");
    }
    // The more specific rule wins.
    let general = originates(SIMPLE)
        .replace("host: httpbin.org", "host: '*.org'")
        .replace("name: originate", "name: general");
    assert!(found(&all(&[&https, &general, &originates("tls: {mode: DISABLE}")])).is_empty());
    // A rule for a namespace whose Sidecar doesn't let the host in.
    let elsewhere = originates(SIMPLE).replace("namespace: default", "namespace: other");
    let sidecar = resource("Sidecar", "other", "default", "egress: [{hosts: ['./*', 'istio-system/*']}]");
    assert_eq!(found(&all(&[&https, &elsewhere])).len(), 1);
    assert!(found(&all(&[&https, &elsewhere, &sidecar])).is_empty());
}

#[test]
fn plain_http_that_a_rule_sends_to_the_tls_port_is_encrypted_once() {
    let https =
        entry("{number: 80, name: http, protocol: HTTP}, {number: 443, name: https, protocol: HTTPS}");
    let onwards = routes("httpbin.org", "host: httpbin.org, port: {number: 443}");
    assert!(found_in_all(&all(&[&https, &originates(SIMPLE), &onwards])).is_empty());
    let tls = onwards
        .replace("http:\n", "tls:\n")
        .replace("- route", "- match: [{sniHosts: [httpbin.org]}]\n    route");
    assert_eq!(
        found_in_all(&all(&[&https, &originates(SIMPLE), &tls])),
        ["double_tls likely DestinationRule/default/originate"]
    );
    // A Kubernetes service with HTTPS may be what a gateway outside these files encrypts for.
    let inside = service("{port: 443, name: https}");
    let rule = originates(SIMPLE).replace("httpbin.org", "web");
    assert!(found(&all(&[&inside, &rule])).is_empty());
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {rules: [{backendRefs: [{name: web, port: 443}]}]}";
    assert!(found_in_all(&all(&[&inside, &rule, route])).is_empty());
    assert_eq!(
        found_in_all(&all(&[&inside, &rule])),
        ["double_tls likely DestinationRule/default/originate"]
    );
}

#[test]
fn http_rules_for_a_tcp_port() {
    let rules = routes("web", "host: web");
    for port in [
        "{port: 80, name: tcp-web}",
        "{port: 80, name: http, appProtocol: tcp}",
        "{port: 3306}",
        "{port: 80, name: redis}",
    ] {
        let named = found(&all(&[&service(port), &rules]));
        assert_eq!(named, ["http_treated_as_tcp certain Service/default/web"], "{port}");
    }
    // Another ServiceEntry for the host may have a port for HTTP.
    let of_entry =
        all(&[&entry("{number: 80, name: tcp, protocol: TCP}"), &routes("httpbin.org", "host: httpbin.org")]);
    assert_eq!(found(&of_entry), ["http_treated_as_tcp likely ServiceEntry/default/httpbin"]);
    assert_eq!(found_in_all(&of_entry), ["http_treated_as_tcp certain ServiceEntry/default/httpbin"]);
    for port in ["{port: 80}", "{port: 80, name: web}", "{port: 80, name: web-http}"] {
        let named = found(&all(&[&service(port), &rules]));
        assert_eq!(named, ["http_treated_as_tcp possible Service/default/web"], "{port}");
    }
}

#[test]
fn http_rules_for_an_http_port() {
    let rules = routes("web", "host: web");
    for port in [
        "{port: 80, name: http}",
        "{port: 80, name: grpc-web}",
        "{port: 80, name: x, appProtocol: http2}",
        "{port: 80, name: x, appProtocol: kubernetes.io/h2c}",
        "{port: 80, name: http}, {port: 90, name: tcp}",
        "{port: 53, name: dns, protocol: UDP}",
    ] {
        assert!(found(&all(&[&service(port), &rules])).is_empty(), "{port}");
    }
    let tcp = service("{port: 80, name: tcp-web}");
    // At a gateway the gateway's port decides; TCP rules are for TCP.
    let at_gateway = rules.replace("http:", "gateways: [gw]\n  http:");
    assert!(found(&all(&[&tcp, &at_gateway])).is_empty());
    let tcp_rules = rules.replace("http:\n", "tcp:\n");
    assert!(found(&all(&[&tcp, &tcp_rules])).is_empty());
    assert!(
        found(&all(&[&tcp.replace("namespace: default", "namespace: other"), &rules]))
            .iter()
            .all(|line| !line.starts_with("http_"))
    );
}

/// A rule that sends to the port of an entry with a pattern, by one of its names.
#[test]
fn rules_that_send_to_a_pattern() {
    let entry = resource(
        "ServiceEntry",
        "default",
        "wild",
        "hosts: ['*.example.com']\nports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: https, protocol: HTTPS}]",
    );
    let rule = originates(SIMPLE).replace("httpbin.org", "'*.example.com'");
    let double = ["double_tls likely DestinationRule/default/originate"];
    let with = |rules: &str| found(&all(&[&entry, &rule, rules]));
    assert_eq!(found(&all(&[&entry, &rule])), double);
    assert!(with(&routes("a.example.com", "host: a.example.com, port: {number: 443}")).is_empty());
    assert_eq!(with(&routes("a.example.com", "host: a.example.com, port: {number: 80}")), double);
    assert_eq!(with(&routes("a.example.org", "host: a.example.org, port: {number: 443}")), double);
    // Without a number it is the client's port, of which 443 may be one.
    assert!(with(&routes("a.example.com", "host: a.example.com")).is_empty());
    let other = entry.replace("number: 443", "number: 8443");
    assert_eq!(found(&all(&[&other, &rule, &routes("a.example.com", "host: a.example.com")])), double);
    let only = other.replace("{number: 80, name: http, protocol: HTTP}, ", "");
    assert!(found(&all(&[&only, &rule, &routes("a.example.com", "host: a.example.com")])).is_empty());
}
