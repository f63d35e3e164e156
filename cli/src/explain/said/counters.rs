//! Counters and tables: Envoy's admin interface (`/stats`, `/clusters`, Prometheus' format), `istioctl proxy-config endpoint`, `proxy-status`
//! and `analyze`.
//!
//! A counter has been counting since the proxy began, so it is a lead: no more than possible, and only where nothing else failed.

use std::borrow::Cow;

use meshwhy::causes::Cause;
use meshwhy::causes::Cause::*;
use meshwhy::diagnosis::Confidence;
use meshwhy::evidence::ClusterName;
use meshwhy::report::{LONGEST_FACT, escape};

use crate::explain::{ACCESS_LOG, Column, Finding, Line};

/// What stands before a counter in the evidence.
const COUNTER: &str = "counter=";

/// Clusters of the proxy's own.
const OWN: &[&str] = &["xds-grpc", "sds-grpc", "agent", "prometheus_stats", "zipkin", "xds_cluster"];

/// What a counter's name ends with and what is behind it, what decides most first.
const NAMES: &[(&str, Cause, &[Cause])] = &[
    ("rbac.denied", AuthorizationPolicyDenied, &[]),
    ("jwt_authn.denied", JwtRejected, &[]),
    ("ext_authz.denied", ExtAuthzDenied, &[]),
    ("ext_authz.error", ExtAuthzUnavailable, &[]),
    ("ratelimit.over_limit", RateLimited, &[]),
    ("ratelimit.error", RateLimitServiceUnavailable, &[]),
    ("rate_limited", RateLimited, &[]),
    ("fault.aborts_injected", FaultInjected, &[]),
    ("fault.delays_injected", DelayInjected, &[]),
    ("no_filter_chain_match", NoFilterChainForSni, &[PlaintextToStrictMtls]),
    ("ssl.fail_verify_no_cert", ClientCertificateMissing, &[UpstreamCertificateRejected]),
    ("ssl.fail_verify_san", UpstreamCertificateRejected, &[ClientCertificateRejected]),
    ("ssl.fail_verify_error", UpstreamCertificateRejected, &[ClientCertificateRejected]),
    ("ssl.fail_verify_cert_hash", UpstreamCertificateRejected, &[ClientCertificateRejected]),
    ("ssl.connection_error", UpstreamTlsFailed, &[UpstreamSpeaksPlaintext, UpstreamCertificateRejected]),
    ("upstream_rq_pending_overflow", CircuitBreakerOverflow, &[]),
    ("upstream_cx_pool_overflow", CircuitBreakerOverflow, &[]),
    ("rq_pending_open", CircuitBreakerOverflow, &[]),
    ("cx_open", CircuitBreakerOverflow, &[]),
    ("rq_open", CircuitBreakerOverflow, &[]),
    ("upstream_cx_none_healthy", NoHealthyEndpoints, &[NoEndpoints]),
    ("outlier_detection.ejections_active", NoHealthyEndpoints, &[UpstreamClosedConnection, ApplicationError]),
    ("upstream_cx_connect_timeout", UpstreamConnectTimeout, &[UpstreamUnreachable]),
    ("cx_connect_fail", UpstreamRefused, &[UpstreamConnectTimeout, UpstreamUnreachable, UpstreamTlsFailed]),
    ("upstream_cx_protocol_error", UpstreamProtocolError, &[Http2ToHttp1Upstream]),
    ("rx_messaging_error", UpstreamProtocolError, &[InvalidHttpRequest]),
    ("upstream_rq_per_try_timeout", UpstreamTimeout, &[]),
    ("upstream_rq_timeout", UpstreamTimeout, &[]),
    ("rq_timeout", UpstreamTimeout, &[]),
    ("upstream_rq_504", UpstreamTimeout, &[]),
    ("upstream_rq_max_duration_reached", MaxDurationReached, &[]),
    ("downstream_rq_max_duration_reached", MaxDurationReached, &[]),
    ("downstream_rq_idle_timeout", IdleTimeout, &[]),
    ("no_cluster", ClusterMissing, &[]),
    ("no_route", RouteNoMatch, &[RouteHostUnknown]),
    ("overload_close", ProxyOverloaded, &[]),
    ("downstream_cx_overload_reject", ProxyOverloaded, &[]),
    ("downstream_cx_protocol_error", InvalidHttpRequest, &[TlsOnPlaintextPort, Http10Client]),
    ("update_rejected", VirtualServiceNotApplied, &[ConfigPropagating]),
    ("upstream_cx_destroy_remote_with_active_rq", UpstreamClosedConnection, &[UpstreamClosedIdleConnection]),
    ("upstream_rq_rx_reset", UpstreamReset, &[UpstreamClosedConnection]),
    ("upstream_cx_destroy_with_active_rq", UpstreamClosedConnection, &[ClientDisconnected, UpstreamTimeout]),
    ("upstream_rq_503", UpstreamClosedConnection, UNAVAILABLE),
    ("upstream_rq_502", UpstreamProtocolError, &[ApplicationError]),
    ("upstream_rq_500", ApplicationError, &[]),
    ("upstream_rq_5xx", ApplicationError, UNAVAILABLE),
    ("rq_error", UpstreamClosedConnection, UNAVAILABLE),
];

