//! Objects in somebody's own keys: `{"rc":503,"rf":"UF"}`, `{"response":{"flags":["UF","URX"]}}`, a span's tags.
//!
//! What a flag's or a status' key may be called is guessed by its last word, so no more than possible; what a client may have sent
//! (headers, parameters) is passed over.

use std::borrow::Cow;

use meshwhy::evidence::{Detail, Details, Flags};
use serde_json::Value;

use crate::explain::{Column, Line, column};

/// How deep the members may be.
const DEEPEST: u8 = 6;
/// More members are none of an access log.
const MOST_MEMBERS: usize = 512;

/// The line that an object is, if it has Envoy's flags or details.
pub(in crate::explain) fn read(text: &str) -> Option<Line<'static>> {
    let text = text.trim();
    let may_be = ["lag", "LAG", "\"rf\"", "etail", "ailure"].iter().any(|word| text.contains(word));
    (text.starts_with('{') && may_be).then_some(())?;
    let value: Value = serde_json::from_str(text).ok()?;
    let mut members = Vec::new();
    collect("", &value, &mut members, DEEPEST);
    let mut line = Line::default();
    let mut doubtful = Vec::new();
    for (key, value) in members {
        let Some(column) = column(&key, &value).filter(|column| column.takes(&value)) else { continue };
        match line.get(column) {
            Some(before) if before != value => doubtful.push(column),
            _ => line.set(column, Cow::Owned(value)),
        }
    }
    // Two flags or statuses: nothing says which is Envoy's.
    let decisive = [Column::Flags, Column::Details];
    decisive.iter().all(|column| !doubtful.contains(column)).then_some(())?;
    doubtful.into_iter().for_each(|column| line.forget(column));
    let fails = line.get(Column::Flags).is_some();
    let known = |details: &str| !matches!(Details::new(details).detail(), Detail::None | Detail::Other);
    let detailed = line.get(Column::Details).is_some_and(known);
    let answered = line.shows(Column::Flags) && line.get(Column::Code).is_some();
    let said = |reason: &str| {
        ["TLS error:", "TLS_error:", "delayed connect error:", "delayed_connect_error:"]
            .iter()
            .any(|words| reason.starts_with(words))
    };
    let reasoned = line.get(Column::UpstreamFailure).is_some_and(said);
    (fails || detailed || answered || reasoned).then_some(line)
}

