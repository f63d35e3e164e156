//! What controllers and the cluster's DNS do for a Service: its EndpointSlice, its name.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Rig;

/// The Services that the plan doesn't have, by namespace and name, each with its slice: those that somebody made on the running rig.
#[derive(Debug, Default)]
pub struct Controller {
    slices: BTreeMap<(String, String), Value>,
}

impl Controller {
    /// Looks once at what there is, and makes or removes what follows from it.
    pub fn reconcile(&mut self, rig: &Rig) -> Result<()> {
        let all = rig.plane.kubectl(&["get", "services,pods", "-A", "-o", "json"], "")?;
        let all: Value = serde_json::from_str(&all)?;
        let objects = all["items"].as_array().context("no list")?;
        let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
        let pods: Vec<&Value> = of_kind("Pod").collect();
        let services = of_kind("Service").filter(|service| {
            service["spec"]["selector"].is_object() && !rig.has_planned(text(&service["metadata"]["name"]))
        });
        let mut gone: BTreeMap<(String, String), Value> = std::mem::take(&mut self.slices);
        for service in services {
            let metadata = &service["metadata"];
            let key = (text(&metadata["namespace"]).to_owned(), text(&metadata["name"]).to_owned());
            let slice = slice(service, pods.iter().copied().filter(|pod| selects(service, pod)));
            if gone.remove(&key).as_ref() != Some(&slice) {
                rig.plane.kubectl(&["apply", "-f", "-"], &slice.to_string())?;
                // Without an address of its own (headless) it has no name here.
                let address = text(&service["spec"]["clusterIP"]);
                if address.parse::<std::net::IpAddr>().is_ok() {
                    rig.dns.add(&format!("{}.{}.svc.cluster.local", key.1, key.0), address)?;
                }
            }
            self.slices.insert(key, slice);
        }
        for ((namespace, name), _) in gone {
            let slice = ["delete", "endpointslice", &name, "-n", &namespace, "--ignore-not-found"];
            rig.plane.kubectl(&slice, "")?;
        }
        Ok(())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn selects(service: &Value, pod: &Value) -> bool {
    let labels = &pod["metadata"]["labels"];
    let selector = service["spec"]["selector"].as_object();
    service["metadata"]["namespace"] == pod["metadata"]["namespace"]
        && selector.is_some_and(|selector| selector.iter().all(|(key, value)| labels[key] == *value))
}

/// The EndpointSlice of a Service.
pub(super) fn slice<'a>(service: &Value, pods: impl Iterator<Item = &'a Value>) -> Value {
    let endpoints: Vec<Value> = pods
        .map(|pod| {
            let metadata = &pod["metadata"];
            json!({
                "addresses": [pod["status"]["podIP"]],
                "conditions": { "ready": true },
                "targetRef": { "kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"] },
            })
        })
        .collect();
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let ports: Vec<Value> = ports
        .map(|port| {
            let target = if port["targetPort"].is_number() { &port["targetPort"] } else { &port["port"] };
            json!({ "name": port["name"], "port": target, "protocol": "TCP" })
        })
        .collect();
    let metadata = &service["metadata"];
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": metadata["name"], "namespace": metadata["namespace"],
                      "labels": { "kubernetes.io/service-name": metadata["name"] } },
        "endpoints": endpoints, "ports": ports,
    })
}
