//! The overlays of `envoyfilter/`: each applied, told apart by which proxies have what and say what, and removed without a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::deployment::{self, ACCESS_LOGGER, BOTH_LOGS, HTTP_FILTER, NETWORK_FILTER, eventually};
use super::manifests;
use super::netns::HOST;
use super::pod::Running;
use super::rig::{MODULE_URL, Rig};
use super::story::{Counted, counters, difference};
use crate::registry::{self, Registry};

/// A gateway whose route leads to a closed port.
const GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: overlays, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: overlays, namespace: default}
spec:
  hosts: ['*']
  gateways: [overlays]
  http: [{route: [{destination: {host: legacy, port: {number: 81}}}]}]
";

/// What both broken requests end as: the client's sidecar names one, the gateway the other.
const CAUSE: &str = "upstream_refused";

/// Names of pods.
type Pods = BTreeSet<String>;

/// What an overlay is meant to do.
#[derive(Debug, PartialEq, Eq)]
struct Effect {
    /// What the proxies that are meant have; all others have nothing.
    parts: BTreeMap<String, BTreeSet<&'static str>>,
    /// Where the cause is counted.
    counted: Pods,
    /// Where the access log names it.
    logged: Pods,
}

/// Every proxy, whatever it is.
pub fn mesh_wide(rig: &Rig) -> Result<()> {
    let both = || pods(["client", "ingress"]);
    check(rig, "mesh-wide", Effect { parts: filters(rig, |_| true), counted: both(), logged: both() })
}

/// The gateway; sidecars are silent.
pub fn gateways_only(rig: &Rig) -> Result<()> {
    let gateway = || pods(["ingress"]);
    let parts = filters(rig, |proxy| proxy.pod.name == "ingress");
    check(rig, "gateways-only", Effect { parts, counted: gateway(), logged: gateway() })
}

/// The sidecars of one namespace; the gateway lives in another.
pub fn one_namespace(rig: &Rig) -> Result<()> {
    let client = || pods(["client"]);
    let parts = filters(rig, |proxy| proxy.pod.namespace == "default");
    check(rig, "one-namespace", Effect { parts, counted: client(), logged: client() })
}

/// Every proxy's access log, and no counter.
pub fn log_only(rig: &Rig) -> Result<()> {
    let effect =
        Effect { parts: filters(rig, |_| true), counted: Pods::new(), logged: pods(["client", "ingress"]) };
    check(rig, "log-only", effect)
}

/// Every proxy that has the module mounted counts, without a filter.
pub fn access_logger_only(rig: &Rig) -> Result<()> {
    let parts = having(rig, |_| true, &[ACCESS_LOGGER]);
    let effect = Effect { parts, counted: pods(["client", "ingress"]), logged: Pods::new() };
    check(rig, "access-logger-only", effect)
}

fn pods<const N: usize>(names: [&str; N]) -> Pods {
    names.map(str::to_owned).into()
}

fn filters(rig: &Rig, has: impl Fn(&Running) -> bool) -> BTreeMap<String, BTreeSet<&'static str>> {
    having(rig, has, &[HTTP_FILTER, NETWORK_FILTER])
}

fn having(
    rig: &Rig,
    has: impl Fn(&Running) -> bool,
    parts: &[&'static str],
) -> BTreeMap<String, BTreeSet<&'static str>> {
    let parts: BTreeSet<&str> = parts.iter().copied().collect();
    rig.proxies().filter(|proxy| has(proxy)).map(|proxy| (proxy.pod.name.to_owned(), parts.clone())).collect()
}

/// From an image, EnvoyFilters included: without counters they alone have filters.
pub fn from_image(rig: &Rig) -> Result<()> {
    let registry = Registry::start(&rig.folder().join("registry-of-overlays"), &format!("{HOST}:5000"))?;
    let digest = registry.push(&registry::built()?, "meshwhy", "overlay")?;
    let sha256 = digest.strip_prefix("sha256:").context("no sha256")?;
    let url = format!("oci://{}/meshwhy:overlay", registry.address);
    let effect =
        Effect { parts: filters(rig, |_| true), counted: Pods::new(), logged: pods(["client", "ingress"]) };
    check_from(rig, "log-only", &url, sha256, effect)
}

