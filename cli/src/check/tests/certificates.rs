//! One certificate on several Gateways.

use super::{all, found, gateway, https, resource};

const NAMED: [&str; 1] = ["connection_reused_across_gateways likely Gateway/default/two"];

fn pair(one: &str, two: &str) -> String {
    all(&[&gateway("default", "one", one), &gateway("default", "two", two)])
}

fn bound(name: &str, host: &str, gateways: &str) -> String {
    let spec =
        format!("hosts: [{host}]\ngateways: [{gateways}]\nhttp:\n- route: [{{destination: {{host: a}}}}]");
    resource("VirtualService", "default", name, &spec)
}

#[test]
fn hosts_apart() {
    let text = pair(&https("SIMPLE", "a.test.com"), &https("SIMPLE", "b.test.com"));
    assert_eq!(found(&text), NAMED);
    let routed = all(&[&text, &bound("a", "a.test.com", "one"), &bound("b", "b.test.com", "two")]);
    assert_eq!(found(&routed), NAMED);
    let files = text.replace("credentialName: cert", "serverCertificate: /etc/certs/tls.crt, privateKey: /k");
    assert_eq!(found(&files), NAMED);
}

#[test]
fn a_wildcard_and_one_of_its_hosts() {
    let text = pair(&https("SIMPLE", "'*.test.com'"), &https("SIMPLE", "b.test.com"));
    assert_eq!(
        found(&all(&[&text, &bound("a", "a.test.com", "one"), &bound("b", "b.test.com", "two")])),
        NAMED
    );
}

#[test]
fn servers_of_one_gateway() {
    let servers = format!("{}\n{}", https("SIMPLE", "a.test.com"), https("SIMPLE", "b.test.com"));
    let expected = ["connection_reused_across_gateways likely Gateway/default/gw"];
    assert_eq!(found(&gateway("default", "gw", &servers)), expected);
}

#[test]
fn nothing_shared() {
    let (a, b) = (https("SIMPLE", "a.test.com"), https("SIMPLE", "b.test.com"));
    // Another certificate, port, or pods; nothing terminated.
    assert!(found(&pair(&a, &b.replace("cert", "other"))).is_empty());
    assert!(found(&pair(&a, &b.replace("443", "8443"))).is_empty());
    assert!(found(&pair(&a, &b).replacen("ingressgateway", "other", 1)).is_empty());
    let passthrough = |host| https("PASSTHROUGH", host);
    assert!(found(&pair(&passthrough("a.test.com"), &passthrough("b.test.com"))).is_empty());
}

#[test]
fn every_host_has_a_route_everywhere() {
    // One wildcard Gateway with two VirtualServices is the page's remedy.
    let text = gateway("default", "gw", &https("SIMPLE", "'*.test.com'"));
    assert!(
        found(&all(&[&text, &bound("a", "a.test.com", "gw"), &bound("b", "b.test.com", "gw")])).is_empty()
    );
    let same = pair(&https("SIMPLE", "'*.test.com'"), &https("SIMPLE", "'*.test.com'"));
    // Of two that are alike Istio takes one: nobody meets the other's certificate.
    assert_eq!(found(&same), ["route_host_unknown likely Gateway/default/two"]);
}

#[test]
fn pods_that_only_may_be_the_same() {
    let text = pair(&https("SIMPLE", "a.test.com"), &https("SIMPLE", "b.test.com"));
    let text = text.replacen("{istio: ingressgateway}", "{istio: ingressgateway, zone: a}", 1);
    assert_eq!(found(&text), ["connection_reused_across_gateways possible Gateway/default/two"]);
}

#[test]
fn servers_that_no_connection_is_shared_by() {
    let (a, b) = (https("SIMPLE", "a.test.com"), https("SIMPLE", "b.test.com"));
    let elsewhere = b.replace("}, hosts", "}, bind: 127.0.0.1, hosts");
    assert!(found(&pair(&a, &elsewhere)).is_empty());
    // Of many, some are named.
    let many: Vec<String> = (0..9).map(|n| https("SIMPLE", &format!("h{n}.test.com"))).collect();
    let text = gateway("default", "gw", &many.join("\n"));
    let checked = super::checked(&text, false);
    let what = &checked.findings[0].what;
    assert!(
        what.starts_with("9 servers") && what.contains("h5.test.com; ...") && !what.contains("h6"),
        "{what}"
    );
}
