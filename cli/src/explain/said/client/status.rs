//! A status that a client names without the answer: `HTTP probe failed with statuscode: 503`.

use std::cell::LazyCell;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use meshwhy::causes::Cause;

/// What clients write in front of one.
const BEFORE: &[&str] = &[
    "probe failed with statuscode: ",
    "HTTP status code received from server: ",
    "HTTP status code ",
    "HTTP status code: ",
    // Browsers, of a request.
    "Status Code:",
    "Status Code: ",
    "http2 header with status: ",
    "server returned error: HTTP/1.1 ",
    "awaiting response... ",
    "ERROR ",
    "ClientResponseError: ",
    "ServerException: ",
    "ErrorException: ",
    "Server error '",
    "Client error '",
    "resulted in a `",
    "HTTP request failed! HTTP/1.1 ",
    "HTTP request failed! HTTP/1.0 ",
    "server returned an error: (",
    "requested URL returned error: ",
    "Received HTTP code ",
    "CONNECT tunnel failed, response ",
    "Unexpected response code: ",
    "Unexpected server response: ",
    "failed with status code ",
    "Status(",
    "rejected WebSocket connection: HTTP ",
    "HTTP Error ",
    "HTTP response code: ",
    "does not indicate success: ",
    "returned HTTP status ",
    "status code: ",
    "ok code ",
    "status ",
];

/// What they write behind one.
const BEHIND: &[&str] = &[
    " Server Error: ",
    " Client Error: ",
    " Service Unavailable from ",
    " Service Unavailable] during ",
    " Service Unavailable: [",
    " Service Temporarily Unavailable from ",
    " Not Found from ",
    " Not Found] during ",
    " Not Found: [",
    " Bad Gateway from ",
    " Bad Gateway] during ",
    " Bad Gateway: [",
    " Gateway Timeout from ",
    " Gateway Timeout] during ",
    " Gateway Timeout: [",
    " Forbidden from ",
    " Forbidden] during ",
    " Forbidden: [",
    " Unauthorized from ",
    " Unauthorized] during ",
    " Unauthorized: [",
    " Internal Server Error from ",
    " Internal Server Error] during ",
    " Internal Server Error: [",
];

/// Once through a text for all of them: few numbers have any.
static WORDS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(BEFORE.iter().chain(BEHIND)).ok());

/// Whether a status of a failure may be in a text: a number of three digits, or an object that may have gRPC's.
pub(super) fn may_be_in(text: &str) -> bool {
    text.starts_with('{') || numbers(text).next().is_some()
}

/// Numbers of three digits that may be a status of a failure, and what is around them.
fn numbers(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let mut at = 0_usize;
    let parts = text.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    let parts = parts.map(move |part| {
        let begin = at;
        at = at.saturating_add(part.len());
        (begin, part)
    });
    let statuses = parts.filter(|(_, part)| matches!(part, [b'4' | b'5', b'0'..=b'9', b'0'..=b'9']));
    statuses.filter_map(|(at, part)| {
        let (before, rest) = text.split_at_checked(at)?;
        let (number, behind) = rest.split_at_checked(part.len())?;
        Some((before, number, behind))
    })
}

/// The status, and the words around it.
pub(super) fn read(text: &str) -> Option<(u16, String)> {
    may_be_in(text).then_some(())?;
    if text.starts_with('{') {
        return of_status(text);
    }
    let has_words = WORDS.as_ref().is_none_or(|words| words.is_match(text));
    let around = |all: &'static [&'static str]| all.iter().filter(move |_| has_words);
    let before = around(BEFORE).find_map(|words| {
        let (before, behind) = text.split_once(words)?;
        let (code, rest) = behind.split_at_checked(3)?;
        (!is_wanted(before)).then_some(())?;
        // `status 1503 ms`, `ERROR 503/tcp`.
        let is_named = !matches!(*words, "ERROR " | "status ")
            || rest.starts_with(": ")
            || rest.starts_with(" reading ");
        let goes_on = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-'));
        (is_named && !goes_on).then_some(())?;
        Some((failed(code)?, format!("{words}{code}")))
    });
    let before = before
        .or_else(|| called(text))
        .or_else(|| fetched(text))
        .or_else(|| of_angular(text))
        .or_else(|| property(text))
        .or_else(|| phrased(text));
    before.or_else(|| {
        around(BEHIND).find_map(|words| {
            let (before, _) = text.split_once(words)?;
            let code = before.get(before.len().checked_sub(3)?..)?;
            Some((failed(code)?, format!("{code}{}", words.trim_end_matches([' ', ':', '[']))))
        })
    })
}

/// `statusCode: 404,` on a row of its own, of an error that Node shows.
fn property(text: &str) -> Option<(u16, String)> {
    let text = text.trim().strip_suffix(',')?;
    let code = text.strip_prefix("statusCode: ").or_else(|| text.strip_prefix("status: "))?;
    Some((failed(code).filter(|_| code.len() == 3)?, text.to_owned()))
}

