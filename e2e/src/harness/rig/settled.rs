//! When configuration is in force: istiod has seen it, every proxy has acknowledged and warmed it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::Rig;
use super::pod::Running;

/// A machine with much else to do gets there, too.
const LONGEST: Duration = Duration::from_secs(30);

/// A listener whose secret does not exist stays warm for ever: some stories want that.
const WARMING: Duration = Duration::from_secs(2);

/// What was replaced is gone then: it has a second to end (`drainDuration`).
const DRAINED: Duration = Duration::from_millis(1200);

/// istiod takes no longer to write the status of what it has translated, on a machine with much else to do.
const UNPARENTED: Duration = Duration::from_secs(5);

/// An Istio object as the API server holds it.
#[derive(Debug, PartialEq, Eq)]
struct Object {
    kind: String,
    namespace: String,
    name: String,
    /// `metadata.resourceVersion`, which only grows.
    version: u64,
}

impl Rig {
    /// `kubectl apply`, then waits until every proxy has it.
    pub fn apply(&self, yaml: &str) -> Result<()> {
        self.put(&["apply", "-f", "-"], yaml)?;
        self.settle()
    }

    /// `kubectl delete`, then waits until every proxy has forgotten it.
    pub fn delete(&self, yaml: &str) -> Result<()> {
        self.plane.kubectl(&["delete", "--ignore-not-found", "--wait=false", "-f", "-"], yaml)?;
        self.settle_without(yaml)
    }

    /// Waits until istiod has none of these any more, and every proxy has forgotten them.
    pub fn settle_without(&self, yaml: &str) -> Result<()> {
        let gone = serde_norway::Deserializer::from_str(yaml)
            .map(|document| Ok(Value::deserialize(document)?))
            .collect::<Result<Vec<Value>>>()?;
        let gone: Vec<Object> = gone.iter().filter_map(Object::of).collect();
        self.until_istiod(|known| gone.iter().all(|object| !known.iter().any(|k| k.is(object))))
            .with_context(|| format!("istiod still has {gone:?}"))?;
        self.settle()?;
        self.deleted.set(Some(Instant::now()));
        Ok(())
    }

    /// Waits until no connection is left that began with what was deleted: connections that are kept have the policies and filters
    /// that they began with until their listener's old self is gone.
    pub fn until_drained(&self) {
        if let Some(deleted) = self.deleted.take() {
            std::thread::sleep(DRAINED.saturating_sub(deleted.elapsed()));
        }
    }

    /// Runs this kubectl command that writes objects, and waits until istiod has seen them. It watches each kind
    /// on its own: one kind's change may reach it after a later one of another kind.
    pub(crate) fn put(&self, command: &[&str], yaml: &str) -> Result<()> {
        let printed = self.plane.kubectl(&[command, &["-o", "json"]].concat(), yaml)?;
        // Warnings follow.
        let written: Value = serde_json::Deserializer::from_str(&printed)
            .into_iter()
            .next()
            .context("kubectl printed nothing")??;
        let written = written["items"].as_array().map_or(std::slice::from_ref(&written), Vec::as_slice);
        let istios: Vec<Object> = written.iter().filter_map(Object::of).collect();
        let is_seen = |known: &[Object], o: &Object| known.iter().any(|k| k.is(o) && k.version >= o.version);
        self.until_istiod(|known| istios.iter().all(|object| is_seen(known, object)))
            .with_context(|| format!("istiod does not see {istios:?}"))?;
        written
            .iter()
            .filter(|object| is_translated(object))
            .try_for_each(|object| self.until_translated(object))
    }

