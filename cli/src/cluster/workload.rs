//! `deploy/reviews` → its pods; and the pods of the gateways.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Kubectl, Pod, Scope};

/// The label of the pods that a Gateway of the Gateway API has.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// Kinds of Gateways, by their full names: there are two.
const GATEWAYS: [&str; 2] = ["gateways.networking.istio.io", "gateways.gateway.networking.k8s.io"];

/// Which pods belong to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pods {
    /// It is one itself.
    Own(Pod),
    /// Those with these labels in its namespace, or anywhere.
    Labelled { selector: String, scope: Scope },
}

impl Pod {
    /// The pods of `KIND/NAME`; a name alone is a pod's.
    pub fn of(kubectl: &Kubectl, what: &str, namespace: &str) -> anyhow::Result<Vec<Self>> {
        let what = if what.contains('/') { what.to_owned() } else { format!("pod/{what}") };
        let object = kubectl.json(&["get", &what, "-n", namespace])?;
        let pods = match pods_of(&object).with_context(|| what.clone())? {
            Pods::Own(pod) => return Ok(vec![pod]),
            Pods::Labelled { selector, scope } => Self::get(kubectl, &scope, &["-l", &selector])?,
        };
        if pods.is_empty() {
            bail!("{what} in {namespace} has no pods");
        }
        Ok(pods)
    }

    /// The pods of every gateway that a Gateway of Istio's or of the Gateway API selects.
    pub fn gateways(kubectl: &Kubectl) -> anyhow::Result<Vec<Self>> {
        let mut found: Vec<Self> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut reached = 0;
        let mut refused = None;
        for kind in GATEWAYS {
            // One of the two may not be installed.
            let objects = match kubectl.json(&["get", kind, "-A"]) {
                Ok(objects) => objects,
                Err(error) => {
                    refused = Some(error);
                    continue;
                }
            };
            reached += 1;
            for object in objects.get("items").and_then(Value::as_array).into_iter().flatten() {
                let Ok(Pods::Labelled { selector, scope }) = pods_of(object) else { continue };
                if seen.insert((selector.clone(), scope.arguments().join(" "))) {
                    found.extend(Self::get(kubectl, &scope, &["-l", &selector])?);
                }
            }
        }
        match refused {
            Some(error) if reached == 0 => Err(error.context("the gateways can't be found")),
            _ => Ok(found),
        }
    }
}

fn pods_of(object: &Value) -> anyhow::Result<Pods> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    let own = || Scope::Namespace(text("/metadata/namespace").to_owned());
    let selector = object.pointer("/spec/selector");
    let (selector, scope) = match (kind, text("/apiVersion")) {
        ("Pod", _) => {
            let pod = Pod::all(object).pop().context("a Pod without a name")?;
            return Ok(Pods::Own(pod));
        }
        ("Service", _) => (selector.and_then(labels), own()),
        ("Gateway", api) if api.starts_with("gateway.networking.k8s.io/") => {
            (Some(format!("{GATEWAY_NAME}={name}")), own())
        }
        // Istio looks for them in all namespaces.
        ("Gateway", _) => (selector.and_then(labels), Scope::All),
        _ => (selector.and_then(label_selector), own()),
    };
    let selector = selector
        .with_context(|| format!("a {kind} selects no pods: name a workload, a Service or a Gateway"))?;
    Ok(Pods::Labelled { selector, scope })
}

/// `{app: a, version: v1}` → `app=a,version=v1`.
fn labels(selector: &Value) -> Option<String> {
    let labels =
        selector.as_object()?.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    let text = labels.collect::<Vec<_>>().join(",");
    (!text.is_empty()).then_some(text)
}

/// A LabelSelector, as kubectl's `-l` writes it.
fn label_selector(selector: &Value) -> Option<String> {
    let expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    let expressions = expressions.map(|expression| {
        let key = expression.get("key")?.as_str()?;
        let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
        let values = values.filter_map(Value::as_str).collect::<Vec<_>>().join(",");
        Some(match expression.get("operator")?.as_str()? {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        })
    });
    let parts: Option<Vec<String>> =
        selector.get("matchLabels").and_then(labels).map(Some).into_iter().chain(expressions).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labelled(object: &Value) -> (String, Scope) {
        match pods_of(object).unwrap() {
            Pods::Labelled { selector, scope } => (selector, scope),
            Pods::Own(pod) => (pod.name, Scope::Namespace(pod.namespace)),
        }
    }

    #[test]
    fn objects_select_pods_each_in_its_way() {
        let shop = || Scope::Namespace("shop".into());
        let metadata = json!({ "name": "cart", "namespace": "shop" });
        for (api, kind, selector, expected, scope) in [
            (
                "apps/v1",
                "Deployment",
                json!({ "matchLabels": { "app": "cart", "tier": "web" } }),
                "app=cart,tier=web",
                shop(),
            ),
            (
                "apps/v1",
                "StatefulSet",
                json!({ "matchLabels": { "app": "cart" }, "matchExpressions": [
                    { "key": "version", "operator": "In", "values": ["v1", "v2"] },
                    { "key": "canary", "operator": "DoesNotExist" },
                ] }),
                "app=cart,version in (v1,v2),!canary",
                shop(),
            ),
            ("v1", "Service", json!({ "app": "cart" }), "app=cart", shop()),
            ("networking.istio.io/v1", "Gateway", json!({ "istio": "ingress" }), "istio=ingress", Scope::All),
            (
                "gateway.networking.k8s.io/v1",
                "Gateway",
                Value::Null,
                "gateway.networking.k8s.io/gateway-name=cart",
                shop(),
            ),
            ("v1", "Pod", Value::Null, "cart", shop()),
        ] {
            let object = json!({ "apiVersion": api, "kind": kind, "metadata": metadata, "spec": { "selector": selector } });
            assert_eq!(labelled(&object), (expected.to_owned(), scope), "{kind}");
        }
    }

    #[test]
    fn what_selects_nothing_is_refused() {
        for (kind, selector) in
            [("ConfigMap", Value::Null), ("Service", json!({})), ("Deployment", json!({}))]
        {
            let object =
                json!({ "kind": kind, "metadata": { "name": "a" }, "spec": { "selector": selector } });
            assert!(pods_of(&object).is_err(), "{kind}");
        }
    }
}
