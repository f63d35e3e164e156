//! `envoyfilter/components/traces` through Istio's Telemetry API: the cause on a sidecar's span.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::deployment::{self, BOTH_LOGS, eventually};
use crate::harness::manifests;
use crate::harness::peers::log_receiver::LogReceiver;
use crate::harness::rig::netns::HOST;
use crate::harness::rig::{MODULE_URL, Rig};
use xtask::manifests::Place;

/// Where spans go: a provider of the mesh's, as its owners have one.
pub const PROVIDER: &str = "spans";
/// Its receiver.
const COLLECTOR: &str = "collector.observability.svc.cluster.local";

/// The provider for the plan.
pub fn provider() -> Value {
    json!({ "name": PROVIDER, "opentelemetry": { "service": COLLECTOR, "port": 4317 } })
}

/// The overlay with the component, and all requests traced: the span of the one that failed has the cause, the other's has no key of
/// meshwhy's.
pub fn check(rig: &Rig) -> Result<()> {
    let receiver = LogReceiver::start(format!("{HOST}:0").parse::<SocketAddr>()?)?;
    let collector = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": { "name": "collector", "namespace": "istio-system" },
        "spec": { "hosts": [COLLECTOR], "location": "MESH_EXTERNAL", "resolution": "STATIC",
                  "ports": [{ "number": 4317, "targetPort": receiver.port(), "name": "grpc", "protocol": "GRPC" }],
                  "endpoints": [{ "address": HOST }] },
    })
    .to_string();
    let rendered = rendered(rig)?;
    deployment::valid(rig, &rendered)?;
    rig.delete(BOTH_LOGS)?;
    let traced = rig.apply(&collector).and_then(|()| rig.apply(&rendered)).and_then(|()| ask(rig, &receiver));
    let restored = rig.delete(&collector).and_then(|()| deployment::deploy(rig));
    traced.and(restored)
}

/// The overlay with the component, and a provider to which all spans go.
fn rendered(rig: &Rig) -> Result<String> {
    let place = Place { url: MODULE_URL.into(), namespace: None };
    let sha256 = manifests::module_sha256()?;
    let folder = manifests::overlay("mesh-wide", &place, &sha256, &rig.folder().join("traces"))?;
    manifests::add_traces(&folder)?;
    let folder = folder.to_str().context("a path that is no text")?;
    let all = rig.plane.kubectl(&["kustomize", folder], "")?;
    let tags = "  - customTags:\n";
    ensure!(all.matches(tags).count() == 1, "{all}");
    let sent = format!(
        "  - providers: [{{name: {PROVIDER}}}]\n    randomSamplingPercentage: 100\n    customTags:\n"
    );
    Ok(all.replace(tags, &sent))
}

fn ask(rig: &Rig, receiver: &LogReceiver) -> Result<()> {
    let client = rig.pod("client")?;
    for (url, status) in [("http://helloworld/", 200), ("http://legacy:81/", 503)] {
        let seen = client.exec(&["curl", "-si", "-m", "5", url])?;
        ensure!(seen.status == Some(status), "{url}: {seen:?}");
    }
    let tags = |url: &str| {
        let spans = receiver.entries();
        let is_it = |entry: &&Value| entry["span"]["http.url"] == url;
        spans.iter().find(is_it).and_then(|entry| entry["span"].as_object().cloned())
    };
    let failed = eventually(|| Ok(tags("http://legacy:81/"))).context("no span of the failed request")?;
    for (key, part) in [
        ("meshwhy.cause", "upstream_refused"),
        ("meshwhy.confidence", "certain"),
        ("meshwhy.side", "upstream"),
        ("meshwhy.evidence", "connect_error=refused"),
        ("meshwhy.fix", "Start the application"),
    ] {
        let text = failed.get(key).and_then(Value::as_str).unwrap_or_default();
        ensure!(text.contains(part), "{key}: {failed:#?}");
    }
    let worked = eventually(|| Ok(tags("http://helloworld/"))).context("no span of the other request")?;
    ensure!(worked.keys().all(|key| !key.starts_with("meshwhy")), "{worked:#?}");
    Ok(())
}
