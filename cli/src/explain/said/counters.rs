//! Counters and tables: Envoy's admin interface (`/stats`, `/clusters`, Prometheus' format), `istioctl proxy-config endpoint`, `proxy-status`
//! and `analyze`.
//!
//! A counter has been counting since the proxy began, so it is a lead: no more than possible, and only where nothing else failed.

mod names;
mod tables;

use std::borrow::Cow;

use meshwhy::causes::Cause;
use meshwhy::causes::Cause::*;
use meshwhy::diagnosis::Confidence;
use meshwhy::evidence::ClusterName;
use meshwhy::report::{LONGEST_FACT, escape};

use self::names::Scope::{self, *};
use self::names::{NAMES, REJECTED};
use super::control;
use crate::explain::{ACCESS_LOG, Column, Finding, Line};

/// What stands before a counter in the evidence.
const COUNTER: &str = "counter=";

/// Clusters of the proxy's own.
const OWN: &[&str] = &["xds-grpc", "sds-grpc", "agent", "prometheus_stats", "zipkin", "xds_cluster"];

/// What a row comes to.
#[derive(Debug, PartialEq)]
pub(in crate::explain) enum Row {
    /// It says of no failure.
    Fine,
    /// An endpoint of this cluster gets requests.
    Sound(String),
    /// Something has failed, so often.
    Failed(Box<Line<'static>>, Box<Finding>),
}

/// What a row of such an output says; none of any other text.
pub(in crate::explain) fn read(text: &str) -> Option<Row> {
    let row = text.trim();
    of_stats(row)
        .or_else(|| of_prometheus(row))
        .map(|counter| counter.row())
        .or_else(|| tables::of_clusters(row))
        .or_else(|| tables::of_endpoints(row))
        .or_else(|| tables::of_status(row))
        .or_else(|| tables::analyzed(row))
        .or_else(|| is_type(row).then_some(Row::Fine))
}

/// The cluster that has an endpoint which gets requests, by this row.
pub(in crate::explain) fn sound(text: &str) -> Option<String> {
    let row = text.trim();
    match tables::of_clusters(row).or_else(|| tables::of_endpoints(row))? {
        Row::Sound(cluster) => Some(cluster),
        _ => None,
    }
}

/// Whether a finding is a counter's.
pub(in crate::explain) fn is_one(finding: &Finding) -> bool {
    finding.evidence.starts_with(COUNTER)
}

/// Whether a finding is of one endpoint that gets no requests: another one of its cluster may.
pub(in crate::explain) fn is_of_endpoint(finding: &Finding) -> bool {
    let said = finding.evidence.strip_prefix(COUNTER);
    said.is_some_and(|said| said.starts_with("health_flags; ") || said.starts_with("status; "))
}

/// Which of two counters decides more: the smaller.
pub(in crate::explain) fn rank(finding: &Finding) -> usize {
    let name = finding.evidence.strip_prefix(COUNTER).and_then(|said| said.split("; ").next());
    let place = |name: &str| NAMES.iter().position(|(_, end, ..)| *end == name);
    name.and_then(place).unwrap_or_default()
}

/// One of Envoy's counters.
#[derive(Debug)]
struct Counter<'a> {
    scope: Scope,
    /// Its name without the scope, and in `/stats` with that of the cluster or listener.
    path: Cow<'a, str>,
    /// What stands between the parts of the name.
    parts: char,
    /// The cluster, where a label has it.
    cluster: Option<&'a str>,
    /// Whether a server of the proxy's own counts, as its admin interface.
    is_own: bool,
    count: u64,
}

/// What the servers of the proxy's own are called.
const SERVERS: &[&str] = &["admin", "agent", "stats"];

