//! meshwhy on the rig, as users deploy, scrape and remove it.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::manifests::Place;

use super::story::{counters, difference};
use crate::harness::manifests;
use crate::harness::programs::Version;
use crate::harness::prometheus::Prometheus;
use crate::harness::registry::{self, Registry};
use crate::harness::rig::netns::HOST;
use crate::harness::rig::pod::Running;
use crate::harness::rig::{MODULE_URL, Rig};
use crate::monitoring::scrape;
use crate::monitoring::{self, clock::Clock};

/// The manifests as shipped, as far as this Istio can take them.
pub fn shipped(version: Version) -> Result<String> {
    let sha256 = manifests::module_sha256()?;
    let takes = |name: &&&str| version == Version::V1_31 || !manifests::SINCE_1_31.contains(*name);
    let names = manifests::NAMES.iter().filter(takes);
    let rendered: Result<Vec<String>> =
        names.map(|name| manifests::rendered(name, MODULE_URL, &sha256)).collect();
    Ok(rendered?.join("\n---\n"))
}

/// All of it: with the overlay for waypoints, where there are some.
pub fn everything(rig: &Rig) -> Result<String> {
    let shipped = shipped(rig.version)?;
    if !rig.proxies().any(|proxy| proxy.pod.is_waypoint()) {
        return Ok(shipped);
    }
    let place = Place { url: MODULE_URL.into(), namespace: None };
    let folder = rig.folder().join("envoyfilter-waypoints");
    let overlay = manifests::overlay("waypoints", &place, &manifests::module_sha256()?, &folder)?;
    let overlay = overlay.to_str().context("a path that is no text")?;
    // Its Telemetry is for a namespace without another one.
    let overlay = rig.plane.kubectl(&["kustomize", overlay], "")?;
    let parts = overlay.split("\n---\n").filter(|part| !part.contains("kind: Telemetry\n"));
    Ok(parts.fold(shipped, |all, part| format!("{all}\n---\n{part}")))
}

/// Deploys meshwhy, and Istio's default access log beside its own. Every request is looked at: a story has only one.
pub fn deploy(rig: &Rig) -> Result<()> {
    let every = everything(rig)?
        .replace("    role: http\n", "    role: http\n    observe_every: 1\n")
        .replace("    role: connection\n", "    role: connection\n    observe_every: 1\n")
        .replace("'{\"role\": \"connection\"}'", "'{\"role\": \"connection\", \"observe_every\": 1}'");
    rig.apply(&format!("{every}\n---\n{BOTH_LOGS}"))
}

/// The built-in provider `envoy` is Istio's default log. Waypoints take it, too.
pub(super) const BOTH_LOGS: &str = "
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: both-logs, namespace: default}
spec: {accessLogging: [{providers: [{name: meshwhy}, {name: envoy}]}]}
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: both-logs, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  accessLogging: [{providers: [{name: meshwhy}, {name: envoy}]}]
";

/// `istioctl validate` accepts every manifest.
pub fn validates(rig: &Rig) -> Result<()> {
    valid(rig, &everything(rig)?)
}

pub(super) fn valid(rig: &Rig, yaml: &str) -> Result<()> {
    let (content, said) = rig.plane.istioctl(&["validate", "-f", "-"], yaml)?;
    ensure!(content, "{said}");
    // That EnvoyFilter is to be used with care is what it says of each one.
    let others =
        said.lines().filter(|line| line.contains("* ") && !line.contains("exercise extreme caution"));
    ensure!(others.count() == 0, "{said}");
    Ok(())
}

/// A Service's port behind which nobody listens.
const NOBODY_LISTENS: &str = "http://legacy:81/";

/// A request from a pod that nobody answers: `upstream_refused`.
fn fail(rig: &Rig, pod: &str) -> Result<()> {
    rig.pod(pod)?.exec(&["curl", "-s", "-m", "5", NOBODY_LISTENS]).map(drop)
}

/// Five minutes take five seconds: Prometheus scrapes once a second.
const CLOCK: Clock = Clock(60);

