//! The command line: what goes in, what comes out, and the exit code.

use std::fs;

use super::{check, examples, findings, text};

const CERTAIN: &str = "mistakes/missing-port.yaml";
const LIKELY: &str = "mistakes/double-tls.yaml";

#[test]
fn healthy_configuration_is_silent() {
    for example in examples("healthy") {
        let run = check(&[&example], "");
        assert!(run.stdout.ends_with(" 0 findings\n"), "{example}: {}", run.stdout);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{example}");
        let all = check(&["--fail-on", "possible", &example], "");
        assert_eq!(all.code, 0, "{example}");
    }
}

/// Of these nothing can be known that is worth more than a look.
#[test]
fn what_others_may_define_is_no_mistake() {
    for example in examples("unsure").iter().filter(|example| !example.ends_with("patched")) {
        let run = check(&["--fail-on", "likely", example], "");
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{example}: {}", run.stdout);
    }
    // A patch hides nothing.
    let found = findings(&["unsure/patched"]);
    let found: Vec<_> =
        found.iter().map(|finding| (text(finding, "cause"), text(finding, "confidence"))).collect();
    assert_eq!(found, [("route_host_unknown", "certain")]);
}

#[test]
fn placeholders_are_no_names() {
    for example in examples("templates") {
        for all in [&["--complete"][..], &[]] {
            let run = check(&[all, &[&example]].concat(), "");
            assert!(run.stdout.ends_with(" checked, 0 findings\n"), "{example}: {}", run.stdout);
            let notes =
                run.stderr.lines().filter(|line| line.ends_with("not checked (render the template first)"));
            assert!(notes.count() >= 1 && run.code == 0, "{example}: {}", run.stderr);
        }
    }
    // Where nothing is named by it, it is none of meshwhy's business.
    let image = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{image: '${IMAGE}'}]}}}";
    assert_eq!(check(&["-"], image).code, 0);
    let rewrite = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n\
                   spec: {hosts: [a.example], http: [{match: [{uri: {regex: '^/a$(b)'}}], route: [{destination: {host: a}}]}]}";
    assert_eq!(check(&["-"], rewrite).code, 0);
}

#[test]
fn every_mistake_is_named_once() {
    for example in examples("mistakes") {
        assert_eq!(findings(&[&example]).len(), 1, "{example}");
    }
}

#[test]
fn exit_codes() {
    for (path, fail_on, code) in [
        (CERTAIN, "certain", 1),
        (CERTAIN, "never", 0),
        (LIKELY, "certain", 0),
        (LIKELY, "likely", 1),
        (LIKELY, "possible", 1),
    ] {
        assert_eq!(check(&["--fail-on", fail_on, path], "").code, code, "{path} {fail_on}");
    }
    assert_eq!(check(&[LIKELY], "").code, 0);
    let subset = "mistakes/missing-subset.yaml";
    assert_eq!((check(&[subset], "").code, check(&["--complete", subset], "").code), (0, 1));
    assert_eq!(check(&[], "").code, 2);
    assert_eq!(check(&["no-such-file.yaml"], "").code, 2);
}

#[test]
fn a_malformed_document_is_reported_and_the_rest_is_checked() {
    let text = fs::read_to_string(super::folder().join(CERTAIN)).unwrap();
    let run = check(&["-", "no-such-file.yaml"], &format!("a: [1\n---\n{text}"));
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("-:1: no YAML: "), "{}", run.stderr);
    assert!(run.stderr.contains("no-such-file.yaml: "), "{}", run.stderr);
    assert!(run.stdout.contains("cluster_missing (certain)"), "{}", run.stdout);
}

