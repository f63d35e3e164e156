//! What is read, and what is refused.

use super::super::yaml::{Node, Room, YamlError};
use super::{all, checked, found};
use crate::check::{Given, Source, check};

fn documents(text: &str) -> (Vec<Node>, Vec<YamlError>) {
    let documents = super::super::yaml::documents(text, &mut Room::default());
    (documents.nodes, documents.errors)
}

fn one(text: &str) -> Node {
    let (mut nodes, errors) = documents(text);
    assert_eq!(errors, []);
    nodes.remove(0)
}

#[test]
fn lines_and_values() {
    let node = one("# comment\na:\n  b: [x, 'y']\n  c: ~\n");
    assert_eq!(node.line, 2);
    assert_eq!(node.at(&["a"]).unwrap().entry("b").unwrap().line, 3);
    assert_eq!(node.at(&["a"]).unwrap().list("b")[1].as_text(), Some("y"));
    assert!(node.at(&["a", "c"]).is_none());
}

#[test]
fn json_aliases_and_merge_keys() {
    let node = one("{\n\t\"kind\": \"List\",\n\t\"items\": [\n\t\t{\"a\": 1}\n\t]\n}");
    assert_eq!(node.list("items")[0].text("a"), Some("1"));
    let node = one("base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  y: 3\n");
    assert_eq!(node.at(&["own"]).unwrap().text("x"), Some("1"));
    assert_eq!(node.at(&["own"]).unwrap().text("y"), Some("3"));
}

#[test]
fn a_closing_bracket_may_stand_at_its_keys_column() {
    // Not YAML 1.2 to the letter, and found in many manifests: kubectl takes it.
    assert_eq!(one("a:\n  args: [\n    \"x\",\n  ]\n  b: 1\n").at(&["a"]).unwrap().text("b"), Some("1"));
}

#[test]
fn malformed_documents_do_not_hide_the_others() {
    let (nodes, errors) = documents("%YAML 1.2\n---\na: 1\n---\nb: [1\n---\nc: 1\n--- # last\nd: e: f\n");
    assert_eq!(nodes.len(), 2);
    assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [5, 9]);
    let (_, errors) = documents("a: {{ .Values.x }}\nb: {{- c }}\n");
    assert!(errors[0].message.contains("template"), "{errors:?}");
}

#[test]
fn hostile_documents_end() {
    assert_eq!(documents(&"[".repeat(100_000)).1.len(), 1);
    let mut bomb = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..40 {
        bomb.push_str(&format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
    }
    assert_eq!(documents(&bomb).1[0].message, "aliases expand to too much");
    // Many documents, each within the bounds of one, and anchors within anchors.
    let small = "---\na: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n\
                 c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n";
    assert_eq!(documents(&small.repeat(1_000)).1[0].message, "more than is read at once");
    let anchors: String = (0..100).map(|level| format!("{}a: &a{level}\n", " ".repeat(level))).collect();
    let deep = anchors + &" ".repeat(100) + "b: [" + &"x,".repeat(100_000) + "]\n";
    assert_eq!(documents(&deep).1[0].message, "more than is read at once");
}

#[test]
fn anything_is_tolerated() {
    for text in [
        "",
        "---\n---\n",
        "a",
        "[]",
        "kind: x",
        "apiVersion: v1\nkind: Service\n",
        "apiVersion: v1\nkind: List\nitems: 3\n",
    ] {
        assert!(found(text).is_empty(), "{text}");
    }
    for kind in ["Gateway", "VirtualService", "DestinationRule", "ServiceEntry", "Sidecar"] {
        for spec in [
            "spec: 3",
            "spec: []",
            "spec: {servers: [3], hosts: 3, http: {}, tls: [[]], host: {}, ports: x, egress: [1]}",
        ] {
            assert!(
                found(&format!("apiVersion: networking.istio.io/v1\nkind: {kind}\n{spec}")).is_empty(),
                "{kind} {spec}"
            );
        }
    }
}

#[test]
fn findings_name_file_and_line() {
    let entry = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: x\nspec:\n  hosts: [x.com]\n  ports:\n  - number: 443\n    name: http\n    protocol: HTTP";
    let text = all(&["a: 1", entry]);
    let finding = &checked(&text, false).findings[0];
    assert_eq!((finding.origin.file.as_str(), finding.origin.line, finding.line), ("test.yaml", 3, 10));
    let sources = ["one.yaml", "two.yaml"].map(|name| Source { name: name.to_owned(), text: text.clone() });
    let found = check(&sources, Given::default());
    assert_eq!((found.findings.len(), found.findings[0].origin.file.as_str()), (1, "two.yaml"));
}
