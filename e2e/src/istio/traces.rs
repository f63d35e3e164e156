//! `envoyfilter/components/traces` through Istio's Telemetry API: the cause on a sidecar's span, in a real OpenTelemetry Collector.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::deployment::{self, BOTH_LOGS, eventually};
use super::helm::namespace;
use crate::harness::collector::{Collector, Span};
use crate::harness::manifests;
use crate::harness::rig::netns::HOST;
use crate::harness::rig::{MODULE_URL, Rig};
use xtask::manifests::Place;

/// The tracer of `mesh-config.yaml`, and its port.
const PROVIDER: &str = "otel-tracing";
const PORT: u16 = 4317;

/// A collector on the rig's host, and the Service by which `mesh-config.yaml` names it, as YAML.
pub(super) fn collector(rig: &Rig) -> Result<(Collector, String)> {
    let metadata = |name: &str| json!({ "name": name, "namespace": "observability" });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata("opentelemetry-collector"),
        "spec": { "ports": [{ "name": "grpc-otlp", "port": PORT }] },
    });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": "opentelemetry-collector", "namespace": "observability",
                      "labels": { "kubernetes.io/service-name": "opentelemetry-collector" } },
        "endpoints": [{ "addresses": [HOST], "conditions": { "ready": true } }],
        "ports": [{ "name": "grpc-otlp", "port": PORT, "protocol": "TCP" }],
    });
    namespace(rig, "observability")?;
    let collector = Collector::start(rig.folder(), &format!("{HOST}:{PORT}"))?;
    let both = json!({ "apiVersion": "v1", "kind": "List", "items": [service, slice] });
    Ok((collector, both.to_string()))
}

/// The overlay with the component, and all requests traced: the span of the one that failed has the cause, the other's has no key of
/// meshwhy's.
pub fn check(rig: &Rig) -> Result<()> {
    let (collector, service) = collector(rig)?;
    let rendered = rendered(rig)?;
    deployment::valid(rig, &rendered)?;
    rig.delete(BOTH_LOGS)?;
    let traced = rig.apply(&service).and_then(|()| rig.apply(&rendered)).and_then(|()| ask(rig, &collector));
    let restored = rig.delete(&service).and_then(|()| deployment::deploy(rig));
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

fn ask(rig: &Rig, collector: &Collector) -> Result<()> {
    let failed = span_of(rig, collector, "http://legacy:81/", 503)?;
    for (key, part) in [
        ("meshwhy.cause", "upstream_refused"),
        ("meshwhy.confidence", "certain"),
        ("meshwhy.side", "upstream"),
        ("meshwhy.evidence", "connect_error=refused"),
        ("meshwhy.fix", "Start the application"),
    ] {
        ensure!(failed.text(key).contains(part), "{key}: {failed:#?}");
    }
    let worked = span_of(rig, collector, "http://helloworld/", 200)?;
    ensure!(worked.attributes.keys().all(|key| !key.starts_with("meshwhy")), "{worked:#?}");
    Ok(())
}

/// Asks until there is one: nothing tells when a proxy has the collector's address.
fn span_of(rig: &Rig, collector: &Collector, url: &str, status: u16) -> Result<Span> {
    eventually(|| {
        let seen = rig.pod("client")?.exec(&["curl", "-si", "-m", "5", url])?;
        ensure!(seen.status == Some(status), "{url}: {seen:?}");
        Ok(collector.spans()?.into_iter().find(|span| span.text("http.url") == url))
    })
    .with_context(|| format!("no span of {url}"))
}
