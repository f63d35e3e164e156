//! What a kubelet reads of a Pod: its containers, their arguments and environment, and the files that say what the pod is.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// One of its containers; native sidecars are among those that start first.
pub(super) fn container<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let all = ["initContainers", "containers"].into_iter().filter_map(|key| pod["spec"][key].as_array());
    all.flatten().find(|container| container["name"] == name)
}

/// A container's arguments, with variables of its environment in them (`$(NAME)`).
pub(super) fn arguments(container: &Value, environment: &[(String, String)]) -> Vec<String> {
    let all = container["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let filled = all.map(|text| {
        environment
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
    });
    filled.collect()
}

/// A container's environment; without what depends on the node: a limit that it doesn't have.
pub(super) fn environment(pod: &Value, container: &Value) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for entry in container["env"].as_array().into_iter().flatten() {
        let name = entry["name"].as_str().context("a variable without a name")?;
        let value = value(pod, container, entry).with_context(|| format!("{name} of {}", container["name"]));
        all.extend(value?.map(|value| (name.to_owned(), value)));
    }
    Ok(all)
}

fn value(pod: &Value, container: &Value, entry: &Value) -> Result<Option<String>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pointer = |path: &str| format!("/{}", path.replace('.', "/"));
    let from = &entry["valueFrom"];
    if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
        return Ok(Some(pod.pointer(&pointer(path)).map(text).unwrap_or_default()));
    }
    if let Some(resource) = from["resourceFieldRef"]["resource"].as_str() {
        let limit = container["resources"].pointer(&pointer(resource)).and_then(Value::as_str);
        let known = |limit| quantity(limit).with_context(|| format!("{resource} is {limit}"));
        return limit.map(known).transpose();
    }
    ensure!(from.is_null(), "a value from {from}");
    Ok(Some(text(&entry["value"])))
}

/// Kubernetes' way to write a number, rounded up.
fn quantity(text: &str) -> Option<String> {
    const UNITS: &[(&str, u64)] = &[("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    if let Some(thousandths) = text.strip_suffix('m') {
        return Some(thousandths.parse::<u64>().ok()?.div_ceil(1000).to_string());
    }
    for (unit, size) in UNITS {
        if let Some(number) = text.strip_suffix(unit) {
            return Some((number.parse::<u64>().ok()? * size).to_string());
        }
    }
    text.parse::<u64>().ok().map(|number| number.to_string())
}

/// Writes the labels and annotations where the agent looks for them: the downward API's volume.
pub(super) fn write_down(pod: &Value, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for what in ["labels", "annotations"] {
        let entries = pod["metadata"][what].as_object().into_iter().flatten();
        let lines: Vec<String> = entries.map(|(key, value)| format!("{key}={value}")).collect();
        fs::write(folder.join(what), lines.join("\n"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_containers_environment_comes_from_its_pod() {
        let pod = json!({
            "metadata": { "name": "a", "namespace": "shop" },
            "spec": { "initContainers": [{
                "name": "istio-proxy",
                "args": ["proxy", "--domain", "$(NAMESPACE).svc"],
                "env": [
                    { "name": "NAMESPACE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } },
                    { "name": "HOST_IP", "valueFrom": { "fieldRef": { "fieldPath": "status.hostIP" } } },
                    { "name": "CPUS", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } },
                    { "name": "MEMORY", "valueFrom": { "resourceFieldRef": { "resource": "limits.memory" } } },
                    { "name": "NONE", "valueFrom": { "resourceFieldRef": { "resource": "limits.disk" } } },
                    { "name": "PLAIN", "value": "text" },
                ],
                "resources": { "limits": { "cpu": "1500m", "memory": "1Gi" } },
            }] },
        });
        let proxy = container(&pod, "istio-proxy").unwrap();
        let environment = environment(&pod, proxy).unwrap();
        let values: Vec<&str> = environment.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["shop", "", "2", "1073741824", "text"]);
        assert_eq!(arguments(proxy, &environment), ["proxy", "--domain", "shop.svc"]);
    }
}
