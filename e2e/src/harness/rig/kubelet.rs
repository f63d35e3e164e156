//! What stands in for a kubelet: a `kubectl` that answers `logs` and `exec` itself and hands everything else to the real one, with
//! `kubectl meshwhy` beside it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::Rig;
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
