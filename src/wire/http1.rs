//! HTTP/1's first lines (RFC 9112, sections 3 and 4).

use super::HttpLine;

const METHODS: &[&[u8]] = &[
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"CONNECT",
    b"TRACE",
    b"PROPFIND",
    b"QUERY",
];

/// A request line: any method with a version behind the target, or a common method without one.
pub(super) fn request_line(line: &[u8]) -> Option<HttpLine> {
    let (method, rest) = split_at_space(line)?;
    let known = METHODS.contains(&method);
    let is_token = !method.is_empty()
        && method.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b));
    let version = rest.rsplit(|b| *b == b' ').next().and_then(version);
    if !is_token || !(known || version.is_some()) {
        return None;
    }
    let https = rest.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https://"));
    Some(HttpLine { version, https_url: https, status: None })
}

/// The beginning of a request line whose end has not come: only common methods count.
pub(super) fn begins_request(bytes: &[u8]) -> Option<HttpLine> {
    let (method, rest) = split_at_space(bytes)?;
    let https = rest.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https://"));
    METHODS.contains(&method).then_some(HttpLine { version: None, https_url: https, status: None })
}

/// A status line, its end not needed.
pub(super) fn status_line(line: &[u8]) -> Option<HttpLine> {
    let (first, rest) = split_at_space(line)?;
    let version = version(first)?;
    let digits = rest.get(..3)?;
    let status = str::from_utf8(digits).ok()?.parse().ok()?;
    Some(HttpLine { version: Some(version), https_url: false, status: Some(status) })
}

fn version(word: &[u8]) -> Option<(u8, u8)> {
    let [major, b'.', minor] = word.strip_prefix(b"HTTP/")? else { return None };
    let digit = |b: &u8| b.is_ascii_digit().then(|| b.saturating_sub(b'0'));
    Some((digit(major)?, digit(minor)?))
}

fn split_at_space(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = line.iter().position(|b| *b == b' ')?;
    let (word, rest) = line.split_at_checked(space)?;
    Some((word, rest.get(1..)?))
}
