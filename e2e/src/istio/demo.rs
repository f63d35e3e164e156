//! A real Istio for a person: it stays up, and `kubectl`, `istioctl` and the pods are at hand in any shell.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::{Context as _, Result};
use meshwhy::causes::manual::PageSection;

use super::stories;
use crate::harness::programs::{Programs, Version};
use crate::harness::rig::endpoints::Controller;
use crate::harness::rig::{MODULE_URL, Rig, kubelet, sandbox};
use crate::harness::tools::root;
use crate::harness::{manifests, page};

/// What the walk in the README applies: the mistakes of these sections, under names of their own.
const EXAMPLES: &[(&str, PageSection)] = &[
    ("https-to-http-port.yaml", PageSection::HttpsToHttpPort),
    ("gateway-termination.yaml", PageSection::GatewayTermination),
    ("gateway-passthrough.yaml", PageSection::GatewayPassthrough),
    ("double-tls.yaml", PageSection::DoubleTls),
];

/// Starts it, says how to use it, and waits for Ctrl-C.
pub fn run() -> Result<()> {
    let folder = root().join("target/istio/demo");
    // One that was killed leaves its commands.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    println!("Starting etcd, kube-apiserver, istiod and the pods ...");
    let version = Version::V1_31;
    let rig = Rig::start(&stories::plan(version))?;
    write_files(&rig, &folder, version)?;
    println!("{}", guide(&rig, &folder));
    let (ended, end) = std::sync::mpsc::channel();
    ctrlc::set_handler(move || ended.send(()).unwrap_or_default())?;
    let mut services = Controller::default();
    while end.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
        if let Err(error) = services.reconcile(&rig) {
            eprintln!("{error:#}");
        }
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}

fn write_files(rig: &Rig, folder: &Path, version: Version) -> Result<()> {
    let sha256 = manifests::module_sha256()?;
    let (shipped, examples, programs) = (folder.join("meshwhy"), folder.join("page"), folder.join("bin"));
    for folder in [&shipped, &examples, &programs] {
        fs::create_dir_all(folder)?;
    }
    for name in manifests::NAMES {
        fs::write(shipped.join(name), manifests::rendered(name, MODULE_URL, &sha256)?)?;
    }
    for (name, section) in EXAMPLES {
        fs::write(examples.join(name), page::text(*section, "broken.yaml")?)?;
    }
    let istioctl = Programs::of(version)?.istioctl();
    let kubelet = kubelet::stand_in(rig)?;
    let config = rig.plane.kubeconfig();
    let environment = format!("env KUBECONFIG={} ", config.display());
    let commands = [
        // By its path: these commands may stand before it in PATH. The plugin finds the stand-in first.
        ("kubectl", format!("{environment} PATH=\"{0}:$PATH\" {0}/kubectl \"$@\"", kubelet.display())),
        ("istioctl", format!("{environment} {} \"$@\"", istioctl.display())),
    ];
    for (name, command) in commands {
        write_command(&programs.join(name), &command)?;
    }
    Ok(())
}

/// A script that runs a command inside the sandbox, in the same working folder.
fn write_command(file: &Path, command: &str) -> Result<()> {
    let outside = sandbox::outside().context("not in a sandbox")?;
    let script = format!(
        "#!/bin/sh\n\
         inside=$(pgrep -P {outside} | head -n 1)\n\
         [ -n \"$inside\" ] || {{ echo 'make demo-istio is not running' >&2; exit 1; }}\n\
         exec nsenter -t \"$inside\" -m -n -p -- sh -c 'cd \"$0\" && exec {}' \"$PWD\" \"$@\"\n",
        command.replace('\'', "'\\''")
    );
    fs::write(file, script)?;
    Ok(fs::set_permissions(file, Permissions::from_mode(0o755))?)
}

fn guide(rig: &Rig, folder: &Path) -> String {
    let shown = folder.strip_prefix(root()).unwrap_or(folder).display();
    let pods: Vec<&str> = rig.pods().map(|pod| pod.pod.name).collect();
    format!(
        "\nA real Istio runs: {} pods ({}).\nIn another terminal, in this folder:\n\n\
         \x20 export PATH=\"$PWD/{shown}/bin:$PATH\"\n\
         \x20 kubectl get pods -A                       # a real API server\n\
         \x20 istioctl analyze -A\n\
         \x20 kubectl apply -f {shown}/meshwhy/         # deploys meshwhy\n\
         \x20 kubectl apply -f {shown}/page/gateway-termination.yaml\n\
         \x20 kubectl exec outside -- curl -sik https://httpbin.example.com/   # 404\n\
         \x20 kubectl logs -n istio-system ingress --tail=3   # the access log, with the cause\n\
         \x20 kubectl meshwhy explain pod/ingress -n istio-system   # the same in words\n\
         \x20 kubectl meshwhy status -A                 # meshwhy in each proxy, and what it counted\n\n\
         Ctrl-C ends it; nothing stays behind.",
        pods.len(),
        pods.join(", "),
    )
}
