//! The way that a person takes: failures fill the dashboard, an alert fires, its link leads to the cause's page.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::clock::Clock;
use super::stage::{DOCS_URL, Stage};
use super::{dashboard, links, rules};

/// So that the hour, for which a cause counts as new, takes 12 s.
const CLOCK: Clock = Clock(300);

/// What fires, and for what; the first group before the configuration changes and a VM fails.
const BEFORE: &[(&str, &str, &str)] = &[
    ("MeshwhyAbsent", "shop", "legacy"),
    ("MeshwhyCauseAboveRate", "search", "cluster_missing"),
    ("MeshwhyCauseAboveRate", "shop", "upstream_refused"),
    ("MeshwhySeriesDropped", "search", "search"),
    ("MeshwhySilent", "billing", "broken"),
];
const AFTER: &[(&str, &str, &str)] = &[
    ("MeshwhyCauseAboveRate", "shop", "cluster_missing"),
    ("MeshwhyFailuresAfterConfigChange", "shop", "cluster_missing"),
    ("MeshwhyNewCause", "shop", "cluster_missing"),
    ("MeshwhyVmFailed", "shop", "legacy"),
];

/// Alert, namespace, and cause or pod; what it says.
type Alerts = BTreeMap<(String, String, String), Value>;

/// Walks it, and looks at everything on the way.
pub fn walk() -> Result<()> {
    let mut stage = Stage::start(CLOCK)?;
    let began = Instant::now();
    let mut fired = Alerts::new();
    // A cause is new where Prometheus has seen the namespace for longer than an hour.
    let hour = Duration::from_millis(CLOCK.millis(3_600) + 1_500);
    while began.elapsed() < hour {
        look(&stage, &mut fired)?;
    }
    expect(&fired, BEFORE.iter())?;
    stage.take_cart_away()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while expect(&fired, BEFORE.iter().chain(AFTER)).is_err() && Instant::now() < deadline {
        stage.trap()?;
        look(&stage, &mut fired)?;
    }
    expect(&fired, BEFORE.iter().chain(AFTER))?;
    for ((name, _, about), annotations) in &fired {
        lead_somewhere(name, about, annotations)?;
    }
    for record in rules()?.iter().filter_map(|rule| rule["record"].as_str()) {
        ensure!(!stage.prometheus.query(record)?.is_empty(), "nothing recorded as {record}");
    }
    ratios(&stage)?;
    dashboard::fills(&stage.prometheus, stage.clock, stage.range())?;
    stage.quiet();
    agrees_with_envoy(&stage)?;
    let mut with_meshwhy = stage.proxies.iter_mut().filter(|(_, pod, _)| !["legacy", "broken"].contains(pod));
    with_meshwhy.try_for_each(|(.., envoy)| envoy.check_health())
}

/// Notes what fires now.
fn look(stage: &Stage, fired: &mut Alerts) -> Result<()> {
    std::thread::sleep(Duration::from_millis(100));
    for alert in stage.prometheus.firing()? {
        let label = |key: &str| alert["labels"][key].as_str().map(str::to_owned);
        let about = label("cause").or_else(|| label("pod")).unwrap_or_default();
        let key = (label("alertname").unwrap_or_default(), label("namespace").unwrap_or_default(), about);
        fired.insert(key, alert["annotations"].clone());
    }
    Ok(())
}

fn expect<'a>(
    fired: &Alerts,
    expected: impl Iterator<Item = &'a (&'static str, &'static str, &'static str)>,
) -> Result<()> {
    let mut expected: Vec<_> =
        expected.map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect();
    expected.sort();
    let fired: Vec<_> = fired.keys().cloned().collect();
    ensure!(fired == expected, "firing: {fired:#?}\nexpected: {expected:#?}");
    Ok(())
}

/// The link of an alert leads to its cause's section, or to its own in docs/metrics.md.
fn lead_somewhere(name: &str, about: &str, annotations: &Value) -> Result<()> {
    let url = annotations["runbook_url"].as_str().with_context(|| format!("{name} has no link"))?;
    for text in ["summary", "description"] {
        let text = annotations[text].as_str().unwrap_or_default();
        ensure!(!text.is_empty() && !text.contains("{{") && !text.contains("<no value>"), "{name}: {text:?}");
    }
    match url.contains("/causes.md#") {
        true => links::explains(url, DOCS_URL, about),
        false => {
            let section = links::section(url, DOCS_URL)?;
            ensure!(section.starts_with(&format!("### {name}\n")), "{url} leads to {section}");
            Ok(())
        }
    }
}

/// Shares of all requests: more than none and at most all.
fn ratios(stage: &Stage) -> Result<()> {
    for of in ["namespace_cause", "namespace_side", "namespace_resource"] {
        let query = format!("sum by (namespace) ({of}:meshwhy_failures_per_request:ratio_rate5m)");
        let shares = stage.prometheus.query(&query)?;
        ensure!(!shares.is_empty(), "{query} is empty");
        for series in &shares {
            let share = dashboard::points(series).first().map(|(_, value)| *value).unwrap_or_default();
            // A scrape in the middle of a request sees the one counter and not yet the other.
            ensure!(share > 0.0 && share < 1.1, "{query}: {series}");
        }
    }
    Ok(())
}

/// Each error that Envoy itself counted is a failure with a cause, and nothing else is.
fn agrees_with_envoy(stage: &Stage) -> Result<()> {
    let value = |query: &str| -> Result<BTreeMap<String, f64>> {
        let found = stage.prometheus.query(query)?;
        let pod = |s: &Value| s["metric"]["pod"].as_str().unwrap_or_default().to_owned();
        Ok(found.iter().map(|s| (pod(s), dashboard::points(s).first().map_or(0.0, |p| p.1))).collect())
    };
    let counted = value("sum by (pod) (meshwhy_failures_total)")?;
    let errors = value(
        r#"sum by (pod) (envoy_http_downstream_rq_xx{envoy_response_code_class=~"4|5", envoy_http_conn_manager_prefix="http", pod!~"legacy|broken"})"#,
    )?;
    ensure!(counted == errors && counted.len() == 2, "meshwhy: {counted:?}, Envoy: {errors:?}");
    let dropped = value("sum by (pod) (meshwhy_series_dropped_total)")?;
    let other = value(r#"sum by (pod) (meshwhy_failures_total{resource="_other"})"#)?;
    ensure!(dropped == other && dropped["search"] > 0.0, "dropped: {dropped:?}, other: {other:?}");
    Ok(())
}

/// Every alert is expected above.
pub fn is_whole() -> Result<()> {
    let played: Vec<&str> = BEFORE.iter().chain(AFTER).map(|(name, ..)| *name).collect();
    for name in rules()?.iter().filter_map(|rule| rule["alert"].as_str()) {
        ensure!(played.contains(&name), "nobody plays {name}");
    }
    Ok(())
}
