//! The shipped PodMonitor as the operator writes it into Prometheus' own configuration.

use std::fs;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::harness::tools::root;

/// The head of `scrape-config.yaml`.
const HEAD: &str = "\
# For a Prometheus in the cluster that has no operator: what podmonitor.yaml says, to be merged into its configuration. Generated from it:
# MESHWHY_BLESS=1 cargo test -p e2e --test metrics
";

/// The same for a Prometheus that finds the pods by itself: `scrape-config.yaml`.
pub fn plain() -> Result<String> {
    let config = json!({ "scrape_configs": [job(json!({ "kubernetes_sd_configs": [{ "role": "pod" }] }))?] });
    Ok(format!("{HEAD}{}", serde_norway::to_string(&config)?))
}

/// The configuration for these proxies (name and address), among other containers and pods, and with the labels that Kubernetes
/// gives them.
pub fn config_for(proxies: &[(&str, &str)]) -> Result<Value> {
    let container = |pod: &str, address: &str, container: &str| {
        json!({ "targets": ["192.0.2.1:1"], "labels": {
            "__meta_kubernetes_namespace": "default", "__meta_kubernetes_pod_name": pod,
            "__meta_kubernetes_pod_ip": address, "__meta_kubernetes_pod_container_name": container,
            "__meta_kubernetes_pod_label_app": pod,
        } })
    };
    let mut targets: Vec<Value> = vec![container("ztunnel", "192.0.2.2", "istio-proxy")];
    for (pod, address) in proxies {
        targets.extend([container(pod, address, "istio-proxy"), container(pod, address, "app")]);
    }
    let mut job = job(json!({ "static_configs": targets }))?;
    job["scrape_interval"] = "1s".into();
    job["scrape_timeout"] = "1s".into();
    Ok(json!({ "scrape_configs": [job] }))
}

/// The job; the pods are found like this.
fn job(discovery: Value) -> Result<Value> {
    let text = fs::read_to_string(root().join("envoyfilter/podmonitor.yaml"))?;
    let monitor: Value = serde_norway::from_str(&text)?;
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    let rules = |kind: &str| -> Result<Vec<Value>> {
        let rules = endpoint[kind].as_array().with_context(|| format!("the PodMonitor has no {kind}"))?;
        Ok(rules.iter().map(in_prometheus_words).collect())
    };
    let selected = monitor["spec"]["selector"]["matchExpressions"].as_array().context("no selector")?;
    let mut relabel = selected.iter().map(unselected).collect::<Result<Vec<_>>>()?;
    relabel.extend(rules("relabelings")?);
    let mut job = json!({
        "job_name": "istio-system/meshwhy", "scrape_interval": endpoint["interval"],
        "metrics_path": endpoint["path"], "relabel_configs": relabel,
        "metric_relabel_configs": rules("metricRelabelings")?,
    });
    crate::harness::envoy::config::merge(&mut job, &discovery);
    Ok(job)
}

/// A pod that the PodMonitor does not select is dropped.
fn unselected(expression: &Value) -> Result<Value> {
    let key = expression["key"].as_str().context("no key")?.replace('-', "_");
    let values = match expression["operator"].as_str() {
        Some("DoesNotExist") => ".+".to_owned(),
        Some("NotIn") => {
            let values = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
            values.collect::<Vec<_>>().join("|")
        }
        other => bail!("{other:?} has no translation"),
    };
    let label = format!("__meta_kubernetes_pod_label_{key}");
    Ok(json!({ "action": "drop", "source_labels": [label], "regex": values }))
}

fn in_prometheus_words(rule: &Value) -> Value {
    let words = [("sourceLabels", "source_labels"), ("targetLabel", "target_label")];
    let fields = rule.as_object().into_iter().flatten().map(|(key, value)| {
        let word = words.iter().find(|(operator, _)| operator == key).map_or(key.as_str(), |(_, own)| own);
        (word.to_owned(), value.clone())
    });
    Value::Object(fields.collect())
}
