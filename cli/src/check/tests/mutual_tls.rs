//! DestinationRules against PeerAuthentications.

use super::{all, checked, dump, found, resource};

const CONFLICT: &str = "destination_rule_tls_conflict likely DestinationRule/default/rule";
const CERTAIN: &str = "destination_rule_tls_conflict certain DestinationRule/default/rule";

fn service(port: &str) -> String {
    resource("Service", "default", "web", &format!("selector: {{app: web}}\nports: [{port}]"))
}

fn rule(policy: &str) -> String {
    resource("DestinationRule", "default", "rule", &format!("host: web\ntrafficPolicy: {{{policy}}}"))
}

fn policy(namespace: &str, spec: &str) -> String {
    resource("PeerAuthentication", namespace, "policy", spec)
}

fn pods(inject: &str) -> String {
    let labels = format!("app: web, version: v1{inject}");
    let ports = "ports: [{name: web, containerPort: 8080}]";
    resource(
        "Deployment",
        "default",
        "web",
        &format!(
            "template: {{metadata: {{labels: {{{labels}}}}}, spec: {{containers: [{{name: web, {ports}}}]}}}}"
        ),
    )
}

fn web(policies: &[&str], rule_policy: &str) -> Vec<String> {
    let (service, rule) = (service("{port: 80, name: http, targetPort: 8080}"), rule(rule_policy));
    found(&all(&[&[service.as_str(), rule.as_str()], policies].concat()))
}

const STRICT: &str = "mtls: {mode: STRICT}";
const DISABLE: &str = "tls: {mode: DISABLE}";
const SELECTED: &str = "selector: {matchLabels: {app: web}}";

#[test]
fn plain_text_to_strict() {
    for namespace in ["default", "istio-system"] {
        assert_eq!(web(&[&policy(namespace, STRICT)], DISABLE), [CONFLICT], "{namespace}");
    }
    let selected = policy("default", &format!("{SELECTED}\n{STRICT}"));
    assert_eq!(web(&[&selected], DISABLE), [CONFLICT]);
    // A `tls` block without a mode means DISABLE, whatever the mesh does by itself.
    assert_eq!(web(&[&selected], "tls: {sni: web}"), [CONFLICT]);
    assert_eq!(
        web(&[&selected], "portLevelSettings: [{port: {number: 80}, tls: {mode: DISABLE}}]"),
        [CONFLICT]
    );
    // With a sidecar for sure, and a policy that no other overrides.
    assert_eq!(web(&[&selected, &pods(", sidecar.istio.io/inject: 'true'")], DISABLE), [CERTAIN]);
    let namespace =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {istio-injection: enabled}}";
    assert_eq!(web(&[&selected, &pods(""), namespace], DISABLE), [CERTAIN]);
    // A Sidecar that says itself where pods listen is not followed in detail.
    let own = resource(
        "Sidecar",
        "default",
        "default",
        "ingress: [{port: {number: 8080, name: http, protocol: HTTP}}]",
    );
    assert_eq!(web(&[&selected, &pods(""), namespace, &own], DISABLE), [CONFLICT]);
    let whole = policy("default", STRICT);
    let (service, rule) = (service("{port: 80, name: http}"), rule(DISABLE));
    assert_eq!(found(&dump(&[&service, &rule, &whole, namespace])), [CERTAIN]);
}

