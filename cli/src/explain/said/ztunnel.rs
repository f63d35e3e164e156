//! Access logs of ztunnel, the node's proxy in ambient mode: a line for each connection, whose error names the cause almost word for word.

use std::borrow::Cow;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Likely};
use meshwhy::report::{LONGEST_FACT, escape};

use super::key_values::{behind_level, is_error, pairs, unquoted, word};
use super::ztunnel_fix;
use super::ztunnel_words::{cause, denied_by};
use crate::explain::around::prefix;
use crate::explain::verdict::hints;
use crate::explain::{Column, Finding, Line};

/// A connection, and why it failed, if it did.
pub(in crate::explain) type Connection = (Line<'static>, Option<Finding>);

/// Reads a line of text: `TIME error access connection complete src.addr=... error="..."`, divided by tabs or spaces.
pub(in crate::explain) fn in_text(text: &str) -> Option<Connection> {
    let at = prefix::begins(text, |rest| fields(rest).is_some()).or_else(|| failed_elsewhere(text))?;
    let (before, rest) = text.split_at_checked(at)?;
    let time = rest.split_whitespace().next().filter(|word| prefix::date_and(word, "T"));
    let fields = pairs(fields(rest).or_else(|| of_proxy(rest))?);
    let mut connection = connection(time.unwrap_or_default(), |key| {
        fields.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone())
    });
    connection.0.proxy = prefix::proxy(before);
    Some(connection)
}

/// An error alone, as people quote it: `error="..."`, if it is one of ztunnel's.
pub(in crate::explain) fn alone(text: &str) -> Option<Connection> {
    let (before, behind) = text.split_once("error=\"")?;
    // Another program's line of pairs may have one as well.
    let is_line = before.contains('=') || before.contains(['{', '[']);
    (!is_line).then_some(())?;
    let (error, _) = unquoted(behind);
    let known = cause(&error, false, false).0 != Cause::Unclassified;
    known.then(|| connection("", |key| (key == "error").then(|| error.clone())))
}

/// What its own log says of tunnels, beside connections: `error proxy::h2 ping error: broken pipe`.
pub(in crate::explain) fn of_tunnel(text: &str) -> Option<Finding> {
    // Looked for where there may be one.
    memchr::memmem::find(text.as_bytes(), b"proxy::")?;
    let message = match prefix::object(text) {
        Some(at) => {
            let object: serde_json::Value = serde_json::from_str(text.get(at..)?).ok()?;
            let value = |key: &str| object.get(key).and_then(serde_json::Value::as_str);
            let level = value("level")?;
            let is_proxys = value("scope")?.contains("ztunnel::proxy");
            (is_proxys && prefix::is_bad(level)).then_some(())?;
            value("message")?.to_owned()
        }
        None => {
            let at = prefix::begins(text, |rest| proxys_own(rest).is_some())?;
            proxys_own(text.get(at..)?)?.to_owned()
        }
    };
    let (cause, _, alternatives) = cause(&message, false, false);
    let mut finding =
        Finding::of_line((cause, Confidence::Possible), alternatives.to_vec(), Some(false), None);
    finding.evidence = format!("error={}", escape(&message, LONGEST_FACT));
    finding.named_fix = ztunnel_fix::fix(cause, &message, false, |_| None);
    Some(finding)
}

/// The level of a line of the program's own log, and what stands behind it: `TIME LEVEL SCOPE MESSAGE`.
fn leveled(line: &str) -> Option<(&str, &str)> {
    let (time, rest) = word(line)?;
    prefix::date_and(time, "T").then_some(())?;
    word(rest)
}

/// The message of `TIME error proxy::h2:proxy{...} MESSAGE`.
fn proxys_own(line: &str) -> Option<&str> {
    let (level, rest) = leveled(line)?;
    prefix::is_bad(level).then_some(())?;
    let (scope, rest) = word(rest)?;
    let is_proxys = ["proxy::", "ztunnel::proxy"].iter().any(|begin| scope.starts_with(begin));
    is_proxys.then(|| rest.trim())
}

/// Reads an object of `"scope":"access"`.
pub(in crate::explain) fn in_json(text: &str) -> Option<Connection> {
    let at = prefix::object(text)?;
    let (before, object) = text.split_at_checked(at)?;
    let object: serde_json::Value = serde_json::from_str(object).ok()?;
    let value = |key: &str| object.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    // Who takes a line apart keeps what he needs of it.
    let is_access = value("scope").as_deref() == Some("access") && value("src.addr").is_some();
    let has_ends = ["src.workload", "src.identity", "src.addr"].iter().any(|key| value(key).is_some());
    (is_access || (has_ends && value("direction").is_some())).then_some(())?;
    let mut connection = connection(&value("time").unwrap_or_default(), value);
    connection.0.proxy = prefix::proxy(before);
    Some(connection)
}

