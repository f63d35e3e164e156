//! Redaction: what may be kept of texts that the proxy gives.

use crate::wire::host_character;

/// Replaces text that is no known vocabulary.
pub const CUT: &str = "[cut]";

/// A name of the configuration: of a route, a virtual host, a cluster, a filter chain, an endpoint.
///
/// It is cut at the first character that no such name has.
pub fn name(text: String) -> String {
    let end = text.bytes().position(|byte| !is_name(byte)).unwrap_or(text.len());
    cut_at(text, end)
}

/// A server name of TLS: what no host name holds is `?`.
pub fn host_name(text: &str) -> String {
    text.bytes().map(host_character).collect()
}

/// Keeps the beginning, and marks that something followed.
pub(super) fn cut_at(mut text: String, end: usize) -> String {
    if end < text.len() && text.is_char_boundary(end) {
        text.truncate(end);
        text.push_str(CUT);
    }
    text
}

/// Istio's names have `|`, `:`, `/`, `*` and brackets; ports, subsets and paths of sockets fit,
/// too.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'-' | b'_' | b'/' | b'|' | b':' | b'*' | b'~' | b'@' | b'[' | b']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_no_name_goes_on() {
        for (text, kept) in [
            (
                "outbound|80|v1|reviews.default.svc.cluster.local",
                "outbound|80|v1|reviews.default.svc.cluster.local",
            ),
            ("*.example.com:443", "*.example.com:443"),
            ("[::1]:80", "[::1]:80"),
            ("a?token=secret", "a[cut]"),
            ("a b", "a[cut]"),
            ("\u{e9}secret", "[cut]"),
            ("", ""),
        ] {
            assert_eq!(name(text.to_owned()), kept);
            assert_eq!(name(kept.to_owned()), kept);
        }
        assert_eq!(host_name("a.example;x=\u{e9}"), "a.example?x???");
    }
}