#[test]
fn what_takes_plain_text() {
    let strict = policy("istio-system", STRICT);
    let permissive = policy("default", "mtls: {mode: PERMISSIVE}");
    assert!(web(&[&strict, &permissive], DISABLE).is_empty());
    let port = policy(
        "default",
        &format!("{SELECTED}\nmtls: {{mode: STRICT}}\nportLevelMtls: {{8080: {{mode: PERMISSIVE}}}}"),
    );
    assert!(web(&[&port], DISABLE).is_empty());
    let unset = policy("default", &format!("{SELECTED}\nmtls: {{mode: UNSET}}"));
    assert_eq!(web(&[&strict, &unset], DISABLE), [CONFLICT]);
    // No policy; one for other pods; one for another namespace.
    assert!(web(&[], DISABLE).is_empty());
    let others = policy("default", "selector: {matchLabels: {app: other}}\nmtls: {mode: STRICT}");
    assert!(web(&[&others, &pods("")], DISABLE).is_empty());
    assert!(web(&[&policy("other", STRICT)], DISABLE).is_empty());
    // A policy whose selector the pods may or may not have.
    let maybe = policy("default", "selector: {matchLabels: {tier: a}}\nmtls: {mode: PERMISSIVE}");
    assert!(web(&[&strict, &maybe], DISABLE).is_empty());
    assert_eq!(web(&[&strict, &maybe, &pods("")], DISABLE), [CONFLICT]);
}

#[test]
fn no_sidecar_no_policy() {
    let strict = policy("istio-system", STRICT);
    assert!(web(&[&strict, &pods(", sidecar.istio.io/inject: 'false'")], DISABLE).is_empty());
    let namespace =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {istio-injection: disabled}}";
    assert!(web(&[&strict, &pods(""), namespace], DISABLE).is_empty());
}

#[test]
fn rules_that_leave_mutual_tls_on() {
    let strict = policy("istio-system", STRICT);
    for rule in [
        "loadBalancer: {simple: RANDOM}",
        "tls: {mode: ISTIO_MUTUAL}",
        "portLevelSettings: [{port: {number: 81}, tls: {mode: DISABLE}}]",
        "tls: {mode: DISABLE}, portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]",
    ] {
        assert!(web(&[&strict], rule).is_empty(), "{rule}");
    }
}

#[test]
fn without_automatic_mutual_tls_a_missing_block_is_plain_text() {
    let off = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    enableAutoMtls: false\n";
    let strict = policy("istio-system", STRICT);
    assert_eq!(web(&[&strict, off], "loadBalancer: {simple: RANDOM}"), [CONFLICT]);
    assert!(web(&[&strict, off], "tls: {mode: ISTIO_MUTUAL}").is_empty());
    assert!(web(&[&strict, &off.replace("false", "true")], "loadBalancer: {simple: RANDOM}").is_empty());
}

#[test]
fn subsets() {
    let strict = policy("istio-system", STRICT);
    let with = |general: &str, subset: &str| {
        let spec = format!(
            "host: web\ntrafficPolicy: {{{general}}}\nsubsets: [{{name: v1, labels: {{version: v1}}, trafficPolicy: {{{subset}}}}}]"
        );
        let rule = resource("DestinationRule", "default", "rule", &spec);
        found(&all(&[&service("{port: 80, name: http}"), &rule, &strict]))
    };
    assert_eq!(with("tls: {mode: ISTIO_MUTUAL}", DISABLE), [CONFLICT]);
    assert_eq!(with(DISABLE, "loadBalancer: {simple: RANDOM}"), [CONFLICT]);
    assert!(with("tls: {mode: ISTIO_MUTUAL}", "loadBalancer: {simple: RANDOM}").is_empty());
}

#[test]
fn the_rule_that_decides() {
    let strict = policy("default", STRICT);
    let everywhere = resource(
        "DestinationRule",
        "istio-system",
        "all",
        "host: '*.local'\ntrafficPolicy: {tls: {mode: DISABLE}}",
    );
    let named = ["destination_rule_tls_conflict likely DestinationRule/istio-system/all"];
    assert_eq!(found(&all(&[&service("{port: 80, name: http}"), &strict, &everywhere])), named);
    // A rule of the service's own namespace stands before the mesh's.
    assert!(web(&[&strict, &everywhere], "tls: {mode: ISTIO_MUTUAL}").is_empty());
}

