//! Lines of `key=value`, a value with spaces in quotes: Grafana Agent, Loki's `logfmt`, structured loggers that relay an access log.

use std::borrow::Cow;

use crate::explain::{Column, Line};

/// Fewer pairs are none.
const FEWEST: usize = 3;

/// What such a line says, if all of it is pairs, and one is a column of Envoy's.
pub(in crate::explain) fn read(text: &str) -> Option<Line<'static>> {
    let mut rest = text.trim();
    let (mut line, mut pairs) = (Line::default(), 0_usize);
    while !rest.is_empty() {
        let (key, behind) = rest.split_once('=')?;
        let proper = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:@%".contains(&byte);
        (!key.is_empty() && key.bytes().all(proper)).then_some(())?;
        let (value, behind) = value(behind)?;
        if let Some(column) = Column::of_key(key) {
            // What comes twice may be a client's: nothing says which.
            (!line.shows(column)).then_some(())?;
            if column.takes(&value) {
                line.set(column, Cow::Owned(value));
            }
        }
        pairs = pairs.saturating_add(1);
        rest = behind.trim_start();
    }
    let is_envoys = Column::ALL.iter().any(|column| column.is_envoys() && line.shows(*column));
    (pairs >= FEWEST && is_envoys).then_some(line)
}

/// The value in front, without its quotes, and what is behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, behind) = text.split_once(' ').unwrap_or((text, ""));
        return (!value.contains('"')).then(|| (value.to_owned(), behind));
    };
    let mut escaped = false;
    let end = quoted.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    let (inside, behind) = quoted.split_at_checked(end)?;
    let behind = behind.strip_prefix('"')?;
    let value = serde_json::from_str(&format!("\"{inside}\"")).ok()?;
    (behind.is_empty() || behind.starts_with(' ')).then_some((value, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_a_line() {
        let line = read(r#"ts=1 level=info response_code=503 response_flags=UF path="/a \"b\"" response_code_details="upstream_reset_before_response_started{connection_timeout}""#).unwrap();
        assert_eq!(line.get(Column::Code), Some("503"));
        assert_eq!(
            line.get(Column::Details),
            Some("upstream_reset_before_response_started{connection_timeout}")
        );
        assert_eq!(line.get(Column::Path), Some(r#"/a "b""#));
    }

    #[test]
    fn what_is_not_all_pairs_or_says_something_twice_is_none() {
        for text in [
            "",
            "response_code=503",
            "a=1 b=2 c=3",
            "said response_code=503 response_flags=UF a=1",
            "a=1 response_flags=UF response_code=503 response_flags=NR",
            r#"a=1 response_flags=UF response_code="503"#,
            r#"a=1 response_flags=UF path=/x"y"#,
            r#"a=1 response_flags=UF path="x"y b=2"#,
        ] {
            assert_eq!(read(text).map(|line| line.to_owned_line()), None, "{text}");
        }
    }
}
