//! Access logs with one JSON object a line.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::odd;
use crate::explain::around::prefix;
use crate::explain::{Column, Line};

/// Reads the keys that are columns; `None` if the text is no JSON object or has no column at all.
pub(in crate::explain) fn read<'a>(
    text: &'a str,
    column: impl Fn(&str) -> Option<Column>,
) -> Option<Line<'a>> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let (line, found) = reader.deserialize_map(Columns { column }).ok()?;
    reader.end().ok()?;
    (found > 0).then_some(line)
}

/// The same by the keys that are usual, of which some count only beside one of Envoy's own, or with a value that only Envoy writes.
pub(in crate::explain) fn read_usual(text: &str) -> Option<Line<'_>> {
    let mut line = read(text, Column::of_key)?;
    let is_envoys = Column::ALL.iter().any(|column| column.is_envoys() && line.shows(*column));
    if (is_envoys || line.shows(Column::Code))
        && let Some(common) = read(text, Column::of_common_key)
        && (is_envoys || common.get(Column::Flags).is_some_and(odd::are_flags))
    {
        line.complete(common);
    }
    Some(line)
}

/// A line within somebody else's JSON.
pub(in crate::explain) struct Wrapped {
    /// What may be the line, the likeliest first.
    pub(in crate::explain) inside: Vec<String>,
    pub(in crate::explain) pod: Option<String>,
    /// When it came, or nothing.
    pub(in crate::explain) time: String,
    /// Whether it is one of Envoy or Istio's agent, configured to log in JSON.
    pub(in crate::explain) is_own_log: bool,
    /// Whether it is Envoy's: the agent's own messages may repeat anything.
    pub(in crate::explain) is_envoys: bool,
    /// Whether it is a warning, or worse.
    pub(in crate::explain) is_bad: bool,
}

/// Where collectors put a line that they have taken apart: Cloud Logging, Fluent Bit, Elasticsearch, Datadog, Vector.
const OBJECTS: &[&str] = &[
    "jsonPayload",
    "log_processed",
    "_source",
    "content",
    "attributes",
    "parsed",
    "fields",
    "record",
    "log",
    "message",
    "body",
    "json",
    // Azure, Splunk, Logstash, and what people nest their format in.
    "LogMessage",
    "event",
    "result",
    "payload",
    "data",
    "envoy",
    "istio",
    "accesslog",
    "access_log",
];

/// Where they put its text: container engines, stern, Cloud Logging, logcli, journald, Splunk, and Istio's agent (`logAsJson`).
const TEXTS: &[&str] = &[
    "log",
    "message",
    "msg",
    "textPayload",
    "line",
    "MESSAGE",
    "content",
    "body",
    "_raw",
    "original",
    "event",
    // Azure, Graylog, Datadog's and others' spelling.
    "LogMessage",
    "LogEntry",
    "short_message",
    "full_message",
    "Message",
    "@message",
    "raw",
    "text",
];

/// Whether collectors put a line under this key, or what they have taken apart.
pub(in crate::explain) fn may_hold_a_line(key: &str) -> bool {
    TEXTS.contains(&key) || OBJECTS.contains(&key)
}