#[test]
fn mutual_tls_to_plain_text() {
    let expected = ["upstream_speaks_plaintext likely DestinationRule/default/rule"];
    let disable = policy("default", "mtls: {mode: DISABLE}");
    assert_eq!(web(&[&disable], "tls: {mode: ISTIO_MUTUAL}"), expected);
    assert!(web(&[&disable], DISABLE).is_empty());
    assert!(web(&[&disable], "loadBalancer: {simple: RANDOM}").is_empty());
    assert!(web(&[&policy("default", "mtls: {mode: PERMISSIVE}")], "tls: {mode: ISTIO_MUTUAL}").is_empty());
    let port =
        policy("default", &format!("{SELECTED}\n{STRICT}\nportLevelMtls: {{8080: {{mode: DISABLE}}}}"));
    assert_eq!(web(&[&port], "tls: {mode: ISTIO_MUTUAL}"), expected);
}

/// Line and text of each finding.
fn texts(text: &str) -> Vec<(usize, String)> {
    checked(text, false).findings.into_iter().map(|finding| (finding.line, finding.what)).collect()
}

#[test]
fn every_port_is_named() {
    let ports = [("http-a", 7000), ("tcp-b", 7003), ("tcp-c", 7005), ("web", 7008)];
    let ports = ports.map(|(name, port)| format!("{{name: {name}, port: {port}, targetPort: {port}}}"));
    let settings = |settings: &[(u16, &str)]| {
        let setting = |(port, mode)| format!("\n  - {{port: {{number: {port}}}, tls: {{mode: {mode}}}}}");
        let settings: String = settings.iter().copied().map(setting).collect();
        let spec = format!("host: web\ntrafficPolicy:\n  portLevelSettings:{settings}");
        resource("DestinationRule", "default", "rule", &spec)
    };
    let strict = policy(
        "default",
        &format!(
            "{SELECTED}\n{STRICT}\nportLevelMtls: {{7005: {{mode: DISABLE}}, 7008: {{mode: PERMISSIVE}}}}"
        ),
    );
    let service = service(&ports.join(", "));
    let blocks = [(7000, "DISABLE"), (7003, "DISABLE"), (7005, "ISTIO_MUTUAL"), (7008, "DISABLE")];
    let text = all(&[&settings(&blocks), &service, &strict]);
    assert_eq!(
        found(&text),
        [CONFLICT, CONFLICT, "upstream_speaks_plaintext likely DestinationRule/default/rule"]
    );
    for (index, (line, what)) in texts(&text).iter().enumerate() {
        assert_eq!(*line, 8 + index, "{what}");
        assert!(what.contains(&format!(" port {},", blocks[index].0)), "{what}");
    }
    // Blocks on one line are still different mistakes; one block for several ports is one.
    let (one_line, general) = (
        rule("portLevelSettings: [{port: {number: 7000}, tls: {}}, {port: {number: 7003}, tls: {}}]"),
        rule(DISABLE),
    );
    assert_eq!(found(&all(&[&one_line, &service, &strict])), [CONFLICT, CONFLICT]);
    let named = texts(&all(&[&general, &service, &strict]));
    assert!(named.len() == 1 && named[0].1.contains(" ports 7000, 7003,"), "{named:?}");
}

#[test]
fn every_service_and_subset_is_named() {
    let strict = policy("istio-system", STRICT);
    let web = service("{port: 80, name: http}");
    let other = web.replace("web", "other");
    let wildcard = rule(DISABLE).replace("host: web", "host: '*.default.svc.cluster.local'");
    assert_eq!(found(&all(&[&web, &other, &wildcard, &strict])), [CONFLICT, CONFLICT]);
    let subset =
        |name: &str| format!("{{name: {name}, labels: {{version: {name}}}, trafficPolicy: {{{DISABLE}}}}}");
    let spec = format!("host: web\nsubsets: [{}, {}]", subset("v1"), subset("v2"));
    let named = texts(&all(&[&web, &resource("DestinationRule", "default", "rule", &spec), &strict]));
    assert_eq!(named.len(), 2);
    assert!(named[0].1.contains("(subset v1)") && named[1].1.contains("(subset v2)"), "{named:?}");
}

