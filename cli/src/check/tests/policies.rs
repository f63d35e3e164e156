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
    // The port named, which is the pods'.
    let for_port =
        |port: u16| format!("{{rules: [{{to: [{{operation: {{methods: [GET], ports: ['{port}']}}}}]}}]}}");
    assert_eq!(found(&all(&[&authorization(&for_port(5432)), &tcp])), expected);
    let mapped = service("{port: 5432, targetPort: 15432, name: tcp-db}");
    assert_eq!(found(&all(&[&authorization(&for_port(15432)), &mapped])), expected);
    // The Service's is another mistake: the rule is for no port of the pods.
    let checked = super::checked(&all(&[&authorization(&for_port(5432)), &mapped]), false);
    assert!(checked.findings.iter().all(|one| one.what.starts_with("`ports` means")), "{checked:?}");
    // Only HTTP; ports named; another rule for the rest; what TCP has, too; other pods.
    assert!(found(&all(&[&authorization(by_path), &service("{port: 80, name: http}")])).is_empty());
    for allowed in [
        "{rules: [{to: [{operation: {paths: [/a], ports: ['80']}}]}, {to: [{operation: {ports: ['5432']}}]}]}",
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

#[test]
fn tcp_ports_of_several_entries() {
    let entry = |name: &str, host: &str, more: &str, protocol: &str| {
        let spec = format!(
            "hosts: [{host}]\nresolution: DNS\n{more}\nports: [{{number: 5432, name: db, protocol: {protocol}}}]"
        );
        resource("ServiceEntry", "default", name, &spec)
    };
    let one = entry("one", "a.com", "", "TCP");
    let pair = |other: &str| found(&all(&[&one, other])).len();
    assert_eq!(pair(&entry("two", "b.com", "", "TCP")), 2);
    assert_eq!(pair(&entry("two", "b.com", "addresses: [10.1.1.1]", "TCP")), 0);
    assert_eq!(pair(&entry("two", "b.com", "", "HTTP")), 1);
    assert_eq!(pair(&entry("two", "a.com", "", "TCP")), 0, "the same host");
    let hidden =
        entry("two", "b.com", "exportTo: ['.']", "HTTP").replace("namespace: default", "namespace: other");
    assert_eq!(pair(&hidden), 0, "nobody here sees it");
    assert_eq!(pair(&service("{port: 5432, name: tcp}")), 0, "a Service has an address");
    assert_eq!(pair(&service("{port: 80, name: http}, {port: 5432, name: tcp}")), 0);
}

#[test]
fn another_policy_that_allows() {
    let tcp = service("{port: 5432, name: tcp-db}");
    let by_path = authorization("{rules: [{to: [{operation: {paths: [/a]}}]}]}");
    let other =
        authorization("{rules: [{from: [{source: {principals: [a]}}]}]}").replace("name: p", "name: other");
    assert_eq!(
        found(&all(&[&by_path, &other, &tcp])),
        ["authorization_policy_denied possible AuthorizationPolicy/default/p"]
    );
    let likely = ["authorization_policy_denied likely AuthorizationPolicy/default/p"];
    // One that denies, or in another namespace, allows nothing; and no ALLOW helps against a DENY.
    let denies = other.replace("spec: {", "spec: {action: DENY, ");
    assert_eq!(found(&all(&[&by_path, &denies, &tcp])), likely);
    assert_eq!(found(&all(&[&by_path, &other.replace("namespace: default", "namespace: b"), &tcp])), likely);
    let deny = by_path.replace("spec: {", "spec: {action: DENY, ");
    assert_eq!(found(&all(&[&deny, &other, &tcp])), likely);
}

#[test]
fn port_level_mutual_tls_by_the_containers_name() {
    let selected = |port: u16| {
        let spec = format!(
            "selector: {{matchLabels: {{app: web}}}}\nmtls: {{mode: STRICT}}\nportLevelMtls: {{{port}: {{mode: DISABLE}}}}"
        );
        resource("PeerAuthentication", "default", "p", &spec)
    };
    let ports = "ports: [{name: other, containerPort: 9090}, {name: web, containerPort: 8080}]";
    let spec = format!(
        "template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: app, {ports}}}]}}}}"
    );
    let pods = resource("Deployment", "default", "web", &spec);
    let named = service("{port: 80, targetPort: web, name: http}");
    let wrong = super::checked(&all(&[&selected(80), &named, &pods]), false).findings;
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].what.contains("listen on 8080"), "{wrong:?}");
    assert!(found(&all(&[&selected(8080), &named, &pods])).is_empty());
    // Both numbers are listed.
    let both = selected(80).replace("{80: {mode: DISABLE}}", "{80: {mode: DISABLE}, 8080: {mode: DISABLE}}");
    assert!(found(&all(&[&both, &named, &pods])).is_empty());
    assert!(found(&all(&[&selected(81), &named, &pods])).is_empty(), "no port of the Service's");
}

#[test]
fn fields_of_policies_for_targets() {
    let tcp = service("{port: 5432, name: tcp-db}");
    let of_target =
        authorization("{targetRef: {kind: Service, name: web}, rules: [{to: [{operation: {paths: [/a]}}]}]}");
    assert!(found(&all(&[&of_target, &tcp])).is_empty());
}

#[test]
fn ports_of_the_service_in_an_allow_rule() {
    let allow =
        |ports: &str| authorization(&format!("{{rules: [{{to: [{{operation: {{ports: [{ports}]}}}}]}}]}}"));
    let mapped = service("{port: 80, targetPort: 8080, name: http}");
    let expected = ["authorization_policy_denied likely AuthorizationPolicy/default/p"];
    assert_eq!(found(&all(&[&allow("'80'"), &mapped])), expected);
    assert!(found(&all(&[&allow("'8080'"), &mapped])).is_empty());
    assert!(found(&all(&[&allow("'80', '8080'"), &mapped])).is_empty());
    assert!(found(&all(&[&allow("'80'"), &service("{port: 80, name: http}")])).is_empty());
    assert!(found(&all(&[&allow("'80'"), &service("{port: 80, targetPort: web, name: http}")])).is_empty());
    assert!(
        found(&all(&[
            &allow("'80'"),
            &service("{port: 80, targetPort: 8080, name: http}, {port: 81, targetPort: 80, name: http-b}")
        ]))
        .is_empty()
    );
    let deny = allow("'80'").replace("{rules", "{action: DENY, rules");
    assert!(found(&all(&[&deny, &mapped])).is_empty());
    let two = authorization(
        "{rules: [{to: [{operation: {ports: ['80']}}]}, {from: [{source: {namespaces: [a]}}]}]}",
    );
    assert_eq!(
        found(&all(&[&two, &mapped])),
        ["authorization_policy_denied possible AuthorizationPolicy/default/p"]
    );
}

#[test]
fn principals_with_a_scheme() {
    let allow = |principals: &str| {
        authorization(&format!("{{rules: [{{from: [{{source: {{principals: [{principals}]}}}}]}}]}}"))
    };
    let expected = ["authorization_policy_denied likely AuthorizationPolicy/default/p"];
    assert_eq!(found(&allow("'spiffe://cluster.local/ns/a/sa/b'")), expected);
    assert!(found(&allow("cluster.local/ns/a/sa/b")).is_empty());
    assert!(found(&allow("'spiffe://cluster.local/ns/a/sa/b', cluster.local/ns/a/sa/b")).is_empty());
    assert!(found(&allow("'spiffe://x'").replace("{rules", "{action: DENY, rules")).is_empty());
}
