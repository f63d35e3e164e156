//! Answers as curl and browsers' tools show them: a status, headers, and perhaps Envoy's reply.
//!
//! What answered isn't shown, but Envoy's replies have lengths of their own, and only an upstream's answer says how long it took.

use std::borrow::Cow;

use meshwhy::diagnosis::Confidence;

use super::outcome::explain;
use super::{Column, Line, Reading, front, reply};

/// The most headers of an answer.
const MOST_HEADERS: usize = 60;

/// Envoy's replies by status and length, with the flags and details that go with them.
const REPLIES: &[(u16, usize, &str, &str)] = &[
    (404, 0, "NR", "route_not_found"),
    (502, 0, "-", "direct_response"),
    (503, 0, "NC", "cluster_not_found"),
    (500, 0, "-", "direct_response"),
    (426, 0, "-", "low_version"),
    (403, 0, "UAEX", ""),
    (400, 11, "DPE", "http1.codec_error"),
    (403, 19, "-", "rbac_access_denied_matched_policy[none]"),
    (413, 17, "-", "request_payload_too_large"),
    (429, 18, "RL", "local_rate_limited"),
    (503, 19, "UH", "no_healthy_upstream"),
    (503, 81, "UO", "upstream_reset_before_response_started{overflow}"),
    (503, 85, "UR", "upstream_reset_before_response_started{remote_reset}"),
    (503, 91, "UF", "upstream_reset_before_response_started{connection_failure}"),
    (503, 95, "UC", "upstream_reset_before_response_started{connection_termination}"),
    (502, 87, "UPE", "upstream_reset_before_response_started{protocol_error}"),
    (504, 24, "UT", "response_timeout"),
];

/// Replies with a reason of the transport.
const LONG: usize = 120;
const MOST_LONG: usize = 600;

/// Whether an answer begins here that isn't a good one.
pub(super) fn begins(text: &str) -> bool {
    status(text).is_some_and(|code| code >= 400)
}