/// Which column a member is, by the last word of its key and what it holds.
fn column(key: &str, value: &str) -> Option<Column> {
    let plain = |key: &str| -> String {
        key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let last = plain(key.rsplit('.').next()?);
    let absent = value.is_empty() || value == "-";
    // The filter's own, as access-log services have filter state.
    if let Some((_, own)) = key.rsplit_once("wasm.meshwhy.") {
        return Column::of_key(own).filter(|_| !absent);
    }
    let is_status = value == "0" || (value.len() == 3 && value.starts_with(['1', '2', '3', '4', '5']));
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    Some(match &*last {
        "rf" | "flags" | "flag" | "envoyflags" | "envoyflag" => flags(value, absent)?,
        _ if last.ends_with("responseflags")
            || last.ends_with("responseflag")
            || last.ends_with("respflags") =>
        {
            flags(value, absent)?
        }
        "rc" | "resp" | "code" | "status" | "statuscode" | "httpstatus" | "httpcode" | "respcode"
        | "httpstatuscode" | "responsestatus" | "responsecode"
            if is_status && is_number =>
        {
            Column::Code
        }
        "details" | "codedetails" | "responsecodedetails" | "responsedetails" => {
            let known = !matches!(Details::new(value).detail(), Detail::Other);
            known.then_some(Column::Details)?
        }
        _ if last.ends_with("transportfailurereason") && !last.contains("downstream") => {
            Column::UpstreamFailure
        }
        "upstreamcluster" | "cluster" => Column::Cluster,
        "upstreamhost" | "upstream" if !value.contains(' ') => Column::UpstreamHost,
        "duration" | "durationms" | "totaltimems" | "latencyms" if is_number => Column::Duration,
        "method" | "httpmethod" => Column::Method,
        "path" | "httppath" => Column::Path,
        "authority" => Column::Authority,
        _ => return None,
    })
}

fn flags(value: &str, absent: bool) -> Option<Column> {
    (absent || are_flags(value)).then_some(Column::Flags)
}

/// Whether they are Envoy's, in their short form.
pub(in crate::explain) fn are_flags(value: &str) -> bool {
    value.split(',').all(|name| !Flags::from_short(name).is_empty())
}

/// The members of an object with their whole keys; of a list, its words together, or what its elements name.
fn collect(key: &str, value: &Value, members: &mut Vec<(String, String)>, deeper: u8) {
    let Some(deeper) = deeper.checked_sub(1).filter(|_| members.len() < MOST_MEMBERS) else { return };
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                if column::is_clients(name) {
                    continue;
                }
                let whole = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                collect(&whole, inner, members, deeper);
            }
        }
        Value::Array(elements) => {
            let words: Option<Vec<&str>> = elements.iter().map(Value::as_str).collect();
            if let Some(words) = words {
                members.push((key.to_owned(), words.join(",")));
                return;
            }
            // A span's tags: each has its key in it.
            for element in elements {
                let name = element.get("key").and_then(Value::as_str);
                let inner = element.get("value").map(|value| match value {
                    Value::Object(object) => object.values().next().unwrap_or(&Value::Null),
                    other => other,
                });
                if let (Some(name), Some(inner)) = (name, inner) {
                    collect(name, inner, members, deeper);
                }
            }
        }
        Value::String(text) => members.push((key.to_owned(), text.clone())),
        Value::Number(number) => members.push((key.to_owned(), number.to_string())),
        Value::Null => members.push((key.to_owned(), String::new())),
        Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<(String, String, String)> {
        let line = read(text)?;
        let get = |column| line.get(column).unwrap_or_default().to_owned();
        Some((get(Column::Code), get(Column::Flags), get(Column::Details)))
    }

    #[test]
    fn why_a_connection_failed_says_enough() {
        let reason = |text: &str| read(text)?.get(Column::UpstreamFailure).map(str::to_owned);
        let nested =
            r#"{"result":{"upstreamTransportFailureReason":"TLS error: Secret is not supplied by SDS"}}"#;
        assert_eq!(reason(nested).as_deref(), Some("TLS error: Secret is not supplied by SDS"));
        assert_eq!(reason(r#"{"result":{"failure":"TLS error: x"}}"#), None);
        assert_eq!(reason(r#"{"upstreamTransportFailureReason":"whatever"}"#), None);
    }

    #[test]
    fn whatever_the_keys_are_called() {
        for (text, code, flags, details) in [
            (r#"{"rc":503,"rf":"UF"}"#, "503", "UF", ""),
            (r#"{"http_status":503,"flags":"UF","upstream":"10.0.0.1:80"}"#, "503", "UF", ""),
            (r#"{"statusCode":"503","responseFlags":["UF","URX"],"req":{"path":"/a"}}"#, "503", "UF,URX", ""),
            (r#"{"res.status":503,"res.flags":"UH"}"#, "503", "UH", ""),
            (
                r#"{"response":{"code":503,"flags":"UH","details":"no_healthy_upstream"},"request":{"method":"GET"}}"#,
                "503",
                "UH",
                "no_healthy_upstream",
            ),
            (
                r#"{"response":{"code":500,"flags":"-","details":"direct_response"}}"#,
                "500",
                "",
                "direct_response",
            ),
            (
                r#"{"operationName":"a","tags":[{"key":"http.status_code","type":"string","value":"503"},{"key":"response_flags","value":"UF"}]}"#,
                "503",
                "UF",
                "",
            ),
            (
                r#"{"attributes":[{"key":"response_flags","value":{"stringValue":"DC"}},{"key":"http.status_code","value":{"intValue":"0"}}]}"#,
                "0",
                "DC",
                "",
            ),
        ] {
            assert_eq!(said(text), Some((code.into(), flags.into(), details.into())), "{text}");
        }
    }

    #[test]
    fn what_a_client_may_have_sent_is_none() {
        for text in [
            r#"{"status":200,"headers":{"response_flags":"UF"}}"#,
            r#"{"status":200,"request":{"query":{"flags":"UF"}}}"#,
            r#"{"status":503,"flags":"UF","inner":{"flags":"DC"}}"#,
            r#"{"feature_flags":"UF2","status":503}"#,
            r#"{"flags":"verbose","status":503}"#,
            r#"{"details":"something","status":503}"#,
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