const UNAVAILABLE: &[Cause] = &[UpstreamRefused, NoEndpoints, ApplicationError];

/// What `istioctl analyze` finds that makes requests fail.
const ANALYZED: &[(&str, &str, Cause, &[Cause])] = &[
    ("IST0101", "gateway", GatewayWithoutHttpRoutes, &[VirtualServiceNotApplied]),
    ("IST0101", "", ClusterMissing, &[NoEndpoints]),
    ("IST0104", "", UpstreamRefused, &[GatewayWithoutHttpRoutes]),
    ("IST0106", "", VirtualServiceNotApplied, &[]),
    ("IST0109", "", VirtualServiceNotApplied, &[]),
    ("IST0113", "", DestinationRuleTlsConflict, &[]),
    ("IST0118", "", HttpTreatedAsTcp, &[]),
    ("IST0130", "", VirtualServiceNotApplied, &[RouteNoMatch]),
    ("IST0145", "", NoFilterChainForSni, &[ConnectionReusedAcrossGateways]),
];

/// What a row comes to.
#[derive(Debug, PartialEq)]
pub(in crate::explain) enum Row {
    /// It says of no failure.
    Fine,
    /// Something has failed, so often.
    Failed(Box<Line<'static>>, Box<Finding>),
}

/// What a row of such an output says; none of any other text.
pub(in crate::explain) fn read(text: &str) -> Option<Row> {
    let row = text.trim();
    of_stats(row)
        .or_else(|| of_clusters(row))
        .or_else(|| of_prometheus(row))
        .or_else(|| of_endpoints(row))
        .or_else(|| of_status(row))
        .or_else(|| analyzed(row))
}

/// Whether a finding is a counter's.
pub(in crate::explain) fn is_one(finding: &Finding) -> bool {
    finding.evidence.starts_with(COUNTER)
}

/// Which of two counters decides more: the smaller.
pub(in crate::explain) fn rank(finding: &Finding) -> usize {
    let name = finding.evidence.strip_prefix(COUNTER).and_then(|said| said.split("; ").next());
    let place = |name: &str| NAMES.iter().position(|(end, ..)| *end == name);
    name.and_then(place).unwrap_or_default()
}

/// `cluster.outbound|80||a.b.svc.cluster.local.upstream_cx_connect_fail: 12`
fn of_stats(row: &str) -> Option<Row> {
    const ROOTS: &[&str] = &[
        "cluster.",
        "listener.",
        "http.",
        "cluster_manager.",
        "listener_manager.",
        "server.",
        "tcp.",
        "http_local",
        "control_plane.",
        "main_thread.",
        "runtime.",
        "wasm",
        "dns.",
        "overload.",
        "upstream_rq_",
        "upstream_cx_",
    ];
    let (name, value) = row.rsplit_once(": ")?;
    (ROOTS.iter().any(|root| name.starts_with(root)) && !name.contains([' ', '"', '/'])).then_some(())?;
    let count = match value.trim().parse() {
        Ok(count) => count,
        // A host that is named so may stand in front of a failure: `http.example.com: connection refused`.
        Err(_) => (value.starts_with("P0(") || value == "No recorded values").then_some(0)?,
    };
    (!is_host_with_a_status(name, count)).then_some(())?;
    // A gateway's or a sidecar's own port.
    let inner = name.strip_prefix("cluster.");
    let named = |end: &str| inner?.strip_suffix(end)?.strip_suffix('.').map(without_scopes);
    Some(counted(name, count, named))
}

/// `http.example.com: 503`: most of Envoy's names have an underscore at their end.
fn is_host_with_a_status(name: &str, count: u64) -> bool {
    const WORDS: &[&str] = &[
        "allowed",
        "attempt",
        "count",
        "denied",
        "disabled",
        "enabled",
        "error",
        "failure",
        "handshake",
        "ok",
        "success",
        "total",
        "uptime",
        "version",
    ];
    let end = name.rsplit('.').next().unwrap_or_default();
    (400..600).contains(&count) && !end.contains('_') && !WORDS.contains(&end)
}

/// Without what Envoy puts between a cluster's name and the counter's: `external`, `internal`, `circuit_breakers.default`.
fn without_scopes(name: &str) -> &str {
    const SCOPES: &[&str] = &[".external", ".internal", ".http2", ".http1", ".circuit_breakers.default", ";"];
    SCOPES.iter().fold(name, |name, scope| name.trim_end_matches(scope))
}

/// `outbound|80||a.b::10.0.0.1:80::cx_connect_fail::12`, `...::health_flags::/failed_outlier_check`, `a::added_via_api::true`
///
/// A log's own words and what a client has in its path have `::` as well: the whole row has to be one of Envoy's.
fn of_clusters(row: &str) -> Option<Row> {
    const OF_CLUSTER: &[&str] = &["observability_name", "added_via_api", "eds_service_name"];
    const LIMITS: &[&str] = &["max_connections", "max_pending_requests", "max_requests", "max_retries"];
    const OUTLIERS: &[&str] = &[
        "success_rate_average",
        "success_rate_ejection_threshold",
        "local_origin_success_rate_average",
        "local_origin_success_rate_ejection_threshold",
    ];
    const OF_HOST: &[&str] = &[
        "cx_active",
        "cx_total",
        "rq_active",
        "rq_pending_active",
        "rq_success",
        "rq_total",
        "hostname",
        "weight",
        "region",
        "zone",
        "sub_zone",
        "canary",
        "priority",
        "success_rate",
        "local_origin_success_rate",
    ];
    let (rest, value) = row.rsplit_once("::")?;
    let (rest, name) = rest.rsplit_once("::")?;
    if value.contains(is_foreign) || rest.contains(is_foreign) {
        return None;
    }
    if OF_CLUSTER.contains(&name) && is_cluster(rest) {
        return Some(Row::Fine);
    }
    // An address of IPv6 has the same sign.
    let (cluster, of) = rest.split_once("::").filter(|(cluster, _)| is_cluster(cluster))?;
    match of {
        "default_priority" | "high_priority" => return LIMITS.contains(&name).then_some(Row::Fine),
        "outlier" => return OUTLIERS.contains(&name).then_some(Row::Fine),
        _ => is_endpoint(of).then_some(())?,
    }
    match name {
        "health_flags" if value == "healthy" => Some(Row::Fine),
        "health_flags" if value.starts_with('/') => {
            Some(unhealthy(cluster, &format!("health_flags; {value}")))
        }
        "cx_connect_fail" | "rq_error" | "rq_timeout" => {
            Some(counted(name, value.parse().ok()?, |_| Some(cluster)))
        }
        name => OF_HOST.contains(&name).then_some(Row::Fine),
    }
}

/// What no row of `/clusters` has.
fn is_foreign(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '{' | '}' | ',' | '?')
}

