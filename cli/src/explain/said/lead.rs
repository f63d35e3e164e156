//! What Envoy says of a request in its own log, at level debug: the same as in the access log, word for word.

use std::borrow::Cow;

use memchr::memmem;
use meshwhy::causes::Cause;

use super::reply;
use crate::explain::around::prefix;
use crate::explain::{Column, Line};

/// What the message of a line of the proxy's own log says of a request, and of which stream.
pub(in crate::explain) fn read(message: &str) -> Option<(Line<'static>, String)> {
    let (stream, said) = tagged(message);
    let said = said.split("\tthread=").next().unwrap_or(said).trim();
    let said = without_thread(said);
    // The answer had begun.
    let cut =
        said.strip_prefix("Resetting stream due to ").and_then(|said| said.split_once(". Prior headers"));
    let line = if let Some(text) = REPLIES.iter().find_map(|start| said.strip_prefix(start)) {
        details(text)
    } else if let Some((text, _)) = cut {
        details(text)
    } else if OVERFLOWS.contains(&said) {
        details("upstream_reset_before_response_started{overflow}").with(Column::Flags, "UO")
    } else if said == "upstream per try timeout" {
        details("upstream_per_try_timeout").with(Column::Flags, "UT").with(Column::Code, "504")
    } else if said.starts_with("ext_authz filter rejected the request") {
        details("ext_authz_denied").with(Column::Flags, "UAEX")
    } else if let Some(reset) = said.strip_prefix("upstream reset: ") {
        // Up to 1.15 without the second colon.
        reply::upstream(reset)
            .or_else(|| reply::upstream(&reset.replacen("reset reason ", "reset reason: ", 1)))?
    } else if let Some((_, text)) = ended(said) {
        details(text)
    } else if is_cut_off(said) {
        details("upstream_reset_before_response_started{connection_termination}").with(Column::Flags, "UC")
    } else if let Some(reason) = stream_error(said) {
        details(&format!("upstream_reset_before_response_started{{{reason}}}"))
    } else if said.starts_with("protocol error: ") {
        details("upstream_reset_before_response_started{protocol_error}")
    } else if is_dns_failure(said) {
        details("dns_resolution_failure").with(Column::Flags, "DF")
    } else if let Some(policy) = said.strip_prefix("enforced denied") {
        let policy = policy.strip_prefix(", matched policy ").unwrap_or("none");
        details(&format!("rbac_access_denied_matched_policy[{policy}]"))
    } else if said.starts_with("no route match for URL") || said.starts_with("no cluster match for URL") {
        details("route_not_found").with(Column::Flags, "NR")
    } else if said.starts_with("unknown cluster '") {
        details("cluster_not_found")
    } else if said.starts_with("dispatch error: http/1.1 protocol error: ") {
        details("http1.codec_error").with(Column::Flags, "DPE").with(Column::Code, "400")
    } else if said.starts_with("Error dispatching received data: ") {
        details("upstream_reset_before_response_started{protocol_error}")
    } else if said == "connect timeout" {
        details("upstream_reset_before_response_started{connection_timeout}").with(Column::Flags, "UF")
    } else if let Some((error, _)) = connect_error(said) {
        // As it was before 1.22.
        reply::failed(&error.replacen("connection error", "connect error", 1))?
    } else if said == "upstream timeout" {
        details("response_timeout").with(Column::Flags, "UT").with(Column::Code, "504")
    } else if said.starts_with("no healthy host for ") {
        details("no_healthy_upstream").with(Column::Flags, "UH")
    } else if said.starts_with("closing connection") && said.ends_with("no matching filter chain found") {
        details("filter_chain_not_found").with(Column::Flags, "NR")
    } else if let Some(reason) = said.strip_prefix("client disconnected, failure reason: ") {
        reply::failed(reason)?
    } else if is_handshake(said) {
        // As it was before 1.8.
        reply::failed(&said.replacen("SSL error: ", "TLS error: ", 1))?
    } else if said.starts_with("upstream connect error") {
        reply::read_repeated(said)?
    } else if let Some(reply) = stream_closed(said) {
        // The way to the control plane; gRPC's own words where the agent stands between.
        let reply = reply.trim();
        let refused = reply.contains("connect: connection refused");
        if refused { reply::failed("delayed connect error: 111")? } else { reply::read(reply)? }
            .with(Column::Cluster, "xds-grpc")
    } else if let Some(status) = token(said) {
        // Where a token may be missing, that is nothing.
        (!matches!(status, "OK" | "Jwt is missing")).then_some(())?;
        details(&format!("jwt_authn_access_denied{{{status}}}")).with(Column::Code, "401")
    } else if said.starts_with("Function: proxy_on_") && said.contains(" failed: ") {
        // A plugin that trapped: it closes what it works on, unless it fails open.
        details("wasm_fail_stream")
    } else if said.starts_with("wasm log ") {
        reply::read_repeated(said)?
    } else {
        return None;
    };
    Some((line, stream))
}