/// The line within the JSON of a container engine, of a collector of logs, or of the proxy itself (Istio's `logAsJson`:
/// `{"level": "warning", "scope": "envoy wasm", "msg": "..."}`).
pub(in crate::explain) fn unwrapped(text: &str) -> Option<Wrapped> {
    // What has a request's columns is an access log in somebody's own keys, and its texts are a client's.
    const REQUEST: &[Column] = &[Column::Method, Column::Path, Column::Authority, Column::Protocol];
    let has_request =
        read(text, Column::of_key).is_some_and(|line| REQUEST.iter().any(|column| line.shows(*column)));
    let value: serde_json::Value = if has_request { None } else { serde_json::from_str(text).ok() }?;
    let text = |key: &str| value.get(key).and_then(serde_json::Value::as_str);
    let objects = OBJECTS.iter().filter_map(|key| value.get(key)).filter(|value| value.is_object());
    let cloud = of_cloud_logging(&value);
    let texts = TEXTS.iter().filter_map(|key| text(key)).map(|text| text.trim_end().to_owned());
    let inside: Vec<String> =
        cloud.into_iter().chain(objects.map(serde_json::Value::to_string)).chain(texts).collect();
    if inside.is_empty() {
        return None;
    }
    const PODS: &[&str] = &[
        "/podName",
        "/PodName",
        "/pod_name",
        "/kubernetes/pod_name",
        "/kubernetes/pod/name",
        "/resource/labels/pod_name",
        "/labels/pod",
        "/pod",
        "/kubernetes/podName",
        "/resources/k8s.pod.name",
        "/resource/k8s.pod.name",
    ];
    let pod = PODS.iter().find_map(|path| value.pointer(path)).and_then(serde_json::Value::as_str);
    Some(Wrapped {
        inside,
        pod: pod.map(str::to_owned),
        time: text("time").unwrap_or_default().to_owned(),
        is_envoys: text("scope").is_some_and(|scope| scope.starts_with("envoy")),
        is_bad: text("level").is_some_and(prefix::is_bad),
        is_own_log: ["level", "scope", "msg"].iter().all(|key| text(key).is_some()),
    })
}

/// What Istio's extension for Cloud Logging writes: the request in `httpRequest`, all else in `labels`.
fn of_cloud_logging(value: &serde_json::Value) -> Option<String> {
    let (request, labels) = (value.get("httpRequest")?, value.get("labels")?.as_object()?);
    labels.contains_key("response_flag").then_some(())?;
    let mut line = labels.clone();
    let time = value.get("timestamp");
    let parts = [
        ("response_code", request.get("status")),
        ("method", request.get("requestMethod")),
        ("timestamp", time),
    ];
    for (key, part) in parts {
        line.insert(key.to_owned(), part.cloned().unwrap_or_default());
    }
    Some(serde_json::Value::Object(line).to_string())
}

/// Whether this is surely a line about nothing that failed: looks for the three columns' text and reads nothing else.
/// A quote inside a JSON string is escaped, so what looks like a key is one.
pub(in crate::explain) fn is_fine(bytes: &[u8]) -> bool {
    let has = |needle: &[u8]| memmem::find(bytes, needle).is_some();
    let answered = ["2", "3", "\"2", "\"3"].iter().any(|first| {
        let Some(at) = memmem::find(bytes, b"\"response_code\":") else { return false };
        let behind = bytes.get(at.saturating_add(16)..).unwrap_or_default();
        behind.starts_with(first.as_bytes())
    });
    answered
        && has(b"\"response_flags\":\"-\"")
        && has(b"\"response_code_details\":\"via_upstream\"")
        && !has(b"\"cause\":\"")
        && !has(b"\"meshwhy\":")
        && !has(b"\"grpc_status\":")
        && !has(b"\"grpc_status_number\":")
}

struct Columns<F> {
    column: F,
}

impl<'de, F: Fn(&str) -> Option<Column>> Visitor<'de> for Columns<F> {
    type Value = (Line<'de>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut line, mut found) = (Line::default(), 0_usize);
        while let Some(Text(key)) = map.next_key()? {
            match (self.column)(&key) {
                Some(column) => {
                    let Scalar(value) = map.next_value()?;
                    if let Some(value) = value.filter(|value| column.takes(value)) {
                        found = found.saturating_add(1);
                        line.set(column, value);
                    }
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((line, found))
    }
}

/// A string, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Scalar(text) = Scalar::deserialize(d)?;
        Ok(Self(text.unwrap_or_default()))
    }
}

/// Text, a number or null (which is empty); anything else is none.
struct Scalar<'a>(Option<Cow<'a, str>>);

impl<'de> serde::Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ScalarVisitor).map(Self)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(if value { "true" } else { "false" })))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed("")))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_seq<S: serde::de::SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
