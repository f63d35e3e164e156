//! Host names: what a request asks for, and whether a certificate's or SNI's name covers it.

/// The host of an `:authority`: without port, without the brackets of an IPv6 address.
pub fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match authority.split_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether `pattern` (a name, or `*.` and a name, one label deep) covers `host`.
pub fn covers(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// Whether this is a server name that Istio's proxies use among themselves: `outbound_.PORT_.SUBSET_.HOST`.
pub fn is_mesh_name(sni: &str) -> bool {
    sni.starts_with("outbound_.")
}

/// The longest SPIFFE ID that is shown; the standard allows 2048 bytes.
const LONGEST_SPIFFE_ID: usize = 256;

/// A SPIFFE ID, if it is one: nothing else in a client's certificate is shown.
pub fn spiffe_id(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("spiffe://")?;
    let proper = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
    (uri.len() <= LONGEST_SPIFFE_ID && !rest.is_empty() && rest.bytes().all(proper)).then(|| uri.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_cut_off() {
        for (authority, host) in [
            ("a.test.com", "a.test.com"),
            ("a.test.com:443", "a.test.com"),
            ("[::1]:80", "::1"),
            ("::1", "::1"),
            ("a:b", "a:b"),
            ("", ""),
        ] {
            assert_eq!(host_of(authority), host, "{authority}");
        }
    }

    #[test]
    fn a_wildcard_is_one_label_deep() {
        assert!(covers("*.test.com", "service2.TEST.com"));
        assert!(!covers("*.test.com", "a.b.test.com"));
        assert!(!covers("*.test.com", "test.com"));
        assert!(covers("a.test.com", "A.test.com."));
        assert!(!covers("a.test.com", "b.test.com"));
    }
}