/// Whether it may be a cluster's name. Bars are Istio's: other formats have their columns between them.
fn is_cluster(name: &str) -> bool {
    let is_istios = || ["outbound|", "inbound|"].iter().any(|begin| name.starts_with(begin));
    !name.is_empty() && !name.starts_with('/') && (!name.contains('|') || is_istios())
}

/// `10.0.0.1:80`, `[2001:db8::1]:80`, `/tmp/a.sock`, `envoy://internal/10.0.0.1:80`
fn is_endpoint(text: &str) -> bool {
    let of_port = || {
        let (host, port) = text.rsplit_once(':')?;
        let is_ip = |host: &str| {
            host.parse::<std::net::Ipv4Addr>().is_ok()
                || host
                    .strip_prefix('[')
                    .and_then(|host| host.strip_suffix(']'))
                    .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok())
        };
        (is_ip(host) && port.parse::<u16>().is_ok()).then_some(())
    };
    of_port().is_some()
        || (["/", "@", "unix://", "envoy://"].iter().any(|begin| text.starts_with(begin)) && text.len() > 1)
}

/// `envoy_cluster_upstream_cx_connect_fail{cluster_name="a"} 12`
fn of_prometheus(row: &str) -> Option<Row> {
    let name = row.strip_prefix("envoy_")?;
    let (name, rest) = name.split_once('{')?;
    let (labels, value) = rest.rsplit_once('}')?;
    let count: f64 = value.trim().parse().ok()?;
    let label = labels.split_once("cluster_name=\"").and_then(|(_, rest)| rest.split('"').next());
    // A dot is an underscore there.
    let plain = NAMES.iter().find(|(end, ..)| name.ends_with(&end.replace('.', "_"))).map(|(end, ..)| *end);
    let Some(end) = plain else { return Some(Row::Fine) };
    Some(counted(end, if count > 0.0 { 1 } else { 0 }, |_| label))
}