/// Prometheus has the labels, from pods with `extraStatTags` and from those that nobody restarted.
pub fn scraped(rig: &Rig) -> Result<()> {
    let pods = ["client", "not-restarted"];
    for pod in pods {
        fail(rig, pod)?;
    }
    let proxies: Result<Vec<(&str, &str)>> =
        pods.iter().map(|pod| Ok((*pod, rig.pod(pod)?.address.as_str()))).collect();
    let mut config = scrape::config_for(&proxies?)?;
    let rules = rig.folder().join("rules.json");
    fs::write(&rules, CLOCK.rules(&monitoring::read("rules.yaml")?)?.to_string())?;
    config["rule_files"] = json!([rules]);
    let prometheus = Prometheus::start(rig.folder(), &format!("{HOST}:9090"), &config)?;
    let query = r#"meshwhy_failures_total{cause="upstream_refused",confidence="certain",side="upstream",direction="outbound",resource=""}"#;
    let seen = eventually(|| {
        let series = prometheus.query(query)?;
        let mut seen: Vec<String> =
            series.iter().filter_map(|s| Some(s["metric"]["pod"].as_str()?.to_owned())).collect();
        seen.sort();
        Ok((seen.len() == pods.len()).then_some(seen))
    })
    .with_context(|| {
        let all =
            [r#"{__name__=~"meshwhy_.*"}"#, "up"].map(|query| prometheus.query(query).unwrap_or_default());
        format!("{query}, but {all:?}")
    })?;
    ensure!(seen == pods, "{seen:?}");
    let scraped = prometheus.query("up == 1")?;
    ensure!(scraped.len() == pods.len() && prometheus.query("up")?.len() == pods.len(), "{scraped:?}");
    // On 15020 the agent adds what the application says, and it may say anything.
    let merged = prometheus.query(r#"up{instance!~".+:15090"}"#)?;
    ensure!(merged.is_empty(), "{merged:?}");
    let info = prometheus.query(r#"meshwhy_build_info{version!=""}"#)?;
    ensure!(info.len() == pods.len(), "{info:?}");
    // From the start, so that an alert finds it at 0 before it moves.
    let failed =
        prometheus.query(r#"sum by (pod) ({__name__=~"envoy_wasm_.*meshwhy.*_vm_reload_failure"})"#)?;
    ensure!(failed.len() == pods.len(), "Envoy's count of VMs that failed: {failed:?}");
    let others = prometheus.query(r#"{__name__=~".+___.+"}"#)?;
    ensure!(others.is_empty(), "{others:?}");
    alerted(rig, &prometheus)
}

/// The shipped rules on what was scraped: an alert fires for the namespace, and knows what istiod sent.
fn alerted(rig: &Rig, prometheus: &Prometheus) -> Result<()> {
    let of_both = |query: &str| {
        eventually(|| Ok((prometheus.query(query)?.len() == 2).then_some(())))
            .with_context(|| query.to_owned())
    };
    of_both("namespace_pod:envoy_config_updates:increase15m")?;
    of_both("meshwhy_build_info and on (namespace) namespace:meshwhy_proxies:count == 2")?;
    eventually(|| {
        fail(rig, "client")?;
        let firing = prometheus.firing()?;
        let fires = |alert: &&Value| {
            let labels = &alert["labels"];
            labels["alertname"] == "MeshwhyCauseAboveRate" && labels["cause"] == "upstream_refused"
        };
        Ok(firing.iter().find(fires).map(|alert| alert["labels"]["namespace"] == "default"))
    })
    .context("MeshwhyCauseAboveRate for upstream_refused")
    .and_then(|right| {
        ensure!(right, "the alert is of another namespace");
        Ok(())
    })
}

/// The access log's format as shipped names the cause, and only JSON lines are written.
pub fn logged_as_shipped(rig: &Rig) -> Result<()> {
    rig.delete(BOTH_LOGS)?;
    let logged = check_log(rig);
    rig.apply(BOTH_LOGS)?;
    logged
}

fn check_log(rig: &Rig) -> Result<()> {
    let client = rig.pod("client")?;
    let mark = client.printed();
    fail(rig, "client")?;
    let line = eventually(|| {
        let new = client.output_after(mark);
        Ok(new.lines().find(|line| line.contains("upstream_cluster")).map(str::to_owned))
    })?;
    let line: Value = serde_json::from_str(&line).context("the line is no JSON")?;
    ensure!(line["cause"] == "upstream_refused", "{line}");
    ensure!(line["fix"].is_string() && line["evidence"].is_string(), "{line}");
    Ok(())
}

/// From a registry, as an image named by its digest: the agent fetches it, and a failure is named.
pub fn oci(rig: &Rig) -> Result<()> {
    let registry = Registry::start(&rig.folder().join("registry"), &format!("{HOST}:5000"))?;
    let digest = registry.push(&registry::built()?, "meshwhy", "test")?;
    let sha256 = digest.strip_prefix("sha256:").context("no sha256")?;
    let url = format!("oci://{}/meshwhy:test", registry.address);
    // The header shows that it is this plugin that answers, not the one it replaces.
    let plugin = manifests::rendered("wasmplugin-http.yaml", &url, sha256)?
        .replace("    role: http\n", "    role: http\n    response_header: x-meshwhy-cause\n");
    rig.apply(&plugin)?;
    let named = eventually(|| {
        let seen = rig.pod("client")?.exec(&["curl", "-si", "-m", "5", NOBODY_LISTENS])?;
        Ok(seen.text.lines().find_map(|line| Some(line.strip_prefix("x-meshwhy-cause: ")?.trim().to_owned())))
    });
    deploy(rig)?;
    let named =
        named.with_context(|| rig.pod("client").ok().and_then(Running::troubles).unwrap_or_default())?;
    ensure!(named == "upstream_refused", "{named}");
    let fetched = rig
        .pod("client")?
        .output()
        .contains(&format!("fetching image meshwhy from registry {}", registry.address));
    ensure!(fetched, "the agent fetched no image");
    Ok(())
}

/// `kubectl delete` leaves nothing of it in any proxy; applied again it works again.
pub fn removed(rig: &Rig) -> Result<()> {
    rig.delete(&everything(rig)?)?;
    let clean = nothing_left(rig);
    rig.apply(&everything(rig)?)?;
    clean?;
    let before = counters(rig)?;
    fail(rig, "client")?;
    ensure!(
        !difference(&before, &counters(rig)?).is_empty(),
        "nothing is counted after it was applied again"
    );
    Ok(())
}

fn nothing_left(rig: &Rig) -> Result<()> {
    // Connections of earlier stories end with the configuration that they began with, and are counted.
    std::thread::sleep(Duration::from_secs(3));
    let before = counters(rig)?;
    no_parts_left(rig)?;
    fail(rig, "client")?;
    let counted = difference(&before, &counters(rig)?);
    ensure!(counted.is_empty(), "still counted: {counted:?}");
    Ok(())
}

/// No proxy has anything of it any more.
pub(super) fn no_parts_left(rig: &Rig) -> Result<()> {
    for proxy in rig.proxies() {
        let parts = parts_in(proxy)?;
        ensure!(parts.is_empty(), "{} still has {parts:?}", proxy.pod.name);
    }
    Ok(())
}

/// What of meshwhy is in a proxy's configuration.
pub(super) fn parts_in(proxy: &Running) -> Result<BTreeSet<&'static str>> {
    const PARTS: [&str; 4] = [HTTP_FILTER, NETWORK_FILTER, ACCESS_LOGGER, "meshwhy.listener"];
    let config: Value = serde_json::from_str(&proxy.admin("/config_dump")?)?;
    let config = in_force(&config).to_string();
    Ok(PARTS.into_iter().filter(|part| config.contains(part)).collect())
}

pub(super) const HTTP_FILTER: &str = "filters.http.wasm";
pub(super) const NETWORK_FILTER: &str = "filters.network.wasm";
pub(super) const ACCESS_LOGGER: &str = "access_loggers.wasm";

/// Without the listeners that were replaced, and the plugins that these hold: they drain for 45 s.
fn in_force(config: &Value) -> Value {
    match config {
        Value::Object(map) => {
            let kept = map
                .iter()
                .filter(|(key, _)| !["draining_state", "ecds_filters", "bootstrap"].contains(&key.as_str()));
            Value::Object(kept.map(|(key, value)| (key.clone(), in_force(value))).collect())
        }
        Value::Array(items) => items.iter().map(in_force).collect(),
        other => other.clone(),
    }
}

/// How long a proxy may take to do what it was asked.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn eventually<T>(mut what: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = what()? {
            return Ok(done);
        }
        ensure!(Instant::now() < deadline, "not within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(100));
    }
}
