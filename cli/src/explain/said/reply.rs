//! Envoy's own replies, as curl shows them: what somebody has who can't see the proxy's log.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use meshwhy::evidence::MixerStatus;
use serde_json::Value;

use crate::explain::around::prefix;
use crate::explain::{Column, Line};

/// How its reply to a failed upstream begins, but for its first word, which some leave out.
const UPSTREAM: &str = "connect error or disconnect/reset before headers";

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
    ("Jwt issuer is not configured", "jwt_authn_access_denied{Jwt_issuer_is_not_configured}"),
    ("Jwks remote fetch is failed", "jwt_authn_access_denied{Jwks_remote_fetch_is_failed}"),
    ("Jwt not yet valid", "jwt_authn_access_denied{Jwt_not_yet_valid}"),
    (
        "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
        "jwt_authn_access_denied{Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections}",
    ),
    (
        "Jwt is not in the form of Header.Payload.Signature",
        "jwt_authn_access_denied{Jwt_is_not_in_the_form_of_Header.Payload.Signature}",
    ),
    (
        "Jwt header is an invalid Base64url encoded",
        "jwt_authn_access_denied{Jwt_header_is_an_invalid_Base64url_encoded}",
    ),
    ("Jwt header is an invalid JSON", "jwt_authn_access_denied{Jwt_header_is_an_invalid_JSON}"),
    ("Jwt header [alg] is not supported", "jwt_authn_access_denied{Jwt_header_[alg]_is_not_supported}"),
    (
        "Jwt header [alg] field is required and must be a string",
        "jwt_authn_access_denied{Jwt_header_[alg]_field_is_required_and_must_be_a_string}",
    ),
    (
        "Jwt header [kid] field is not a string",
        "jwt_authn_access_denied{Jwt_header_[kid]_field_is_not_a_string}",
    ),
    (
        "Jwt payload is an invalid Base64url encoded",
        "jwt_authn_access_denied{Jwt_payload_is_an_invalid_Base64url_encoded}",
    ),
    ("Jwt payload is an invalid JSON", "jwt_authn_access_denied{Jwt_payload_is_an_invalid_JSON}"),
    (
        "Jwt signature is an invalid Base64url encoded",
        "jwt_authn_access_denied{Jwt_signature_is_an_invalid_Base64url_encoded}",
    ),
    ("Found multiple Jwt tokens", "jwt_authn_access_denied{Found_multiple_Jwt_tokens}"),
    ("Jwks is an invalid JSON", "jwt_authn_access_denied{Jwks_is_an_invalid_JSON}"),
    ("Jwks does not have [keys] field", "jwt_authn_access_denied{Jwks_does_not_have_[keys]_field}"),
    (
        "Jwks doesn't have any valid public key",
        "jwt_authn_access_denied{Jwks_doesn't_have_any_valid_public_key}",
    ),
    (
        "Jwks doesn't have key to match kid or alg from Jwt",
        "jwt_authn_access_denied{Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt}",
    ),
    ("stream timeout", "stream_idle_timeout"),
    ("upstream max stream duration reached", "upstream_max_stream_duration_reached"),
    ("local_rate_limited", "local_rate_limited"),
    ("envoy overloaded", "overload"),
    ("Payload Too Large", "request_payload_too_large"),
];

/// What a line that is such a reply says, and nothing else: the request isn't there.
pub(in crate::explain) fn read(text: &str) -> Option<Line<'static>> {
    // A shell's sign for a missing line feed.
    let text = without_grpc(text.trim().trim_end_matches('%'));
    let is_it = |reply: &str| text.strip_prefix(reply).is_some_and(|rest| rest.is_empty() || is_prompt(rest));
    match WHOLE.iter().find(|(reply, _)| is_it(reply)) {
        Some((_, details)) => Some(of_details((*details).to_owned())),
        None => upstream(begun(text)?),
    }
}