/// A row of `istioctl proxy-config endpoint`: `10.0.0.1:80  HEALTHY  FAILED  outbound|80||a.b.svc.cluster.local`.
fn of_endpoints(row: &str) -> Option<Row> {
    let words: Vec<&str> = row.split_whitespace().take(5).collect();
    let [endpoint, status, outlier, cluster] = words.as_slice() else { return None };
    let is_row = matches!(*status, "HEALTHY" | "UNHEALTHY" | "DEGRADED" | "DRAINING" | "UNKNOWN" | "TIMEOUT");
    let is_row = is_row && matches!(*outlier, "OK" | "FAILED");
    (is_row && is_endpoint(endpoint) && is_cluster(cluster)).then_some(())?;
    let is_well = *status != "UNHEALTHY" && *outlier == "OK";
    Some(if is_well { Row::Fine } else { unhealthy(cluster, &format!("status; {status} {outlier}")) })
}

/// A row of `istioctl proxy-status`: `a-1.shop  Kubernetes  SYNCED  STALE (Never Acknowledged)  SYNCED  NOT SENT  istiod-1  1.20.0`.
fn of_status(row: &str) -> Option<Row> {
    let mut words = row.split_whitespace().peekable();
    let name = words.next()?;
    let is_name = |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-~".contains(&b));
    (is_name(name) && name.contains('.')).then_some(())?;
    // The cluster.
    if !words.peek().is_some_and(|word| is_state(word)) {
        is_name(words.next()?).then_some(())?;
    }
    let (mut states, mut is_stale) = (0_usize, false);
    while let Some(state) = words.next_if(|word| is_state(word)) {
        states = states.saturating_add(1);
        is_stale |= state == "STALE";
        if state == "NOT" {
            words.next_if_eq(&"SENT")?;
        }
        // `(Never Acknowledged)`, `(100%)`, `(5m3s)`
        if words.peek().is_some_and(|word| word.starts_with('(')) {
            words.by_ref().take(3).find(|word| word.ends_with(')'))?;
        }
    }
    let istiod = words.next()?;
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && is_name(word);
    let ends = words.next().is_none_or(|word| is_version(&word)) && words.next().is_none();
    let is_istiods = is_name(istiod) && ["istiod", "pilot"].iter().any(|name| istiod.contains(name));
    (states >= 3 && is_istiods && ends).then_some(())?;
    if !is_stale {
        return Some(Row::Fine);
    }
    let said = (ConfigPropagating, &[VirtualServiceNotApplied][..]);
    Some(failed(said, "proxy-status; STALE", None))
}

fn is_state(word: &str) -> bool {
    matches!(word, "SYNCED" | "STALE" | "NOT" | "IGNORED" | "ERROR" | "-")
}

/// `Error [IST0101] (VirtualService default/reviews) Referenced host not found: "reviews2"`
fn analyzed(row: &str) -> Option<Row> {
    let said = row.trim_start_matches(['\u{2714}', '\u{2713}', ' ']);
    if said.starts_with("No validation issues found") && !said.contains('"') {
        return Some(Row::Fine);
    }
    let (level, rest) = row.split_once(" [IST")?;
    matches!(level, "Error" | "Warning" | "Info").then_some(())?;
    let said = format!("IST{rest}");
    let (code, words) = said.split_once(']')?;
    let found = ANALYZED.iter().find(|(id, word, ..)| *id == code && words.contains(word));
    let Some((_, _, cause, others)) = found.filter(|_| level != "Info") else { return Some(Row::Fine) };
    Some(failed((*cause, others), &format!("{code}; {}", words.trim()), None))
}