impl Counter<'_> {
    /// What stands in front of this end of its name.
    fn before(&self, end: &str) -> Option<&str> {
        let before = match self.parts {
            '.' => self.path.strip_suffix(end)?,
            parts => self.path.strip_suffix(&end.replace('.', &parts.to_string()))?,
        };
        (before.is_empty() || before.ends_with(self.parts)).then_some(before)
    }

    /// Whether it is of retries, which the cluster has counted as well.
    fn is_of_retries(&self, before: &str) -> bool {
        let before = before.trim_end_matches(self.parts);
        // In `/stats` a cluster may be called so.
        self.scope == Cluster
            && match self.parts {
                '.' => before.ends_with(".retry"),
                _ => before == "retry" || before.ends_with("_retry"),
            }
    }

    /// The cluster. For Prometheus' labels Envoy takes a name apart at its first dot: `envoy_cluster_b_svc_cluster_local_x{envoy_cluster_name="outbound|80||a"}`.
    fn cluster(&self, before: &str) -> Option<String> {
        const SCOPES: &[&str] = &[
            "external",
            "internal",
            "canary",
            "http1",
            "http2",
            "http3",
            "default",
            "high",
            "circuit_breakers",
        ];
        let mut name = before.trim_end_matches([self.parts, ';']);
        loop {
            let ended = SCOPES.iter().find_map(|scope| name.strip_suffix(scope));
            // In `/stats` the cluster's name stands in front.
            match ended.filter(|rest| rest.ends_with(self.parts) || (self.parts == '_' && rest.is_empty())) {
                Some(rest) => name = rest.trim_end_matches([self.parts, ';']),
                None => break,
            }
        }
        match self.cluster {
            Some(label) if name.is_empty() => Some(label.to_owned()),
            Some(label) => {
                // A namespace has dashes as well, and a dash is an underscore there.
                let namespace = name.strip_suffix("_svc_cluster_local").filter(|name| !name.contains('_'))?;
                Some(format!("{label}.{namespace}.svc.cluster.local"))
            }
            None => {
                let is_named = self.scope == Cluster && self.parts == '.' && !name.is_empty();
                is_named.then(|| name.to_owned())
            }
        }
    }

    /// What it says that it stands at this.
    fn row(&self) -> Row {
        let found = NAMES.iter().find_map(|(scopes, end, cause, others)| {
            let before = scopes.contains(&self.scope).then(|| self.before(end))??;
            (!self.is_of_retries(before)).then_some((before, end, *cause, *others))
        });
        let Some((before, end, cause, others)) = found.filter(|_| self.count > 0 && !self.is_own) else {
            return Row::Fine;
        };
        let cluster = self.cluster(before);
        if cluster.as_deref().or(self.cluster).is_some_and(|cluster| OWN.contains(&cluster)) {
            return Row::Fine;
        }
        let said = match *end {
            REJECTED => self.rejected(before),
            _ => (cause, others),
        };
        failed(said, &format!("{end}; {}", self.count), cluster.as_deref())
    }

    /// What comes of the kind of configuration that this one counts.
    fn rejected(&self, before: &str) -> (Cause, &'static [Cause]) {
        let mut parts = before.split(self.parts);
        let kind = match self.scope {
            _ if parts.clone().any(|part| part == "cds") => "Cluster",
            _ if parts.clone().any(|part| part == "lds") => "Listener",
            _ if parts.any(|part| part == "sds") => "Secret",
            Http => "RouteConfiguration",
            Cluster => "ClusterLoadAssignment",
            _ => "",
        };
        match control::of_rejected(kind) {
            [cause, others @ ..] => (*cause, others),
            [] => (VirtualServiceNotApplied, &[ConfigPropagating]),
        }
    }
}

