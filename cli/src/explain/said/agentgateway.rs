//! Access logs of agentgateway, a gateway and waypoint of its own: `TIME info request gateway=... endpoint=... http.status=503 error="..."
//! reason=UpstreamFailure duration=3ms`.

use std::borrow::Cow;

use memchr::memmem;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Likely, Possible};
use meshwhy::report::{LONGEST_FACT, escape};

use super::key_values::{behind_level, pairs, word};
use super::ztunnel::Connection;
use super::ztunnel_words;
use crate::explain::around::prefix;
use crate::explain::verdict::hints;
use crate::explain::{Column, Finding, Line};

/// The key of the status, which no other log has in this form.
const STATUS: &[u8] = b"http.status";
/// How the message of an access log's line is called.
const MESSAGE: &str = "request";

/// Reads a line, of text or of JSON.
pub(in crate::explain) fn read(text: &str) -> Option<Connection> {
    // Looked for where there may be one.
    memmem::find(text.as_bytes(), STATUS)?;
    in_text(text).or_else(|| in_json(text))
}

fn in_text(text: &str) -> Option<Connection> {
    let at = prefix::begins(text, |rest| fields(rest).is_some())?;
    let (before, rest) = text.split_at_checked(at)?;
    let time = rest.split_whitespace().next().filter(|word| prefix::date_and(word, "T"));
    let mut request = of_pairs(time.unwrap_or_default(), fields(rest)?)?;
    request.0.proxy = prefix::proxy(before);
    Some(request)
}

/// What people leave of one: pairs alone, or the last ones behind words of theirs.
pub(in crate::explain) fn alone(text: &str) -> Option<Connection> {
    // In a path there is no space: what a client chose is a part of its own pair.
    let is_key = |at: usize| text.get(..at).is_some_and(|t| t.is_empty() || t.ends_with([' ', '\t']));
    let (at, _) = text.match_indices("http.status=").find(|(at, _)| is_key(*at))?;
    let before = text.get(..at)?;
    // Of what is quoted nothing stands in front.
    before.split_whitespace().all(|word| !word.contains(['"', '{', '`', '\''])).then_some(())?;
    of_pairs("", text)
}

fn in_json(text: &str) -> Option<Connection> {
    let at = prefix::object(text)?;
    let (before, object) = text.split_at_checked(at)?;
    let object: serde_json::Value = serde_json::from_str(object).ok()?;
    let value = |key: &str| match object.get(key)? {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    // Who takes a line apart keeps what he needs of it.
    let is_request = value("scope").or_else(|| value("message")).as_deref() == Some(MESSAGE);
    (is_request || value("gateway").is_some() || value("reason").is_some()).then_some(())?;
    let mut request = request(&value("time").unwrap_or_default(), value)?;
    request.0.proxy = prefix::proxy(before);
    Some(request)
}

/// Whether a line of the access log begins here, even if its fields are in the next ones.
pub(in crate::explain) fn begins(text: &[u8]) -> bool {
    if memmem::find(text, b"http.status=").is_some() {
        return true;
    }
    memmem::find(text, b" request").or_else(|| memmem::find(text, b"\trequest")).is_some()
        && std::str::from_utf8(text).is_ok_and(|text| prefix::begins(text, |r| fields(r).is_some()).is_some())
}

/// What stands behind the message.
fn fields(line: &str) -> Option<&str> {
    let (message, rest) = word(behind_level(line)?)?;
    (message == MESSAGE).then_some(())?;
    ["gateway=", "endpoint=", "route=", "src.addr="].iter().any(|key| rest.contains(key)).then_some(rest)
}

fn of_pairs(time: &str, text: &str) -> Option<Connection> {
    let pairs = pairs(text);
    request(time, |key| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone()))
}

fn request(time: &str, get: impl Fn(&str) -> Option<String>) -> Option<Connection> {
    let status = get("http.status")?;
    let code: u16 = status.parse().ok()?;
    let mut line = Line::default();
    let duration =
        get("duration").and_then(|text| Some(text.strip_suffix("ms")?.split('.').next()?.to_owned()));
    for (column, value) in [
        (Column::Time, Some(time.to_owned()).filter(|time| !time.is_empty())),
        (Column::Code, Some(status)),
        (Column::Method, get("http.method")),
        (Column::Path, get("http.path")),
        (Column::Protocol, get("http.version")),
        (Column::Authority, get("http.host").or_else(|| get("endpoint"))),
        (Column::UpstreamHost, get("endpoint")),
        (Column::RemoteAddress, get("src.addr")),
        (Column::Route, get("route")),
        (Column::Duration, duration),
    ] {
        if let Some(value) = value.filter(|value| column.takes(value)) {
            line.set(column, Cow::Owned(value));
        }
    }
    let (error, reason) = (get("error").unwrap_or_default(), get("reason").unwrap_or_default());
    let Some((cause, confidence, alternatives)) = cause(code, &reason, &error) else {
        return Some((line, None));
    };
    let mut finding = Finding::of_line((cause, confidence), alternatives.to_vec(), None, None);
    let facts = [
        ("reason", Some(reason).filter(|reason| !reason.is_empty())),
        ("error", Some(error).filter(|error| !error.is_empty())),
        ("code", Some(code.to_string())),
        ("route", get("route")),
        ("endpoint", get("endpoint")),
    ];
    let facts =
        facts.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", escape(&value?, LONGEST_FACT))));
    finding.evidence = facts.collect::<Vec<_>>().join("; ");
    finding.named_fix = fix(cause).map(str::to_owned);
    hints::elapsed(&mut finding, &line);
    Some((line, Some(finding)))
}