fn unhealthy(cluster: &str, said: &str) -> Row {
    failed((NoHealthyEndpoints, &[NoEndpoints]), said, Some(cluster))
}

/// What a counter says that stands at this.
fn counted<'a>(name: &str, count: u64, cluster: impl Fn(&str) -> Option<&'a str>) -> Row {
    let is_end = |end: &str| {
        let before = name.strip_suffix(end);
        before.is_some_and(|before| before.is_empty() || before.ends_with(['.', '_', ';']))
    };
    let found = NAMES.iter().find(|(end, ..)| is_end(end));
    let Some((end, cause, others)) = found.filter(|_| count > 0) else { return Row::Fine };
    let cluster = cluster(end).or_else(|| cluster(&format!("upstream_{end}")));
    if cluster.is_some_and(|cluster| OWN.contains(&cluster)) {
        return Row::Fine;
    }
    // A listener's TLS is its clients'.
    let said = match (name.starts_with("listener."), *end) {
        (true, "ssl.fail_verify_san" | "ssl.fail_verify_error" | "ssl.fail_verify_cert_hash") => {
            (ClientCertificateRejected, &[][..])
        }
        (true, "ssl.connection_error") => (DownstreamTlsFailed, &[PlaintextToStrictMtls][..]),
        _ => (*cause, *others),
    };
    failed(said, &format!("{end}; {count}"), cluster)
}

