//! How long Envoy's own replies are: which one it was, where nothing else is shown of it.

/// Envoy's replies by status and length, with the flags and details that go with them.
const REPLIES: &[(u16, usize, &str, &str)] = &[
    (404, 0, "NR", "route_not_found"),
    (502, 0, "-", "direct_response"),
    (503, 0, "NC", "cluster_not_found"),
    (500, 0, "-", "direct_response"),
    (426, 0, "-", "low_version"),
    (403, 0, "UAEX", ""),
    (400, 11, "DPE", "http1.codec_error"),
    (403, 19, "-", "rbac_access_denied_matched_policy[none]"),
    (408, 14, "SI", "stream_idle_timeout"),
    (413, 17, "-", "request_payload_too_large"),
    (429, 18, "RL", "local_rate_limited"),
    (503, 19, "UH", "no_healthy_upstream"),
    // As it was before Envoy 1.10.
    (503, 57, "UF", ""),
    (503, 81, "UO", "upstream_reset_before_response_started{overflow}"),
    (503, 85, "UR", "upstream_reset_before_response_started{remote_reset}"),
    (503, 91, "UF", "upstream_reset_before_response_started{connection_failure}"),
    (503, 95, "UC", "upstream_reset_before_response_started{connection_termination}"),
    (502, 87, "UPE", "upstream_reset_before_response_started{protocol_error}"),
    (504, 24, "UT", "response_timeout"),
];

/// Replies with a reason of the transport.
const LONG: usize = 120;
const MOST_LONG: usize = 600;

/// The usual ones: what the connection's failure is called in the reply, and in the access log.
const REASONS: &[&str] = &[
    "delayed connect error: 111",
    "delayed connect error: Connection refused",
    "delayed connect error: No route to host",
    "TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
    "TLS error: 268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER",
    "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end",
    "TLS error: 268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED",
    "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end",
    "TLS error: 33554536:system library:OPENSSL_internal:Connection reset by peer",
];

/// The flags and details of Envoy's own reply with this status and length.
pub(in crate::explain) fn reply(code: u16, length: usize) -> Option<(&'static str, &'static str)> {
    let is_it = |reply: &&(u16, usize, &str, &str)| reply.0 == code && reply.1 == length;
    REPLIES.iter().find(is_it).map(|(.., flags, details)| (*flags, *details))
}

/// Whether a reply is so long that a reason of the transport may be in it.
pub(in crate::explain) fn has_reason(length: usize) -> bool {
    (LONG..MOST_LONG).contains(&length)
}

/// The usual reason that makes a reply as long as this.
pub(in crate::explain) fn reason(length: usize) -> Option<&'static str> {
    const RESETS: &[&str] = &["connection failure", "remote connection failure"];
    const AROUND: usize = "upstream connect error or disconnect/reset before headers. reset reason: , transport failure reason: ".len();
    let makes_it = |reason: &&str| {
        RESETS.iter().any(|reset| AROUND.saturating_add(reset.len()).saturating_add(reason.len()) == length)
    };
    let mut found = REASONS.iter().copied().filter(makes_it);
    match (found.next()?, found.next()) {
        (reason, None) => Some(reason),
        // Of which kind they are is all that is known.
        (one, Some(other)) => (one.starts_with("TLS") && other.starts_with("TLS")).then_some("TLS_error"),
    }
}

/// Whether Envoy's own reply with this status may be so long.
pub(in crate::explain) fn is_reply(code: u16, length: usize) -> bool {
    // As it was before Envoy 1.10.
    const OLD: usize = "upstream connect error or disconnect/reset before headers".len();
    let is_upstreams = code == 503 && (length == OLD || reason(length).is_some());
    code >= 500 && length > 0 && (reply(code, length).is_some() || is_upstreams)
}
