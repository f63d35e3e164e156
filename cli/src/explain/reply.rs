//! Envoy's own replies, as curl shows them: what somebody has who can't see the proxy's log.

use std::borrow::Cow;

use super::{Column, Line};

/// How its reply to a failed upstream begins.
const UPSTREAM: &str = "upstream connect error or disconnect/reset before headers";

/// Replies that are one text, and the details that go with them.
const WHOLE: &[(&str, &str)] = &[
    ("no healthy upstream", "no_healthy_upstream"),
    ("upstream request timeout", "response_timeout"),
    ("RBAC: access denied", "rbac_access_denied_matched_policy"),
    ("fault filter abort", "fault_filter_abort"),
    ("Jwt is missing", "jwt_authn_access_denied{Jwt_is_missing}"),
    ("Jwt is expired", "jwt_authn_access_denied{Jwt_is_expired}"),
    ("Jwt verification fails", "jwt_authn_access_denied{Jwt_verification_fails}"),
    ("Audiences in Jwt are not allowed", "jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}"),
    ("stream timeout", "stream_idle_timeout"),
    ("local_rate_limited", "local_rate_limited"),
];

/// What a line that is such a reply says, and nothing else: the request isn't there.
pub(super) fn read(text: &str) -> Option<Line<'static>> {
    // A shell's sign for a missing line feed.
    let text = text.trim().trim_end_matches('%');
    let mut line = Line::default();
    let mut set = |column, value: String| line.set(column, Cow::Owned(value));
    if let Some((_, details)) = WHOLE.iter().find(|(reply, _)| *reply == text) {
        set(Column::Details, (*details).to_owned());
        return Some(line);
    }
    let (_, reason) = text.strip_prefix(UPSTREAM)?.split_once("reset reason: ")?;
    let (reset, failure) = reason.split_once(", transport failure reason: ").unwrap_or((reason, ""));
    let proper = |byte: u8| byte.is_ascii_lowercase() || byte == b' ';
    let reset = reset.trim_end();
    reset.bytes().all(proper).then_some(())?;
    set(Column::Details, format!("upstream_reset_before_response_started{{{}}}", reset.replace(' ', "_")));
    if !failure.is_empty() {
        set(Column::UpstreamFailure, failure.to_owned());
    }
    Some(line)
}
