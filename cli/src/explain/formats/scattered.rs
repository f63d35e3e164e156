//! Keys and their values wherever they stand: JSON that was cut off, labels of a metric, lists of `key:value`, another language's objects.
//!
//! Last of all, and no more than a lead: who can write into such a text can write a key. What has escaped quotes stands in a string.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem;
use memchr::memmem::Finder;
use meshwhy::evidence::{Detail, Details, Flags};

use crate::explain::{Column, Line};

/// The keys, as Istio writes them; others write them `responseFlags` or `Response Flags`.
const KEYS: &[(&str, Column)] = &[
    ("response_flags", Column::Flags),
    ("response_flag", Column::Flags),
    ("response_code_details", Column::Details),
    ("response_code_detail", Column::Details),
    ("response_details", Column::Details),
    ("response_code", Column::Code),
    ("response_status", Column::Code),
    ("upstream_cluster", Column::Cluster),
    ("upstream_host", Column::UpstreamHost),
    ("upstream_transport_failure_reason", Column::UpstreamFailure),
    ("connection_termination_details", Column::Termination),
    ("requested_server_name", Column::Sni),
    ("route_name", Column::Route),
    ("duration", Column::Duration),
    ("method", Column::Method),
    ("authority", Column::Authority),
    ("start_time", Column::Time),
];

/// What the keys say, if one of Envoy's own has a value that Envoy writes.
pub(in crate::explain) fn read(text: &str) -> Option<Line<'static>> {
    let has = |word: &str| memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    (has("esponse") && (has("lag") || has("etail"))).then_some(())?;
    (!is_question(text) && !is_none(text)).then_some(())?;
    let quotes = text.matches('"').count();
    let plain = if quotes > 0 && text.matches("\\\"").count() == quotes {
        Cow::Owned(text.replace("\\\"", "\""))
    } else {
        Cow::Borrowed(text)
    };
    let lower = plain.to_ascii_lowercase();
    let mut line = Line::default();
    for (key, column) in KEYS {
        // Another key may end so: `permissive_response_code`.
        let (own, longer): (Vec<_>, Vec<_>) =
            values(&plain, &lower, key).partition(|(is_whole, _)| *is_whole);
        let mut values = if own.is_empty() { longer } else { own }.into_iter().map(|(_, value)| value);
        let Some(value) = values.next() else { continue };
        if values.any(|other| other != value) {
            // Nothing says which is Envoy's.
            if matches!(column, Column::Flags | Column::Details | Column::Code) {
                return None;
            }
            continue;
        }
        let value = if matches!(value, "null" | "None" | "nil") { "" } else { value };
        if column.takes(value) && !line.shows(*column) {
            line.set(*column, Cow::Owned(value.to_owned()));
        }
    }
    let known = |name: &str| !Flags::from_short(name).is_empty();
    let flags = line.get(Column::Flags).is_some_and(|flags| flags.split(',').all(known));
    let details = line
        .get(Column::Details)
        .is_some_and(|details| !matches!(Details::new(details).detail(), Detail::None | Detail::Other));
    if !flags && !details && has("istio_requests_total{") {
        return counted(line);
    }
    (flags || details).then_some(line)
}

/// Whether it asks for a counter's values, as an alert does: `rate(istio_requests_total{response_flags="UF"}[5m])`.
fn is_question(text: &str) -> bool {
    memmem::find_iter(text.as_bytes(), b"}[")
        .any(|at| text.as_bytes().get(at.saturating_add(2)).is_some_and(u8::is_ascii_digit))
}

/// Whether it is a counter that has counted nothing.
fn is_none(text: &str) -> bool {
    let value = text.rsplit_once("} ").map(|(_, value)| value.trim());
    value.is_some_and(|value| matches!(value, "0" | "0.0"))
}

