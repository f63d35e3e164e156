//! What a line's own words and numbers add to evidence and fix: how long it took, what was wrong with a certificate, a flag that nobody knows.

use meshwhy::causes::Cause;
use meshwhy::evidence::Flags;
use meshwhy::report::{LONGEST_FACT, escape};

use super::{closed, gather, others};
use crate::explain::finding::Source;
use crate::explain::{Column, Finding, Line};

/// Adds what the line knows.
pub(in crate::explain) fn add(finding: &mut Finding, line: &Line<'_>) {
    if finding.source != Source::Line {
        return;
    }
    if let Some(fix) = others::fix(finding, line) {
        finding.named_fix = Some(fix);
    }
    if let Some(fix) = others::fix_of_istiod(finding, line) {
        finding.named_fix = Some(fix.to_owned());
        finding.would_tell.clear();
    }
    closed::add(finding, line);
    if let Some(fix) = of_dns_proxy(finding.cause, line) {
        finding.named_fix = Some(fix);
    }
    elapsed(finding, line);
    name_flags(finding, line);
    let words = [Column::UpstreamFailure, Column::Details].iter().find_map(|column| line.get(*column));
    if let Some(fix) = words.and_then(|words| of_certificate(finding.cause, words)) {
        finding.named_fix = Some(fix.to_owned());
    }
    if let Some(fix) = line.get(Column::Details).and_then(of_processor) {
        finding.named_fix = Some(fix.to_owned());
    }
    if let Some(fix) = of_policy(finding) {
        finding.named_fix = Some(fix.to_owned());
    }
}

/// What to change where a connect went to an address that Istio's DNS proxy made up for a name: no endpoint has one of these.
fn of_dns_proxy(cause: Cause, line: &Line<'_>) -> Option<String> {
    const TRIED: &[Cause] =
        &[Cause::UpstreamConnectTimeout, Cause::UpstreamUnreachable, Cause::UpstreamRefused];
    let address = line.get(Column::UpstreamHost)?;
    (TRIED.contains(&cause) && address.starts_with("240.240.")).then(|| {
        format!(
            "Give the name an endpoint: nothing has the address {}, which Istio's DNS proxy made up for it. A headless Service \
             without ready pods and a ServiceEntry without endpoints end so, and one that this proxy doesn't know on this port.",
            escape(address, LONGEST_FACT)
        )
    })
}

/// The time after which it ended, as evidence, and whose timer that may be.
pub(in crate::explain) fn elapsed(finding: &mut Finding, line: &Line<'_>) {
    let lived = line.get(Column::Duration).and_then(|text| text.parse::<u64>().ok());
    let Some(lived) = lived.filter(|_| is_timed(finding.cause)) else { return };
    if !finding.evidence.contains("lived=") {
        let separator = if finding.evidence.is_empty() { "" } else { "; " };
        finding.evidence = format!("{}{separator}lived={lived}ms", finding.evidence);
    }
    if let Some(hint) = timer(finding.cause, lived, line) {
        let fix = finding.fix().unwrap_or_default();
        finding.named_fix = Some(format!("{fix} {hint}"));
    }
}

/// What a timer of this proxy's or of somebody else's may have ended.
const fn is_timed(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::UpstreamTimeout
            | Cause::UpstreamConnectTimeout
            | Cause::UpstreamClosedConnection
            | Cause::UpstreamReset
            | Cause::ClientDisconnected
            | Cause::IdleTimeout
            | Cause::MaxDurationReached
            | Cause::ExtAuthzUnavailable
            | Cause::RateLimitServiceUnavailable
    )
}