/// Why a request failed, by the reason that the proxy gives (`ProxyResponseReason`; 0.10 to 1.6) and its error's words (`ProxyError`).
fn cause(code: u16, reason: &str, error: &str) -> Option<(Cause, Confidence, &'static [Cause])> {
    let has = |words: &str| error.contains(words);
    Some(match reason {
        // Whoever answered, this proxy passes it on.
        "" | "Upstream" if error.is_empty() => {
            (code >= 500).then_some((Cause::ApplicationError, Possible, &[Cause::UpstreamProxyError][..]))?
        }
        "DirectResponse" => (code >= 500).then_some((Cause::ConfiguredErrorReply, Likely, &[][..]))?,
        "NotFound" if has("bind") || has("listener") => {
            (Cause::RouteHostUnknown, Possible, &[Cause::GatewayWithoutHttpRoutes])
        }
        "NotFound" => {
            (Cause::RouteNoMatch, Possible, &[Cause::RouteHostUnknown, Cause::GatewayWithoutHttpRoutes])
        }
        "NoHealthyBackend" if has("DNS") => (Cause::UpstreamDnsFailure, Likely, &[]),
        "NoHealthyBackend" if has("no valid backends") || has("does not exist") => {
            (Cause::RouteWithoutBackend, Likely, &[])
        }
        "NoHealthyBackend" if has("service not found") => {
            (Cause::ClusterMissing, Possible, &[Cause::RouteWithoutBackend])
        }
        "NoHealthyBackend" => (Cause::NoEndpoints, Possible, &[Cause::NoHealthyEndpoints]),
        "InvalidRequest" => (Cause::InvalidHttpRequest, Possible, &[Cause::FilterRejected]),
        "JwtAuth" | "Oidc" => (Cause::JwtRejected, Likely, &[]),
        "ExtAuth" => (Cause::ExtAuthzDenied, Possible, &[Cause::ExtAuthzUnavailable]),
        "Authorization" if has("CSRF") => (Cause::FilterRejected, Likely, &[]),
        "Authorization" => (Cause::AuthorizationPolicyDenied, Likely, &[]),
        "BasicAuth" | "APIKeyAuth" | "Guardrail" | "MCP" | "ExtProc" => {
            (Cause::FilterRejected, Possible, &[])
        }
        "Timeout" => (Cause::UpstreamTimeout, Likely, &[]),
        "RateLimit" if has("rate limit failed") => (Cause::RateLimitServiceUnavailable, Likely, &[]),
        "RateLimit" => (Cause::RateLimited, Likely, &[]),
        "Overload" => (Cause::ProxyOverloaded, Likely, &[]),
        "UpstreamFailure" | "" | "Upstream" => upstream(error),
        _ => (Cause::Unclassified, Possible, &[]),
    })
}

/// What a failed call's words mean: the same libraries write them for ztunnel.
fn upstream(error: &str) -> (Cause, Confidence, &'static [Cause]) {
    const ENDED: &[&str] =
        &["close_notify", "IncompleteMessage", "connection closed before", "ChannelClosed"];
    let has = |words: &str| error.contains(words);
    match ztunnel_words::cause(error, false, false) {
        (Cause::UpstreamReset, ..) => (Cause::UpstreamReset, Possible, &[Cause::DestinationRuleTlsConflict]),
        (Cause::Unclassified, ..) if ENDED.iter().any(|words| has(words)) => {
            (Cause::UpstreamClosedConnection, Possible, &[Cause::UpstreamReset])
        }
        (Cause::Unclassified, ..) if has("dns error") || has("failed to lookup") => {
            (Cause::UpstreamDnsFailure, Likely, &[])
        }
        (Cause::Unclassified, ..) if has("InvalidContentType") || has("corrupt message") => {
            (Cause::UpstreamSpeaksPlaintext, Possible, &[Cause::UpstreamTlsFailed])
        }
        (Cause::Unclassified, ..) => (
            Cause::UpstreamReset,
            Possible,
            &[Cause::UpstreamRefused, Cause::UpstreamTlsFailed, Cause::UpstreamTimeout],
        ),
        found => (found.0, found.1.min(Likely), found.2),
    }
}