/// A failure that Istio's counter of requests has without flags: an upstream's own.
fn counted(mut line: Line<'static>) -> Option<Line<'static>> {
    let is_servers = line.code().is_some_and(|code| code >= 500);
    (is_servers && line.shows(Column::Flags) && line.get(Column::Flags).is_none()).then_some(())?;
    line.set(Column::Details, Cow::Borrowed("via_upstream"));
    Some(line)
}

/// A status, flags and details without keys, as in `503 UC upstream_reset_before_response_started{connection_termination}`, but in no quotes:
/// there a client's words may be. Of details that are no words of any language these alone.
pub(in crate::explain) fn read_details(text: &str) -> Option<Line<'static>> {
    if has_request(text) || text.trim_start().starts_with('/') {
        return None;
    }
    let is_plain = |at: usize| text.get(..at).is_some_and(|before| before.matches('"').count() % 2 == 0);
    let mut line = Line::default();
    if memmem::find(text.as_bytes(), b"not allowed in 1xx").is_some()
        && ANSWERS.iter().filter_map(|answer| text.find(answer)).any(is_plain)
    {
        line.set(Column::Details, Cow::Borrowed("upstream_reset_before_response_started{protocol_error}"));
        return Some(line);
    }
    let has = |finder: &Finder<'_>| finder.find(text.as_bytes()).is_some();
    let found = || WORDS.iter().zip(&*FINDERS).filter(|(_, finder)| has(finder));
    if let Some((at, details)) =
        found().find_map(|(word, _)| detail(text, word)).filter(|(at, _)| is_plain(*at))
    {
        let mut words = text.get(..at)?.split_whitespace().rev();
        if let Some(flags) = words.next().filter(|flags| are_flags(flags)) {
            line.set(Column::Flags, Cow::Owned(flags.to_owned()));
            let code = words.next().filter(|code| is_status(code));
            code.into_iter().for_each(|code| line.set(Column::Code, Cow::Owned(code.to_owned())));
        }
        line.set(Column::Details, Cow::Owned(details));
        return Some(line);
    }
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| word.trim_matches(['`', '\'', '*', ',', '(', ')', ':', '.']))
        .collect();
    let pair = words
        .windows(2)
        .position(|pair| matches!(pair, [code, flags] if is_status(code) && are_flags(flags)));
    let Some(pair) = pair else {
        return together(&words).or_else(|| named(&words)).filter(|_| !text.contains('"'));
    };
    let &[code, flags] = words.get(pair..pair.saturating_add(2))? else { return None };
    text.find(code).filter(|at| is_plain(*at))?;
    line.set(Column::Code, Cow::Owned(code.to_owned()));
    line.set(Column::Flags, Cow::Owned(flags.to_owned()));
    let known = |details: &&&str| !matches!(Details::new(**details).detail(), Detail::None | Detail::Other);
    if let Some(details) = words.get(pair.saturating_add(2)).filter(known) {
        line.set(Column::Details, Cow::Owned((*details).to_owned()));
    }
    failure(text).into_iter().for_each(|failure| line.set(Column::UpstreamFailure, Cow::Owned(failure)));
    Some(line)
}

/// Whether a request may stand here, of which a client says much: an answer's first line has a status, and neither path nor method before it.
fn has_request(text: &str) -> bool {
    text.match_indices(" HTTP/").any(|(at, _)| {
        let (before, behind) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        let is_answer = behind.split(' ').nth(1).and_then(|word| word.get(..3)).is_some_and(is_status);
        let mut words = before.split_whitespace().rev();
        let is_target = words.next().is_some_and(|word| word == "-" || word.contains(['/', ':']));
        let is_method = words.next().is_some_and(|word| !word.contains(|c: char| c.is_ascii_lowercase()));
        !is_answer || is_target || is_method
    })
}

/// `503UF`, as people write it.
fn together(words: &[&str]) -> Option<Line<'static>> {
    let (code, flags) = words.iter().find_map(|word| {
        word.split_at_checked(3)
            .filter(|(code, flags)| is_status(code) && flags.len() > 1 && are_flags(flags))
    })?;
    let mut line = Line::default();
    line.set(Column::Code, Cow::Owned(code.to_owned()));
    line.set(Column::Flags, Cow::Owned(flags.to_owned()));
    Some(line)
}

/// Flags that a sentence calls so: `a 503 with a response flag UH`, `503s with the flags UF,URX`.
fn named(words: &[&str]) -> Option<Line<'static>> {
    const AROUND: usize = 3;
    let at = words.iter().position(|word| {
        let word = word.to_ascii_lowercase();
        ["flag", "flags"]
            .iter()
            .any(|end| word.strip_suffix(end).is_some_and(|rest| !rest.ends_with(char::is_alphanumeric)))
    })?;
    let near = words.get(at.saturating_sub(AROUND)..)?;
    let near = near.iter().take(AROUND.saturating_mul(2).saturating_add(1));
    let flags = only(near.filter(|word| word.len() > 1 && are_flags(word)))?;
    let mut line = Line::default();
    line.set(Column::Flags, Cow::Owned(flags.to_owned()));
    let code = only(words.iter().filter(|word| is_status(word)));
    code.into_iter().for_each(|code| line.set(Column::Code, Cow::Owned(code.to_owned())));
    Some(line)
}

