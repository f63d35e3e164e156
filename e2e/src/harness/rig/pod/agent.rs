//! The proxy of a pod: interception, and Istio's agent, which starts Envoy.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Stdio;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Running, Surroundings};
use crate::harness::process::Process;
use crate::harness::rig::{control_plane, netns};
use crate::harness::tools::run;

/// The user that Istio's interception leaves alone.
const PROXY_USER: u32 = 1337;

impl Running {
    pub(super) fn intercept(&self, around: &Surroundings<'_>) -> Result<()> {
        if !self.pod.is_intercepted() {
            return Ok(());
        }
        let user = PROXY_USER.to_string();
        run(netns::command(self.pod.name, around.agent)
            .args(["istio-iptables", "-p", "15001", "-z", "15006", "-u", &user, "-g", &user])
            .args(["-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020"]))
    }

    pub(super) fn start_agent(&self, around: &Surroundings<'_>) -> Result<Process> {
        let folder = &self.folder;
        around.ca.issue(&folder.join("etc/certs"), self.pod.namespace, self.pod.app)?;
        fs::create_dir_all(folder.join("etc/istio/proxy"))?;
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
        let role = self.pod.proxy.role().unwrap_or("sidecar");
        let interception = if self.pod.is_intercepted() { "REDIRECT" } else { "NONE" };
        let mut command = netns::command(self.pod.name, "sh");
        command
            .args(["-c", &script, "setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"])
            .arg(around.agent)
            .args(["proxy", role, "--domain", &format!("{}.svc.cluster.local", self.pod.namespace)])
            .args(["--meshConfig", "proxy.yaml", "--concurrency", "1", "--templateFile"])
            .arg("envoy_bootstrap.json")
            .env("POD_NAME", self.pod.name)
            .env("POD_NAMESPACE", self.pod.namespace)
            .env("INSTANCE_IP", &self.address)
            .env("SERVICE_ACCOUNT", self.pod.app)
            .env("TRUST_DOMAIN", "cluster.local")
            // The mounted certificate (`etc/certs`) is the workload's, and shows istiod who asks.
            .env("PROV_CERT", folder.join("etc/certs"))
            .env("XDS_ROOT_CA", folder.join("etc/certs/root-cert.pem"))
            .env("CA_ROOT_CA", folder.join("etc/certs/root-cert.pem"))
            .env("ISTIO_META_WORKLOAD_NAME", self.pod.app)
            .env("ISTIO_META_CLUSTER_ID", "Kubernetes")
            .env("ISTIO_META_INTERCEPTION_MODE", interception)
            .env("ISTIO_METAJSON_LABELS", self.pod.object()["metadata"]["labels"].to_string());
        Process::start(
            command.current_dir(folder).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output),
        )
    }

    fn proxy_config(&self, around: &Surroundings<'_>) -> Value {
        json!({ "defaultConfig": {
            "binaryPath": around.envoy,
            "configPath": self.folder.join("etc/istio/proxy"),
            "discoveryAddress": format!("{}:15012", control_plane::ISTIOD),
            "controlPlaneAuthPolicy": "MUTUAL_TLS",
            "statusPort": 15020,
            // How long connections stay with the configuration that they began with; 45s by default.
            "drainDuration": "1s",
            "extraStatTags": if self.pod.stat_tags { around.stat_tags.clone() } else { json!([]) },
        } })
    }
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
