//! Istio's injector: the webhook that the API server calls on istiod for each new pod, as `istioctl` writes both.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::control_plane::{ControlPlane, ISTIOD};
use crate::harness::process::wait_for;
use crate::harness::programs::Programs;

/// Where istiod serves it.
pub(super) const PORT: u16 = 15017;

/// The name of the webhook's configuration, and of the ConfigMap with the templates.
pub(super) const NAME: &str = "istio-sidecar-injector";

/// What of Istio's own manifests belongs to it.
#[derive(Debug)]
pub(super) struct Injector {
    /// The ConfigMap with the templates, which istiod reads when it starts.
    pub(super) templates: String,
    webhook: String,
}

impl Injector {
    /// Lets istioctl write its manifests. The API server is in no cluster and knows no Service: it calls istiod by an address of its own,
    /// as it does one that runs elsewhere.
    pub(super) fn new(folder: &Path, programs: &Programs) -> Result<Self> {
        let url = format!("values.istiodRemote.injectionURL=https://{ISTIOD}:{PORT}/inject");
        let output = Command::new(programs.istioctl())
            .args(["manifest", "generate", "--set", "profile=minimal", "--set", &url])
            .env("HOME", folder)
            .output()?;
        ensure!(output.status.success(), "istioctl: {}", String::from_utf8_lossy(&output.stderr));
        let all = String::from_utf8(output.stdout)?;
        let find = |kind: &str| {
            let is = |line: &str| line == format!("kind: {kind}");
            let named = format!("  name: {NAME}");
            let mut documents = all.split("\n---\n");
            let found = documents.find(|text| text.lines().any(is) && text.lines().any(|line| line == named));
            found.map(str::to_owned).with_context(|| format!("no {kind} {NAME}"))
        };
        Ok(Self { templates: find("ConfigMap")?, webhook: find("MutatingWebhookConfiguration")? })
    }

    /// Lets the API server ask istiod, which signs for itself first.
    pub(super) fn start(&self, plane: &ControlPlane) -> Result<()> {
        plane.kubectl(&["apply", "--server-side", "-f", "-"], &self.webhook)?;
        wait_for("istiod's authority in the webhook", || {
            let webhook = plane.kubectl(&["get", "mutatingwebhookconfiguration", NAME, "-o", "json"], "")?;
            let webhook: Value = serde_json::from_str(&webhook)?;
            let mut parts = webhook["webhooks"].as_array().context("no webhooks")?.iter();
            let signed = parts.all(|part| part["clientConfig"]["caBundle"].is_string());
            if !signed {
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(signed.then_some(()))
        })
    }
}
