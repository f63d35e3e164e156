//! Tables: `/clusters` of Envoy's admin interface, `istioctl proxy-config endpoint`, `proxy-status` and `analyze`.

use meshwhy::causes::Cause;
use meshwhy::causes::Cause::*;

use super::{Counter, Row, Scope, failed};
use crate::explain::said::client::calm::has_bad_status;

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

/// `outbound|80||a.b::10.0.0.1:80::cx_connect_fail::12`, `...::health_flags::/failed_outlier_check`, `a::added_via_api::true`
///
/// A log's own words and what a client has in its path have `::` as well: the whole row has to be one of Envoy's.
pub(super) fn of_clusters(row: &str) -> Option<Row> {
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
    // With others an endpoint still gets requests: degraded, about to be removed.
    const FAILING: &[&str] =
        &["failed_active_hc", "failed_outlier_check", "failed_eds_health", "eds_status_draining"];
    let has_flag = |flags: &str, flag: &str| flags.split('/').any(|one| one == flag);
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
        "health_flags" if value == "healthy" => Some(Row::Sound(cluster.to_owned())),
        "health_flags" if value.starts_with('/') => {
            Some(match FAILING.iter().any(|flag| has_flag(value, flag)) {
                true => unhealthy(cluster, &format!("health_flags; {value}")),
                false => Row::Sound(cluster.to_owned()),
            })
        }
        "cx_connect_fail" | "rq_error" | "rq_timeout" => {
            let counter = Counter {
                scope: Scope::Endpoint,
                path: name.into(),
                parts: '.',
                cluster: Some(cluster),
                is_own: false,
                count: value.parse().ok()?,
            };
            Some(counter.row())
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
    let is_path = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-:@[]".contains(&b));
    let begins = ["/", "@", "unix://", "envoy://"].iter().any(|begin| text.starts_with(begin));
    of_port().is_some() || (begins && text.len() > 1 && is_path(text))
}

/// A row of `istioctl proxy-config endpoint`: `10.0.0.1:80  HEALTHY  FAILED  outbound|80||a.b.svc.cluster.local`.
pub(super) fn of_endpoints(row: &str) -> Option<Row> {
    let words: Vec<&str> = row.split_whitespace().take(5).collect();
    let [endpoint, status, outlier, cluster] = words.as_slice() else { return None };
    let is_row = matches!(*status, "HEALTHY" | "UNHEALTHY" | "DEGRADED" | "DRAINING" | "UNKNOWN" | "TIMEOUT");
    let is_row = is_row && matches!(*outlier, "OK" | "FAILED");
    (is_row && is_endpoint(endpoint) && is_cluster(cluster)).then_some(())?;
    let is_well = *status != "UNHEALTHY" && *outlier == "OK";
    Some(if is_well {
        Row::Sound((*cluster).to_owned())
    } else {
        unhealthy(cluster, &format!("status; {status} {outlier}"))
    })
}

/// A row of `istioctl proxy-status`: `a-1.shop  Kubernetes  SYNCED  STALE (Never Acknowledged)  SYNCED  NOT SENT  istiod-1  1.20.0`.
pub(super) fn of_status(row: &str) -> Option<Row> {
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
pub(super) fn analyzed(row: &str) -> Option<Row> {
    let said = row.trim_start_matches(['\u{2714}', '\u{2713}', ' ']);
    let behind = said.strip_prefix("No validation issues found");
    if behind
        .is_some_and(|behind| behind.is_empty() || behind == "." || behind.starts_with(" when analyzing "))
    {
        return Some(Row::Fine);
    }
    let (level, rest) = row.split_once(" [IST")?;
    // A request's line may begin with what the client chose.
    (!has_bad_status(rest)).then_some(())?;
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
