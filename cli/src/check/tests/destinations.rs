//! Destinations that are reached in a way that they don't take.

use super::{all, found, found_in_all, gateway, resource};

fn to(destination: &str) -> String {
    let spec = format!(
        "hosts: [a.com]\ngateways: [gw]\nhttp: [{{route: [{{destination: {{host: web, {destination}}}}}]}}]"
    );
    resource("VirtualService", "default", "vs", &spec)
}

fn service(ports: &str) -> String {
    resource("Service", "default", "web", &format!("selector: {{app: web}}\nports: [{ports}]"))
}

#[test]
fn plain_http_to_a_tls_port() {
    let expected = ["upstream_expects_tls likely VirtualService/default/vs"];
    let (route, https) =
        (to("port: {number: 443}"), service("{port: 443, name: https}, {port: 80, name: http}"));
    assert_eq!(found(&all(&[&route, &https])), expected);
    assert!(found(&all(&[&to("port: {number: 80}"), &https])).is_empty());
    assert!(
        found(&all(&[&route, &service("{port: 443, name: http}")]))
            .iter()
            .all(|line| !line.starts_with("upstream_"))
    );
    let rule = |tls: &str| {
        resource("DestinationRule", "default", "web", &format!("host: web\ntrafficPolicy: {tls}"))
    };
    assert!(
        found(&all(&[&route, &service("{port: 443, name: https}"), &rule("{tls: {mode: SIMPLE}}")]))
            .is_empty()
    );
    let for_port = "{portLevelSettings: [{port: {number: 443}, tls: {mode: MUTUAL}}]}";
    assert!(found(&all(&[&route, &https, &rule(for_port)])).is_empty());
    assert_eq!(found(&all(&[&route, &https, &rule("{connectionPool: {}}")])), expected);
    // What TLS routes pass on is TLS.
    let passed = route.replace("http: [{route", "tls: [{match: [{sniHosts: [a.com]}], route");
    assert!(found(&all(&[&passed, &https])).is_empty());
}

#[test]
fn no_port_of_several() {
    let gw = |port: u16| {
        gateway(
            "default",
            "gw",
            &format!("- {{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ['*']}}"),
        )
    };
    let several = service("{port: 8080, name: http}, {port: 9090, name: http-metrics}");
    let expected = ["cluster_missing certain VirtualService/default/vs"];
    assert_eq!(found(&all(&[&to(""), &several, &gw(80)])), expected);
    assert!(found(&all(&[&to(""), &several, &gw(8080)])).is_empty());
    assert!(found(&all(&[&to("port: {number: 8080}"), &several, &gw(80)])).is_empty());
    assert!(found(&all(&[&to(""), &service("{port: 8080, name: http}"), &gw(80)])).is_empty());
    assert!(found(&all(&[&to(""), &several])).is_empty());
    // In sidecars the port is the client's.
    assert!(
        found_in_all(&all(&[&to("").replace("gateways: [gw]", ""), &several]))
            .iter()
            .all(|line| !line.starts_with("cluster"))
    );
}

#[test]
fn copies() {
    let rule = resource(
        "DestinationRule",
        "default",
        "web",
        "host: web\nsubsets: [{name: v1, labels: {version: v1}}]",
    );
    let mirror = |subset: &str| {
        let spec = format!(
            "hosts: [web]\nhttp: [{{route: [{{destination: {{host: web, subset: v1}}}}], mirror: {{host: web, subset: {subset}}}}}]"
        );
        resource("VirtualService", "default", "vs", &spec)
    };
    assert_eq!(found(&all(&[&rule, &mirror("v2")])), ["cluster_missing likely VirtualService/default/vs"]);
    assert!(found(&all(&[&rule, &mirror("v1")])).is_empty());
    let several = mirror("v2")
        .replace("mirror: {host: web, subset: v2}", "mirrors: [{destination: {host: web, subset: v2}}]");
    // Nothing fails: not even what is known for sure is certain to be noticed.
    let of_all = found_in_all(&all(&[&rule, &several]));
    assert!(of_all.contains(&"cluster_missing likely VirtualService/default/vs".to_owned()), "{of_all:?}");
}

/// Where no server of the gateway looks at the rule, its number is none.
#[test]
fn no_port_where_no_server_applies_the_rule() {
    let several = service("{port: 8080, name: http}, {port: 9090, name: metrics}");
    let with = |server: &str, rules: &str| {
        let found = found(&all(&[rules, &several, &gateway("default", "gw", server)]));
        found.iter().filter(|line| line.starts_with("cluster_missing")).count()
    };
    let rules = to("");
    let http = "- {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}";
    assert_eq!(with(http, &rules), 1);
    assert_eq!(with(&http.replace("hosts", "tls: {httpsRedirect: true}, hosts"), &rules), 0);
    assert_eq!(with(&http.replace("'*'", "b.com"), &rules), 0);
    assert_eq!(with(&http.replace("80", "8080"), &rules), 0, "a port of the service");
    assert_eq!(with(&http.replace("HTTP", "TCP"), &rules), 0);
    let on = |port: u16| rules.replace("{route", &format!("{{match: [{{port: {port}}}], route"));
    assert_eq!((with(http, &on(80)), with(http, &on(81))), (1, 0));
}
