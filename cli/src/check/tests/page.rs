//! Every example of Istio's page, as it is printed there: what is broken is named, what is mended is not.

use std::fs;
use std::path::{Path, PathBuf};

use meshwhy::causes::manual::PageSection;

use super::{all, found};
use crate::check::{Given, Source, check};

/// A file of the page: its section, and what it is (`broken.yaml`).
fn file(section: PageSection, what: &str) -> String {
    let path = folder().join(format!("{}.{what}", section.anchor()));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The manifests, as the page prints them; its licence and origin are in the README there.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/istio-page")
}

/// A resource with its `spec` replaced where a fragment of the page says so: what a reader does.
fn mended(text: &str, kind: &str, change: impl Fn(&str) -> String) -> String {
    let of_kind = format!("kind: {kind}\n");
    let documents: Vec<_> = text
        .split("---\n")
        .map(|one| if one.contains(&of_kind) { change(one) } else { one.to_owned() })
        .collect();
    assert!(documents.iter().any(|one| one.contains(&of_kind)), "{text}");
    documents.join("\n---\n")
}

/// The text up to a line, and what a fragment has from another on.
fn spliced(text: &str, until: &str, fragment: &str, from: &str) -> String {
    let (head, _) = text.split_once(until).unwrap_or_else(|| panic!("no {until:?} in {text}"));
    let (_, tail) = fragment.split_once(from).unwrap_or_else(|| panic!("no {from:?} in {fragment}"));
    format!("{head}{from}{tail}")
}

#[test]
fn every_manifest_can_be_read() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let manifests: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    assert_eq!(manifests.len(), 15);
    for path in manifests {
        let text = fs::read_to_string(&path).unwrap();
        let checked = check(&[Source { name: "page".to_owned(), text }], Given::default());
        assert_eq!(checked.unreadable, [], "{}", path.display());
    }
}

#[test]
fn destination_rule_503() {
    let tls = file(PageSection::DestinationRule503, "fixed.yaml");
    let strict = "apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}";
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: helloworld}\nspec: {selector: {app: helloworld}, ports: [{port: 5000, name: http}]}";
    let mesh = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'enableAutoMtls: false'}";
    let rule = |spec: &str| {
        let spec = spec.replace('\n', "\n  ");
        format!(
            "apiVersion: networking.istio.io/v1beta1\nkind: DestinationRule\nmetadata: {{name: helloworld}}\nspec:\n  host: helloworld\n  {spec}"
        )
    };
    let forgotten = rule("subsets: [{name: v1, labels: {version: v1}}]");
    let named = ["destination_rule_tls_conflict likely DestinationRule/default/helloworld"];
    assert_eq!(found(&all(&[strict, service, mesh, &forgotten])), named);
    // The page's tip: not with automatic mutual TLS.
    assert!(found(&all(&[strict, service, &forgotten])).is_empty());
    assert!(found(&all(&[strict, service, mesh, &rule(&tls)])).is_empty());
    let disabled = rule(&tls.replace("ISTIO_MUTUAL", "DISABLE"));
    assert_eq!(found(&all(&[strict, service, &disabled])), named);
}

#[test]
fn gateway_route_rules() {
    let [broken, mesh, repeated, combined] =
        ["broken.yaml", "mesh-rule.yaml", "fixed.yaml", "fixed-combined.yaml"]
            .map(|what| file(PageSection::GatewayRouteRules, what));
    let named = ["gateway_ignores_mesh_routes likely VirtualService/default/myapp"];
    assert_eq!(found(&all(&[&broken, &mesh])), named);
    let testing = broken.replace("\"myapp.com\"", "\"*\"");
    assert_eq!(found(&all(&[&testing, &mesh])), named);
    assert!(found(&all(&[&repeated, &mesh])).is_empty());
    assert!(found(&combined).is_empty());
}