/// What stands behind the message.
fn fields(line: &str) -> Option<&str> {
    // Whoever shows it to others may leave out all that stands in front.
    if is_ends(line.as_bytes()) && line.contains(" error=") {
        return Some(line);
    }
    let (scope, rest) = word(behind_level(line)?)?;
    let (subject, rest) = word(rest)?;
    (scope == "access" && subject == "connection").then_some(())?;
    let (_, rest) = word(rest)?;
    // Addresses may be left out.
    ["src.", "dst.", "error="].iter().any(|key| rest.contains(key)).then_some(rest)
}

/// Whether a line of the access log begins here, even if its fields are in the next ones.
pub(in crate::explain) fn begins(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"connection complete").is_some() || is_ends(text)
}

/// Whether it is who was connected with whom, without what stands in front.
fn is_ends(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    // What was left out in front may be marked.
    let text = ["...", "…"].iter().find_map(|dots| text.strip_prefix(dots.as_bytes())).unwrap_or(text);
    text.trim_ascii_start().starts_with(b"src.") && memchr::memmem::find(text, b" dst.").is_some()
}

/// Where a line begins that isn't of the access log and reports a connection that failed.
fn failed_elsewhere(text: &str) -> Option<usize> {
    let failed = |rest: &str| {
        let pairs = of_proxy(rest).map(pairs).unwrap_or_default();
        pairs.iter().any(|(key, _)| is_error(key))
    };
    // Looked for where there is one.
    let may_be = text.contains("error=") || text.contains("err=");
    may_be.then(|| prefix::begins(text, failed)).flatten()
}

/// What the proxy's own parts say of a connection, before there was an access log (1.21) and beside it:
/// `TIME WARN outbound{id=...}: ztunnel::proxy::outbound: failed dur=... err=...`.
fn of_proxy(line: &str) -> Option<&str> {
    let (level, rest) = leveled(line)?;
    matches!(level.to_ascii_lowercase().as_str(), "warn" | "error").then_some(())?;
    let scope = rest.trim_start();
    let is_proxys = ["inbound", "outbound", "proxy", "ztunnel::proxy"].iter().any(|s| scope.starts_with(s));
    is_proxys.then_some(scope)
}