fn failed((cause, others): (Cause, &[Cause]), said: &str, cluster: Option<&str>) -> Row {
    let mut finding = Finding::of_line((cause, Confidence::Possible), others.to_vec(), None, None);
    let (name, value) = said.split_once("; ").unwrap_or((said, ""));
    finding.evidence =
        format!("{COUNTER}{}; value={}", escape(name, LONGEST_FACT), escape(value, LONGEST_FACT));
    finding.would_tell = vec![ACCESS_LOG];
    let mut line = Line::default();
    if let Some(cluster) = cluster.filter(|cluster| ClusterName::new((*cluster).to_owned()).is_some()) {
        line.set(Column::Cluster, Cow::Owned(cluster.to_owned()));
    }
    Row::Failed(Box::new(line), Box::new(finding))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(row: &str) -> Option<(&'static str, Option<String>)> {
        match read(row)? {
            Row::Fine => Some(("fine", None)),
            Row::Failed(line, finding) => {
                assert_eq!(finding.confidence, Confidence::Possible);
                Some((finding.cause.id(), line.get(Column::Cluster).map(str::to_owned)))
            }
        }
    }

    #[test]
    fn what_has_failed_is_counted() {
        const REVIEWS: &str = "outbound|9080||reviews.default.svc.cluster.local";
        for (row, cause, cluster) in [
            ("cluster.$C.upstream_cx_connect_fail: 12", "upstream_refused", true),
            ("cluster.$C.upstream_cx_connect_timeout: 5", "upstream_connect_timeout", true),
            ("upstream_cx_destroy_remote_with_active_rq: 1", "upstream_closed_connection", false),
            ("cluster.$C;.upstream_rq_pending_overflow: 3", "circuit_breaker_overflow", true),
            ("cluster.$C.circuit_breakers.default.rq_pending_open: 1", "circuit_breaker_overflow", true),
            ("cluster.$C.external.upstream_rq_503: 3", "upstream_closed_connection", true),
            ("cluster.$C.ssl.fail_verify_san: 7", "upstream_certificate_rejected", true),
            ("listener.0.0.0.0_15006.ssl.fail_verify_error: 7", "client_certificate_rejected", false),
            ("listener.0.0.0.0_15006.ssl.connection_error: 7", "downstream_tls_failed", false),
            ("listener.0.0.0.0_443.no_filter_chain_match: 14", "no_filter_chain_for_sni", false),
            ("http.inbound_0.0.0.0_9080;.rbac.denied: 5", "authorization_policy_denied", false),
            ("$C::10.0.0.5:9080::health_flags::/failed_outlier_check", "no_healthy_endpoints", true),
            ("$C::10.0.0.5:9080::cx_connect_fail::3", "upstream_refused", true),
            ("envoy_cluster_upstream_cx_connect_fail{cluster_name=\"$C\"} 4", "upstream_refused", true),
            ("10.0.0.5:9080     HEALTHY     FAILED            $C", "no_healthy_endpoints", true),
            ("10.0.0.5:9080     UNHEALTHY   OK                $C", "no_healthy_endpoints", true),
            (
                "a-1.default   SYNCED   STALE (Never Acknowledged)   SYNCED   istiod-1 1.20.0",
                "config_propagating",
                false,
            ),
            (
                "Error [IST0101] (VirtualService a/b) Referenced host not found: \"c\"",
                "cluster_missing",
                false,
            ),
        ] {
            let row = row.replace("$C", REVIEWS);
            let expected = cluster.then(|| REVIEWS.to_owned());
            assert_eq!(said(&row), Some((cause, expected)), "{row}");
        }
    }

    #[test]
    fn what_has_not_failed_is_fine_and_other_texts_are_none() {
        for row in [
            "cluster.a.upstream_cx_connect_fail: 0",
            "cluster.a.upstream_rq_total: 1200",
            "cluster.xds-grpc.upstream_cx_connect_fail: 4",
            "cluster.a.upstream_rq_time: P0(nan,0) P25(nan,2.06878)",
            "server.live: 1",
            "a::10.0.0.5:9080::health_flags::healthy",
            "a::10.0.0.5:9080::cx_connect_fail::0",
            "a::added_via_api::true",
            "envoy_cluster_upstream_cx_connect_fail{cluster_name=\"a\"} 0",
            "10.0.0.5:9080     HEALTHY     OK                outbound|9080||a.b.svc.cluster.local",
            "a-1.default   Kubernetes   SYNCED   SYNCED   SYNCED   SYNCED   NOT SENT   istiod-1   1.20.0",
            "\u{2714} No validation issues found when analyzing namespace: default.",
            "Info [IST0102] (Namespace default) The namespace is not enabled for Istio injection.",
        ] {
            assert_eq!(said(row), Some(("fine", None)), "{row}");
        }
        for text in
            ["", "cluster is down: 5", "std::io::Error", "linkerd_app_core::serve: Connection closed", "a: 5"]
        {
            assert_eq!(said(text), None, "{text}");
        }
    }

    #[test]
    fn no_row_is_found_in_the_words_of_others() {
        for text in [
            "2026-11-20 ERROR my_app::priority::queue: connection refused (os error 111)",
            "my_app::priority::queue",
            "my_app::pool::priority::queue",
            "\"GET /x::zone::y HTTP/1.1\" 503 UF upstream_reset_before_response_started{connection_failure} 0 91",
            "503|UF|a::10.0.0.1:80::zone::y",
            "/a::10.0.0.1:80::zone::y",
            "a::10.0.0.1:80::cx_connect_fail::refused",
            "a::10.0.0.1:80::health_flags::503",
            "\"GET /x HTTP/1.1\" 503 UF foo 0 91 \"curl  SYNCED istiod\"",
            "\"GET /x HTTP/1.1\" 503 UF foo 0 91 \"curl  SYNCED istiod  STALE\"",
            "\"GET /x HTTP/1.1\" 503 UF foo 0 91 \"No validation issues found\"",
            "503 No validation issues found",
            "a.b SYNCED SYNCED SYNCED istiod 1.20 503 UF",
            "a.b UF SYNCED SYNCED SYNCED istiod 503 x",
            "GET HEALTHY OK /a",
            "\"GET / HTTP/1.1\" 503 UF \"x HEALTHY OK y\"",
            "http.example.com: connection refused",
            "server.shop.example: 503",
            "dns.shop: no such host",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
        for row in [
            "v6::[2001:db8::1]:1::hostname::",
            "a::default_priority::max_connections::1024",
            "a::outlier::success_rate_average::-1",
            "a::/tmp/a.sock::cx_active::0",
            "a-1.b   SYNCED   SYNCED   SYNCED (100%)   SYNCED   istio-pilot-6c5c6b586c-9gwn5   1.5.0",
            "a-1.b   K   SYNCED (5m3s)   SYNCED (5m3s)   SYNCED (4m)   IGNORED   istiod-1",
            "server.uptime: 503",
            "cluster.a.upstream_rq_per_cx: No recorded values",
        ] {
            assert_eq!(said(row), Some(("fine", None)), "{row}");
        }
    }

    #[test]
    fn of_two_counters_the_one_that_says_why_decides() {
        let of = |row: &str| match read(row) {
            Some(Row::Failed(_, finding)) => rank(&finding),
            other => panic!("{other:?}"),
        };
        assert!(of("cluster.a.upstream_cx_connect_fail: 1") < of("cluster.a.external.upstream_rq_503: 9"));
    }
}
