//! Texts as the proxy gave them, and what may be kept of them.

use crate::wire::host_character;

/// Stands for text that is no known vocabulary: none of it is kept.
pub const CUT: &str = "[cut]";

/// A name of the configuration: of a route, a virtual host, a cluster, a filter chain, an endpoint.
///
/// Of what no such name holds, none is kept, and neither is what follows it.
pub fn name(text: String) -> String {
    let end = text.bytes().position(|byte| !is_name(byte)).unwrap_or(text.len());
    cut_at(text, end)
}

/// A server name of TLS: what no host name holds is `?`.
pub fn host_name(text: &str) -> String {
    text.bytes().map(host_character).collect()
}

/// Keeps the beginning; where something followed, the mark stands for it.
pub(super) fn cut_at(mut text: String, end: usize) -> String {
    if end < text.len() && text.is_char_boundary(end) {
        text.truncate(end);
        text.push_str(CUT);
    }
    text
}

/// Istio's names have `|`, `:`, `/`, `*` and brackets; ports, subsets and paths of sockets fit, too.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'-' | b'_' | b'/' | b'|' | b':' | b'*' | b'~' | b'@' | b'[' | b']')
}