/// Whether a shell's prompt stands here, which comes at once where an answer ends without a line feed.
fn is_prompt(text: &str) -> bool {
    const LONGEST: usize = 120;
    let Some((prompt, behind)) = text.split_once(['#', '$']) else { return false };
    let proper = |b: u8| b.is_ascii_alphanumeric() || b"@-_.:/~[]() ".contains(&b);
    let is_place =
        prompt.contains(['@', '/', '~', '[']) || prompt.starts_with("bash-") || prompt.starts_with("sh-");
    prompt.len() < LONGEST
        && (prompt.is_empty() || (is_place && prompt.bytes().all(proper)))
        && (behind.is_empty() || behind.starts_with(' '))
}

/// What follows the reply's first words.
fn begun(text: &str) -> Option<&str> {
    text.strip_prefix("upstream ").unwrap_or(text).strip_prefix(UPSTREAM)
}

/// Whether a reply may be somewhere in a text.
pub(in crate::explain) fn may_be_in(text: &str) -> bool {
    MAY_BE.iter().any(|word| word.find(text.as_bytes()).is_some())
}

/// Made once: what costs is the making.
static MAY_BE: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| {
    let whole = WHOLE.iter().map(|(reply, _)| *reply);
    let all = [UPSTREAM, "failure reason: ", ".istio-system:"].into_iter().chain(FAILURES.iter().copied());
    all.chain(whole).map(Finder::new).collect()
});

/// What a reply says that somebody's own log repeats: within a line of text, or in an object, which may hold a whole answer. A request's columns
/// are a client's, and so are most of an object's texts.
pub(in crate::explain) fn read_repeated(text: &str) -> Option<Line<'static>> {
    let object = text.find('{').and_then(|at| text.get(at..));
    if let Some(object) = object.filter(|_| prefix::object(text).is_some()) {
        let value: Result<Value, _> = serde_json::from_str(object);
        return value.map_or_else(|_| in_cut_object(object), |value| in_object(&value, DEEPEST));
    }
    if text.contains(" HTTP/") || text.starts_with("HTTP/") {
        return None;
    }
    within(text)
}

/// How deep an answer may lie in an object.
const DEEPEST: u8 = 5;

/// Where applications keep what another one answered.
const KEYS: &[&str] = &[
    "answer",
    "body",
    "cause",
    "content",
    "data",
    "description",
    "detail",
    "details",
    "err",
    "error",
    "exception",
    "inner",
    "innererror",
    "log",
    "message",
    "messages",
    "msg",
    "output",
    "payload",
    "raw",
    "rawbody",
    "reason",
    "response",
    "responsebody",
    "responsedata",
    "result",
    "stack",
    "stacktrace",
    "stderr",
    "stdout",
    "text",
    "textpayload",
    "title",
    "trace",
];

fn in_object(value: &Value, deeper: u8) -> Option<Line<'static>> {
    let deeper = deeper.checked_sub(1)?;
    match value {
        Value::String(text) => read(text)
            .or_else(|| {
                in_object(
                    &serde_json::from_str(text).ok().filter(|value: &Value| !value.is_string())?,
                    deeper,
                )
            })
            .or_else(|| within(text)),
        Value::Array(values) => values.iter().find_map(|value| in_object(value, deeper)),
        Value::Object(values) => {
            values.iter().find_map(|(key, value)| in_object(value, deeper).filter(|_| is_answers(key)))
        }
        _ => None,
    }
}

/// What stands behind such a key in an object that isn't whole. Within another text the quotes would be escaped.
fn in_cut_object(object: &str) -> Option<Line<'static>> {
    let begun = ["upstream connect error", "no healthy upstream", "RBAC: access denied"];
    let (key, reply) = begun.iter().find_map(|reply| object.split_at_checked(object.find(reply)?))?;
    let key = key.strip_suffix('"')?.trim_end().strip_suffix(':')?.trim_end().strip_suffix('"')?;
    let key = key.rsplit('"').next().unwrap_or(key);
    if is_answers(key) { within(reply) } else { None }
}

