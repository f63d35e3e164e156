//! Answers as curl and browsers' tools show them: a status, headers, and perhaps Envoy's reply.
//!
//! What answered isn't shown, but Envoy's replies have lengths of their own, and only an upstream's answer says how long it took.

use std::borrow::Cow;

use memchr::memmem;
use meshwhy::diagnosis::Confidence;

use super::reply;
use crate::explain::formats::front;
use crate::explain::outcome::explain;
use crate::explain::verdict::lengths;
use crate::explain::{Column, Line, Reading};

/// The most headers of an answer.
const MOST_HEADERS: usize = 60;

/// Whether an answer begins here that isn't a good one.
pub(in crate::explain) fn begins(text: &str) -> bool {
    status(text).is_some_and(|code| code >= 400)
}

/// Whether a good answer begins here, and what its headers look like.
pub(in crate::explain) fn good(text: &str) -> Option<fn(&str) -> bool> {
    // A forward proxy's word is none.
    let is_good = status(text).is_some_and(|code| (200..400).contains(&code))
        && !text.contains("onnection established");
    is_good.then_some(|row: &str| header(row).is_some() || row.trim_start().starts_with("* "))
}

/// What an answer of several rows says, and of how many.
pub(in crate::explain) fn read<'a>(
    rows: impl Iterator<Item = &'a str>,
    keep: bool,
) -> Option<(Reading, usize)> {
    let mut rows = rows.peekable();
    let code = status(rows.next()?)?;
    let (mut count, mut headers) = (1_usize, Vec::new());
    // curl -v -I shows each row twice, and what it thinks of them between them.
    let is_row = |row: &&str| header(row).is_some() || status(row) == Some(code) || row.starts_with("* ");
    while let Some(row) = rows.next_if(is_row) {
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
    let known = length.and_then(|length| lengths::reply(code, length));
    // The next proxy's answer is one, too.
    let is_proxys = is_text && length > Some(0) && known.is_some();
    let by_upstream = get("x-envoy-upstream-service-time").is_some() && !is_proxys;
    let mut line = Line::default();
    let is_said = said.is_some();
    if let Some(said) = said {
        count = count.saturating_add(ahead);
        line = said;
    } else if by_upstream && !server.is_empty() && code != 431 {
        line.set(Column::Flags, Cow::Borrowed("-"));
        line.set(Column::Details, Cow::Borrowed("via_upstream"));
    } else {
        // With why the connection failed behind it, the reply is longer than any of these.
        let is_long = code == 503 && length.is_some_and(lengths::has_reason) && is_text;
        if is_long && let Some(reason) = length.and_then(lengths::reason) {
            line.set(Column::UpstreamFailure, Cow::Borrowed(reason));
        }
        // Behind a proxy only few servers have a limit that is lower than its own.
        let too_large = (code == 431).then_some(("DPE", "http1.headers_too_large"));
        // Its filter for tokens names the URL that was asked for.
        let asks = get("www-authenticate").is_some_and(|asks| asks.starts_with("Bearer realm=\"http"));
        let token = (code == 401 && asks && is_text).then_some(("-", "jwt_authn_access_denied"));
        let (flags, details) = known.or_else(|| is_long.then_some(("UF", ""))).or(too_large).or(token)?;
        // Whoever shows it to others may have cut the rest off: no other server's answer is so long by chance.
        let is_cut = code == 503 && headers.len() == 1 && length.is_some_and(|length| length > 50);
        (!server.is_empty() || (is_text && length > Some(0)) || is_cut).then_some(())?;
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
            line.forget(Column::UpstreamFailure);
            line.set(Column::Code, status());
            if !by_upstream && !is_said {
                let server = if server.is_empty() { String::new() } else { format!("; server={server}") };
                finding.evidence = format!("code={code}{server}{length}");
            }
            match is_said {
                true => Reading::Failed(line, finding),
                // What the client saw: a proxy's own line knows more.
                false => Reading::Symptom(line, finding),
            }
        }
        other => other,
    };
    Some((reading, count))
}