/// The one word that there is.
fn only<'a>(mut words: impl Iterator<Item = &'a &'a str>) -> Option<&'a str> {
    let first = *words.next()?;
    words.all(|word| *word == first).then_some(first)
}

/// The transport's words for it, which stand in quotes in Istio's format.
fn failure(text: &str) -> Option<String> {
    let begin = ["\"TLS error: ", "\"TLS_error:", "\"delayed connect error: ", "\"delayed_connect_error:"];
    let at = begin.iter().find_map(|begin| text.find(begin))?;
    text.get(at..)?.split('"').nth(1).map(str::to_owned)
}

/// Where such a word begins, and all of it: in braces there may be spaces.
fn detail(text: &str, word: &str) -> Option<(usize, String)> {
    let at = text.find(word)?;
    let rest = text.get(at..)?;
    let details = match word.chars().next_back()? {
        '{' => rest.get(..=rest.find('}')?)?,
        '[' => rest.split([' ', '"', '\'', '`', ',']).next()?,
        // What happened stands behind it.
        _ if word == "ext_proc_error" => rest.split(|c: char| !is_of_word(c) && c != '-').next()?,
        _ => word,
    };
    // A word of its own.
    let goes_on = |c: char| is_of_word(c) || c == '.';
    let is_word = !text.get(..at)?.ends_with(goes_on) && !rest.get(details.len()..)?.starts_with(goes_on);
    is_word.then_some(())?;
    Some((at, details.replace(' ', "_")))
}

const fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn are_flags(word: &str) -> bool {
    word.split(',').all(|name| !Flags::from_short(name).is_empty())
}

/// Of a failure.
fn is_status(word: &str) -> bool {
    word.len() == 3 && word.starts_with(['4', '5']) && Column::Code.takes(word)
}

/// Details that are no words of any language.
const WORDS: &[&str] = &[
    "upstream_reset_before_response_started{",
    "upstream_reset_after_response_started{",
    "jwt_authn_access_denied{",
    "rbac_access_denied_matched_policy[",
    "filter_chain_not_found",
    "cluster_not_found",
    "downstream_remote_disconnect",
    "ext_authz_denied",
    "ext_authz_error",
    "ext_proc_error",
    "http1.codec_error",
    "http1.headers_too_large",
    "max_duration_timeout",
    "no_healthy_upstream",
    "rate_limiter_error",
    "request_payload_too_large",
    "stream_idle_timeout",
    "upstream_max_stream_duration_reached",
    "upstream_per_try_timeout",
    "upstream_response_timeout",
    "wasm_fail_stream",
];

/// Made once: what costs is the making.
static FINDERS: LazyLock<Vec<Finder<'static>>> =
    LazyLock::new(|| WORDS.iter().map(|word| Finder::new(*word)).collect());

/// What Envoy's parser says of answers alone.
const ANSWERS: &[&str] =
    &["transfer encoding not allowed in 1xx or 204", "content length not allowed in 1xx or 204"];

