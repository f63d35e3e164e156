//! Selectors and subsets without pods.

use super::{all, found, found_in_all, resource};

fn service() -> String {
    resource("Service", "default", "web", "selector: {app: web}\nports: [{port: 80, name: http}]")
}

fn deployment(name: &str, labels: &str) -> String {
    let spec =
        format!("template: {{metadata: {{labels: {{{labels}}}}}, spec: {{containers: [{{name: app}}]}}}}");
    resource("Deployment", "default", name, &spec)
}

#[test]
fn selectors() {
    let possible = ["no_endpoints possible Service/default/web"];
    let wrong = all(&[&service(), &deployment("web", "app: website")]);
    assert_eq!(found(&wrong), possible);
    assert_eq!(found_in_all(&wrong), ["no_endpoints certain Service/default/web"]);
    assert!(found(&all(&[&service(), &deployment("web", "app: web, version: v1")])).is_empty());
    assert!(found(&all(&[&service(), &deployment("other", "app: other")])).is_empty());
    // Files that hold no pods at all say nothing of them.
    assert!(found_in_all(&service()).is_empty());
}

#[test]
fn subsets() {
    let rule = resource(
        "DestinationRule",
        "default",
        "web",
        "host: web\nsubsets: [{name: v2, labels: {version: v2}}]",
    );
    let uses = resource(
        "VirtualService",
        "default",
        "vs",
        "hosts: [web]\nhttp: [{route: [{destination: {host: web, subset: v2}}]}]",
    );
    let pods = |version: &str| deployment("web", &format!("app: web, version: {version}"));
    let of = |documents: &[&str]| found(&all(documents));
    assert_eq!(
        of(&[&service(), &rule, &uses, &pods("v1")]),
        ["no_endpoints likely DestinationRule/default/web"]
    );
    assert_eq!(of(&[&service(), &rule, &pods("v1")]), ["no_endpoints possible DestinationRule/default/web"]);
    assert!(of(&[&service(), &rule, &uses, &pods("v2")]).is_empty());
    assert!(of(&[&service(), &rule, &uses]).is_empty());
}
