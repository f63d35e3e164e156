//! What stands in for a kubelet: a `kubectl` that answers `logs` and `exec` itself and hands everything else to the real one, with
//! `kubectl meshwhy` beside it; and what runs pods that end by themselves.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Rig, netns};
use crate::harness::programs::Programs;
use crate::harness::tools;

/// The name under which kubectl looks for the plugin.
const PLUGIN: &str = "kubectl-meshwhy";

/// One container for each pod; the agent is the pod's own.
const SCRIPT: &str = r#"#!/bin/sh
verb=$1; pod=; lines=+1; follow=
case "$verb" in logs | exec) ;; *) exec KUBECTL "$@" ;; esac
shift
while [ $# -gt 0 ]; do
  case "$1" in
  --) shift; break ;;
  -n | -c | --namespace | --container) shift ;;
  --tail=*) lines=${1#--tail=} ;;
  -f | --follow) follow=-f ;;
  -*) ;;
  *) pod=${1#pod/} ;;
  esac
  shift
done
if [ "$verb" = logs ]; then exec tail -n "$lines" $follow "PODS/$pod/output"; fi
if [ "$1" = pilot-agent ]; then shift; set -- AGENT "$@"; fi
exec ip netns exec "$pod" "$@"
"#;

/// Runs a command that makes pods which end by themselves (`restartPolicy: Never`), and meanwhile these pods, in this pod's network.
pub fn with_pods_run(rig: &Rig, network: &str, command: &mut Command) -> Result<Output> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    while child.try_wait()?.is_none() {
        let pending = ["get", "pods", "-A", "--field-selector=status.phase=Pending", "-o", "json"];
        let pods: Value = serde_json::from_str(&rig.plane.kubectl(&pending, "")?)?;
        for pod in pods["items"].as_array().into_iter().flatten() {
            if pod["spec"]["restartPolicy"] == "Never" && pod["metadata"]["deletionTimestamp"].is_null() {
                run_to_end(rig, network, pod)?;
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(child.wait_with_output()?)
}

/// Its one container: the command, variables, user and read-only file system are the pod's, the programs this machine's (no image is fetched).
fn run_to_end(rig: &Rig, network: &str, pod: &Value) -> Result<()> {
    let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (name, namespace) = (text("/metadata/name"), text("/metadata/namespace"));
    let containers = pod["spec"]["containers"].as_array().context("no containers")?;
    ensure!(containers.len() == 1, "{name} has {} containers", containers.len());
    let container = &containers[0];
    let is_read_only = container["securityContext"]["readOnlyRootFilesystem"] == true;
    let user = pod["spec"]["securityContext"]["runAsUser"].as_u64().unwrap_or(0).to_string();
    let words = ["command", "args"].into_iter().filter_map(|key| container[key].as_array()).flatten();
    let mount = if is_read_only { "mount -o remount,bind,ro / && " } else { "" };
    let mut process = netns::command(network, "sh");
    process
        .args(["-c", &format!("{mount}exec \"$0\" \"$@\"")])
        .args(["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "--no-new-privs"])
        .args(words.filter_map(Value::as_str))
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null());
    for variable in container["env"].as_array().into_iter().flatten() {
        let key = variable["name"].as_str().context("a variable without a name")?;
        process.env(key, value_of(rig, namespace, variable)?);
    }
    let output = process.output()?;
    let folder = rig.folder().join(name);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("output"), [output.stdout, output.stderr].concat())?;
    let (phase, reason) =
        if output.status.success() { ("Succeeded", "Completed") } else { ("Failed", "Error") };
    let ended = json!({ "exitCode": output.status.code().unwrap_or(-1), "reason": reason });
    let status = json!({ "status": { "phase": phase, "containerStatuses": [{
        "name": container["name"], "image": container["image"], "imageID": "", "ready": false, "restartCount": 0,
        "state": { "terminated": ended },
    }] } });
    let patch = ["patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p"];
    rig.plane.kubectl(&[&patch[..], &[&status.to_string()]].concat(), "").map(drop)
}

/// Its own text, or what a Secret has.
fn value_of(rig: &Rig, namespace: &str, variable: &Value) -> Result<String> {
    let reference = &variable["valueFrom"]["secretKeyRef"];
    let (Some(secret), Some(key)) = (reference["name"].as_str(), reference["key"].as_str()) else {
        return Ok(variable["value"].as_str().unwrap_or_default().to_owned());
    };
    let template = format!("go-template={{{{index .data \"{key}\" | base64decode}}}}");
    rig.plane.kubectl(&["get", "secret", secret, "-n", namespace, "-o", &template], "")
}

/// If this program was started as kubectl's plugin: what it came to. Programs that start a rig ask this first.
pub fn as_plugin() -> Option<ExitCode> {
    let program = std::env::args_os().next()?;
    (Path::new(&program).file_name()? == PLUGIN).then(meshwhy_cli::command::main)
}

/// Puts both into a folder, for the front of `PATH`; this program is the plugin.
pub fn stand_in(rig: &Rig) -> Result<PathBuf> {
    let folder = rig.folder().join("kubelet");
    fs::create_dir_all(&folder)?;
    let kubectl = tools::program("kubectl", "kubernetes-client")?;
    let agent = Programs::of(rig.version)?.pilot_agent();
    let mut script = SCRIPT.to_owned();
    for (name, path) in [("KUBECTL", &kubectl), ("AGENT", &agent), ("PODS", &rig.folder().to_owned())] {
        script = script.replace(name, path.to_str().context("a path that is no text")?);
    }
    let shim = folder.join("kubectl");
    fs::write(&shim, script)?;
    fs::set_permissions(&shim, Permissions::from_mode(0o755))?;
    let plugin = folder.join(PLUGIN);
    if !plugin.exists() {
        symlink(std::env::current_exe()?, plugin)?;
    }
    Ok(folder)
}