fn connection(time: &str, get: impl Fn(&str) -> Option<String>) -> Connection {
    let mut line = Line::default();
    let mut set = |column, value: Option<String>| {
        if let Some(value) = value {
            line.set(column, Cow::Owned(value));
        }
    };
    set(Column::Time, Some(time.to_owned()).filter(|time| !time.is_empty()));
    set(Column::RemoteAddress, get("src.addr"));
    set(Column::UpstreamHost, get("dst.hbone_addr").or_else(|| get("dst.addr")));
    set(Column::LocalAddress, get("dst.addr"));
    // Of what ztunnel knows neither by name, where it was sent is all that there is.
    let name = get("dst.service").or_else(|| get("dst.workload"));
    set(Column::Authority, name.or_else(|| get("dst.addr")));
    let duration = get("duration").or_else(|| get("dur"));
    set(
        Column::Duration,
        duration.and_then(|text| text.strip_suffix("ms")?.split('.').next().map(str::to_owned)),
    );
    let inbound = get("direction").as_deref() == Some("inbound");
    let finding = get("error").or_else(|| get("err")).map(|error| {
        let facts = [
            ("error", Some(error.clone())),
            ("source", get("src.workload")),
            // Whoever comes without mutual TLS has none.
            ("identity", get("src.identity").or_else(|| inbound.then(|| "none".to_owned()))),
            ("destination", get("dst.workload")),
            ("endpoint", get("dst.addr").filter(|_| !inbound)),
        ];
        let facts = facts
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", escape(&value?, LONGEST_FACT))));
        let (cause, mut confidence, alternatives) =
            cause(&error, inbound, inbound && get("src.identity").is_none());
        if inbound && get("src.identity").is_none() {
            // What the policy asks for may be there, and only the identity lost.
            confidence = confidence.min(Likely);
        }
        let mut finding = Finding::of_line((cause, confidence), alternatives.to_vec(), Some(false), None);
        finding.evidence = facts.collect::<Vec<_>>().join("; ");
        let by_policy = matches!(cause, Cause::AuthorizationPolicyDenied | Cause::PlaintextToStrictMtls);
        finding.resource = denied_by(&error).filter(|_| by_policy);
        finding.named_fix = ztunnel_fix::fix(cause, &error, inbound, &get);
        hints::elapsed(&mut finding, &line);
        finding
    });
    (line, finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::{Reader, Reading};

    fn read(text: &str) -> Reading {
        Reader::new(Vec::new()).read_all(text.as_bytes())
    }

    fn line(error: &str, direction: &str) -> String {
        let error = if error.is_empty() { String::new() } else { format!(" error={error:?}") };
        format!(
            "2026-03-01T08:00:00.123456Z\terror\taccess\tconnection complete\tsrc.addr=10.0.0.9:50000 src.workload=\"shell-1\" \
             src.identity=\"spiffe://cluster.local/ns/a/sa/b\" dst.addr=10.0.0.10:15008 dst.hbone_addr=10.0.0.10:80 \
             dst.service=\"echo.a.svc.cluster.local\" dst.workload=\"echo-1\" direction=\"{direction}\" bytes_sent=0 \
             bytes_recv=0 duration=\"1ms\"{error}"
        )
    }

    fn named(text: &str) -> Vec<(&'static str, &'static str)> {
        let Reading::Failed(_, finding) = read(text) else { panic!("{text}: {:?}", read(text)) };
        let causes = std::iter::once(&finding.cause).chain(&finding.alternatives);
        causes.map(|cause| (cause.id(), finding.confidence.id())).collect()
    }

    #[test]
    fn the_address_that_was_tried_is_evidence() {
        let Reading::Failed(_, finding) =
            read(&line("io error: No route to host (os error 113)", "outbound"))
        else {
            panic!()
        };
        assert!(finding.evidence.ends_with("destination=echo-1; endpoint=10.0.0.10:15008"), "{finding:?}");
        assert!(finding.fix().is_some_and(|fix| fix.contains("path to 10.0.0.10:15008 of echo-1")));
        // Its own pod's says nothing.
        let Reading::Failed(_, finding) = read(&line("io error: No route to host (os error 113)", "inbound"))
        else {
            panic!()
        };
        assert!(!finding.evidence.contains("endpoint="), "{finding:?}");
    }

    #[test]
    fn a_line_may_begin_with_dots() {
        let text = "... src.workload=\"shell-1\" dst.addr=10.0.0.10:15008 dst.workload=\"echo-1\" direction=\"outbound\" error=\"io error: Connection refused (os error 111)\"";
        for text in [text.to_owned(), text.replace("...", "…")] {
            let Reading::Failed(_, finding) = read(&text) else { panic!("{text}: {:?}", read(&text)) };
            assert!(
                finding.fix().is_some_and(|fix| fix.contains("ztunnel runs on the node of echo-1")),
                "{finding:?}"
            );
        }
    }

    #[test]
    fn errors_name_the_cause() {
        for (error, direction, expected) in [
            (
                "connection closed due to policy rejection: allow policies exist, but none allowed",
                "inbound",
                &[("authorization_policy_denied", "certain")][..],
            ),
            (
                "connection closed due to policy rejection: explicitly denied by: istio-system/istio_converted_static_strict",
                "inbound",
                &[("plaintext_to_strict_mtls", "likely")],
            ),
            (
                "connection closed due to policy rejection: explicitly denied by: shop/converted_peer_authentication_strict-8080",
                "inbound",
                &[("plaintext_to_strict_mtls", "likely")],
            ),
            ("http status: 400 Bad Request", "outbound", &[("upstream_proxy_error", "possible")]),
            (
                "send: io error: Connection reset by peer (os error 104)",
                "outbound",
                &[("upstream_reset", "possible"), ("client_disconnected", "possible")],
            ),
            (
                "tls error: invalid peer certificate: UnknownIssuer",
                "outbound",
                &[("upstream_certificate_rejected", "likely")],
            ),
            ("unknown waypoint: waypoint.shop", "outbound", &[("cluster_missing", "possible")]),
            (
                "connection closed due to policy rejection",
                "inbound",
                &[("authorization_policy_denied", "possible"), ("plaintext_to_strict_mtls", "possible")],
            ),
            ("http status: 401 Unauthorized", "outbound", &[("authorization_policy_denied", "likely")]),
            (
                "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has elapsed",
                "outbound",
                &[("upstream_connect_timeout", "likely")],
            ),
            (
                "connection failed: Connection refused (os error 111)",
                "inbound",
                &[("upstream_refused", "certain")],
            ),
            (
                "connection failed: No route to host (os error 113)",
                "outbound",
                &[("upstream_unreachable", "likely")],
            ),
            (
                "no healthy upstream: 10.96.0.9:80",
                "outbound",
                &[("no_endpoints", "possible"), ("no_healthy_endpoints", "possible")],
            ),
            ("something that nobody has seen", "outbound", &[("unclassified", "possible")]),
        ] {
            let text = line(error, direction);
            assert_eq!(named(&text), expected, "{error}");
            // As kubectl and others show it: with spaces for the tabs, and behind a prefix.
            for text in [text.replace('\t', "     "), format!("[pod/ztunnel-x/istio-proxy] {text}")] {
                assert_eq!(named(&text), expected, "{text}");
            }
            let json = serde_json::json!({ "level": "error", "time": "2026-03-01T08:00:00Z", "scope": "access",
                "message": "connection complete", "src.addr": "10.0.0.9:50000", "src.identity": "spiffe://cluster.local/ns/a/sa/b", "direction": direction, "error": error });
            assert_eq!(named(&json.to_string()), expected, "{json}");
        }
    }

    #[test]
    fn a_connection_that_went_well_is_fine_and_the_rest_is_ztunnels_own_log() {
        let fine = line("", "inbound").replace("error\taccess", "info\taccess");
        assert!(matches!(read(&fine), Reading::Fine(Some(_))), "{:?}", read(&fine));
        assert_eq!(read("2026-03-01T08:00:00.1Z\tinfo\tproxy\tlistening src.addr=1"), Reading::ProxyLog);
    }

    /// A pod whose traffic is no longer captured comes without one.
    #[test]
    fn who_comes_without_an_identity_may_have_lost_it() {
        let denied = "connection closed due to policy rejection: allow policies exist, but none allowed";
        let text = line(denied, "inbound").replace("src.identity=\"spiffe://cluster.local/ns/a/sa/b\" ", "");
        let Reading::Failed(_, finding) = read(&text) else { panic!("{text}") };
        assert_eq!((finding.cause, finding.confidence), (Cause::AuthorizationPolicyDenied, Likely));
        assert!(finding.evidence.contains("identity=none"), "{}", finding.evidence);
    }

    #[test]
    fn a_destination_without_a_name_is_its_address() {
        let text = "2024-02-01T10:00:00.123456Z\terror\taccess\tconnection complete\tsrc.addr=10.0.0.9:50000 dst.addr=10.96.0.9:80 direction=\"outbound\" error=\"no healthy upstream: 10.96.0.9:80\"";
        let Reading::Failed(line, _) = read(text) else { panic!("{text}") };
        assert_eq!(line.get(Column::Authority), Some("10.96.0.9:80"));
    }

    #[test]
    fn an_error_beside_the_access_log_is_a_failure() {
        for (text, cause) in [
            (
                r#"2024-02-01T10:00:00.123456Z  WARN outbound{id=5d8a}: ztunnel::proxy::outbound: failed dur=10.0001s err="connection failed: Connection refused (os error 111)""#,
                "upstream_refused",
            ),
            (
                "2024-02-01T10:00:00.123456Z\terror\tproxy::inbound\tconnection failed\tsrc.addr=10.0.0.9:1 error=\"http status: 401 Unauthorized\"",
                "authorization_policy_denied",
            ),
        ] {
            assert_eq!(named(text).first().map(|(cause, _)| *cause), Some(cause), "{text}");
        }
        let own = "2024-02-01T10:00:00.123456Z\twarn\txdsproxy\tdisconnected error=\"x\"";
        assert_eq!(read(own), Reading::ProxyLog);
    }

    #[test]
    fn values_cannot_end_their_quotes() {
        let text = line("x\" error=\"connection failed: Connection refused (os error 111)", "inbound");
        // One error, whatever stands in it.
        let Reading::Failed(line, finding) = read(&text) else { panic!("{text}") };
        assert!(
            finding.evidence.starts_with("error=x%22 error%3D%22connection failed"),
            "{}",
            finding.evidence
        );
        assert_eq!(line.get(Column::Authority), Some("echo.a.svc.cluster.local"));
        let denied =
            denied_by("connection closed due to policy rejection: explicitly denied by: shop/deny-all");
        assert_eq!(denied.as_deref(), Some("AuthorizationPolicy/shop/deny-all"));
        let converted = denied_by("x denied by: shop/converted_peer_authentication_strict");
        assert_eq!(converted.as_deref(), Some("PeerAuthentication/shop/strict"));
        assert_eq!(denied_by("x denied by: istio-system/istio_converted_static_strict"), None);
    }
}