fn is_answers(key: &str) -> bool {
    let key: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let ends = ["error", "message", "msg", "body", "exception", "payload", "reason"];
    KEYS.contains(&key.as_str()) || ends.iter().any(|end| key.ends_with(end))
}

/// The reply among other words.
fn within(text: &str) -> Option<Line<'static>> {
    if let Some((before, rest)) = text.split_once(UPSTREAM) {
        if before.trim_end_matches("upstream ").ends_with("UNAVAILABLE:") {
            let mut line = Line::default();
            line.set(Column::Mixer, Cow::Borrowed("UNAVAILABLE"));
            return Some(line);
        }
        let ends = ['"', '\'', '\\', '<', '*', '\n', '\r', ']', '}', '`', '\u{201d}'];
        let reason = rest.split(ends).next().unwrap_or_default();
        let reason = reason.split(" (").next().unwrap_or(reason);
        return upstream(reason.trim_end_matches(['.', ',', ';', ')', ' '])).or_else(|| Some(unexplained()));
    }
    // The transport's words stand alone where nothing else is reported.
    let of_transport = FAILURES.iter().find_map(|failure| text.get(text.find(failure)?..));
    if let Some(reason) = text.split_once("failure reason: ").map(|(_, reason)| reason).or(of_transport) {
        return failed(reason.split(['"', '\'', '`', '\\', ']']).next().unwrap_or(reason).trim());
    }
    if let Some(status) = mixers(text) {
        return Some(status);
    }
    let (_, details) = WHOLE.iter().find(|(reply, _)| stands_alone(text, reply))?;
    Some(of_details((*details).to_owned()))
}

/// How the transport's words for a failure begin.
const FAILURES: &[&str] =
    &["TLS error: ", "TLS_error:|", "TLS_error:_", "delayed connect error: ", "immediate connect error: "];

/// What only the server of a handshake has to say.
const SERVERS: &[&str] = &[
    "PEER_DID_NOT_RETURN_A_CERTIFICATE",
    "HTTP_REQUEST",
    "NO_SHARED_CIPHER",
    "NO_COMMON_SIGNATURE_ALGORITHMS",
    "UNSUPPORTED_PROTOCOL",
];

/// Why a connection to the upstream failed, in the transport's words.
pub(in crate::explain) fn failed(reason: &str) -> Option<Line<'static>> {
    FAILURES.iter().any(|failure| reason.starts_with(failure)).then_some(())?;
    if SERVERS.iter().any(|words| reason.contains(words)) {
        let mut line = Line::default();
        line.set(Column::DownstreamFailure, Cow::Owned(reason.to_owned()));
        return Some(line);
    }
    let mut line = of_details("upstream_reset_before_response_started{connection_failure}".to_owned());
    line.set(Column::UpstreamFailure, Cow::Owned(reason.to_owned()));
    Some(line)
}

/// [`UPSTREAM`] alone, as Envoy said it before 1.10 and as others cut it: most often nothing was listening.
fn unexplained() -> Line<'static> {
    let mut line = Line::default();
    line.set(Column::Code, Cow::Borrowed("503"));
    line.set(Column::Flags, Cow::Borrowed("UF"));
    line
}

/// Mixer's reply (Istio 1.7 and older): `PERMISSION_DENIED:HANDLER.INSTANCE.NAMESPACE:...`.
fn mixers(text: &str) -> Option<Line<'static>> {
    let status = text.split([' ', '`', '"', '\'', '*']).find_map(|word| {
        let (status, handler) = word.split_once(':')?;
        let is_word = MixerStatus::new(status).is_some_and(|known| known.id() == status);
        (is_word && handler.contains(".istio-system:")).then_some(status)
    })?;
    let mut line = Line::default();
    line.set(Column::Mixer, Cow::Owned(status.to_owned()));
    Some(line)
}

/// Whether it is set off from what is around it.
fn stands_alone(text: &str, reply: &str) -> bool {
    text.match_indices(reply).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default().trim_end();
        let behind = text.get(at.saturating_add(reply.len())..).unwrap_or_default().trim_start();
        let opens = before.is_empty()
            || before.ends_with(|c: char| ":\"'[(>=-|`".contains(c))
            || before.ends_with("\\n");
        let closes = behind.is_empty() || behind.starts_with(|c: char| "\"'])(<.,;%}`\\".contains(c));
        opens && closes
    })
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