/// The same of an answer that an application's error has in one line: `Metadata(:status=431,server=envoy)`, `map[Server:[envoy] ...]`,
/// `{'server': 'envoy', ...}`.
pub(in crate::explain) fn read_inline(text: &str, keep: bool) -> Option<Reading> {
    memmem::find(text.as_bytes(), b"envoy")?;
    let lower = text.to_ascii_lowercase();
    let is_envoys = lower.split("server").skip(1).any(|behind| {
        let name = behind.trim_start_matches(['"', '\'', '=', ':', '[', ' ']);
        name.starts_with("envoy") || name.starts_with("istio-envoy")
    });
    is_envoys.then_some(())?;
    let number = |name: &str| {
        let behind = lower.get(lower.find(name)?.saturating_add(name.len())..)?;
        let digits: String =
            behind.chars().skip_while(|c| "\"'=:[> ".contains(*c)).take_while(char::is_ascii_digit).collect();
        Some(digits).filter(|digits| !digits.is_empty() && digits.len() < 8)
    };
    let names = [":status", "status code", "status_code", "statuscode", "status", "code"];
    let code = names.iter().find_map(|name| number(name).filter(|code| code.len() == 3))?;
    let mut rows = vec![format!("HTTP/1.1 {code} x"), "server: envoy".to_owned()];
    // A gRPC client names the type that it didn't get: there is none without a body.
    let length = number("content-length").or_else(|| {
        lower.contains("invalid content-type: null").then(|| "0".to_owned()).filter(|_| code == "404")
    });
    rows.extend(length.map(|length| format!("content-length: {length}")));
    let time = number("x-envoy-upstream-service-time");
    rows.extend(time.map(|time| format!("x-envoy-upstream-service-time: {time}")));
    rows.extend(lower.contains("text/plain").then(|| "content-type: text/plain".to_owned()));
    status(rows.first()?).filter(|code| *code >= 400)?;
    Some(read(rows.iter().map(String::as_str), keep)?.0)
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
            (Reading::Failed(_, finding) | Reading::Symptom(_, finding), rows) => {
                Some((finding.cause.id(), rows))
            }
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
            ("HTTP/1.1 431 x\nserver: envoy\nx-envoy-upstream-service-time: 5\n", ("request_too_large", 3)),
            (
                "< HTTP/1.1 503 x\nHTTP/1.1 503 x\n< content-length: 211\ncontent-length: 211\n< content-type: text/plain\n< server: envoy\n",
                ("upstream_speaks_plaintext", 6),
            ),
            (
                "HTTP/1.1 503 x\nserver: envoy\ncontent-type: text/plain\ncontent-length: 167\n",
                ("upstream_refused", 4),
            ),
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
    fn an_answer_may_stand_in_one_line() {
        for (text, expected) in [
            ("HTTP status code 431 trailers: Metadata(:status=431,date=x,server=envoy)", "request_too_large"),
            (
                "UNIMPLEMENTED: HTTP status code 404 invalid content-type: null trailers: Metadata(:status=404,date=x,server=envoy)",
                "route_no_match",
            ),
            (
                "status: 503, header:map[Content-Length:[95] Content-Type:[text/plain] Server:[envoy]]",
                "upstream_closed_connection",
            ),
            ("{'status': 503, 'headers': {'content-length': '19', 'server': 'istio-envoy'}}", "no_endpoints"),
            ("code=502 server=envoy content-length=5 x-envoy-upstream-service-time=4", "application_error"),
        ] {
            let Some(Reading::Failed(_, finding) | Reading::Symptom(_, finding)) = read_inline(text, false)
            else {
                panic!("{text}")
            };
            assert_eq!((finding.cause.id(), finding.confidence), (expected, Confidence::Possible), "{text}");
        }
        for text in
            ["status 503 server nginx", "server: envoy", "server=envoy status=200", "server envoy 503"]
        {
            assert_eq!(read_inline(text, false), None, "{text}");
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
