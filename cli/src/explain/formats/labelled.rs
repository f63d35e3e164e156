//! Lines of formats without quotes in which the flags have a label and nothing else says what stands where:
//! `GET /a 503 upstream=10.0.0.1:80 flags=UF duration=0ms`, `GET /a user=b -> 503 rf=UF`.

use std::borrow::Cow;

use memchr::memmem;
use meshwhy::diagnosis::Confidence;
use meshwhy::evidence::{Detail, Details};

use super::{bare, front, odd};
use crate::explain::outcome::explain;
use crate::explain::{Column, Line, Reading};

/// No words are looked at behind these.
const MOST_WORDS: usize = 64;

/// What such a line says: one label of flags that Envoy has, one status, and a request.
pub(in crate::explain) fn read(text: &str, keep: bool) -> Option<Reading> {
    memmem::find(text.as_bytes(), b"lags=").or_else(|| memmem::find(text.as_bytes(), b"rf="))?;
    (!text.contains(['"', '\'', '{', '`'])).then_some(())?;
    let words: Vec<&str> = text.split_whitespace().take(MOST_WORDS).collect();
    let method = words.iter().position(|word| bare::METHODS.contains(word))?;
    let path = words.get(method.checked_add(1)?).filter(|path| path.starts_with('/'))?;
    let behind = words.get(method.checked_add(2)?..)?;
    let mut line = Line::default();
    line.set(Column::Method, Cow::Owned((*words.get(method)?).to_owned()));
    line.set(Column::Path, Cow::Owned((*path).to_owned()));
    // A status that has no label; a protocol may stand before it.
    let mut codes = behind.iter().filter(|word| is_status(word));
    let bare = codes.next().copied();
    for (key, value) in words.iter().filter_map(|word| word.trim_matches([',', ';']).split_once('=')) {
        let value = value.trim_matches([',', ';']);
        let Some(column) = column(key, value) else { continue };
        // Twice: nothing says which is Envoy's.
        (!line.shows(column)).then_some(())?;
        line.set(column, Cow::Owned(value.to_owned()));
    }
    line.shows(Column::Flags).then_some(())?;
    match (line.shows(Column::Code), bare, codes.next()) {
        (true, ..) => {}
        (false, Some(code), None) => line.set(Column::Code, Cow::Owned(code.to_owned())),
        _ => return None,
    }
    Some(front::at_most(Confidence::Possible, explain(&line, keep)))
}

fn is_status(word: &str) -> bool {
    word.len() == 3 && word.starts_with(['1', '2', '3', '4', '5']) && Column::Code.takes(word)
}

fn column(key: &str, value: &str) -> Option<Column> {
    let is_flags = value == "-" || odd::are_flags(value);
    Some(match key {
        "flags" | "flag" | "rf" | "response_flags" | "resp_flags" if is_flags => Column::Flags,
        "status" | "code" | "rc" | "response_code" if is_status(value) => Column::Code,
        "details" | "rcd" | "response_code_details" => {
            let known = !matches!(Details::new(value).detail(), Detail::Other);
            known.then_some(Column::Details)?
        }
        "cluster" | "upstream_cluster" => Column::Cluster,
        "upstream" | "upstream_host" if Column::UpstreamHost.takes(value) => Column::UpstreamHost,
        "duration" | "duration_ms" => Column::Duration,
        _ => return None,
    })
    .filter(|column| column.takes(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<String> {
        match read(text, true)? {
            Reading::Failed(line, finding) => {
                Some(format!("{} {}", finding.cause.id(), line.get(Column::Code).unwrap_or_default()))
            }
            Reading::Fine(_) => Some("fine".to_owned()),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn labelled_flags_and_a_status_are_a_line() {
        for text in [
            "[out 2026-09-02T00:19:58Z] GET /a 503 upstream=10.0.0.141:9902 flags=UF duration=0ms",
            "[envoy] GET /json user=alice -> 503 flags=UF upstream=inspect",
            "2026-09-02 POST /a HTTP/1.1 status=503, rf=UF, cluster=a",
        ] {
            assert_eq!(said(text).as_deref(), Some("upstream_refused 503"), "{text}");
        }
        assert_eq!(said("GET /a 200 flags=- upstream=10.0.0.1:80").as_deref(), Some("fine"));
        assert_eq!(said("GET /a 404 flags=NR").as_deref(), Some("route_host_unknown 404"));
    }

    #[test]
    fn what_is_said_twice_or_by_others_is_none() {
        for text in [
            "GET /a 503 flags=UF flags=NR",
            "GET /a 503 200 flags=UF",
            "GET /a 503 flags=verbose",
            "GET /a 503 flags=rd,ra",
            "GET /a flags=UF",
            "503 flags=UF",
            "GET /a \"b\" 503 flags=UF",
            "I GET a 503 flags=UF",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
