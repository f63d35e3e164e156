//! One failure, as `--json` prints it.

use serde::Serialize;

use super::text;
use super::verdict::Verdict;
use crate::explain::{Column, Destination, Finding, Line, Source};

/// The form of the objects; a key may be added to it, and none changes its meaning.
const SCHEMA: &str = "meshwhy.failure/1";

/// The keys and their order.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    schema: &'static str,
    #[serde(flatten)]
    verdict: Verdict<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    would_tell: &'a [&'static str],
    /// `filter`: meshwhy's filter said so; `line`: concluded from the line; `ambiguous`: the line can be read in several ways.
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    /// What is no known vocabulary of the details, as the log has it: anybody may have written it.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_text: Option<LogText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<To>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<&'a str>,
    file: &'a str,
    line: u64,
}

/// Free text of the log's.
#[derive(Debug, Serialize)]
struct LogText {
    details: String,
}

#[derive(Debug, Serialize)]
struct To {
    host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<String>,
}

impl<'a> Record<'a> {
    /// Of this failure.
    pub fn new(line: &'a Line<'_>, finding: &'a Finding, file: &'a str, number: u64) -> Self {
        let destination = text::column(line, Column::Cluster).and_then(|name| Destination::of_cluster(&name));
        Self {
            schema: SCHEMA,
            verdict: Verdict::new(finding),
            would_tell: &finding.would_tell,
            source: match finding.source {
                Source::Line => "line",
                Source::Filter => "filter",
                Source::Ambiguous => "ambiguous",
            },
            time: text::column(line, Column::Time),
            code: line.code(),
            flags: text::column(line, Column::Flags),
            details: text::details(line),
            log_text: text::free_details(line).map(|details| LogText { details }),
            method: text::column(line, Column::Method),
            authority: text::column(line, Column::Authority),
            path: text::path(line),
            request_id: text::column(line, Column::RequestId),
            destination: destination.map(|d| To {
                host: d.host,
                port: d.port,
                subset: d.subset,
                direction: d.direction,
            }),
            local_address: text::column(line, Column::LocalAddress),
            sni: text::column(line, Column::Sni),
            proxy: line.proxy.as_deref(),
            file,
            line: number,
        }
    }
}