/// Which timer to look for. Of what ends by other reasons, too, whole seconds alone say that it was one.
fn timer(cause: Cause, lived: u64, line: &Line<'_>) -> Option<String> {
    /// Seconds: no time-out of an upstream that people set is shorter.
    const SHORTEST: u64 = 5;
    let seconds = whole_seconds(lived);
    let time = match seconds {
        Some(seconds) => format!("{seconds} s"),
        None => format!("{lived} ms"),
    };
    // Of TCP the flag says that one try was too many.
    let is_http = line.get(Column::Method).is_some();
    let retried =
        is_http && line.get(Column::Flags).is_some_and(|flags| flags.split(',').any(|flag| flag == "URX"));
    let is_istios = line
        .get(Column::Cluster)
        .is_some_and(|cluster| cluster.starts_with("outbound|") || cluster.starts_with("inbound|"));
    Some(match (cause, seconds) {
        (Cause::UpstreamTimeout, _)
            if line.get(Column::Details).is_some_and(|details| details.contains("per_try")) =>
        {
            format!("All tries together took {time}.")
        }
        (Cause::UpstreamTimeout, Some(15)) if is_istios => {
            "It was given up after 15 s: Istio's routes have no timeout unless someone sets it.".to_owned()
        }
        (Cause::UpstreamTimeout, Some(15)) => {
            "It was given up after 15 s, the default of Envoy's routes: look whether anyone has set another."
                .to_owned()
        }
        (Cause::UpstreamConnectTimeout, _) if retried => format!("All tries together took {time}."),
        (Cause::UpstreamConnectTimeout, Some(10)) if is_istios => {
            "It was given up after 10 s, which is Istio's default connectTimeout.".to_owned()
        }
        (Cause::UpstreamTimeout, None) if lived >= 1_000 => {
            format!(
                "It was given up after {time}: look for a timeout as long, or for tries that add up to it."
            )
        }
        (Cause::UpstreamTimeout, _) | (Cause::UpstreamConnectTimeout, Some(_)) => {
            format!("It was given up after {time}: look for a timeout as long.")
        }
        (Cause::IdleTimeout, Some(300)) => {
            "It ended after 300 s, which is the default of Envoy's stream_idle_timeout.".to_owned()
        }
        (Cause::IdleTimeout, Some(3_600)) => {
            "It ended after 3600 s, which is the default of Envoy's idle_timeout.".to_owned()
        }
        (Cause::IdleTimeout, _) => format!("It ended after {time}: look for an idle timeout of no more."),
        (Cause::MaxDurationReached, _) => format!("It ended after {time}: look for a maximum as long."),
        (Cause::ClientDisconnected, Some(_)) => {
            format!(
                "It left after {time}: look for a timeout as long, in the client or in a proxy before this one."
            )
        }
        (Cause::ExtAuthzUnavailable | Cause::RateLimitServiceUnavailable, Some(_)) => {
            format!("It was given up after {time}: look for a timeout as long in that service's settings.")
        }
        (Cause::UpstreamClosedConnection | Cause::UpstreamReset, Some(SHORTEST..)) => {
            format!("It ended after {time}: look for a timeout as long, in the upstream or on the way to it.")
        }
        _ => return None,
    })
}

/// The whole seconds that it took, give or take what timers are late and what a client began earlier.
fn whole_seconds(lived: u64) -> Option<u64> {
    const SECOND: u64 = 1_000;
    const ABOUT: u64 = 60;
    let seconds = lived.saturating_add(ABOUT).checked_div(SECOND)?;
    let off = lived.abs_diff(seconds.saturating_mul(SECOND));
    (seconds >= 1 && off <= ABOUT.max(lived / 500)).then_some(seconds)
}

/// In place of a flag that the rules don't know, its name.
fn name_flags(finding: &mut Finding, line: &Line<'_>) {
    let placeholder = gather::UNKNOWN_FLAG.short();
    if !finding.evidence.contains(&placeholder) {
        return;
    }
    let names = line.get(Column::Flags).or_else(|| line.get(Column::FlagsLong)).unwrap_or_default();
    let unknown: Vec<&str> = names.split(',').filter(|name| Flags::from_short(name).is_empty()).collect();
    let unknown = escape(&unknown.join(","), LONGEST_FACT);
    finding.evidence = finding.evidence.replace(&placeholder, &unknown);
}

/// What is wrong with a certificate that this proxy didn't take.
fn of_certificate(cause: Cause, words: &str) -> Option<&'static str> {
    (cause == Cause::UpstreamCertificateRejected).then_some(())?;
    let words = words.to_ascii_lowercase().replace('_', " ");
    let has = |part: &str| words.contains(part);
    Some(match () {
        () if has("expired") => "Renew the upstream's certificate: it has expired.",
        () if has("not yet valid") => {
            "Set the clock of this proxy's node, or of who made the certificate: it isn't valid yet."
        }
        () if has("verify san") || has("san matcher") || has("mismatch") => {
            "Make sni and subjectAltNames in the DestinationRule names that the certificate has, or send the request to whom it is meant for: \
             a new certificate with the same names changes nothing."
        }
        () if has("issuer") || has("self signed") || has("self-signed") => {
            "Make caCertificates in the DestinationRule the CA that signed the certificate; within the mesh, give both sides the same root."
        }
        () => return None,
    })
}

