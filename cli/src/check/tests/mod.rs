//! Every rule on the mistake it is for, and on what only looks like it.

mod binding;
mod certificates;
mod destinations;
mod gateway_api;
mod gateways;
mod ingress;
mod mutual_tls;
mod page;
mod pods;
mod policies;
mod ports;
mod references;
mod rivals;
mod unreachable;
mod visibility;
mod yaml;

use super::{Checked, Given, Source, check};

fn checked(text: &str, complete: bool) -> Checked {
    let checked = check(
        &[Source { name: "test.yaml".to_owned(), text: text.to_owned() }],
        Given { complete, ..Given::default() },
    );
    assert_eq!(checked.unreadable, [], "in {text}");
    checked
}

fn lines(checked: &Checked) -> Vec<String> {
    let line = |finding: &super::Finding| {
        format!("{} {} {}", finding.cause.id(), finding.confidence.id(), finding.origin.id())
    };
    checked.findings.iter().map(line).collect()
}

/// `cause confidence Kind/namespace/name` of each finding.
fn found(text: &str) -> Vec<String> {
    lines(&checked(text, false))
}

/// The same, where nothing else exists.
fn found_in_all(text: &str) -> Vec<String> {
    lines(&checked(text, true))
}

/// Several resources as one text.
fn all(documents: &[&str]) -> String {
    documents.join("\n---\n")
}

/// The resources as a running cluster lists them, with the API server's own service.
fn dump(documents: &[&str]) -> String {
    let api_server = "apiVersion: v1\nkind: Service\nmetadata: {name: kubernetes, namespace: default, uid: x}\n\
                      spec: {ports: [{name: https, port: 443, targetPort: 6443}]}";
    let mut text = "apiVersion: v1\nkind: List\nitems:\n".to_owned();
    for document in documents.iter().chain([&api_server]) {
        for (number, line) in document.trim().lines().enumerate() {
            text.push_str(if number == 0 { "- " } else { "  " });
            text.push_str(&line.replace("metadata: {", "metadata: {uid: x, "));
            text.push('\n');
        }
    }
    text
}

/// A resource whose spec is given as flow or block YAML.
fn resource(kind: &str, namespace: &str, name: &str, spec: &str) -> String {
    let version = match kind {
        "Service" | "Namespace" | "Pod" => "v1",
        "Deployment" => "apps/v1",
        "PeerAuthentication" => "security.istio.io/v1",
        _ => "networking.istio.io/v1",
    };
    let indented = spec.trim().replace('\n', "\n  ");
    format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  {indented}\n"
    )
}

/// A gateway for the usual pods with some servers.
fn gateway(namespace: &str, name: &str, servers: &str) -> String {
    resource("Gateway", namespace, name, &format!("selector: {{istio: ingressgateway}}\nservers:\n{servers}"))
}

/// A server for HTTPS.
fn https(mode: &str, hosts: &str) -> String {
    let tls = if mode == "PASSTHROUGH" { String::new() } else { ", credentialName: cert".to_owned() };
    format!(
        "- {{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [{hosts}], tls: {{mode: {mode}{tls}}}}}"
    )
}
