//! meshwhy on the rig, as users deploy and remove it.

use anyhow::Result;

use super::manifests;
use super::rig::{MODULE_URL, Rig};
use crate::tools;

/// meshwhy as users deploy it, and Istio's default access log beside it.
pub fn deploy(rig: &Rig) -> Result<()> {
    let module = tools::module()?;
    let mut all = Vec::new();
    for name in manifests::NAMES {
        all.push(manifests::rendered(name, MODULE_URL, &module)?);
    }
    all.push(BOTH_LOGS.into());
    rig.apply(&all.join("\n---\n"))
}

/// The built-in provider `envoy` is Istio's default log.
const BOTH_LOGS: &str = "
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: both-logs, namespace: default}
spec: {accessLogging: [{providers: [{name: meshwhy}, {name: envoy}]}]}
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: both-logs, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  accessLogging: [{providers: [{name: meshwhy}, {name: envoy}]}]
";
