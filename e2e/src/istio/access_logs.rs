//! The access-log formats of `mesh-config.yaml` through Istio's Telemetry API, with real receivers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::deployment::{self, BOTH_LOGS, eventually};
use crate::harness::manifests;
use crate::harness::peers::log_receiver::LogReceiver;
use crate::harness::rig::Rig;
use crate::harness::rig::netns::HOST;
use crate::logs::access_logs::PROVIDERS;

/// The host and port of a provider that sends.
fn destination(provider: &Value) -> Option<(&str, u64)> {
    let sends = provider.get("envoyOtelAls").or(provider.get("envoyHttpAls"))?;
    Some((sends["service"].as_str()?, sends["port"].as_u64()?))
}

/// With all four at once and the filter of `telemetry.yaml`, each has the request that failed and no other.
pub fn check(rig: &Rig) -> Result<()> {
    let mesh = manifests::mesh_config()?;
    let receiver = LogReceiver::start(format!("{HOST}:0").parse::<SocketAddr>()?)?;
    let services: Vec<Value> = mesh["extensionProviders"]
        .as_array()
        .context("no providers")?
        .iter()
        .filter_map(destination)
        .map(|(host, port)| {
            json!({
                "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
                "metadata": { "name": host.split('.').next(), "namespace": "istio-system" },
                "spec": { "hosts": [host], "location": "MESH_EXTERNAL", "resolution": "STATIC",
                          "ports": [{ "number": port, "targetPort": receiver.port(), "name": "grpc", "protocol": "GRPC" }],
                          "endpoints": [{ "address": HOST }] },
            })
        })
        .collect();
    ensure!(services.len() == 2, "{services:?}");
    let services = json!({ "apiVersion": "v1", "kind": "List", "items": services }).to_string();
    let mut telemetry = manifests::diagnosed_only()?;
    telemetry["spec"]["accessLogging"][0]["providers"] =
        PROVIDERS.iter().map(|(name, _)| json!({ "name": name })).collect();
    deployment::valid(rig, &serde_norway::to_string(&telemetry)?)?;

    rig.delete(BOTH_LOGS)?;
    let reported = rig
        .apply(&services)
        .and_then(|()| rig.apply(&telemetry.to_string()))
        .and_then(|()| reported_by_each(rig, &receiver));
    let restored = rig.delete(&services).and_then(|()| deployment::deploy(rig));
    reported.and(restored)
}

fn reported_by_each(rig: &Rig, receiver: &LogReceiver) -> Result<()> {
    let client = rig.pod("client")?;
    let mark = client.printed();
    for (url, status) in [("http://helloworld/", 200), ("http://legacy:81/x?token=secret", 503)] {
        let seen = client.exec(&["curl", "-si", "-m", "5", url])?;
        ensure!(seen.status == Some(status), "{url}: {seen:?}");
    }
    let reported = || -> [Vec<String>; 4] {
        let new = client.output_after(mark);
        // The agent's and Envoy's own words have tabs.
        let (json, text): (Vec<&str>, Vec<&str>) =
            new.lines().filter(|line| line.starts_with(['{', '['])).partition(|line| line.starts_with('{'));
        let received = receiver.entries();
        let of = |kind: &str| received.iter().filter_map(|e| e.get(kind)).map(Value::to_string).collect();
        let owned = |lines: Vec<&str>| lines.into_iter().map(str::to_owned).collect();
        [owned(text), owned(json), of("otel"), of("als")]
    };
    // What is missing is said below.
    let _ = eventually(|| Ok(reported().iter().all(|lines| !lines.is_empty()).then_some(())));
    std::thread::sleep(Duration::from_millis(1200));
    for ((provider, _), lines) in PROVIDERS.iter().zip(reported()) {
        ensure!(lines.len() == 1, "{provider} has {} lines: {lines:#?}", lines.len());
        for part in ["upstream_refused", "certain", "Start the application", "legacy"] {
            ensure!(lines[0].contains(part), "{provider} lacks {part}: {}", lines[0]);
        }
    }
    Ok(())
}