/// What an answer of several rows says, and of how many.
pub(super) fn read<'a>(rows: impl Iterator<Item = &'a str>, keep: bool) -> Option<(Reading, usize)> {
    let mut rows = rows.peekable();
    let code = status(rows.next()?)?;
    let (mut count, mut headers) = (1_usize, Vec::new());
    while let Some(row) = rows.next_if(|row| header(row).is_some()) {
        count = count.saturating_add(1);
        headers.extend(header(row));
        if headers.len() > MOST_HEADERS {
            return None;
        }
    }
    let get =
        |name: &str| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    // Some take the header away; what a whole reply says is enough then.
    let server = get("server").unwrap_or_default();
    (server.is_empty() || server.ends_with("envoy")).then_some(())?;
    let is_text = get("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
    let mut ahead = 0_usize;
    let body = rows.find(|row| {
        ahead = ahead.saturating_add(1);
        let row = unmarked(row);
        !(row.is_empty() || row.starts_with(['*', '{', '}', '[', '<']))
    });
    let said = body.map(unmarked).and_then(reply::at_beginning);
    let length: Option<usize> = get("content-length").and_then(|length| length.parse().ok());
    let by_upstream = get("x-envoy-upstream-service-time").is_some();
    let mut line = Line::default();
    let is_said = said.is_some();
    if let Some(said) = said {
        count = count.saturating_add(ahead);
        line = said;
    } else if by_upstream && !server.is_empty() {
        line.set(Column::Flags, Cow::Borrowed("-"));
        line.set(Column::Details, Cow::Borrowed("via_upstream"));
    } else {
        let is_it = |reply: &&(u16, usize, &str, &str)| reply.0 == code && length == Some(reply.1);
        let known = REPLIES.iter().find(is_it).map(|(.., flags, details)| (*flags, *details));
        // With why the connection failed behind it, the reply is longer than any of these.
        let is_long =
            code == 503 && length.is_some_and(|length| (LONG..MOST_LONG).contains(&length)) && is_text;
        let (flags, details) = known.or_else(|| is_long.then_some(("UF", "")))?;
        (!server.is_empty() || (is_text && length > Some(0))).then_some(())?;
        line.set(Column::Flags, Cow::Borrowed(flags));
        if !details.is_empty() {
            line.set(Column::Details, Cow::Borrowed(details));
        }
    }
    let status = || Cow::Owned(code.to_string());
    // A reply says by itself what failed.
    if !is_said {
        line.set(Column::Code, status());
    }
    let length = length.map(|length| format!("; content_length={length}")).unwrap_or_default();
    let reading = match front::at_most(Confidence::Possible, explain(&line, keep)) {
        Reading::Failed(mut line, mut finding) => {
            // It wasn't shown.
            line.forget(Column::Flags);
            line.set(Column::Code, status());
            if !by_upstream && !is_said {
                let server = if server.is_empty() { String::new() } else { format!("; server={server}") };
                finding.evidence = format!("code={code}{server}{length}");
            }
            Reading::Failed(line, finding)
        }
        other => other,
    };
    Some((reading, count))
}

/// Without curl's mark of what came.
fn unmarked(row: &str) -> &str {
    let row = row.trim();
    match row.strip_prefix('<') {
        Some(rest) if rest.is_empty() || rest.starts_with(' ') => rest.trim_start(),
        _ => row,
    }
}

fn status(row: &str) -> Option<u16> {
    let (version, rest) = unmarked(row).strip_prefix("HTTP/")?.split_once(' ')?;
    let is_version = matches!(version, "1.0" | "1.1" | "2" | "2.0" | "3");
    let code = rest.split(' ').next().filter(|code| is_version && code.len() == 3)?;
    code.parse().ok()
}

fn header(row: &str) -> Option<(&str, &str)> {
    let (name, value) = unmarked(row).split_once(':')?;
    let proper = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (!name.is_empty() && name.bytes().all(proper)).then(|| (name, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(text: &str) -> Option<(&'static str, usize)> {
        match read(text.lines(), false)? {
            (Reading::Failed(_, finding), rows) => Some((finding.cause.id(), rows)),
            (Reading::Fine(_), rows) => Some(("fine", rows)),
            (other, _) => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_length_of_a_reply_tells_which_it_is() {
        for (text, expected) in [
            (
                "< HTTP/1.1 404 Not Found\n< date: x\n< server: istio-envoy\n< content-length: 0\n<\n",
                ("route_no_match", 4),
            ),
            ("HTTP/2 503 \ncontent-length: 95\nserver: envoy\n", ("upstream_closed_connection", 3)),
            (
                "HTTP/1.1 503 Service Unavailable\nserver: envoy\ncontent-length: 19\n\nno healthy upstream",
                ("no_endpoints", 5),
            ),
            (
                "HTTP/2 403\nserver: istio-envoy\nx-envoy-upstream-service-time: 4\n\nRBAC: access denied $ ls",
                ("authorization_policy_denied", 5),
            ),
            ("HTTP/1.1 502 Bad Gateway\nserver: envoy\ncontent-length: 0\n", ("egress_blocked", 3)),
            ("HTTP/1.1 413 x\ncontent-type: text/plain\ncontent-length: 17\n", ("request_too_large", 3)),
            (
                "HTTP/1.1 404 x\nserver: envoy\nx-envoy-upstream-service-time: 4\ncontent-length: 0\n",
                ("fine", 4),
            ),
            (
                "HTTP/1.1 500 x\nserver: envoy\nx-envoy-upstream-service-time: 4\ncontent-length: 9\n",
                ("application_error", 4),
            ),
        ] {
            assert_eq!(cause(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_servers_and_unknown_lengths_are_none() {
        for text in [
            "HTTP/1.1 404 Not Found\nserver: nginx\ncontent-length: 0\n",
            "HTTP/1.1 404 Not Found\ncontent-length: 0\n",
            "HTTP/1.1 404 Not Found\nserver: envoy\ncontent-length: 7\n",
            "HTTP/1.1 404 Not Found\nserver: envoy\n",
            "HTTP/9 404 Not Found\nserver: envoy\ncontent-length: 0\n",
        ] {
            assert_eq!(cause(text), None, "{text}");
        }
    }
}
