//! The proxy of a pod: interception, and Istio's agent, which starts Envoy.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Running, Surroundings, kubelet};
use crate::harness::process::Process;
use crate::harness::rig::netns;
use crate::harness::tools::run;

/// The user that Istio's interception leaves alone.
const PROXY_USER: u32 = 1337;

impl Running {
    pub(super) fn intercept(&self, object: &Value, around: &Surroundings<'_>) -> Result<()> {
        let Some(init) = kubelet::container(object, "istio-init") else { return Ok(()) };
        run(netns::command(self.pod.name, around.agent).args(kubelet::arguments(init, &[])))
    }

    pub(super) fn start_agent(&self, object: &Value, around: &Surroundings<'_>) -> Result<Process> {
        let folder = &self.folder;
        around.ca.issue(&folder.join("etc/certs"), self.pod.namespace, self.pod.app)?;
        fs::create_dir_all(folder.join("etc/istio/proxy"))?;
        kubelet::write_down(object, &folder.join("etc/istio/pod"))?;
        let template = folder.join("envoy_bootstrap.json");
        // For waypoints it has an extension of Istio's own that is not in the stock Envoy.
        let bootstrap = fs::read_to_string(around.programs.bootstrap())?;
        fs::write(&template, bootstrap.replace("{{- if .metadata_discovery }}", "{{- if false }}"))?;
        fs::set_permissions(&template, Permissions::from_mode(0o644))?;
        fs::write(folder.join("proxy.yaml"), self.proxy_config(around).to_string())?;
        let output = File::options().create(true).append(true).open(folder.join("output"))?;
        own(folder)?;

        let user = PROXY_USER.to_string();
        // As in a container: a place of its own for Wasm modules (`ip netns exec` has made a mount namespace), and limits.
        let limit = self.pod.files.map_or_else(String::new, |limit| format!("ulimit -n {limit} && "));
        let script =
            format!("mount -t tmpfs -o mode=777 tmpfs /var/lib/istio/data && {limit}exec \"$0\" \"$@\"");
        let proxy = kubelet::container(object, "istio-proxy").context("no sidecar was injected")?;
        let mut environment = kubelet::environment(object, proxy)?;
        if !self.pod.stat_tags {
            environment.iter_mut().filter(|(name, _)| name == "PROXY_CONFIG").try_for_each(without_tags)?;
        }
        let mut command = netns::command(self.pod.name, "sh");
        command
            .args(["-c", &script, "setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"])
            .arg(around.agent)
            .args(kubelet::arguments(proxy, &environment))
            // What the image has elsewhere.
            .args(["--meshConfig", "proxy.yaml", "--templateFile", "envoy_bootstrap.json"])
            .envs(environment)
            // The mounted certificate (`etc/certs`) is the workload's, and shows istiod who asks.
            .env("PROV_CERT", folder.join("etc/certs"))
            .env("XDS_ROOT_CA", folder.join("etc/certs/root-cert.pem"))
            .env("CA_ROOT_CA", folder.join("etc/certs/root-cert.pem"));
        Process::start(
            command.current_dir(folder).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output),
        )
    }

    /// Where things are on this machine; the rest is in the container's `PROXY_CONFIG`.
    fn proxy_config(&self, around: &Surroundings<'_>) -> Value {
        json!({ "defaultConfig": {
            "binaryPath": around.envoy,
            "configPath": self.folder.join("etc/istio/proxy"),
            "controlPlaneAuthPolicy": "MUTUAL_TLS",
        } })
    }
}

/// As a pod has it that was there before meshwhy's labels.
fn without_tags((_, proxy_config): &mut (String, String)) -> Result<()> {
    let mut config: Value = serde_json::from_str(proxy_config)?;
    config.as_object_mut().context("no object")?.remove("extraStatTags");
    *proxy_config = config.to_string();
    Ok(())
}

fn own(folder: &Path) -> Result<()> {
    chown(folder, Some(PROXY_USER), Some(PROXY_USER))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            own(&path)?;
        } else {
            chown(path, Some(PROXY_USER), Some(PROXY_USER))?;
        }
    }
    Ok(())
}
