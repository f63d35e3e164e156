//! Policies for ports that they don't fit.

use super::{all, found, resource};

fn service(ports: &str) -> String {
    resource("Service", "default", "web", &format!("selector: {{app: web}}\nports: [{ports}]"))
}

fn authorization(spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: default}}\nspec: {spec}\n"
    )
}

#[test]
fn port_level_mutual_tls() {
    let policy = |spec: &str| resource("PeerAuthentication", "default", "p", spec);
    let selected = |port: u16| {
        policy(&format!(
            "selector: {{matchLabels: {{app: web}}}}\nmtls: {{mode: STRICT}}\nportLevelMtls: {{{port}: {{mode: DISABLE}}}}"
        ))
    };
    let expected = ["plaintext_to_strict_mtls likely PeerAuthentication/default/p"];
    let ports = service("{port: 80, targetPort: 8080, name: http}");
    assert_eq!(found(&all(&[&selected(80), &ports])), expected);
    assert!(found(&all(&[&selected(8080), &ports])).is_empty());
    assert!(found(&all(&[&selected(80), &service("{port: 80, name: http}")])).is_empty());
    assert!(
        found(&all(&[&selected(80), &service("{port: 80, targetPort: 8080}, {port: 81, targetPort: 80}")]))
            .is_empty()
    );
    assert!(found(&all(&[&selected(80), &service("{port: 80, targetPort: web}")])).is_empty());
    assert!(found(&selected(80)).is_empty());
    let without = policy("mtls: {mode: STRICT}\nportLevelMtls: {8080: {mode: PERMISSIVE}}");
    assert_eq!(found(&without), expected);
    // Stricter than the rest: nobody is refused for the lack of it.
    let stricter = policy("mtls: {mode: PERMISSIVE}\nportLevelMtls: {8080: {mode: STRICT}}");
    assert_eq!(found(&stricter), ["plaintext_to_strict_mtls possible PeerAuthentication/default/p"]);
}

#[test]
fn http_fields_for_tcp() {
    let tcp = service("{port: 5432, name: tcp-db}");
    let expected = ["authorization_policy_denied likely AuthorizationPolicy/default/p"];
    let by_path = "{rules: [{to: [{operation: {paths: [/a]}}]}]}";
    assert_eq!(found(&all(&[&authorization(by_path), &tcp])), expected);
    assert_eq!(
        found(&all(&[
            &authorization("{action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]}"),
            &tcp
        ])),
        expected
    );
    assert_eq!(
        found(&all(&[&authorization("{rules: [{when: [{key: 'request.headers[x]', values: [a]}]}]}"), &tcp])),
        expected
    );
    // Only HTTP; ports named; another rule for the rest; what TCP has, too; other pods.
    assert!(found(&all(&[&authorization(by_path), &service("{port: 80, name: http}")])).is_empty());
    for allowed in [
        "{rules: [{to: [{operation: {paths: [/a], ports: ['80']}}]}]}",
        "{rules: [{to: [{operation: {paths: [/a]}}]}, {from: [{source: {namespaces: [b]}}]}]}",
        "{rules: [{from: [{source: {principals: [a]}}]}]}",
        "{selector: {matchLabels: {app: other}}, rules: [{to: [{operation: {paths: [/a]}}]}]}",
        "{action: AUDIT, rules: [{to: [{operation: {paths: [/a]}}]}]}",
        "{targetRefs: [{kind: Service, name: web}], rules: [{to: [{operation: {paths: [/a]}}]}]}",
    ] {
        assert!(found(&all(&[&authorization(allowed), &tcp])).is_empty(), "{allowed}");
    }
}

#[test]
fn tls_of_ones_own_into_the_mesh() {
    let rule = |host: &str| {
        resource(
            "DestinationRule",
            "default",
            "rule",
            &format!("host: {host}\ntrafficPolicy: {{tls: {{mode: SIMPLE}}}}"),
        )
    };
    let pods = |inject: bool| {
        resource(
            "Deployment",
            "default",
            "web",
            &format!(
                "template: {{metadata: {{labels: {{app: web, sidecar.istio.io/inject: '{inject}'}}}}, spec: {{containers: [{{name: app}}]}}}}"
            ),
        )
    };
    let http = service("{port: 80, name: http}");
    let found = |documents: &[&str]| super::found(&all(documents));
    let likely = ["destination_rule_tls_conflict likely DestinationRule/default/rule"];
    assert_eq!(found(&[&rule("'*.default.svc.cluster.local'"), &http, &pods(true)]), likely);
    assert_eq!(
        found(&[&rule("'*.local'"), &http]),
        ["destination_rule_tls_conflict possible DestinationRule/default/rule"]
    );
    assert!(found(&[&rule("'*.local'"), &http, &pods(false)]).is_empty());
    assert!(found(&[&rule("'*.example.com'"), &http, &pods(true)]).is_empty());
    assert!(found(&[&rule("'*.local'"), &service("{port: 443, name: https}"), &pods(true)]).is_empty());
}

#[test]
fn tcp_entries_without_addresses() {
    let entry = |name: &str, spec: &str| {
        resource(
            "ServiceEntry",
            "default",
            name,
            &format!("hosts: [{name}.example.com]\nresolution: DNS\n{spec}"),
        )
    };
    let tcp = "ports: [{number: 80, name: tcp, protocol: TCP}]";
    let expected = ["http_treated_as_tcp possible ServiceEntry/default/db"];
    assert_eq!(found(&all(&[&entry("db", tcp), &service("{port: 80, name: http}")])), expected);
    assert!(
        found(&all(&[
            &entry("db", &format!("addresses: [10.1.1.1]\n{tcp}")),
            &service("{port: 80, name: http}")
        ]))
        .is_empty()
    );
    assert!(found(&all(&[&entry("db", tcp), &service("{port: 81, name: http}")])).is_empty());
    assert!(
        found(&all(&[&entry("db", &tcp.replace("TCP", "TLS")), &service("{port: 80, name: http}")]))
            .is_empty()
    );
}
