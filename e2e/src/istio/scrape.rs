//! The shipped PodMonitor as the operator writes it into Prometheus' own configuration.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::tools::root;

/// The configuration for these proxies (name and address).
pub fn config_for(proxies: &[(&str, &str)]) -> Result<Value> {
    let text = fs::read_to_string(root().join("envoyfilter/podmonitor.yaml"))?;
    let monitor: Value = serde_norway::from_str(&text)?;
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    let rules =
        endpoint["metricRelabelings"].as_array().context("the PodMonitor has no metricRelabelings")?;
    let rules: Vec<Value> = rules.iter().map(in_prometheus_words).collect();
    let targets: Vec<Value> = proxies
        .iter()
        .map(|(pod, address)| {
            let labels = json!({ "namespace": "default", "pod": pod });
            json!({ "targets": [format!("{address}:15020")], "labels": labels })
        })
        .collect();
    Ok(json!({ "scrape_configs": [{
        "job_name": "envoy-stats", "scrape_interval": "1s", "scrape_timeout": "1s",
        "metrics_path": endpoint["path"], "static_configs": targets, "metric_relabel_configs": rules,
    }] }))
}

fn in_prometheus_words(rule: &Value) -> Value {
    let words = [("sourceLabels", "source_labels"), ("targetLabel", "target_label")];
    let fields = rule.as_object().into_iter().flatten().map(|(key, value)| {
        let word = words.iter().find(|(operator, _)| operator == key).map_or(key.as_str(), |(_, own)| own);
        (word.to_owned(), value.clone())
    });
    Value::Object(fields.collect())
}