    /// Waits until istiod has translated an object of the Gateway API: then it has written what it thinks of this generation. Of one
    /// that is no parent's it writes nothing.
    fn until_translated(&self, object: &Value) -> Result<()> {
        let metadata = &object["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = format!("{}.gateway.networking.k8s.io", text(&object["kind"]));
        let (name, namespace) = (text(&metadata["name"]), text(&metadata["namespace"]));
        let deadline = Instant::now() + UNPARENTED;
        while Instant::now() < deadline {
            let now = self.plane.kubectl(&["get", &kind, &name, "-n", &namespace, "-o", "json"], "")?;
            let now: Value = serde_json::from_str(&now)?;
            if observed(&now["status"]) >= now["metadata"]["generation"].as_u64() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn until_istiod(&self, is_so: impl Fn(&[Object]) -> bool) -> Result<()> {
        let deadline = Instant::now() + LONGEST;
        loop {
            let all: Vec<Value> = serde_json::from_str(&self.plane.istiod("/debug/configz")?)?;
            let known: Vec<Object> = all.iter().filter_map(Object::of).collect();
            if is_so(&known) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("waited for {} s", LONGEST.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until every proxy has acknowledged what istiod has seen, and uses it. A marker goes in after it: a
    /// proxy that has the marker was pushed everything that was there before.
    pub fn settle(&self) -> Result<()> {
        let cluster = self.put_marker()?;
        let deadline = Instant::now() + LONGEST;
        let mut waiting: Vec<&Running> = self.proxies().collect();
        // One after the other: what a proxy lists of its clusters is long.
        while let Some(pod) = waiting.last() {
            if pod.admin("/clusters").is_ok_and(|clusters| clusters.contains(&cluster)) {
                waiting.pop();
                continue;
            }
            if Instant::now() > deadline {
                let names: Vec<&str> = waiting.iter().map(|pod| pod.pod.name).collect();
                bail!("{} did not get the configuration: {}", names.join(", "), self.rejections());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        self.until_acknowledged(deadline)?;
        // A new cluster that is acknowledged still waits for its endpoints; until then the old one serves. It asks
        // for them only then, so once more.
        let warm_by = Instant::now() + WARMING;
        let mut warming: Vec<&Running> = self.proxies().collect();
        while Instant::now() < warm_by {
            warming.retain(|pod| pod.is_warming().unwrap_or(true));
            if warming.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.until_acknowledged(deadline)
    }

    /// The name of the cluster that shows it.
    fn put_marker(&self) -> Result<String> {
        let generation = self.next_generation();
        let host = format!("marker-{generation}.meshwhy.invalid");
        let marker = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": { "name": "meshwhy-marker", "namespace": "istio-system", "labels": {
                // Waypoints know only what is attached to them.
                "istio.io/use-waypoint": "waypoint", "istio.io/use-waypoint-namespace": "default",
            } },
            "spec": { "hosts": [host], "location": "MESH_EXTERNAL", "resolution": "STATIC",
                      "ports": [{ "number": 15998, "name": "http", "protocol": "HTTP" }],
                      "endpoints": [{ "address": "192.0.2.1" }] },
        });
        let path = "/apis/networking.istio.io/v1/namespaces/istio-system/serviceentries/meshwhy-marker";
        self.plane.apply_at(path, &marker)?;
        // A waypoint's cluster has a subset, and a direction of its own.
        Ok(format!("|{host}"))
    }

    fn until_acknowledged(&self, deadline: Instant) -> Result<()> {
        let mut calm = 0;
        while calm < 2 {
            let open = unacknowledged(&self.plane.sync_status()?);
            calm = if open.is_empty() { calm + 1 } else { 0 };
            if Instant::now() > deadline {
                bail!("not acknowledged: {}: {}", open.join(", "), self.rejections());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Ok(())
    }

    /// What proxies have rejected, by their NACKs to istiod.
    fn rejections(&self) -> String {
        let log = std::fs::read_to_string(self.folder().join("istiod.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("ACK ERROR")).collect();
        let Some(last) = lines.last() else { return "no proxy refused anything".into() };
        // The proxy's own words say more than its NACK.
        let own: Vec<String> = self.proxies().filter_map(|p| p.troubles()).collect();
        format!("{last}\n{}", own.join("\n"))
    }
}

impl Object {
    /// One of Istio's kinds; istiod takes the others from other places.
    fn of(object: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        object["apiVersion"].as_str()?.contains(".istio.io/").then_some(())?;
        let metadata = &object["metadata"];
        Some(Self {
            kind: text(&object["kind"])?,
            namespace: text(&metadata["namespace"]).unwrap_or_else(|| "default".into()),
            name: text(&metadata["name"])?,
            version: text(&metadata["resourceVersion"]).and_then(|v| v.parse().ok()).unwrap_or_default(),
        })
    }

    fn is(&self, other: &Self) -> bool {
        (&self.kind, &self.namespace, &self.name) == (&other.kind, &other.namespace, &other.name)
    }
}

/// Whether it is of a kind of the Gateway API that gets a status.
fn is_translated(object: &Value) -> bool {
    let is_of = |group: &str| object["apiVersion"].as_str().is_some_and(|version| version.starts_with(group));
    let has_status = !matches!(object["kind"].as_str(), Some("ReferenceGrant" | "GatewayClass"));
    is_of("gateway.networking.k8s.io/") && has_status
}

/// The generation of which a status speaks: the least of its own conditions, and of those for each parent or ancestor.
fn observed(status: &Value) -> Option<u64> {
    let of_parents = ["parents", "ancestors"].into_iter().filter_map(|key| status[key].as_array()).flatten();
    let all =
        std::iter::once(status).chain(of_parents).filter_map(|of| of["conditions"].as_array()).flatten();
    all.filter_map(|condition| condition["observedGeneration"].as_u64()).min()
}

/// Resource types by proxy that were sent and are not acknowledged.
fn unacknowledged(status: &Value) -> Vec<String> {
    let mut open = Vec::new();
    for proxy in status.as_array().into_iter().flatten() {
        for kind in ["cluster", "listener", "route", "endpoint", "extensionconfig"] {
            let (sent, acknowledged) = (&proxy[format!("{kind}_sent")], &proxy[format!("{kind}_acked")]);
            if sent != acknowledged {
                open.push(format!("{} {kind}", proxy["proxy"].as_str().unwrap_or_default()));
            }
        }
    }
    open
}
