//! Keys and their values wherever they stand: JSON that was cut off, labels of a metric, lists of `key:value`, another language's objects.
//!
//! Last of all, and no more than a lead: who can write into such a text can write a key. What has escaped quotes stands in a string.

use std::borrow::Cow;

use memchr::memmem;
use meshwhy::evidence::{Detail, Details, Flags};

use super::{Column, Line};

/// The keys, as Istio writes them.
const KEYS: &[(&str, Column)] = &[
    ("response_flags", Column::Flags),
    ("responseFlags", Column::Flags),
    ("response_flag", Column::Flags),
    ("response_code_details", Column::Details),
    ("responseCodeDetails", Column::Details),
    ("response_code", Column::Code),
    ("responseCode", Column::Code),
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
pub(super) fn read(text: &str) -> Option<Line<'static>> {
    let has = |word: &str| memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    (has("response") && (has("lag") || has("etails"))).then_some(())?;
    let quotes = text.matches('"').count();
    let plain = if quotes > 0 && text.matches("\\\"").count() == quotes {
        Cow::Owned(text.replace("\\\"", "\""))
    } else {
        Cow::Borrowed(text)
    };
    let mut line = Line::default();
    for (key, column) in KEYS {
        let mut values = values(&plain, key);
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
    (flags || details).then_some(line)
}

/// Details that are written without a key, as in `503 UC upstream_reset_before_response_started{connection_termination}`, but in no quotes: there a client's
/// words may be.
pub(super) fn read_details(text: &str) -> Option<Line<'static>> {
    let (at, length) = WORDS.iter().find_map(|word| {
        let at = text.find(word)?;
        let rest = text.get(at..)?;
        let end = match rest.split_once('}') {
            Some((inside, _)) if word.ends_with('{') => inside.len().saturating_add(1),
            _ => word.len(),
        };
        (!word.ends_with('{') || rest.contains('}')).then_some((at, end))
    })?;
    let before = text.get(..at)?;
    let is_quoted = before.matches('"').count() % 2 == 1 || text.contains(" HTTP/");
    let details = text.get(at..at.saturating_add(length)).filter(|_| !is_quoted)?;
    let mut line = Line::default();
    let mut words = before.split_whitespace().rev();
    let flags = words.next().filter(|flags| flags.split(',').all(|name| !Flags::from_short(name).is_empty()));
    if let Some(flags) = flags {
        line.set(Column::Flags, Cow::Owned(flags.to_owned()));
        let code = words.next().filter(|code| code.len() == 3 && Column::Code.takes(code));
        code.into_iter().for_each(|code| line.set(Column::Code, Cow::Owned(code.to_owned())));
    }
    line.set(Column::Details, Cow::Owned(details.replace(' ', "_")));
    Some(line)
}

/// Details that are no words of any language.
const WORDS: &[&str] = &[
    "upstream_reset_before_response_started{",
    "upstream_reset_after_response_started{",
    "jwt_authn_access_denied{",
    "filter_chain_not_found",
];

/// What stands behind each place of the key.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(key).filter_map(move |(at, found)| {
        let rest = text.get(at.saturating_add(found.len())..)?.trim_start_matches('*');
        let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start();
        let rest = rest.strip_prefix("=>").or_else(|| rest.strip_prefix([':', '=']))?.trim_start();
        let rest = rest.trim_start_matches('*');
        let value = match rest.chars().next()? {
            quote @ ('"' | '\'') => rest.get(1..)?.split(quote).next()?,
            '~' => return None,
            _ => rest.split([',', ';', '}', ' ', '\t', '|', ')', ']', '"', '\'']).next()?,
        };
        (value.len() < 1_024).then(|| value.trim_end_matches('*'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> Option<String> {
        read(text)?.get(Column::Flags).map(str::to_owned)
    }

    #[test]
    fn keys_are_found_wherever_they_stand() {
        for text in [
            r#"{"response_code":503,"response_flags":"UF","path":"/a","user_agent":"cur"#,
            r#"..."response_code": 503, "response_flags": "UF", ..."#,
            "{'response_code': 503, 'response_flags': 'UF', 'method': None}",
            r#"istio_requests_total{response_code="503",response_flags="UF",source_app="a"} 5"#,
            r#"{"response_code"=>503, "response_flags"=>"UF"}"#,
            "pod:a,response_code:0,logtag:Fresponse_flags:UF, duration:0",
            r#"{\"response_code\":503,\"response_flags\":\"UF\",\"pa"#,
            r#""response_code":503,"**response_flags**":"UF""#,
            "jsonPayload.response_flags: \"UF\"",
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
        for text in [
            &format!("\"GET / HTTP/1.1\" 200 5 {closed}"),
            &format!("GET /a 200 \"{closed}\""),
            "upstream_reset_before_response_started{",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
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
