//! `--json`: what scripts rely on is what the page on the tool says, each key, its type, and whether it is always there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::*;

/// The keys of one schema, with their types; those that are always there.
#[derive(Debug, Default)]
struct Schema {
    types: BTreeMap<String, String>,
    always: BTreeSet<String>,
}

fn documented(name: &str) -> Schema {
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md")).unwrap();
    let (_, docs) = docs.split_once("\n## JSON\n").unwrap();
    let (_, table) = docs.split_once(&format!("| `{name}`")).unwrap();
    let mut schema = Schema::default();
    for row in table.split("\n\n").next().unwrap().lines().skip(2) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for key in cells[1].split(' ') {
            let own = key.trim_matches(['*', '`']).to_owned();
            if key.starts_with("**") {
                schema.always.insert(own.clone());
            }
            schema.types.insert(own, cells[2].to_owned());
        }
    }
    assert!(!schema.types.is_empty(), "{name}");
    schema
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    let all = |is: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(is));
    match kind {
        "text" => value.is_string(),
        "number" => value.is_u64(),
        "true or false" => value.is_boolean(),
        "object" => value.is_object(),
        "texts" => all(Value::is_string),
        "objects" => all(Value::is_object),
        _ => false,
    }
}

/// Checks what was printed, and adds the keys to those that were seen.
fn check(printed: &str, seen: &mut BTreeMap<String, BTreeSet<String>>) {
    assert!(!printed.is_empty());
    for line in printed.lines() {
        let object: Map<String, Value> = serde_json::from_str(line).unwrap();
        let name = object["schema"].as_str().unwrap();
        let schema = documented(name);
        for (key, value) in object.iter().filter(|(key, _)| *key != "schema") {
            let kind = schema.types.get(key).map_or("on the page", String::as_str);
            assert!(is_of_type(value, kind), "{name}: {key} is not {kind}: {line}");
            assert!(!value.is_null() && *value != Value::String(String::new()), "{name}: {key}: {line}");
            seen.entry(name.to_owned()).or_default().insert(key.clone());
        }
        for key in &schema.always {
            assert!(object.contains_key(key), "{name}: {key} is always there: {line}");
        }
        for (key, inner) in [
            ("destination", &["host", "port", "subset", "direction"][..]),
            ("log_text", &["details"]),
            ("rate", &["from", "every_ms", "counts"]),
        ] {
            let known = object.get(key).and_then(Value::as_object);
            assert!(known.is_none_or(|known| known.keys().all(|key| inner.contains(&&**key))), "{line}");
        }
        for hop in object.get("hops").and_then(Value::as_array).into_iter().flatten() {
            let hop = hop.as_object().unwrap();
            assert!(hop["proxy"].is_string() && hop["part"].is_string(), "{line}");
            const KEYS: [&str; 6] = ["proxy", "part", "cause", "code", "flags", "time"];
            assert!(hop.keys().all(|key| KEYS.contains(&&**key)), "{line}");
        }
    }
}

#[test]
fn each_object_is_as_the_page_has_it() {
    let mut seen = BTreeMap::new();
    let threads: Vec<Value> = serde_norway::from_str(include_str!("../threads/lines.yaml")).unwrap();
    let texts: Vec<&str> = threads.iter().map(|entry| entry["text"].as_str().unwrap()).collect();
    let all = texts.join("\n\n");
    check(&out(&fed(&["explain", "--json"], all.as_bytes())), &mut seen);
    check(&out(&fed(&["explain", "--json", "--summary"], all.as_bytes())), &mut seen);
    // What has no access log counts where no other line has one.
    let some: Vec<&&str> = texts.iter().step_by(25).collect();
    let outputs = some.iter().map(|text| fed(&["explain", "--json"], text.as_bytes()));
    let failed: Vec<_> = outputs.filter(|output| output.status.code() == Some(1)).collect();
    assert!(failed.len() > some.len() / 2, "{} of {}", failed.len(), some.len());
    failed.iter().for_each(|output| check(&out(output), &mut seen));
    let free = TIMEOUT.replace("response_timeout", "lua_response{a b c d}").replace("504 UT", "500 -");
    let pod = format!("[pod/web-1/istio-proxy] {TIMEOUT}\n{free}\n");
    check(&out(&fed(&["explain", "--json"], pod.as_bytes())), &mut seen);
    let refused = r#"[2026-11-20T10:00:01.453Z] "GET / HTTP/1.1" 503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111} - "delayed_connect_error:_111" 0 2 26 - "-" "curl" "id" "ratings:9080" "10.0.0.8:9080" outbound|9080|v2|ratings - 10.96.1.2:9080 10.0.0.2:2 - default"#;
    let recovered = format!("{refused}\n{FINE}\n");
    check(&out(&fed(&["explain", "--json", "--summary"], recovered.as_bytes())), &mut seen);
    check(&out(&run(&["explain", "--json", "istio.log", "combined.log"])), &mut seen);
    check(&out(&run(&["correlate", "--json", "gateway.log", "reviews.log"])), &mut seen);
    check(&joined(), &mut seen);
    for (name, seen) in seen {
        let unseen: Vec<String> =
            documented(&name).types.into_keys().filter(|key| !seen.contains(key)).collect();
        assert_eq!(unseen, Vec::<String>::new(), "{name}: nothing here has these");
    }
}

/// Requests that have nothing but a connection in common, or two ids, and one with a policy's name.
fn joined() -> String {
    let line = |what: &str, id: &str, cluster: &str, ends: &str| {
        format!(
            "[2026-11-20T10:00:01.453Z] \"GET /a HTTP/1.1\" {what} 0 9 3 - \"-\" \"curl\" \"{id}\" \"web:80\" {cluster} {ends} - default\n"
        )
    };
    let sent = "\"10.0.0.7:8080\" outbound|80||web.shop.svc.cluster.local 10.0.0.2:50122";
    let came = "10.0.0.7:8080 10.0.0.2:50122";
    let denied = "403 - rbac_access_denied_matched_policy[ns[shop]-policy[deny]-rule[0]] - \"-\"";
    let gateway = line("403 - via_upstream - \"-\"", "aaaaaaaa", sent, "10.96.0.1:80 10.0.0.1:4")
        + &line(
            "503 UC upstream_reset_before_response_started{connection_termination} - \"-\"",
            "-",
            "\"10.0.0.9:8080\" outbound|80||tls.shop.svc.cluster.local 10.0.0.2:50200",
            "10.96.0.2:80 10.0.0.1:5",
        )
        + &line(
            "503 UH no_healthy_upstream - \"-\"",
            "cccccccc",
            "\"-\" outbound|80||none.shop.svc.cluster.local -",
            "10.96.0.3:80 10.0.0.1:6",
        );
    let server = line(denied, "bbbbbbbb", "\"-\" inbound|8080|| -", came)
        + "[2026-11-20T10:00:01.454Z] \"- - -\" 0 NR filter_chain_not_found - \"-\" 0 0 0 - \"-\" \"-\" \"-\" \"-\" \"-\" - - 10.0.0.9:8080 10.0.0.2:50200 - -\n";
    let folder = std::env::temp_dir().join(format!("meshwhy-schemas-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let (gateway, server) = (write("gateway.log", &gateway), write("server.log", &server));
    let printed = out(&run(&["correlate", "--json", &gateway, &server]));
    std::fs::remove_dir_all(folder).unwrap();
    printed
}