#[test]
fn https_to_an_http_port() {
    let [broken, fix] = ["broken.yaml", "fixed.yaml"].map(|what| file(PageSection::HttpsToHttpPort, what));
    assert_eq!(found(&broken), ["tls_on_plaintext_port likely ServiceEntry/default/httpbin"]);
    assert!(found(&spliced(&broken, "  ports:\n", &fix, "  ports:\n")).is_empty());
}

#[test]
fn gateway_with_tls_termination() {
    let [broken, fix] = ["broken.yaml", "fixed.yaml"].map(|what| file(PageSection::GatewayTermination, what));
    assert_eq!(found(&broken), ["gateway_without_http_routes certain VirtualService/default/httpbin"]);
    let fixed = mended(&broken, "VirtualService", |text| {
        let (_, route) = text.split_once("    route:\n").unwrap();
        format!("{}    route:\n{route}", spliced(text, "  tls:\n", &fix, "  http:\n"))
    });
    assert!(found(&fixed).is_empty(), "{fixed}");
}

#[test]
fn gateway_with_tls_passthrough() {
    let [broken, routes, termination] = ["broken.yaml", "fixed-tls-routes.yaml", "fixed-termination.yaml"]
        .map(|what| file(PageSection::GatewayPassthrough, what));
    assert_eq!(found(&broken), ["no_filter_chain_for_sni certain VirtualService/default/virtual-service"]);
    let fixed = mended(&broken, "VirtualService", |text| spliced(text, "  http:\n", &routes, "  tls:\n"));
    assert!(found(&fixed).is_empty(), "{fixed}");
    let fixed = mended(&broken, "Gateway", |text| spliced(text, "    tls:\n", &termination, "    tls:\n"));
    assert!(found(&fixed).is_empty(), "{fixed}");
}

#[test]
fn double_tls() {
    let [broken, http, target_port] = ["broken.yaml", "fixed-http-on-443.yaml", "fixed-http-on-80.yaml"]
        .map(|what| file(PageSection::DoubleTls, what));
    assert_eq!(found(&broken), ["double_tls likely DestinationRule/default/originate-tls"]);
    for fix in [http, target_port] {
        let fixed = mended(&broken, "ServiceEntry", |text| {
            format!("{}  resolution: DNS\n", spliced(text, "  hosts:\n", &fix, "  hosts:\n"))
        });
        assert!(found(&fixed).is_empty(), "{fixed}");
    }
    // The third way: the client's TLS alone.
    assert!(found(broken.split("---\n").next().unwrap()).is_empty());
}

/// The page describes these in words.
#[test]
fn gateways_with_the_same_certificate() {
    let gateway = |name: &str, host: &str| {
        format!(
            "apiVersion: networking.istio.io/v1beta1\nkind: Gateway\nmetadata: {{name: {name}}}\nspec:\n  selector: {{istio: \
             ingressgateway}}\n  servers:\n  - port: {{number: 443, name: https, protocol: HTTPS}}\n    hosts: ['{host}']\n    \
             tls: {{mode: SIMPLE, serverCertificate: /etc/istio/ingressgateway-certs/tls.crt, privateKey: /etc/key}}"
        )
    };
    let routes = |name: &str, host: &str, gateway: &str| {
        format!(
            "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata: {{name: {name}}}\nspec:\n  hosts: [{host}]\n  \
             gateways: [{gateway}]\n  http:\n  - route: [{{destination: {{host: {name}}}}}]"
        )
    };
    let broken = all(&[
        &gateway("gw1", "service1.test.com"),
        &gateway("gw2", "service2.test.com"),
        &routes("vs1", "service1.test.com", "gw1"),
        &routes("vs2", "service2.test.com", "gw2"),
    ]);
    assert_eq!(found(&broken), ["connection_reused_across_gateways likely Gateway/default/gw2"]);
    let fixed = all(&[
        &gateway("gw", "*.test.com"),
        &routes("vs1", "service1.test.com", "gw"),
        &routes("vs2", "service2.test.com", "gw"),
    ]);
    assert!(found(&fixed).is_empty());
}