/// How an external processor failed.
fn of_processor(details: &str) -> Option<&'static str> {
    let how = details.strip_prefix("ext_proc_error_")?;
    Some(match () {
        () if how.contains("protocol_error") => {
            "Let the filter and the external processor speak the same: gRPC, thus HTTP/2 (the port's name or appProtocol is grpc), and TLS on both \
             sides or on none."
        }
        () if how.contains("connection_timeout") => {
            "Let this proxy reach the external processor: nothing answered its connection (a NetworkPolicy, a firewall, a pod that is gone)."
        }
        () if how.starts_with("gRPC_error_14") => {
            "Bring the external processor back, or correct the address and port that its filter calls: nobody answered there."
        }
        () if how.contains("timeout") || how.starts_with("gRPC_error_4") => {
            "Make the external processor answer sooner, or raise its filter's message_timeout."
        }
        () => return None,
    })
}

/// What to do about a refusal whose policy has no name here.
fn of_policy(finding: &Finding) -> Option<&'static str> {
    let may_say = finding.cause == Cause::AuthorizationPolicyDenied
        && finding.resource.is_none()
        && finding.advice.is_none();
    may_say.then_some(())?;
    if finding.evidence.contains("matched_policy[none]") {
        return Some(
            "Add an ALLOW rule for this caller, method, path and port: no rule of those that select the workload fits. A rule with principals or \
             namespaces never fits a caller without mutual TLS.",
        );
    }
    (!finding.evidence.contains("policy")).then_some(
        "Look in the access log of the proxy that answered: rbac_access_denied_matched_policy[none] asks for an ALLOW rule that fits this \
         caller, any other name is the DENY rule to narrow.",
    )
}

#[cfg(test)]
mod tests {
    use crate::explain::{Reader, Reading};

    fn of(line: &str) -> (String, String) {
        let Reading::Failed(_, finding) = Reader::new(Vec::new()).read(line.as_bytes()) else {
            panic!("{line}")
        };
        let fix = finding.fix().unwrap_or_default().to_owned();
        (finding.evidence, fix)
    }

    fn http(status: &str, duration: u64) -> (String, String) {
        of(&format!(
            r#"[2026-03-01T08:00:00.123Z] "GET / HTTP/1.1" {status} - "-" 0 24 {duration} - "-" "curl/8" "94de6761-681b-482d-89ce-e349a541d8e9" "shop" "10.0.0.1:80" outbound|80||shop.a.svc.cluster.local 10.0.0.9:40000 10.96.0.1:80 10.0.0.9:50000 - default"#
        ))
    }

    #[test]
    fn a_timer_is_named_where_the_line_has_its_time() {
        for (status, duration, expected) in [
            ("504 UT response_timeout", 15_001, Some("after 15 s: Istio's routes have no timeout")),
            ("504 UT response_timeout", 2_006, Some("given up after 2 s: look for a timeout as long")),
            ("504 UT response_timeout", 501, Some("given up after 501 ms")),
            ("504 UT response_timeout", 10_538, Some("or for tries that add up to it")),
            ("504 URX,UT upstream_per_try_timeout", 6_080, Some("All tries together took 6080 ms")),
            ("408 SI stream_idle_timeout", 300_003, Some("default of Envoy's stream_idle_timeout")),
            ("0 DC downstream_remote_disconnect", 29_998, Some("It left after 30 s")),
            ("0 DC downstream_remote_disconnect", 372, None),
            ("0 DC downstream_remote_disconnect", 6_627, None),
            ("503 UAEX ext_authz_error", 25_001, Some("given up after 25 s")),
            ("503 UAEX ext_authz_error", 1, None),
            (
                "503 UC upstream_reset_before_response_started{connection_termination}",
                120_001,
                Some("It ended after 120 s"),
            ),
        ] {
            let (evidence, fix) = http(status, duration);
            assert!(evidence.contains(&format!("lived={duration}ms")), "{status} {duration}: {evidence}");
            let timers = ["It was given up", "It left after", "It ended after", "All tries"];
            let said = timers.iter().any(|timer| fix.contains(timer));
            assert_eq!(said, expected.is_some(), "{status} {duration}: {fix}");
            assert!(fix.contains(expected.unwrap_or_default()), "{status} {duration}: {fix}");
        }
    }

    #[test]
    fn what_no_timer_ends_has_no_time() {
        let (evidence, fix) = http("503 UH no_healthy_upstream", 10_000);
        assert!(!evidence.contains("lived") && !fix.contains("10 s"), "{evidence} {fix}");
    }

