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
    let text = without_grpc(text.trim().trim_end_matches('%'));
    match WHOLE.iter().find(|(reply, _)| *reply == text) {
        Some((_, details)) => Some(of_details((*details).to_owned())),
        None => upstream(text.strip_prefix(UPSTREAM)?),
    }
}

/// The reply behind what gRPC's clients write in front of it: Go's errors, grpcurl.
fn without_grpc(text: &str) -> &str {
    let described = || text.strip_prefix("rpc error: code = ")?.split_once(" desc = ");
    described().map_or_else(|| text.strip_prefix("Message: ").unwrap_or(text), |(_, reply)| reply)
}

fn of_details(details: String) -> Line<'static> {
    let mut line = Line::default();
    line.set(Column::Details, Cow::Owned(details));
    line
}

/// What follows [`UPSTREAM`].
fn upstream(rest: &str) -> Option<Line<'static>> {
    let (_, reason) = rest.split_once("reset reason: ")?;
    let (reset, failure) = reason.split_once(", transport failure reason: ").unwrap_or((reason, ""));
    let proper = |byte: u8| byte.is_ascii_lowercase() || byte == b' ';
    let reset = reset.trim_end();
    reset.bytes().all(proper).then_some(())?;
    let details = format!("upstream_reset_before_response_started{{{}}}", reset.replace(' ', "_"));
    let mut line = of_details(details);
    if !failure.is_empty() {
        line.set(Column::UpstreamFailure, Cow::Owned(failure.to_owned()));
    }
    Some(line)
}