#[test]
fn standard_input_files_and_folders() {
    let text = fs::read_to_string(super::folder().join(LIKELY)).unwrap();
    assert!(
        check(&["-"], &text)
            .stdout
            .starts_with("-:21: DestinationRule/default/originate-tls: double_tls (likely)\n")
    );
    let run = check(&["."], "");
    for example in
        ["mistakes/tcp-routes-behind-passthrough.yaml:18", "mistakes/sidecar-hides-its-own-namespace.yaml:17"]
    {
        assert!(run.stdout.contains(&format!("./{example}: ")), "{}", run.stdout);
    }
    // The examples define some resources differently: nothing certain follows from those.
    assert!(run.stderr.contains("Service/default/reviews is defined more than once"), "{}", run.stderr);
    assert!(!run.stdout.contains("cluster_missing (certain)"), "{}", run.stdout);
}

#[test]
fn a_list_of_kubectl_as_yaml_and_as_json() {
    let item = r#"{"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "x"},
        "spec": {"hosts": ["x.com"], "ports": [{"number": 443, "name": "http", "protocol": "HTTP"}]}}"#;
    let list = format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{item}, {{"kind": "Other"}}]}}"#);
    let run = check(&["-"], &list);
    assert!(run.stdout.contains("tls_on_plaintext_port (likely)"), "{}", run.stdout);
}

#[test]
fn the_fields_of_a_finding() {
    let found = findings(&["mistakes/tls-routes-behind-termination.yaml"]);
    let finding = &found[0];
    assert_eq!(text(finding, "cause"), "gateway_without_http_routes");
    assert_eq!(text(finding, "confidence"), "certain");
    assert_eq!(text(finding, "side"), "mesh");
    assert_eq!(text(finding, "resource"), "VirtualService/default/httpbin");
    assert_eq!(text(finding, "file"), "mistakes/tls-routes-behind-termination.yaml");
    assert_eq!(finding["line"], 29);
    assert_eq!(text(finding, "section"), "Gateway with TLS termination");
    assert_eq!(finding["related"][0]["resource"], "Gateway/istio-system/gateway");
    assert!(text(finding, "what").ends_with('.') && text(finding, "fix").ends_with('.'));
}

/// Each is played on a real Istio, too (`e2e/src/istio/stories/checked.rs`): what is said here is what happens there.
#[test]
fn what_is_played_on_a_real_istio_is_named() {
    let expected = [
        ("certificate-in-another-namespace", "no_filter_chain_for_sni likely"),
        ("destination-rule-where-nobody-looks", "cluster_missing likely"),
        ("destination-without-a-port", "cluster_missing certain"),
        ("export-to-leaves-the-gateway-out", "route_host_unknown likely"),
        ("http-fields-for-a-tcp-port", "authorization_policy_denied likely"),
        ("match-for-a-gateway-that-is-not-listed", "route_host_unknown certain"),
        ("match-for-a-port-that-no-server-has", "route_host_unknown certain"),
        ("missing-delegate", "route_no_match likely"),
        ("plain-http-to-an-https-port", "upstream_expects_tls possible"),
        ("port-level-mutual-tls-by-the-services-port", "plaintext_to_strict_mtls likely"),
        ("public-host-without-gateways", "route_host_unknown likely"),
        ("rule-behind-one-that-takes-everything", "virtual_service_not_applied certain"),
        ("sidecar-hides-its-own-namespace", "traffic_bypasses_mesh likely"),
        ("tcp-routes-behind-passthrough", "no_filter_chain_for_sni certain"),
        ("tls-of-ones-own-into-the-mesh", "destination_rule_tls_conflict possible"),
        ("two-gateways-with-one-host", "route_host_unknown likely"),
        ("two-virtual-services-for-a-host", "virtual_service_not_applied likely"),
    ];
    let files: Vec<_> = expected.iter().map(|(name, _)| format!("rig/{name}.yaml")).collect();
    assert_eq!(examples("rig"), files);
    for ((_, verdict), file) in expected.iter().zip(&files) {
        let found = findings(&[file]);
        let found: Vec<_> =
            found.iter().map(|one| format!("{} {}", text(one, "cause"), text(one, "confidence"))).collect();
        assert_eq!(found, [*verdict], "{file}");
    }
}