/// `google.rpc.Status`, as gRPC's errors are answered to clients of JSON: `{"code": 16, "message": "...", "details": []}`.
fn of_status(text: &str) -> Option<(u16, String)> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let said = object.get("message")?.as_str()?;
    let status =
        object.get("details").filter(|details| details.is_array()).and(object.get("code"))?.as_u64()?;
    let code = match status {
        4 => 504,
        7 => 403,
        8 => 429,
        14 => 503,
        16 => 401,
        _ => return None,
    };
    Some((code, format!("{said} (status {status} of gRPC)")))
}

/// What goes with a status in HTTP, as most clients and servers write it behind it.
const PHRASES: &[(u16, &str)] = &[
    (401, "unauthorized"),
    (403, "forbidden"),
    (404, "not found"),
    (413, "payload too large"),
    (413, "request entity too large"),
    (426, "upgrade required"),
    (429, "too many requests"),
    (500, "internal server error"),
    (502, "bad gateway"),
    (503, "service unavailable"),
    (503, "service temporarily unavailable"),
    (504, "gateway timeout"),
    (504, "gateway time-out"),
];

/// A status with its phrase: `received unexpected HTTP status: 502 Bad Gateway`. One that answers may be all right has to be called a failure.
fn phrased(text: &str) -> Option<(u16, String)> {
    const FAILS: &[&str] = &["fail", "error", "unexpected", "exception", "unaccepted", "unable", "cannot"];
    // A text may have many such numbers.
    let is_failure = LazyCell::new(|| {
        let said = text.to_ascii_lowercase();
        FAILS.iter().any(|words| said.contains(words))
    });
    numbers(text).find_map(|(before, number, behind)| {
        let apart = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-'));
        let behind = behind.strip_prefix(':').unwrap_or(behind);
        let said = behind.starts_with(' ').then(|| behind.trim_start())?;
        let code = failed(number).filter(|_| apart)?;
        let begins =
            |phrase: &str| said.get(..phrase.len()).is_some_and(|said| said.eq_ignore_ascii_case(phrase));
        let (_, phrase) = PHRASES.iter().find(|(of, phrase)| *of == code && begins(phrase))?;
        (code >= 500 || *is_failure).then(|| (code, format!("{code} {phrase}")))
    })
}

/// What Angular says: `Http failure response for https://a.b/c: 503 Service Unavailable`.
fn of_angular(text: &str) -> Option<(u16, String)> {
    let (_, behind) = text.split_once("Http failure response for ")?;
    let code = behind.split_once(": ")?.1.get(..3)?;
    Some((failed(code)?, format!("Http failure response {code}")))
}

/// What apt says: `E: Failed to fetch http://a/InRelease  502  Bad Gateway [IP: 10.0.0.1 80]`.
fn fetched(text: &str) -> Option<(u16, String)> {
    // Behind a row with the source: `  404  Not Found [IP: 10.0.0.1 80]`.
    if let Some((answer, _)) = text.split_once(" [IP: ")
        && let Some((code, _)) = answer.trim().split_once("  ")
    {
        return Some((failed(code)?, format!("{} [IP", answer.trim())));
    }
    let (_, behind) = text.split_once(": Failed to fetch ")?;
    let code = behind.split("  ").nth(1)?.trim();
    Some((failed(code)?, format!("Failed to fetch {code}")))
}

/// Whether a status is one that somebody waits for: `expected status code: 503`.
fn is_wanted(before: &str) -> bool {
    let word = before.trim_end().rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    is_other(word)
}

/// Whether it goes before the status of a process, or before one that is waited for.
fn is_other(word: &str) -> bool {
    ["exit", "expected", "expects", "expect", "expecting"]
        .iter()
        .any(|other| word.eq_ignore_ascii_case(other))
}

/// Whether a number counts what stands behind it, or is explained: `error code 500 rows inserted`, `the code 503 means that ...`.
fn counts(text: &str, name: &str, number: &str) -> bool {
    const COUNTED: &[&str] =
        &["rows", "files", "bytes", "records", "items", "lines", "documents", "messages"];
    // What one means, and how many there may be.
    const EXPLAINED: &[&str] = &["means ", "is returned ", "error budget"];
    let Some((_, behind)) = text.split_once(&format!("{name} {number} ")) else { return false };
    if EXPLAINED.iter().any(|words| behind.starts_with(words)) {
        return true;
    }
    let end = behind.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(behind.len());
    let (word, rest) = behind.split_at_checked(end).unwrap_or_default();
    COUNTED.contains(&word) && !rest.starts_with(['=', ':'])
}

/// A number that words call a status or a code: `response code '503'`, `status=504`, `HTTP 502`. A key of an object is none of them.
fn called(text: &str) -> Option<(u16, String)> {
    const NAMES: &[&str] = &["status", "code", "HTTP", "statusCode", "StatusCode"];
    let is_text = !text.starts_with(['/', '{']) && !text.starts_with("[{") && !text.contains("\":");
    is_text.then_some(())?;
    let mut words =
        text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '"' | '/' | '-')));
    // `we are getting a 503`, `it always returns a 404`
    const GETS: &[&str] = &["get", "gets", "getting", "got", "receive", "receives", "receiving", "received"];
    let is_always = text.contains("always return") || text.contains("keeps return");
    let (mut before, mut last) = ("", words.next()?);
    for word in words.filter(|word| !word.is_empty()) {
        let code = failed(word).filter(|code| *code >= 500 && word.len() == 3);
        let is_status = || NAMES.contains(&last) && !is_other(before) && !counts(text, last, word);
        if let Some(code) = code.filter(|_| is_status()) {
            return Some((code, format!("{last} {code}")));
        }
        let verb = if last == "a" { before } else { last };
        let is_got = (last == "a" && GETS.contains(&verb)) || (is_always && verb.starts_with("return"));
        if let Some(code) = failed(word).filter(|_| is_got && word.len() == 3) {
            return Some((code, format!("{verb} {code}")));
        }
        (before, last) = (last, word);
    }
    None
}

