//! What meshwhy's filter has already said, in the access log or in the proxy's own log.

use std::borrow::Cow;

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence;
use serde_json::Value;

use crate::explain::around::prefix;
use crate::explain::{Column, Finding, Line, time};

/// A line of meshwhy in the proxy's own log: a failure without its request.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    /// The few columns that it has: when, and what of the evidence an access log has in columns, too.
    pub line: Line<'static>,
    /// The filter's verdict.
    pub finding: Finding,
    /// How many lines of the same cause were left out before this one.
    pub suppressed: u64,
    /// `inbound`, `outbound` or `gateway`.
    pub(in crate::explain) direction: Option<String>,
}

/// The verdict that the line carries in filter state.
pub(in crate::explain) fn in_line(line: &Line<'_>) -> Option<Finding> {
    let text = |column| line.get(column).map(str::to_owned);
    if let Some(cause) = line.get(Column::Cause).and_then(Cause::from_id) {
        let confidence = confidence(line.get(Column::Confidence));
        let side = line.get(Column::Side).and_then(Side::from_id);
        return Some(Finding::by_filter(
            cause,
            confidence,
            side,
            text(Column::Resource),
            text(Column::Evidence),
            text(Column::Fix),
        ));
    }
    of_object(&serde_json::from_str(line.get(Column::Meshwhy)?).ok()?)
}

/// What a line of the proxy's own log says.
pub(in crate::explain) enum Logged {
    /// A failure that the filter wrote there.
    Failure(Box<Own>),
    /// Anything else.
    Other,
}

/// A line of the proxy's own log; `in_json` where its time, level and scope were JSON keys around it.
pub(in crate::explain) fn in_proxy_log(text: &str, in_json: bool) -> Option<Logged> {
    let (before, message) = if in_json { ("", text) } else { prefix::own_log(text)? };
    let Some(own) = message.strip_prefix("wasm log ").and_then(filters_object) else {
        return Some(Logged::Other);
    };
    let Some(finding) = of_object(&own) else { return Some(Logged::Other) };
    let mut line = Line::default();
    if let Some((prefix, time)) = time::last(before).and_then(|at| before.split_at_checked(at)) {
        line.proxy = prefix::proxy(prefix.trim_end_matches('['));
        set_time(&mut line, time);
    }
    for (column, value) in facts(&finding.evidence) {
        line.set(column, Cow::Owned(unescaped(value)));
    }
    let direction = own.get("direction").and_then(Value::as_str).map(str::to_owned);
    let suppressed = own.get("suppressed").and_then(Value::as_u64).unwrap_or_default();
    Some(Logged::Failure(Box::new(Own { line, finding, suppressed, direction })))
}

/// `PLUGIN: {"event":"meshwhy",...}`, and nothing behind it but the thread's number.
fn filters_object(text: &str) -> Option<Value> {
    let (plugin, _) = text.split_once("{\"event\":\"meshwhy\",")?;
    // Behind a plugin's name its own words begin, and a client's may be in another's.
    let plain = |name: &str| !name.contains(['"', '{']) && !name.contains(": ");
    plugin.strip_suffix(": ").filter(|name| plain(name))?;
    let object = text.get(plugin.len()..)?;
    let mut values = serde_json::Deserializer::from_str(object).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let behind = object.get(values.byte_offset()..)?.trim();
    let number = |thread: &str| thread.bytes().all(|byte| byte.is_ascii_digit());
    (behind.is_empty() || behind.strip_prefix("thread=").is_some_and(number)).then_some(value)
}

/// When it was said, as access logs write it.
pub(in crate::explain) fn set_time(line: &mut Line<'static>, text: &str) {
    let end = text.find(['Z', ']', '\t']).unwrap_or(text.len());
    if let Some(time) = text.get(..end).filter(|_| time::millis(text).is_some()) {
        line.set(Column::Time, Cow::Owned(time.replacen(' ', "T", 1) + "Z"));
    }
}

/// The facts of the evidence that an access log has in a column of its own, still escaped.
pub(in crate::explain) fn facts(evidence: &str) -> impl Iterator<Item = (Column, &str)> {
    evidence.split("; ").filter_map(|fact| {
        let (key, value) = fact.split_once('=')?;
        let column = match key {
            "details" => Column::Details,
            "flags" => Column::Flags,
            "code" => Column::Code,
            "cluster" => Column::Cluster,
            "endpoint" => Column::UpstreamHost,
            "sni" => Column::Sni,
            "protocol" => Column::Protocol,
            "route" => Column::Route,
            "virtual_host" => Column::VirtualHost,
            "filter_chain" => Column::FilterChain,
            "tls_failure" => Column::DownstreamFailure,
            _ => return None,
        };
        Some((column, value))
    })
}

/// Undoes [`meshwhy::report::escape`].
fn unescaped(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((plain, escaped)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let byte = escaped.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        rest = if byte.is_some() { escaped.get(2..).unwrap_or_default() } else { escaped };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn of_object(object: &Value) -> Option<Finding> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let cause = Cause::from_id(&text("cause")?)?;
    let side = text("side").as_deref().and_then(Side::from_id);
    let confidence = confidence(text("confidence").as_deref());
    Some(Finding::by_filter(cause, confidence, side, text("resource"), text("evidence"), text("fix")))
}

fn confidence(id: Option<&str>) -> Confidence {
    [Confidence::Certain, Confidence::Likely]
        .into_iter()
        .find(|c| Some(c.id()) == id)
        .unwrap_or(Confidence::Possible)
}