/// `cluster.outbound|80||a.b.svc.cluster.local.upstream_cx_connect_fail: 12`
fn of_stats(row: &str) -> Option<Counter<'_>> {
    const ROOTS: &[(&str, Scope)] = &[
        ("cluster.", Cluster),
        ("listener.", Listener),
        ("http.", Http),
        ("tcp.", Tcp),
        ("cluster_manager.", Other),
        ("listener_manager.", Other),
        ("thread_local_cluster_manager.", Other),
        ("server.", Other),
        ("http_local", Other),
        ("local_rate_limit.", Other),
        ("http1.", Other),
        ("http2.", Other),
        ("control_plane.", Other),
        ("main_thread.", Other),
        ("workers.", Other),
        ("runtime.", Other),
        ("filesystem.", Other),
        ("sds.", Other),
        ("tls_inspector.", Other),
        ("vhost.", Other),
        ("wasm", Other),
        ("dns.", Other),
        ("overload.", Other),
        ("envoy.overload_actions.", Other),
    ];
    let (name, value) = row.rsplit_once(": ")?;
    // People leave a cluster's name out.
    let of_cluster = ["upstream_rq_", "upstream_cx_"].iter().any(|begin| name.starts_with(begin));
    let known = ROOTS.iter().find_map(|(root, scope)| Some((name.strip_prefix(root)?, *scope)));
    let (path, scope) = known.or_else(|| of_cluster.then_some((name, Cluster)))?;
    (!name.contains([' ', '"', '/'])).then_some(())?;
    let count = match value.trim().parse() {
        Ok(count) => count,
        // A host that is named so may stand in front of a failure: `http.example.com: connection refused`.
        Err(_) => (value.starts_with("P0(") || value == "No recorded values").then_some(0)?,
    };
    (!is_host_with_a_status(name, count)).then_some(())?;
    let server = match scope {
        Http => path.split('.').next(),
        Listener => path.rsplit_once(".http.").and_then(|(_, rest)| rest.split('.').next()),
        _ => None,
    };
    let is_own = server.is_some_and(|server| SERVERS.contains(&server));
    Some(Counter { scope, path: path.into(), parts: '.', cluster: None, is_own, count })
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

/// `envoy_cluster_upstream_cx_connect_fail{envoy_cluster_name="a"} 12`, `envoy_cluster_upstream_rq{envoy_response_code="503",...} 4`
fn of_prometheus(row: &str) -> Option<Counter<'_>> {
    let (name, rest) = row.strip_prefix("envoy_")?.split_once('{')?;
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then_some(())?;
    let (labels, value) = rest.rsplit_once('}')?;
    // A time may be behind it.
    let mut words = value.split_whitespace();
    let (value, time) = (words.next()?, words.next().unwrap_or_default());
    (time.bytes().all(|b| b.is_ascii_digit()) && words.next().is_none()).then_some(())?;
    let count = match value.parse() {
        Ok(count) => count,
        Err(_) => {
            let number: f64 = value.parse().ok()?;
            if number.is_nan() { 0 } else { format!("{:.0}", number.ceil()).parse().unwrap_or_default() }
        }
    };
    const ROOTS: &[(&str, Scope)] = &[
        ("cluster_manager_", Other),
        ("listener_manager_", Other),
        ("http_local_rate_limit", Other),
        ("cluster_", Cluster),
        ("listener_", Listener),
        ("http_", Http),
        ("tcp_", Tcp),
    ];
    let known = ROOTS.iter().find_map(|(root, scope)| Some((name.strip_prefix(root)?, *scope)));
    let (path, scope) = known.map_or((name, Other), |(path, scope)| match scope {
        Other => (name, scope),
        _ => (path, scope),
    });
    // A status is a label there, Istio's without the prefix and with a class as in the name.
    let class =
        label(labels, "response_code_class").map(|class| format!("{}xx", class.trim_end_matches('x')));
    let path = match label(labels, "response_code").map(str::to_owned).or(class) {
        Some(status) => format!("{}_{status}", path.strip_suffix("_xx").unwrap_or(path)).into(),
        None => Cow::Borrowed(path),
    };
    let server = label(labels, "http_conn_manager_prefix").filter(|_| matches!(scope, Http | Listener));
    let is_own = server.is_some_and(|server| SERVERS.contains(&server));
    Some(Counter { scope, path, parts: '_', cluster: label(labels, "cluster_name"), is_own, count })
}

/// The value of a label, with Envoy's prefix or without.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = labels;
    while let Some((key, behind)) = rest.split_once("=\"") {
        let (value, others) = behind.split_once('"')?;
        let key = key.trim_start_matches([',', ' ']);
        if key.strip_prefix("envoy_").unwrap_or(key) == name {
            return Some(value);
        }
        rest = others;
    }
    None
}

/// `# TYPE envoy_cluster_upstream_rq counter`
fn is_type(row: &str) -> bool {
    let words: Vec<&str> = row.split_whitespace().take(5).collect();
    let [sign, word, name, kind] = words.as_slice() else { return false };
    (*sign, *word) == ("#", "TYPE")
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
        && matches!(*kind, "counter" | "gauge" | "histogram" | "summary" | "untyped")
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
mod tests;
