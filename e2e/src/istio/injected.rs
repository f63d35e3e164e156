//! Pods as they came back from the API server: with what istiod's webhook put into them, and with meshwhy's part in its place.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::manifests;
use crate::harness::rig::pod::Running;
use crate::harness::rig::{MODULE_URL, Rig};

/// Every sidecar's and gateway's; no controller makes the waypoint's here.
pub fn check(rig: &Rig) -> Result<()> {
    let access_log = manifests::rendered("envoyfilter-access-log.yaml", MODULE_URL, "")?;
    let tags = &manifests::mesh_config()?["defaultConfig"]["extraStatTags"];
    let mut injected = 0;
    for proxy in rig.proxies().filter(|proxy| !proxy.pod.is_waypoint()) {
        let pod = ["get", "pod", proxy.pod.name, "-n", proxy.pod.namespace, "-o", "json"];
        let pod: Value = serde_json::from_str(&rig.plane.kubectl(&pod, "")?)?;
        look_at(&pod, proxy, &access_log, tags).with_context(|| format!("{pod:#}"))?;
        injected += 1;
    }
    ensure!(injected > 10, "{injected} pods");
    let without = ["get", "pod", "legacy", "-o", "jsonpath={.spec.containers[*].name}"];
    let containers = rig.plane.kubectl(&without, "")?;
    ensure!(containers == "app", "a pod that asks for no sidecar has {containers}");
    Ok(())
}

fn look_at(pod: &Value, proxy: &Running, access_log: &str, tags: &Value) -> Result<()> {
    let spec = &pod["spec"];
    let containers = || ["initContainers", "containers"].into_iter().filter_map(|key| spec[key].as_array());
    let container = |name: &str| containers().flatten().find(|container| container["name"] == name);
    let sidecar = container("istio-proxy").context("no sidecar")?;
    ensure!(pod["metadata"]["annotations"]["sidecar.istio.io/status"].is_string(), "not by the webhook");
    ensure!(pod["metadata"]["labels"]["meshwhy"] == "mounted", "the label is gone");

    // The module's file, where the EnvoyFilter of the role access_log has it.
    let is = |list: &Value, expected: &Value| list.as_array().is_some_and(|list| list.contains(expected));
    let volume = |volume: &&Value| volume["name"] == "meshwhy" && volume["configMap"]["name"] == "meshwhy";
    ensure!(spec["volumes"].as_array().into_iter().flatten().any(|v| volume(&v)), "no volume");
    let path = "/var/lib/meshwhy";
    let mount = json!({ "name": "meshwhy", "mountPath": path, "readOnly": true });
    ensure!(is(&sidecar["volumeMounts"], &mount), "the sidecar mounts no module");
    ensure!(access_log.contains(&format!("filename: {path}/meshwhy.wasm\n")), "{access_log}");

    // The labels of the counters, from the mesh's configuration.
    let environment = sidecar["env"].as_array().into_iter().flatten();
    let mut values = environment.filter(|entry| entry["name"] == "PROXY_CONFIG").map(|entry| &entry["value"]);
    let config: Value =
        serde_json::from_str(values.next().and_then(Value::as_str).context("no PROXY_CONFIG")?)?;
    ensure!(config["extraStatTags"] == *tags, "PROXY_CONFIG is {config}");

    // What the rig starts is what stands there.
    let started = proxy.command_line()?;
    let written = sidecar["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for argument in written.filter(|argument| !argument.contains("$(")) {
        ensure!(started.iter().any(|part| part == argument), "not started with {argument}: {started:?}");
    }
    Ok(())
}
