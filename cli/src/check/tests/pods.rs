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
    let machine =
        resource("WorkloadEntry", "default", "vm", "address: 10.1.1.1\nlabels: {app: web, version: v2}");
    assert!(of(&[&service(), &rule, &uses, &pods("v1"), &machine]).is_empty());
    assert!(of(&[&service(), &rule, &uses]).is_empty());
}

/// Services select whatever has the labels: virtual machines, and pods of controllers that Kubernetes doesn't come with.
#[test]
fn what_is_no_deployment() {
    let other = deployment("web", "app: website");
    let selected = |document: &str| found_in_all(&all(&[&service(), &other, document])).is_empty();
    let labels = "metadata: {labels: {app: web}}";
    let template = format!("template: {{{labels}, spec: {{containers: [{{name: app}}]}}}}");
    let of = |version: &str, kind: &str, spec: &str| {
        format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x, namespace: default}}\nspec: {{{spec}}}"
        )
    };
    assert!(selected(&of("argoproj.io/v1alpha1", "Rollout", &template)));
    assert!(selected(&of("apps.openshift.io/v1", "DeploymentConfig", &template)));
    assert!(selected(&of("batch/v1", "Job", &template)));
    assert!(selected(&of("batch/v1", "CronJob", &format!("jobTemplate: {{spec: {{{template}}}}}"))));
    assert!(selected(&of(
        "networking.istio.io/v1",
        "WorkloadEntry",
        "address: 10.1.1.1, labels: {app: web}"
    )));
    assert!(selected(&of("networking.istio.io/v1", "WorkloadGroup", labels)));
    for apart in [
        of("argoproj.io/v1alpha1", "Rollout", &template.replace("app: web", "app: shop")),
        of("networking.istio.io/v1", "WorkloadEntry", "address: 10.1.1.1, labels: {app: shop}"),
    ] {
        assert!(!selected(&apart), "{apart}");
    }
    // What a controller makes of this is not known, unless the pods are here.
    let database = of("postgresql.cnpg.io/v1", "Cluster", "instances: 3");
    let stray = deployment("stray", "app: stray");
    assert!(found_in_all(&all(&[&service(), &stray, &database])).is_empty());
    let certain = ["no_endpoints certain Service/default/web"];
    assert_eq!(found_in_all(&all(&[&service(), &stray])), certain);
    assert_eq!(
        found_in_all(&all(&[&service(), &stray, &database.replace("namespace: default", "namespace: db")])),
        certain
    );
    let pod = resource("Pod", "default", "stray", "containers: [{name: app}]");
    assert_eq!(found_in_all(&all(&[&service(), &pod, &database])), certain);
    let telemetry = of("telemetry.istio.io/v1", "Telemetry", "tracing: []");
    assert_eq!(found_in_all(&all(&[&service(), &stray, &telemetry])), certain);
    // A name elsewhere selects nothing.
    let name = service().replace("selector", "type: ExternalName\n  externalName: a.com\n  selector");
    assert!(found_in_all(&all(&[&name, &stray])).is_empty());
}

#[test]
fn target_ports_by_name() {
    let service = |target: &str| {
        service()
            .replace("{port: 80, name: http}", &format!("{{port: 80, targetPort: {target}, name: http}}"))
    };
    let pods = deployment("web", "app: web")
        .replace("{name: app}", "{name: app, ports: [{name: web, containerPort: 8080}]}");
    assert_eq!(found(&all(&[&service("http"), &pods])), ["no_endpoints likely Service/default/web"]);
    assert!(found(&all(&[&service("web"), &pods])).is_empty());
    assert!(found(&all(&[&service("8081"), &pods])).is_empty());
    assert!(found(&service("http")).is_empty());
}