    #[test]
    fn a_certificate_is_renewed_where_that_helps() {
        let reset = |words: &str| {
            http(
                &format!(
                    "503 UF upstream_reset_before_response_started{{remote_connection_failure|TLS_error:|268435581:SSL_routines:\
                     OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:{words}:TLS_error_end}}"
                ),
                3,
            )
            .1
        };
        let san = reset("verify_cert_failed:_verify_SAN_list");
        assert!(san.contains("a new certificate with the same names changes nothing"), "{san}");
        let expired = reset(
            "verify_cert_failed:_X509_verify_cert:_certificate_verification_error_at_depth_0:_certificate_has_expired",
        );
        assert!(expired.contains("it has expired"), "{expired}");
        let root = reset(
            "verify_cert_failed:_X509_verify_cert:_certificate_verification_error_at_depth_0:_unable_to_get_local_issuer_certificate",
        );
        assert!(root.contains("same root"), "{root}");
        assert!(reset("x").contains("or renew it"));
    }

    #[test]
    fn a_processor_is_slow_or_away() {
        let fix = |details: &str| http(&format!("500 - {details}"), 200).1;
        assert!(fix("ext_proc_error_gRPC_error_14").contains("nobody answered there"));
        assert!(fix("ext_proc_error_gRPC_error_14{reset_reason:_protocol_error}").contains("HTTP/2"));
        assert!(
            fix("ext_proc_error_gRPC_error_14{reset_reason:_connection_timeout}").contains("NetworkPolicy")
        );
        assert!(fix("ext_proc_error_per-message_timeout_exceeded").contains("message_timeout"));
        assert!(fix("ext_proc_error_gRPC_error_13").contains("correct its answers"));
    }

    #[test]
    fn a_refusal_without_a_policys_name() {
        let (_, fix) = http("403 - rbac_access_denied_matched_policy[none]", 0);
        assert!(fix.starts_with("Add an ALLOW rule") && !fix.contains("DENY"), "{fix}");
        let (_, fix) = http("403 - rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]", 0);
        assert!(fix.contains("a/b"), "{fix}");
    }

    #[test]
    fn without_istio_no_fix_names_its_resources() {
        let read = |cluster: &str, status: &str| {
            of(&format!(
                r#"[2026-03-01T08:00:00.123Z] "GET / HTTP/1.1" {status} - "-" 0 24 10 - "-" "curl/8" "94de6761-681b-482d-89ce-e349a541d8e9" "shop" "10.0.0.1:80" {cluster} 10.0.0.9:40000 10.96.0.1:80 10.0.0.9:50000 - -"#
            ))
            .1
        };
        let slow = "504 UT response_timeout";
        assert!(
            read("shop_80", slow)
                .starts_with("Make shop_80 answer sooner, or raise the timeout of its route.")
        );
        assert!(read("httproute/a/b/rule/0", slow).contains("BackendTrafficPolicy"));
        assert!(read("outbound|80||shop.a.svc.cluster.local", slow).contains("VirtualService"));
        for status in [slow, "503 UO overflow", "503 UH no_healthy_upstream"] {
            let fix = read("shop_80", status);
            assert!(!fix.contains("VirtualService") && !fix.contains("DestinationRule"), "{status}: {fix}");
        }
    }

    #[test]
    fn an_address_of_the_dns_proxy_is_no_endpoint() {
        let read = |endpoint: &str| {
            of(&format!(
                r#"[2026-03-01T08:00:00.123Z] "GET / HTTP/1.1" 503 UF upstream_reset_before_response_started{{connection_timeout}} - "-" 0 114 10000 - "-" "curl/8" "94de6761-681b-482d-89ce-e349a541d8e9" "a" "{endpoint}" outbound|80||a.b.svc.cluster.local - 10.96.0.1:80 10.0.0.9:50000 - default"#
            ))
            .1
        };
        let fix = read("240.240.0.6:80");
        assert!(
            fix.contains("nothing has the address 240.240.0.6:80") && !fix.contains("NetworkPolicy"),
            "{fix}"
        );
        assert!(read("24.240.0.6:80").contains("NetworkPolicy"));
    }

    #[test]
    fn an_unknown_flag_keeps_its_name() {
        let (evidence, _) = http("503 UF,XYZ upstream_reset_before_response_started{connection_failure}", 3);
        assert!(!evidence.contains("bit"), "{evidence}");
    }
}