/// What Envoy gives as reasons of a reset.
const RESETS: &[&str] = &[
    "remote connection failure",
    "local connection failure",
    "connection failure",
    "connection termination",
    "connection timeout",
    "connection error",
    "remote refused stream reset",
    "local refused stream reset",
    "remote reset",
    "local reset",
    "overflow",
    "protocol error",
    "connect error",
    "overload manager reset",
    "http1 premature upstream half close",
];

/// What follows [`UPSTREAM`].
pub(in crate::explain) fn upstream(rest: &str) -> Option<Line<'static>> {
    let Some((_, reason)) = rest.split_once("reset reason: ") else {
        // Whoever shows it to others may leave out all but the transport's words.
        return failed(rest.split_once("transport failure reason: ")?.1);
    };
    let reason = reason.trim_start();
    let reset = RESETS.iter().find(|reset| reason.starts_with(**reset))?;
    let failure =
        reason.get(reset.len()..).and_then(|rest| rest.strip_prefix(", transport failure reason: "));
    let mut line =
        of_details(format!("upstream_reset_before_response_started{{{}}}", reset.replace(' ', "_")));
    if let Some(failure) = failure.filter(|failure| !failure.is_empty()) {
        line.set(Column::UpstreamFailure, Cow::Owned(failure.to_owned()));
    }
    Some(line)
}

/// Whether a reply begins here that may go on in the next rows.
pub(in crate::explain) fn begins(text: &str) -> bool {
    text.contains(UPSTREAM)
}

/// Whether the end of its reason is still to come.
pub(in crate::explain) fn is_cut(text: &str) -> bool {
    let Some((_, rest)) = text.split_once(UPSTREAM) else { return false };
    let rest = rest.trim_end();
    matches!(rest, "" | ".")
        || ["reason:", "transport failure", "transport"].iter().any(|end| rest.ends_with(end))
}

/// The reply that a text begins with, as where a shell's sign follows it.
pub(in crate::explain) fn at_beginning(text: &str) -> Option<Line<'static>> {
    let whole = WHOLE.iter().find(|(reply, _)| text.starts_with(reply));
    let whole = whole.map(|(_, details)| of_details((*details).to_owned()));
    whole.or_else(|| upstream(begun(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(line: Option<Line<'static>>) -> Option<String> {
        line?.get(Column::Details).map(str::to_owned)
    }

    #[test]
    fn a_prompt_may_follow_at_once() {
        for prompt in ["", "root@a:~/b# curl x", "[root@a ~]# ", "/ # ", "bash-5.1$ ", "$ ls"] {
            let read = details(read(&format!("no healthy upstream{prompt}")));
            assert_eq!(read.as_deref(), Some("no_healthy_upstream"), "{prompt}");
        }
        for other in ["s", " for a", " (root@a:~#x", ", # of hosts", "/path"] {
            assert_eq!(read(&format!("no healthy upstream{other}")), None, "{other}");
        }
    }

    #[test]
    fn an_object_that_is_cut_has_keys_too() {
        let reply = "upstream connect error or disconnect/reset before headers. reset reason: overflow";
        let overflow = Some("upstream_reset_before_response_started{overflow}");
        for text in [format!("{{\"data\":\"{reply}}}"), format!("a {{\"code\": 1, \"msg\": \"{reply}\", \"x")]
        {
            assert_eq!(details(read_repeated(&text)).as_deref(), overflow, "{text}");
        }
        for text in [
            format!("{{\"path\":\"{reply}"),
            format!("{{\"path\":\"/?{{\\\"data\\\":\\\"{reply}"),
            format!("{{\"data\":\"I sent {reply}"),
        ] {
            assert_eq!(read_repeated(&text), None, "{text}");
        }
    }
}