#[test]
fn ports_that_are_less_sure_are_named_apart() {
    let disable = policy("default", "mtls: {mode: DISABLE}");
    let ports = "{port: 80, name: http}, {port: 81, name: tcp}, {port: 82, name: tcp-b}";
    let subset = "{name: v1, labels: {version: v1}}";
    let spec = format!("host: web\ntrafficPolicy: {{tls: {{mode: ISTIO_MUTUAL}}}}\nsubsets: [{subset}]");
    let rule = resource("DestinationRule", "default", "rule", &spec);
    let pods = pods(", sidecar.istio.io/inject: 'true'");
    let selected = disable.replace("mtls:", "selector: {matchLabels: {app: web}}\n  mtls:");
    assert_eq!(
        found(&all(&[&service(ports), &rule, &selected, &pods])),
        [
            "upstream_speaks_plaintext certain DestinationRule/default/rule",
            "upstream_speaks_plaintext likely DestinationRule/default/rule"
        ]
    );
}

#[test]
fn what_the_client_gets() {
    let strict = policy("istio-system", STRICT);
    for (ports, says) in [
        ("{port: 80, name: http}", ": requests get 503 (UC)."),
        ("{port: 80, name: tcp}", ": connections are closed without an answer."),
        ("{port: 80, name: https}", ": connections are closed without an answer."),
        ("{port: 80, name: web}", ": HTTP requests get 503 (UC), other connections are closed"),
        ("{port: 80, name: http}, {port: 90, name: tcp}", ": HTTP requests get 503 (UC), other connections"),
    ] {
        let named = texts(&all(&[&service(ports), &rule(DISABLE), &strict]));
        assert!(named.len() == 1 && named[0].1.contains(says), "{ports}: {named:?}");
    }
}

/// A gateway's listeners are those of its Gateways: no PeerAuthentication holds there.
#[test]
fn pods_of_a_gateway() {
    let selected = policy("default", &format!("{SELECTED}\n{STRICT}"));
    let injected = pods(", sidecar.istio.io/inject: 'true'");
    assert_eq!(web(&[&selected, &injected], DISABLE), [CERTAIN]);
    let proxies = injected.replace("{name: web, ports", "{name: istio-proxy, ports");
    assert!(web(&[&selected, &proxies], DISABLE).is_empty());
}

/// Istio takes the oldest of several policies for a namespace, and YAML has no ages.
#[test]
fn several_policies_for_a_namespace() {
    let named =
        |name: &str, mode: &str| policy("default", mode).replace("name: policy", &format!("name: {name}"));
    let (strict, permissive) = (named("one", STRICT), named("two", "mtls: {mode: PERMISSIVE}"));
    assert_eq!(web(&[&strict], DISABLE), [CONFLICT]);
    assert!(web(&[&strict, &permissive], DISABLE).is_empty());
    assert!(web(&[&permissive, &strict], DISABLE).is_empty());
    assert_eq!(web(&[&strict, &named("two", STRICT)], DISABLE), [CONFLICT]);
    // What says nothing of its own leaves it to the others.
    assert_eq!(web(&[&named("zero", "mtls: {mode: UNSET}"), &strict], DISABLE), [CONFLICT]);
    // The mesh's stands behind them.
    let whole = |mode: &str| policy("istio-system", mode).replace("name: policy", "name: whole");
    assert_eq!(web(&[&strict, &whole("mtls: {mode: PERMISSIVE}")], DISABLE), [CONFLICT]);
    assert!(web(&[&permissive, &whole(STRICT)], DISABLE).is_empty());
}