fn check(rig: &Rig, name: &str, expected: Effect) -> Result<()> {
    check_from(rig, name, MODULE_URL, &manifests::module_sha256()?, expected)
}

/// Plays it where nothing of meshwhy is installed; afterwards the rig is as it was.
fn check_from(rig: &Rig, name: &str, url: &str, sha256: &str, expected: Effect) -> Result<()> {
    let folder = manifests::overlay(name, url, sha256, &rig.folder().join("envoyfilter"))?;
    let rendered = rig.plane.kubectl(&["kustomize", path(&folder)?], "")?;
    deployment::valid(rig, &rendered)?;
    rig.delete(&format!("{}\n---\n{BOTH_LOGS}", deployment::shipped(rig.version)?))?;
    let played = play(rig, &folder, &expected);
    let removed = rig
        .plane
        .kubectl(&["delete", "--ignore-not-found", "--wait=false", "-k", path(&folder)?], "")
        .and_then(|_| rig.settle())
        .and_then(|()| nothing_left(rig));
    let restored = rig.delete(GATEWAY).and_then(|()| deployment::deploy(rig));
    let effect = played?;
    removed.context("after kubectl delete -k")?;
    restored?;
    ensure!(effect == expected, "{effect:#?}\nexpected: {expected:#?}");
    Ok(())
}

fn path(folder: &Path) -> Result<&str> {
    folder.to_str().context("a path that is no text")
}

/// Asks for what is broken, at the client's sidecar and at the gateway.
fn ask(rig: &Rig) -> Result<()> {
    for (pod, url) in [("client", "http://legacy:81/"), ("outside", "http://httpbin.example.com/")] {
        let seen = rig.pod(pod)?.exec(&["curl", "-si", "-m", "5", url])?;
        ensure!(seen.status == Some(503), "{pod} got {seen:?}");
    }
    Ok(())
}

fn nothing_left(rig: &Rig) -> Result<()> {
    deployment::no_parts_left(rig)?;
    let before = counters(rig)?;
    ask(rig)?;
    let counted = counted_since(rig, &before)?;
    ensure!(counted.is_empty(), "still counted: {counted:?}");
    Ok(())
}

/// Where the cause was counted; what connections of earlier stories end as is not looked at.
fn counted_since(rig: &Rig, before: &BTreeMap<Counted, u64>) -> Result<Pods> {
    let new = difference(before, &counters(rig)?);
    Ok(new.into_keys().filter(|counted| counted.cause == CAUSE).map(|counted| counted.pod).collect())
}

fn play(rig: &Rig, folder: &Path, expected: &Effect) -> Result<Effect> {
    rig.plane.kubectl(&["apply", "-k", path(folder)?], "")?;
    rig.apply(GATEWAY)?;
    let before = counters(rig)?;
    let marks: BTreeMap<String, usize> =
        rig.proxies().map(|proxy| (proxy.pod.name.to_owned(), proxy.output().len())).collect();
    ask(rig)?;
    let logged = || -> Pods {
        let told = |proxy: &&Running| {
            let output = proxy.output();
            let new = output.get(marks[proxy.pod.name]..).unwrap_or_default();
            // The lines of an access logger in the proxy's own log begin otherwise.
            new.lines().any(|line| line.starts_with('{') && line.contains(&format!("\"cause\":\"{CAUSE}\"")))
        };
        rig.proxies().filter(told).map(|proxy| proxy.pod.name.to_owned()).collect()
    };
    let counted = || counted_since(rig, &before);
    // What is missing is compared below.
    let _ = eventually(|| Ok((logged() == expected.logged && counted()? == expected.counted).then_some(())));
    // Envoy writes its access log once a second: who speaks out of turn has done so by then.
    std::thread::sleep(Duration::from_millis(1200));
    let mut parts = BTreeMap::new();
    for proxy in rig.proxies() {
        let own = deployment::parts_in(proxy)?;
        if !own.is_empty() {
            parts.insert(proxy.pod.name.to_owned(), own);
        }
    }
    Ok(Effect { parts, counted: counted()?, logged: logged() })
}