/// What to change where the cause's own fix speaks of what this proxy hasn't.
const fn fix(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::AuthorizationPolicyDenied => Some(
            "Look at the authorization rules on this gateway, listener and route (AgentgatewayPolicy, AuthorizationPolicy): none allows this request, or one denies it.",
        ),
        Cause::FilterRejected => Some(
            "Look at the policies on this route (AgentgatewayPolicy): the one that the reason names refused the request.",
        ),
        Cause::Unclassified => {
            Some("Look the reason and the error in the evidence up in agentgateway's documentation.")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::{Reader, Reading};

    fn reading(text: &str) -> Reading {
        Reader::new(Vec::new()).read_all(text.as_bytes())
    }

    const FRONT: &str = "gateway=shop/edge listener=http route=shop/cart endpoint=10.0.0.7:8080 src.addr=10.0.0.9:41000 http.method=GET \
                         http.host=cart.example.com http.path=/a http.version=HTTP/1.1";

    fn line(behind: &str) -> String {
        format!("2026-03-01T08:00:00.123456Z\tinfo\trequest {FRONT} {behind} duration=3ms")
    }

    #[test]
    fn reasons_name_the_cause() {
        for (behind, expected) in [
            (
                r#"http.status=503 error="upstream call failed: Connect: Connection refused (os error 111)" reason=UpstreamFailure"#,
                "upstream_refused",
            ),
            (
                r#"http.status=503 error="upstream call failed: SendRequest: connection error: Connection reset by peer (os error 104)" reason=UpstreamFailure"#,
                "upstream_reset",
            ),
            (
                r#"http.status=503 error="upstream call failed: SendRequest: connection error: peer closed connection without sending TLS close_notify" reason=UpstreamFailure"#,
                "upstream_closed_connection",
            ),
            (
                r#"http.status=503 error="upstream call failed: Connect: invalid peer certificate: UnknownIssuer" reason=UpstreamFailure"#,
                "upstream_certificate_rejected",
            ),
            (r#"http.status=504 error="request timeout" reason=Timeout"#, "upstream_timeout"),
            (r#"http.status=404 error="route not found" reason=NotFound"#, "route_no_match"),
            (r#"http.status=500 error="no valid backends" reason=NoHealthyBackend"#, "route_without_backend"),
            (r#"http.status=503 error="no healthy backends" reason=NoHealthyBackend"#, "no_endpoints"),
            (
                r#"http.status=503 error="backends required DNS resolution which failed" reason=NoHealthyBackend"#,
                "upstream_dns_failure",
            ),
            (
                r#"http.status=403 error="authorization failed" reason=Authorization"#,
                "authorization_policy_denied",
            ),
            (
                r#"http.status=401 error="authentication failure: the token has expired" reason=JwtAuth"#,
                "jwt_rejected",
            ),
            (r#"http.status=403 error="external authorization failed" reason=ExtAuth"#, "ext_authz_denied"),
            (r#"http.status=429 error="rate limit exceeded" reason=RateLimit"#, "rate_limited"),
            (
                r#"http.status=500 error="rate limit failed" reason=RateLimit"#,
                "rate_limit_service_unavailable",
            ),
            // gRPC's refusals have 200.
            (r#"http.status=200 error="no valid backends" reason=NoHealthyBackend"#, "route_without_backend"),
            ("http.status=500 protocol=http", "application_error"),
            ("http.status=503 reason=DirectResponse", "configured_error_reply"),
        ] {
            let text = line(behind);
            let json = {
                let mut object = serde_json::json!({ "level": "info", "time": "2026-03-01T08:00:00.1Z", "scope": "request", "http.path": "/a" });
                for (key, value) in pairs(behind) {
                    object[key] = value.parse::<u16>().map_or_else(|_| value.clone().into(), Into::into);
                }
                object.to_string()
            };
            for text in
                [text.clone(), text.replace('\t', " "), format!("[pod/agw-1/agentgateway] {text}"), json]
            {
                let Reading::Failed(_, finding) = reading(&text) else {
                    panic!("{text}: {:?}", reading(&text))
                };
                assert_eq!(finding.cause.id(), expected, "{text}");
                assert_ne!(finding.confidence, Confidence::Certain, "{text}");
            }
        }
    }

    #[test]
    fn what_went_well_is_fine() {
        for behind in [
            "http.status=200 protocol=http",
            "http.status=404 protocol=http",
            "http.status=302 reason=DirectResponse",
            "http.status=200 grpc.status=0",
        ] {
            assert!(
                matches!(reading(&line(behind)), Reading::Fine(Some(_))),
                "{behind}: {:?}",
                reading(&line(behind))
            );
        }
    }

    #[test]
    fn pairs_alone_are_a_lead_and_a_clients_words_none() {
        let text = r#"http.status=429 error="rate limit exceeded" reason=RateLimit"#;
        let Reading::Failed(_, finding) = reading(text) else { panic!("{:?}", reading(text)) };
        assert_eq!((finding.cause, finding.confidence), (Cause::RateLimited, Possible));
        for text in [
            r#"2026-03-01T08:00:00Z info served path="/a?http.status=503 reason=UpstreamFailure" status=200"#,
            r#"{"msg":"http.status=503 reason=UpstreamFailure"}"#,
            "set http.status in the span",
        ] {
            assert!(!matches!(reading(text), Reading::Failed(..)), "{text}: {:?}", reading(text));
        }
    }
}