#[test]
fn what_makes_a_conflict_less_than_certain() {
    let selected = policy("default", &format!("{SELECTED}\n{STRICT}"));
    let injected = pods(", sidecar.istio.io/inject: 'true'");
    // Another rule for the host, which Istio merges; clients with some labels only; a policy that another may override.
    let second = rule("loadBalancer: {simple: RANDOM}").replace("name: rule", "name: second");
    assert_eq!(web(&[&selected, &injected, &second], DISABLE), [CONFLICT]);
    let some =
        rule(DISABLE).replace("host: web", "host: web\n  workloadSelector: {matchLabels: {app: client}}");
    let service = service("{port: 80, name: http, targetPort: 8080}");
    assert_eq!(found(&all(&[&service, &some, &selected, &injected])), [CONFLICT]);
    assert_eq!(web(&[&policy("default", STRICT), &injected], DISABLE), [CONFLICT]);
    // Ports that go past the sidecar.
    let past = injected.replace(
        "metadata: {labels",
        "metadata: {annotations: {traffic.sidecar.istio.io/excludeInboundPorts: '8080'}, labels",
    );
    assert!(past.contains("exclude"));
    assert!(web(&[&selected, &past], DISABLE).is_empty());
    // A server that isn't HTTP may speak the mesh's TLS itself.
    let open = policy("default", &format!("{SELECTED}\nmtls: {{mode: DISABLE}}"));
    let to = |port: &str| {
        found(&all(&[&self::service(port), &rule("tls: {mode: ISTIO_MUTUAL}"), &open, &injected]))
    };
    assert_eq!(
        to("{port: 80, name: http}"),
        ["upstream_speaks_plaintext certain DestinationRule/default/rule"]
    );
    assert_eq!(
        to("{port: 80, name: tcp}"),
        ["upstream_speaks_plaintext likely DestinationRule/default/rule"]
    );
}

#[test]
fn pods_that_are_not_alike() {
    let labelled = |name: &str, version: &str| {
        pods(", sidecar.istio.io/inject: 'true'")
            .replace("name: web, namespace", &format!("name: {name}, namespace"))
            .replace("version: v1", &format!("version: {version}"))
    };
    let of = |version: &str, mode: &str| {
        policy(
            "default",
            &format!("selector: {{matchLabels: {{version: {version}}}}}\nmtls: {{mode: {mode}}}"),
        )
        .replace("name: policy", &format!("name: {version}"))
    };
    let (one, two) = (labelled("one", "v1"), labelled("two", "v2"));
    assert_eq!(web(&[&one, &two, &of("v1", "STRICT"), &of("v2", "STRICT")], DISABLE), [CERTAIN]);
    assert!(web(&[&one, &two, &of("v1", "STRICT"), &of("v2", "PERMISSIVE")], DISABLE).is_empty());
    // Pods of that name elsewhere are others, and two policies for the same pods settle nothing.
    let elsewhere = two.replace("namespace: default", "namespace: other");
    assert_eq!(web(&[&one, &elsewhere, &of("v1", "STRICT")], DISABLE), [CERTAIN]);
    let selected = policy("default", &format!("{SELECTED}\nmtls: {{mode: PERMISSIVE}}"));
    assert!(web(&[&one, &of("v1", "STRICT"), &selected], DISABLE).is_empty());
}

#[test]
fn what_to_change() {
    let said = |documents: &[&str], policy: &str| {
        let service = service("{port: 80, name: http, targetPort: 8080}");
        let text =
            all(&[&[service.as_str(), &rule(policy), &self::policy("default", STRICT)], documents].concat());
        let found = checked(&text, false).findings;
        assert_eq!(found.len(), 1, "{found:?}");
        format!("{} {}", found[0].what, found[0].fix)
    };
    assert!(said(&[], DISABLE).contains("says `mode: DISABLE`"));
    assert!(said(&[], "tls: {sni: web}").contains("without `mode`"));
    assert!(said(&[], DISABLE).contains("Remove the `tls` block"));
    let off = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'enableAutoMtls: false'}";
    assert!(!said(&[off], DISABLE).contains("Remove the `tls` block"));
}