/// A status of a failure.
pub(super) fn failed(code: &str) -> Option<u16> {
    code.parse().ok().filter(|code| (400..600).contains(code))
}

/// What is behind it most often. Whether a proxy or the server answered isn't said.
pub(super) fn causes(code: u16, text: &str) -> Option<(Cause, &'static [Cause])> {
    let is_probe = text.contains("robe failed");
    let by_forward_proxy =
        text.contains("from proxy after CONNECT") || text.contains("CONNECT tunnel failed");
    let is_upgrade = text.contains("ebSocket") || text.contains("Unexpected server response");
    Some(match code {
        403 if is_upgrade => (Cause::UpgradeRefused, &[Cause::AuthorizationPolicyDenied]),
        404 | 405 if by_forward_proxy => (Cause::ConnectToNonProxyPort, &[]),
        401 => (Cause::JwtRejected, &[Cause::ExtAuthzDenied]),
        403 => (Cause::AuthorizationPolicyDenied, &[Cause::ExtAuthzDenied]),
        426 => (Cause::Http10Client, &[Cause::Http10Upstream]),
        429 => (Cause::RateLimited, &[]),
        413 | 431 => (Cause::RequestTooLarge, &[]),
        // The kubelet asks the pod itself, and no route stands between.
        _ if is_probe => (Cause::ApplicationError, &[]),
        _ if by_forward_proxy => (Cause::UpstreamProxyError, &[Cause::ConnectToNonProxyPort]),
        400 => (Cause::InvalidHttpRequest, &[Cause::UpstreamExpectsTls, Cause::NotHttpOnHttpPort]),
        404 => (Cause::RouteNoMatch, &[Cause::RouteHostUnknown, Cause::GatewayWithoutHttpRoutes]),
        408 => (Cause::IdleTimeout, &[]),
        500 => (Cause::ApplicationError, &[Cause::RouteWithoutBackend]),
        502 => (Cause::UpstreamProtocolError, &[Cause::EgressBlocked, Cause::ApplicationError]),
        503 => (
            Cause::UpstreamClosedConnection,
            &[Cause::UpstreamRefused, Cause::NoEndpoints, Cause::ApplicationError],
        ),
        504 => (Cause::UpstreamTimeout, &[]),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_named_by_the_words_around_it() {
        for (text, code) in [
            ("Readiness probe failed: HTTP probe failed with statuscode: 503", 503),
            ("wget: server returned error: HTTP/1.1 404 Not Found", 404),
            ("2021-01-01 10:00:00 ERROR 503: Service Unavailable.", 503),
            ("HTTP request sent, awaiting response... 502 Bad Gateway", 502),
            ("curl: (22) The requested URL returned error: 426", 426),
            ("curl: (56) Received HTTP code 503 from proxy after CONNECT", 503),
            ("curl: (56) CONNECT tunnel failed, response 404", 404),
            ("  statusCode: 404,", 404),
            ("we are getting a 503 from orders", 503),
            ("the external service always returns a 404", 404),
            ("WebSocket connection to 'wss://a' failed: Unexpected response code: 403", 403),
            ("requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: http://a/", 503),
            ("feign.FeignException: [503 Service Unavailable] during [GET] to [http://a]", 503),
            ("feign.FeignException: status 404 reading A#b()", 404),
            ("Got response code '503' contacting Elasticsearch at URL 'http://elasticsearch:9200/'", 503),
            ("the call ended with status 504", 504),
            ("received unexpected HTTP status: 502 Bad Gateway", 502),
            ("login attempt to http://a.b/v2/ failed with status : 502 bad gateway", 502),
            ("error writing events: response status 404 Not Found unaccepted, retrying", 404),
            (
                "rpc error: code = Unavailable desc = unexpected HTTP status code received from server: 503 (Service Unavailable)",
                503,
            ),
        ] {
            let (found, _) = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found, code, "{text}");
            assert!(causes(found, text).is_some(), "{text}");
        }
        for text in [
            "status 200 reading it",
            "status 503ms",
            "it returns 404 for what it doesn't know",
            "got 503 items",
            "received 500 messages",
            "ERROR 404 files",
            "awaiting response... 200 OK",
            "status code: 2000",
            "HTTP status code 5030",
            "exit code 503",
            "it answers 404 Not Found for others",
            "on port 10503 Service Unavailable",
            "code 503.2",
            "{\"code\":503}",
            "/path response_code:503",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