/// What stands behind each place of the key, and whether nothing is in front of it that belongs to it. `lower` is the text in lower case.
fn values<'a>(text: &'a str, lower: &'a str, key: &'a str) -> impl Iterator<Item = (bool, &'a str)> {
    let mut words = key.split('_');
    let first = words.next().unwrap_or(key);
    lower.match_indices(first).filter_map(move |(at, found)| {
        let is_whole = !text.get(..at)?.ends_with('_');
        let mut end = at.saturating_add(found.len());
        for word in words.clone() {
            let rest = lower.get(end..)?;
            let behind = rest.strip_prefix(['_', '-', ' ']).unwrap_or(rest).strip_prefix(word)?;
            end = lower.len().saturating_sub(behind.len());
        }
        let rest = text.get(end..)?.trim_start_matches('*');
        let rest = rest.strip_prefix(['"', '\'', '`']).unwrap_or(rest).trim_start();
        let sign = || rest.strip_prefix("=>").or_else(|| rest.strip_prefix([':', '=']));
        // Somebody reports it.
        let reported = || rest.strip_prefix("is ").filter(|rest| rest.starts_with(['"', '\'', '`']));
        let rest = sign().or_else(reported)?.trim_start();
        let rest = rest.trim_start_matches('*');
        let value = match rest.chars().next()? {
            quote @ ('"' | '\'' | '`') => rest.get(1..)?.split(quote).next()?,
            '~' => return None,
            _ => rest.split([',', ';', '}', ' ', '\t', '|', ')', ']', '"', '\'', '`']).next()?,
        };
        (value.len() < 1_024).then(|| (is_whole, value.trim_end_matches('*')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> Option<String> {
        read(text)?.get(Column::Flags).map(str::to_owned)
    }

    #[test]
    fn flags_may_be_called_so() {
        for (text, expected) in [
            ("received a 503 with a response flag UH, so none is healthy", Some(("503", "UH"))),
            ("Intermittent 503 with UC,URX response flags across regions", Some(("503", "UC,URX"))),
            ("the response flag is `UF`", Some(("", "UF"))),
            ("503 or 504 with the flag UT", Some(("", "UT"))),
            ("either flag UF or UH", None),
            ("Is there a flag for what I saw, as UC is one", None),
            ("a flagship UF", None),
        ] {
            let line = read_details(text);
            let found = line.as_ref().map(|line| {
                (line.get(Column::Code).unwrap_or_default(), line.get(Column::Flags).unwrap_or_default())
            });
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn keys_are_found_wherever_they_stand() {
        for text in [
            r#"{"response_code":503,"response_flags":"UF","path":"/a","user_agent":"cur"#,
            r#"..."response_code": 503, "response_flags": "UF", ..."#,
            "{'response_code': 503, 'response_flags': 'UF', 'method': None}",
            r#"istio_requests_total{response_code="503",response_flags="UF",source_app="a"} 5"#,
            r#"a{permissive_response_code="none",response_code="503",response_flags="UF"}	1"#,
            r#"{"response_code"=>503, "response_flags"=>"UF"}"#,
            "pod:a,response_code:0,logtag:Fresponse_flags:UF, duration:0",
            r#"{\"response_code\":503,\"response_flags\":\"UF\",\"pa"#,
            r#""response_code":503,"**response_flags**":"UF""#,
            "jsonPayload.response_flags: \"UF\"",
            "all of them `response_flags=UF` and nothing else",
        ] {
            assert_eq!(flags(text).as_deref(), Some("UF"), "{text}");
        }
    }

    #[test]
    fn details_may_stand_alone() {
        let read = |text: &str| {
            let line = read_details(text)?;
            let get = |column| line.get(column).unwrap_or_default().to_owned();
            Some((get(Column::Code), get(Column::Flags), get(Column::Details)))
        };
        let said = |code: &str, flags: &str, details: &str| Some((code.into(), flags.into(), details.into()));
        let closed = "upstream_reset_before_response_started{connection_termination}";
        assert_eq!(read(&format!("Details: {closed}")), said("", "", closed));
        assert_eq!(read(&format!("we see 503 UC {closed} now")), said("503", "UC", closed));
        assert_eq!(
            read("upstream_reset_before_response_started{local reset}"),
            said("", "", "upstream_reset_before_response_started{local_reset}")
        );
        // An answer's first line is no request.
        let of_a_filter = said("", "", "ext_proc_error_gRPC_error_14");
        assert_eq!(
            read("Clients get HTTP/1.1 500 with ext_proc_error_gRPC_error_14 in the log."),
            of_a_filter
        );
        for text in [
            "GET /a HTTP/1.1 500 ext_proc_error_gRPC_error_14",
            "CONNECT a HTTP/1.1 500 ext_proc_error_gRPC_error_14",
            &format!("\"GET / HTTP/1.1\" 200 5 {closed}"),
            &format!("GET /a 200 \"{closed}\""),
            "upstream_reset_before_response_started{",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn flags_may_have_a_failure_behind_them() {
        let failure = |text: &str| {
            Some(read_details(text)?.get(Column::UpstreamFailure).unwrap_or_default().to_owned())
        };
        let tls = "TLS error: 268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER";
        assert_eq!(failure(&format!("503 UF,URX \"-\" \"{tls}\"")), Some(tls.to_owned()));
        assert_eq!(failure("503 UF \"-\" \"/TLS error: 1\""), Some(String::new()));
    }

    #[test]
    fn what_a_client_may_have_written_is_none() {
        for text in [
            r#"{"user_agent":"x\"response_flags\":\"UF\"","code":200"#,
            r#"{"response_flags":"-","user_agent":"response_flags:UF""#,
            "response_flags=~\"UF\"",
            "response_flags: none",
            "set response_flags to UF",
            "responses_flagged: UF",
        ] {
            assert_eq!(flags(text), None, "{text}");
        }
    }
}
