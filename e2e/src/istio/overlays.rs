//! The overlays of `envoyfilter/`: each applied, told apart by which proxies have what and say what, and removed without a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xtask::manifests::Place;

use super::deployment::{self, ACCESS_LOGGER, BOTH_LOGS, HTTP_FILTER, NETWORK_FILTER, eventually};
use super::story::{Counted, counters, difference};
use crate::harness::manifests;
use crate::harness::registry::{self, Registry};
use crate::harness::rig::netns::HOST;
use crate::harness::rig::pod::Running;
use crate::harness::rig::{MODULE_URL, Rig};

/// A gateway whose route leads to a closed port.
const GATEWAY: &str = through_ingress!(
    "overlays",
    "'*'",
    "
  http: [{route: [{destination: {host: legacy, port: {number: 81}}}]}]
"
);

/// Who asks for what is broken: at the sidecars of two namespaces, at the gateway, which is in a third, and at the waypoint.
const ASKED: &[(&str, &str)] = &[
    ("client", "http://legacy:81/"),
    ("elsewhere", "http://legacy.default:81/"),
    ("outside", "http://httpbin.example.com/"),
    ("shopper", "http://attic:81/"),
];

/// What all of them end as.
const CAUSE: &str = "upstream_refused";

/// How often they are asked once more, to see what each failure costs of the proxies' own log.
const ROUNDS: usize = 3;

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
    /// Where Envoy refused the module what it asked for.
    refused: Pods,
}

impl Effect {
    fn new(parts: BTreeMap<String, BTreeSet<&'static str>>, counted: Pods, logged: Pods) -> Self {
        Self { parts, counted, logged, refused: Pods::new() }
    }
}

/// Every sidecar and gateway.
pub fn mesh_wide(rig: &Rig) -> Result<()> {
    let every = || pods(["client", "elsewhere", "ingress"]);
    check(rig, "mesh-wide", Effect::new(filters(rig, is_no_waypoint), every(), every()))
}

/// The gateway; sidecars are silent.
pub fn gateways_only(rig: &Rig) -> Result<()> {
    let gateway = || pods(["ingress"]);
    let parts = filters(rig, |proxy| proxy.pod.name == "ingress");
    check(rig, "gateways-only", Effect::new(parts, gateway(), gateway()))
}

/// The proxies of the namespace that was asked for; those of another one are silent, and so is the gateway in a third.
pub fn one_namespace(rig: &Rig) -> Result<()> {
    let own = || pods(["elsewhere"]);
    let parts = filters(rig, |proxy| proxy.pod.namespace == "shop");
    let place = Place { url: MODULE_URL.into(), namespace: Some("shop".into()) };
    check_at(rig, "one-namespace", &place, &manifests::module_sha256()?, Effect::new(parts, own(), own()))
}

/// Waypoints alone.
pub fn waypoints(rig: &Rig) -> Result<()> {
    let waypoint = || pods(["waypoint"]);
    let parts = filters(rig, |proxy| proxy.pod.is_waypoint());
    check(rig, "waypoints", Effect::new(parts, waypoint(), waypoint()))
}

/// Every sidecar's and gateway's access log, and no counter.
pub fn log_only(rig: &Rig) -> Result<()> {
    check(rig, "log-only", without_counters(rig))
}

fn without_counters(rig: &Rig) -> Effect {
    let parts = filters(rig, is_no_waypoint);
    let refused = parts.keys().cloned().collect();
    let logged = pods(["client", "elsewhere", "ingress"]);
    Effect { parts, counted: Pods::new(), logged, refused }
}

/// Every proxy that has the module mounted counts, without a filter.
pub fn access_logger_only(rig: &Rig) -> Result<()> {
    let parts = having(rig, is_no_waypoint, &[ACCESS_LOGGER]);
    let counted = pods(["client", "elsewhere", "ingress"]);
    check(rig, "access-logger-only", Effect::new(parts, counted, Pods::new()))
}

/// The waypoint counts what its access loggers see, without a filter.
pub fn access_logger_waypoints(rig: &Rig) -> Result<()> {
    let parts = having(rig, |proxy| proxy.pod.is_waypoint(), &[ACCESS_LOGGER]);
    check(rig, "access-logger-waypoints", Effect::new(parts, pods(["waypoint"]), Pods::new()))
}

/// Waypoints take only what has `targetRefs`.
fn is_no_waypoint(proxy: &Running) -> bool {
    !proxy.pod.is_waypoint()
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
    check_at(rig, "log-only", &Place { url, namespace: None }, sha256, without_counters(rig))
}

fn check(rig: &Rig, name: &str, expected: Effect) -> Result<()> {
    let place = Place { url: MODULE_URL.into(), namespace: None };
    check_at(rig, name, &place, &manifests::module_sha256()?, expected)
}

