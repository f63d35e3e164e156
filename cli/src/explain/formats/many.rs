//! One object that holds many lines: what log stores answer, and OpenTelemetry's export.

use serde_json::{Map, Value, json};

use super::json;
use crate::explain::Column;

/// How deep the lines may be.
const DEEPEST: u8 = 10;

/// The lines within, each as an object or as it was written; nothing where it holds none.
pub(in crate::explain) fn lines(text: &str) -> Vec<String> {
    let text = text.trim();
    let listed = text.starts_with('[') || KEYS.iter().any(|key| text.contains(key));
    if !listed || !text.starts_with(['[', '{']) {
        return Vec::new();
    }
    // What has a request's columns is a line itself, and what it holds is a client's.
    const REQUEST: &[Column] = &[Column::Method, Column::Path, Column::Authority, Column::Code];
    if json::read(text, Column::of_key).is_some_and(|line| REQUEST.iter().any(|column| line.shows(*column))) {
        return Vec::new();
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let mut found = Vec::new();
    if value.is_array() || holds_many(&value) {
        collect(&value, &Value::Null, &mut found, DEEPEST);
    }
    found
}

/// Where Loki, Elasticsearch, CloudWatch, Kinesis, Graylog, OpenTelemetry and Jaeger put them.
const KEYS: &[&str] = &[
    "resourceLogs",
    "scopeLogs",
    "logRecords",
    "result",
    "results",
    "values",
    "hits",
    "events",
    "logEvents",
    "entries",
    "records",
    "messages",
    "logs",
    "data",
    "spans",
];

fn holds_many(value: &Value) -> bool {
    KEYS.iter().any(|key| value.get(key).is_some_and(|inner| inner.is_array() || holds_many(inner)))
}

/// `labels` are those of what is around.
fn collect(value: &Value, labels: &Value, found: &mut Vec<String>, deeper: u8) {
    let Some(deeper) = deeper.checked_sub(1) else { return };
    match value {
        Value::Array(elements) => {
            // Loki: a time and a line.
            if let [Value::String(_), Value::String(line), ..] = elements.as_slice() {
                found.push(json!({ "line": line, "labels": labels }).to_string());
                return;
            }
            // CloudWatch Insights: fields with names.
            if let Some(message) =
                elements.iter().find(|field| field.get("field") == Some(&json!("@message")))
            {
                found.extend(message.get("value").and_then(Value::as_str).map(str::to_owned));
                return;
            }
            elements.iter().for_each(|element| collect(element, labels, found, deeper));
        }
        Value::String(line) => found.push(line.clone()),
        Value::Object(object) => {
            let labels = object.get("stream").or_else(|| object.get("resource")).unwrap_or(labels);
            if object.contains_key("body")
                && (object.contains_key("timeUnixNano") || object.contains_key("observedTimeUnixNano"))
            {
                found.push(telemetry(object, labels).to_string());
                return;
            }
            let inner: Vec<&Value> = KEYS
                .iter()
                .filter_map(|key| object.get(*key))
                .filter(|inner| inner.is_array() || holds_many(inner))
                .collect();
            if inner.is_empty() {
                found.push(value.to_string());
            }
            inner.into_iter().for_each(|inner| collect(inner, labels, found, deeper));
        }
        _ => {}
    }
}

/// OpenTelemetry's record, with its values as they are.
fn telemetry(record: &Map<String, Value>, resource: &Value) -> Value {
    let attributes = resource.get("attributes").map(pairs).unwrap_or_default();
    let pod = attributes.get("k8s.pod.name").cloned().unwrap_or_default();
    json!({
        "body": record.get("body").map(plain),
        "attributes": record.get("attributes").map(pairs),
        "pod": pod,
    })
}

fn pairs(list: &Value) -> Map<String, Value> {
    let pair = |pair: &Value| Some((pair.get("key")?.as_str()?.to_owned(), plain(pair.get("value")?)));
    list.as_array().into_iter().flatten().filter_map(pair).collect()
}

/// `{"stringValue": "x"}` -> `"x"`.
fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return value.clone();
    };
    match kind.as_str() {
        "stringValue" | "intValue" | "doubleValue" | "boolValue" => inner.clone(),
        "kvlistValue" => Value::Object(inner.get("values").map(pairs).unwrap_or_default()),
        _ => Value::Null,
    }
}
