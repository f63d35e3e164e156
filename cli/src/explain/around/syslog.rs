//! What syslog puts in front of a line: RFC 5424's header and RFC 3164's, the latter as files have it, too (without its priority).

/// A header of RFC 5424.
pub(in crate::explain) struct Header<'a> {
    /// Its bytes, with the space and the byte order mark before the message.
    pub(in crate::explain) length: usize,
    host: &'a str,
}

/// `<165>1 2003-10-11T22:14:15.003Z HOST APP PROCID MSGID [ID NAME="VALUE"] MESSAGE`, where the text begins so.
pub(in crate::explain) fn header(text: &str) -> Option<Header<'_>> {
    let (_, rest) = without_priority(text)?;
    let (version, rest) = rest.split_once(' ')?;
    is_number(version).then_some(())?;
    let mut words = rest.splitn(6, ' ');
    let (_time, host) = (words.next()?, words.next()?);
    let rest = words.nth(3)?;
    let message = match rest.strip_prefix('-') {
        Some(rest) => rest,
        None => without_data(rest)?,
    };
    let message = message.strip_prefix(' ')?;
    let message = message.strip_prefix('\u{feff}').unwrap_or(message);
    Some(Header { length: text.len().checked_sub(message.len())?, host })
}

/// Who sent it, and what is behind the header.
pub(in crate::explain) fn host(prefix: &str) -> (Option<&str>, &str) {
    if let Some(Header { length, host }) = header(prefix) {
        return (Some(host).filter(|host| *host != "-"), prefix.get(length..).unwrap_or_default());
    }
    // RFC 3164: `<34>Oct 11 22:14:15 HOST PROGRAM[PID]:`.
    let rest = without_priority(prefix).map_or(prefix, |(_, rest)| rest);
    let mut words = rest.split_whitespace();
    let is_dated = words.next().is_some_and(|word| MONTHS.contains(&word))
        && words.next().is_some_and(is_number)
        && words.next().is_some_and(|word| word.contains(':'));
    let host = words.next().filter(|_| is_dated);
    (host, if is_dated { "" } else { prefix })
}

const MONTHS: &[&str] = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `<PRIORITY>` and what is behind it.
fn without_priority(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('<')?.split_once('>').filter(|(priority, _)| is_number(priority))
}

fn is_number(word: &str) -> bool {
    (1..=3).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// What is behind the elements of structured data; a quote, a backslash and a bracket in a value have a backslash before them.
fn without_data(text: &str) -> Option<&str> {
    let mut rest = text.strip_prefix('[')?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => {
                rest = rest.get(at.checked_add(1)?..)?;
                return if rest.starts_with('[') { without_data(rest) } else { Some(rest) };
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_begins_behind_the_header() {
        for (text, expected) in [
            ("<165>1 2003-10-11T22:14:15.003Z web-1 envoy 123 ID47 - [x", Some(("web-1", "[x"))),
            (
                r#"<165>1 2003-10-11T22:14:15.003Z web-1 envoy - - [a@1 b="c\"] d" e="f"][g@2 h="i"] {"a":1}"#,
                Some(("web-1", r#"{"a":1}"#)),
            ),
            ("<6>1 - - - - - - \u{feff}[x", Some(("-", "[x"))),
            (r#"<165>1 2003-10-11T22:14:15.003Z web-1 envoy - - [a@1 b="c] d"#, None),
            ("<165>Oct 11 22:14:15 web-1 envoy[1]: [x", None),
            ("<a>1 t h a p m - x", None),
            ("", None),
        ] {
            let found = header(text).map(|header| (header.host, text.get(header.length..).unwrap()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn who_sent_it() {
        for (prefix, expected) in [
            ("<34>Oct 11 22:14:15 web-1 envoy[1]: ", Some("web-1")),
            ("Oct  1 22:14:15 web-1 envoy: ", Some("web-1")),
            ("<165>1 2003-10-11T22:14:15.003Z web-1 envoy - - - ", Some("web-1")),
            ("web-1 istio-proxy ", None),
            ("", None),
        ] {
            assert_eq!(host(prefix).0, expected, "{prefix}");
        }
    }
}