/// Plays it where nothing of meshwhy is installed; afterwards the rig is as it was.
fn check_at(rig: &Rig, name: &str, place: &Place, sha256: &str, expected: Effect) -> Result<()> {
    let folder = manifests::overlay(name, place, sha256, &rig.folder().join("envoyfilter"))?;
    let rendered = rig.plane.kubectl(&["kustomize", path(&folder)?], "")?;
    deployment::valid(rig, &rendered)?;
    rig.delete(&format!("{}\n---\n{BOTH_LOGS}", deployment::everything(rig)?))?;
    let played = play(rig, &folder, &expected);
    let removed = rig
        .plane
        .kubectl(&["delete", "--ignore-not-found", "--wait=false", "-k", path(&folder)?], "")
        .and_then(|_| rig.settle_without(&rendered))
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

fn ask(rig: &Rig) -> Result<()> {
    for (pod, url) in ASKED {
        let seen = rig.pod(pod)?.exec(&["curl", "-si", "-m", "5", url])?;
        ensure!(seen.status == Some(503), "{pod} got {seen:?}");
    }
    Ok(())
}

fn nothing_left(rig: &Rig) -> Result<()> {
    deployment::no_parts_left(rig)?;
    // With the last VM its counters go, too.
    eventually(|| Ok(counters(rig)?.is_empty().then_some(()))).context("series are left")?;
    rig.until_drained();
    let (before, marks) = (counters(rig)?, Marks::now(rig));
    ask(rig)?;
    std::thread::sleep(FLUSHED);
    let counted = counted_since(rig, &before)?;
    ensure!(counted.is_empty(), "still counted: {counted:?}");
    let reported = marks.reported(rig);
    ensure!(reported.is_empty(), "still reported: {reported:?}");
    Ok(())
}

/// Where the cause was counted; what connections of earlier stories end as is not looked at.
fn counted_since(rig: &Rig, before: &BTreeMap<Counted, u64>) -> Result<Pods> {
    let new = difference(before, &counters(rig)?);
    Ok(new.into_keys().filter(|counted| counted.cause == CAUSE).map(|counted| counted.pod).collect())
}

/// Envoy writes its access log once a second.
const FLUSHED: Duration = Duration::from_millis(1200);

/// Where the proxies' logs ended.
struct Marks(BTreeMap<String, u64>);

impl Marks {
    fn now(rig: &Rig) -> Self {
        Self(rig.proxies().map(|proxy| (proxy.pod.name.to_owned(), proxy.printed())).collect())
    }

    fn count(&self, rig: &Rig, is_so: impl Fn(&str) -> bool) -> BTreeMap<String, usize> {
        let count = |proxy: &Running| {
            let new = proxy.output_after(self.0[proxy.pod.name]);
            new.lines().filter(|line| is_so(line)).count()
        };
        let counts = rig.proxies().map(|proxy| (proxy.pod.name.to_owned(), count(proxy)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// How often each proxy's access log has named the cause since. The lines of an access logger in the proxy's own log
    /// begin otherwise.
    fn reported(&self, rig: &Rig) -> BTreeMap<String, usize> {
        let named = format!("\"cause\":\"{CAUSE}\"");
        self.count(rig, |line| line.starts_with('{') && line.contains(&named))
    }

    /// How often each proxy's own log has spoken of this as an error since.
    fn errors(&self, rig: &Rig, of: &str) -> BTreeMap<String, usize> {
        let level = |line: &str| ["\terror\t", "\tcritical\t"].iter().any(|level| line.contains(level));
        self.count(rig, |line| level(line) && line.contains(of))
    }
}

fn play(rig: &Rig, folder: &Path, expected: &Effect) -> Result<Effect> {
    let unapplied = Marks::now(rig);
    rig.plane.kubectl(&["apply", "-k", path(folder)?], "")?;
    rig.apply(GATEWAY)?;
    let (before, marks) = (counters(rig)?, Marks::now(rig));
    ask(rig)?;
    let logged = || -> Pods { marks.reported(rig).into_keys().collect() };
    let counted = || counted_since(rig, &before);
    // What is missing is compared below.
    let _ = eventually(|| Ok((logged() == expected.logged && counted()? == expected.counted).then_some(())));
    // Who speaks out of turn has done so by then.
    std::thread::sleep(FLUSHED);
    let mut parts = BTreeMap::new();
    for proxy in rig.proxies() {
        let own = deployment::parts_in(proxy)?;
        if !own.is_empty() {
            parts.insert(proxy.pod.name.to_owned(), own);
        }
    }
    let refused = unapplied.errors(rig, "restricted proxy-wasm capability").into_keys().collect();
    let effect = Effect { parts, counted: counted()?, logged: logged(), refused };
    goes_on(rig, expected)?;
    Ok(effect)
}

/// Each further failure is reported once, and costs no line of the proxy's own log: the VM lives, and asks for nothing that it may not have.
fn goes_on(rig: &Rig, expected: &Effect) -> Result<()> {
    let marks = Marks::now(rig);
    (0..ROUNDS).try_for_each(|_| ask(rig))?;
    let each: BTreeMap<String, usize> = expected.logged.iter().map(|pod| (pod.clone(), ROUNDS)).collect();
    let _ = eventually(|| Ok((marks.reported(rig) == each).then_some(())));
    std::thread::sleep(FLUSHED);
    let reported = marks.reported(rig);
    ensure!(reported == each, "{ROUNDS} failures more: {reported:?}, expected: {each:?}");
    let errors = marks.errors(rig, "wasm");
    ensure!(errors.is_empty(), "errors of Wasm with {ROUNDS} failures: {errors:?}");
    Ok(())
}