/// What Envoy says as it replies itself.
const REPLIES: &[&str] = &["Sending local reply with details ", "Preparing local reply with details "];

/// Whether a reply's details are what is said.
pub(in crate::explain) fn is_reply(message: &str) -> bool {
    let said = tagged(message).1;
    REPLIES.iter().any(|begin| said.starts_with(begin))
}

/// Whether a handshake failed, and nothing is said of the side.
pub(in crate::explain) fn is_of_either_side(message: &str) -> bool {
    is_handshake(tagged(message).1)
}

fn is_handshake(said: &str) -> bool {
    ["TLS error: ", "TLS_error:|", "SSL error: "].iter().any(|begin| said.starts_with(begin))
}

/// What circuit breakers say, old and new.
const OVERFLOWS: &[&str] = &[
    "max pending streams overflow",
    "max streams overflow",
    "max pending requests overflow",
    "max requests overflow",
];

/// What closed a stream of the control plane's, as it is said since Envoy 1.8 (`... closed since 76s ago: 14, ...`).
fn stream_closed(said: &str) -> Option<&str> {
    let (_, behind) = said.split_once("gRPC config stream ")?;
    let (_, reply) = behind.split_once("closed")?.1.split_once(": 14, ")?;
    Some(reply)
}

/// What the operating system says of a connect, and to where: `immediate connect error: Network is unreachable|remote address:...`.
fn connect_error(said: &str) -> Option<(&str, &str)> {
    const BEGINS: &[&str] = &[
        "immediate connect error: ",
        "delayed connect error: ",
        "immediate connection error: ",
        "delayed connection error: ",
    ];
    BEGINS.iter().any(|start| said.starts_with(start)).then_some(())?;
    Some(said.split_once('|').unwrap_or((said, "")))
}

/// How a stream ended, if that isn't all in order: `stream reset: reset reason: local reset, response details: http1.codec_error`.
fn ended(said: &str) -> Option<(&str, &str)> {
    let ended = said.strip_prefix("stream reset: reset reason: ")?.split_once(", response details: ")?;
    Some(ended).filter(|(_, details)| !matches!(*details, "-" | "" | "via_upstream"))
}

/// Whether the upstream closed a connection on which somebody waited: `disconnect. resetting 1 pending requests`.
fn is_cut_off(said: &str) -> bool {
    let count = said.strip_prefix("disconnect. resetting ").and_then(|rest| rest.split(' ').next());
    count.and_then(|count| count.parse::<u32>().ok()).is_some_and(|count| count > 0)
}

/// A handshake that the other side broke off without a word, of either side, as Envoy says it to 1.13: `handshake error: 5`. 2 and 3 only wait.
pub(in crate::explain) fn handshake_ended(message: &str) -> Option<(&str, &'static [Cause])> {
    let said = tagged(message).1.trim_end();
    const CAUSES: &[Cause] =
        &[Cause::ClientDisconnected, Cause::DownstreamTlsFailed, Cause::UpstreamTlsFailed];
    (said == "handshake error: 5").then_some((said, CAUSES))
}

/// Why a stream of HTTP/2 was reset: `stream 5 closed: 2`. Without an error it ended, and one that was cancelled is its client's.
fn stream_error(said: &str) -> Option<&'static str> {
    let (stream, code) = said.strip_prefix("stream ")?.split_once("closed: ")?;
    stream.trim().bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    match code.trim() {
        "1" => Some("protocol_error"),
        "2" | "11" => Some("remote_reset"),
        "7" => Some("remote_refused_stream_reset"),
        _ => None,
    }
}

/// `dns resolution for a.b failed with c-ares status 4`.
fn is_dns_failure(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.starts_with("dns resolution for ") && said.contains(" failed")
}

