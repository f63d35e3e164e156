//! Size, instructions and host calls are those of `costs.json`; `MESHWHY_BLESS=1` writes it anew.

use std::fs;

use serde_json::{Value, json};

/// How far instructions and bytes may be off before somebody has to look: a new rule or two.
const TOLERANCE: f64 = 0.03;

#[test]
fn the_costs_are_the_known_ones() {
    let wasm = vm::module().unwrap();
    let costs = vm::costs::measure(&wasm).unwrap().into_iter().map(|(name, cost)| {
        let counts = json!({
            "instructions": cost.instructions,
            "reads": cost.reads,
            "vain_reads": cost.vain_reads,
            "other_calls": cost.other_calls,
        });
        (name.to_owned(), counts)
    });
    let measured = json!({ "module_bytes": wasm.len(), "costs": Value::Object(costs.collect()) });
    let file = vm::root().join("e2e/vm/costs.json");
    if std::env::var_os("MESHWHY_BLESS").is_some_and(|value| value == "1") {
        fs::write(&file, format!("{measured:#}\n")).unwrap();
    }
    let known: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let mut differences = Vec::new();
    compare("", &known, &measured, &mut differences);
    assert!(
        differences.is_empty(),
        "{}\nIf that is meant to be: MESHWHY_BLESS=1 cargo test -p vm --test costs",
        differences.join("\n")
    );
}

/// Both ways: a gain that is not written down can be lost again unseen.
fn compare(path: &str, known: &Value, measured: &Value, differences: &mut Vec<String>) {
    if let (Value::Object(old), Value::Object(new)) = (known, measured) {
        for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
            let path = if path.is_empty() { key.clone() } else { format!("{path} / {key}") };
            compare(&path, &known[key], &measured[key], differences);
        }
        return;
    }
    let (old, new) = (known.as_f64(), measured.as_f64());
    let tolerance = if path.ends_with("instructions") || path == "module_bytes" { TOLERANCE } else { 0.0 };
    if !matches!((old, new), (Some(old), Some(new)) if (new - old).abs() <= old * tolerance) {
        differences.push(format!("{path}: {measured}, known is {known}"));
    }
}