/// What came of a token: `Jwt authentication completed with: ...`, `PROVIDER: JWT token verification completed with: ...`.
fn token(said: &str) -> Option<&str> {
    let (what, status) = said.split_once(" completed with: ")?;
    let is_tokens = ["wt authentication", "WT authentication", "WT token verification"];
    is_tokens.iter().any(|end| what.ends_with(end)).then_some(status)
}

/// How Envoy's words for an answer's head begin: the headers follow in rows of their own.
const HEAD: &str = "encoding headers via codec";

/// Whether an answer's head may follow.
pub(in crate::explain) fn may_begin_head(line: &[u8]) -> bool {
    memmem::find(line, HEAD.as_bytes()).is_some()
}

/// The head of an answer that Envoy sends, as rows that curl would show, and of which stream.
pub(in crate::explain) fn head(message: &str) -> Option<(Vec<String>, String)> {
    let (stream, said) = tagged(message);
    let (ending, headers) = said.strip_prefix(HEAD)?.split_once('\n')?;
    let headers = headers.lines().map_while(prefix::logged_header);
    let mut headers = headers.collect::<Vec<_>>();
    let at = headers.iter().position(|(name, _)| *name == ":status")?;
    let (_, code) = headers.swap_remove(at);
    // Whoever answered, this proxy passes it on.
    let mut rows = vec![format!("HTTP/1.1 {code} -"), "server: envoy".to_owned()];
    if ending.contains("end_stream=true") && !headers.iter().any(|(name, _)| *name == "content-length") {
        rows.push("content-length: 0".to_owned());
    }
    let others = headers.iter().filter(|(name, _)| *name != "server");
    rows.extend(others.map(|(name, value)| format!("{name}: {value}")));
    Some((rows, stream))
}

/// Whether an answer is an error with a header that none of Envoy's own replies has.
pub(in crate::explain) fn is_applications(rows: &[String]) -> bool {
    const ENVOYS: &[&str] = &[
        "content-length",
        "content-type",
        "date",
        "server",
        "connection",
        "location",
        "vary",
        "via",
        "grpc-",
    ];
    let is_error = rows.first().is_some_and(|row| row.starts_with("HTTP/1.1 5"));
    let is_others = |row: &String| {
        let is_envoys = ENVOYS.iter().any(|name| row.starts_with(name)) || row.starts_with("x-envoy-");
        !(is_envoys
            || row.starts_with("www-")
            || row.starts_with("access-control-")
            || row.starts_with("x-request-id"))
    };
    is_error && rows.iter().skip(1).any(is_others)
}

/// Without the thread that Istio names behind it, where a terminal made a space of the tab.
pub(in crate::explain) fn without_thread(said: &str) -> &str {
    let thread = said.rsplit_once(" thread=").filter(|(_, id)| id.bytes().all(|byte| byte.is_ascii_digit()));
    thread.map_or(said, |(said, _)| said.trim_end())
}

fn details(details: &str) -> Line<'static> {
    Line::default().with(Column::Details, &details.trim().replace(' ', "_"))
}

impl Line<'static> {
    fn with(mut self, column: Column, value: &str) -> Self {
        self.set(column, Cow::Owned(value.to_owned()));
        self
    }
}

/// The connection's and the stream's number, and what is said of it: `[C1][S2] ...`, `[Tags: "ConnectionId":"1","StreamId":"2"] ...`.
pub(in crate::explain) fn tagged(message: &str) -> (String, &str) {
    let message = without_place(message.trim_start());
    let mut rest = message;
    while let Some((tag, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_number = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
        if !tag.starts_with("Tags: ") && !tag.strip_prefix(['C', 'S']).is_some_and(is_number) {
            break;
        }
        rest = behind;
    }
    let tags = message.get(..message.len().saturating_sub(rest.len())).unwrap_or_default();
    (tags.to_owned(), without_address(rest.trim_start()))
}

/// Without where the other side is, which newer versions name in front of a handshake's failure: `remote address:10.0.0.9:46782,TLS_error:|...`.
fn without_address(said: &str) -> &str {
    let failure = said.strip_prefix("remote address:").and_then(|rest| rest.split_once(','));
    failure.map_or(said, |(_, failure)| failure)
}

/// Without the line of Envoy's source, which older versions name here: `[src/envoy/a.cc:1] ...`.
fn without_place(message: &str) -> &str {
    let place = message.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    place
        .filter(|(place, _)| place.contains(".cc:") && !place.contains(' '))
        .map_or(message, |(_, rest)| rest)
}

#[cfg(test)]
mod tests;
