//! The Helm chart on the rig, by the real Helm: installed, upgraded and removed on a real API server, and what the proxies make of it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use xtask::manifests::Place;

use super::deployment::{self, BOTH_LOGS, HTTP_FILTER, NETWORK_FILTER, eventually};
use super::kubectl::Shell;
use super::story::counters;
use crate::harness::registry::{self, Registry};
use crate::harness::rig::netns::HOST;
use crate::harness::rig::{MODULE_URL, Rig, kubelet};
use crate::harness::{manifests, programs};

/// A port behind which nobody listens.
const ASKED: &str = "http://legacy:81/";

pub(super) struct Helm {
    program: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
}

impl Helm {
    pub(super) fn new(rig: &Rig) -> Result<Self> {
        let home = rig.folder().join("helm");
        Ok(Self { program: programs::helm()?, kubeconfig: rig.plane.kubeconfig(), home })
    }

    /// The chart as `make manifests` leaves it for the rig's module, in a folder of its own.
    pub(super) fn chart(&self) -> Result<String> {
        let place = Place { url: MODULE_URL.into(), namespace: None };
        let chart =
            manifests::rendered_chart(&place, &manifests::module_sha256()?, &self.home.join("chart"))?;
        Ok(chart.to_str().context("a path that is no text")?.to_owned())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .args(["-n", "istio-system"])
            .env("KUBECONFIG", &self.kubeconfig)
            // Nothing of whoever runs the tests.
            .env("HELM_CACHE_HOME", self.home.join("cache"))
            .env("HELM_CONFIG_HOME", self.home.join("config"))
            .env("HELM_DATA_HOME", self.home.join("data"))
            .stdin(Stdio::null());
        command
    }

    /// `helm test`: whether it passed, and what the pod said.
    fn test(&self, rig: &Rig) -> Result<(bool, String)> {
        let mut command = self.command(&["test", "meshwhy", "--timeout", "60s"]);
        let output = kubelet::with_pods_run(rig, "outside", &mut command)?;
        let pod = fs::read_to_string(rig.folder().join("meshwhy-module/output"))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((output.status.success(), pod + &said + &String::from_utf8_lossy(&output.stderr)))
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "helm {}: {said}", arguments.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// From nothing to nothing; afterwards the rig is as it was.
pub fn check(rig: &Rig) -> Result<()> {
    let helm = Helm::new(rig)?;
    let chart = &helm.chart()?;
    validates(rig, &helm, chart)?;
    rig.delete(&format!("{}\n---\n{BOTH_LOGS}", deployment::everything(rig)?))?;
    let played = play(rig, &helm, chart);
    let removed = if played.is_err() { helm.run(&["uninstall", "meshwhy"]).map(drop) } else { Ok(()) };
    deployment::deploy(rig)?;
    played.and(removed)
}

/// `istioctl validate` is content with what the chart comes to, whatever is chosen.
fn validates(rig: &Rig, helm: &Helm, chart: &str) -> Result<()> {
    let all = [
        "roles.blackHole=true,roles.accessLog=true,telemetry.diagnosedOnly=true,telemetry.tracing.enabled=true",
    ];
    let choices = manifests::AS_VALUES.iter().map(|(_, values)| *values).chain([&all[..]]);
    for values in choices {
        let sets = values.iter().flat_map(|value| ["--set", *value]);
        let command: Vec<&str> =
            ["template", "meshwhy", chart, "--skip-tests"].into_iter().chain(sets).collect();
        deployment::valid(rig, &helm.run(&command)?).with_context(|| format!("{values:?}"))?;
    }
    Ok(())
}

fn play(rig: &Rig, helm: &Helm, chart: &str) -> Result<()> {
    let notes = helm.run(&["install", "meshwhy", chart])?;
    ensure!(
        notes.contains("kubectl meshwhy status -A") && notes.contains("all sidecars and gateways"),
        "{notes}"
    );
    rig.settle()?;
    diagnoses(rig, "client")?;
    has_filters(rig, &["client", "elsewhere"], &["client", "elsewhere"])?;
    // What the notes say to look at.
    let shell = Shell::new(rig)?;
    let runs = format!("default/client         sidecar   {}   connection http", env!("CARGO_PKG_VERSION"));
    shell.until("kubectl meshwhy status", &[&runs, "upstream_refused"])?;
    shell.until(
        "kubectl meshwhy explain client --since 1m",
        &["upstream_refused (certain, by meshwhy's filter)"],
    )?;

    let (passed, said) = helm.test(rig)?;
    ensure!(passed && said.contains(&format!("{MODULE_URL} has ")), "{said}");

    // Narrower, by the label of a namespace that Helm looks up.
    rig.plane.kubectl(&["label", "namespace", "shop", "meshwhy=wanted"], "")?;
    let labelled = ["--set", "scope.mode=namespaces", "--set", "scope.namespaceLabels.meshwhy=wanted"];
    let notes = helm.run(&[&["upgrade", "meshwhy", chart], &labelled[..]].concat())?;
    ensure!(notes.contains("shop") && !notes.contains("all sidecars"), "{notes}");
    rig.settle()?;
    has_filters(rig, &["client", "elsewhere"], &["elsewhere"])?;
    rig.plane.kubectl(&["label", "namespace", "shop", "meshwhy-"], "")?;

    helm.run(&["rollback", "meshwhy", "1"])?;
    rig.settle()?;
    has_filters(rig, &["client", "elsewhere"], &["client", "elsewhere"])?;

    tested(rig, helm, chart)?;
    helm.run(&["uninstall", "meshwhy"])?;
    rig.settle()?;
    eventually(|| Ok(deployment::no_parts_left(rig).is_ok().then_some(())))
        .context("after helm uninstall")?;
    let left = rig.plane.kubectl(&["get", "wasmplugins,envoyfilters,telemetries", "-A", "-o", "name"], "")?;
    ensure!(!left.contains("meshwhy"), "{left}");
    Ok(())
}

/// What `helm test` says of modules and images that aren't there, or are others, and of an image in a registry that asks who pulls.
fn tested(rig: &Rig, helm: &Helm, chart: &str) -> Result<()> {
    let registry = Registry::start_asking(&rig.folder().join("helm-registry"), &format!("{HOST}:5001"))?;
    let digest = registry.push(&registry::built()?, "team/meshwhy", "test")?;
    let digest = digest.strip_prefix("sha256:").context("no sha256")?;
    let (account, password) = registry::ACCOUNT;
    let [server, user, password] =
        [("server", registry.address.as_str()), ("username", account), ("password", password)]
            .map(|(key, value)| format!("--docker-{key}={value}"));
    let create =
        ["create", "secret", "docker-registry", "pull", "-n", "istio-system", &server, &user, &password];
    rig.plane.kubectl(&create, "")?;
    namespace(rig, "nobody")?;
    let image = format!("oci://{}/team/meshwhy", registry.address);
    let (own, zeros) = (manifests::module_sha256()?, "1".repeat(64));
    let cases: &[(&str, &str, &str, Option<&str>)] = &[
        (MODULE_URL, &zeros, "", Some("not 1111")),
        (&MODULE_URL.replace("meshwhy.wasm", "nowhere.wasm"), &own, "", Some("404")),
        (&format!("{image}:test"), digest, "pull", None),
        (&format!("{image}:test@sha256:{digest}"), digest, "pull", None),
        (&format!("{image}:test"), &zeros, "pull", Some("not 1111")),
        (&format!("{image}:other"), digest, "pull", Some("404")),
        (&format!("{image}:test"), digest, "", Some("401")),
    ];
    for (url, sha256, secret, says) in cases {
        let sets = [
            format!("module.url={url}"),
            format!("module.sha256={sha256}"),
            format!("module.imagePullSecret={secret}"),
        ];
        let sets = sets.iter().flat_map(|set| ["--set-string", set.as_str()]);
        // No proxy gets it: only the test is looked at.
        let only = ["--set", "scope.mode=namespaces", "--set", "scope.namespaces={nobody}"];
        let upgrade = ["upgrade", "meshwhy", chart].into_iter().chain(sets).chain(only);
        helm.run(&upgrade.collect::<Vec<_>>())?;
        let (passed, said) = helm.test(rig)?;
        let expected = says.unwrap_or(" has ");
        ensure!(passed == says.is_none() && said.contains(expected), "{url} {sha256} {secret:?}: {said}");
    }
    rig.plane.kubectl(&["delete", "secret", "pull", "-n", "istio-system"], "").map(drop)
}

/// Makes it if it isn't there. Without a controller none ends, so it stays.
pub(super) fn namespace(rig: &Rig, name: &str) -> Result<()> {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    rig.plane.kubectl(&["apply", "-f", "-"], &namespace.to_string()).map(drop)
}

/// Which of these proxies have the filters.
fn has_filters(rig: &Rig, of: &[&str], expected: &[&str]) -> Result<()> {
    let mut found = Vec::new();
    eventually(|| {
        found.clear();
        for pod in of {
            let parts = deployment::parts_in(rig.pod(pod)?)?;
            if parts.contains(HTTP_FILTER) && parts.contains(NETWORK_FILTER) {
                found.push((*pod).to_owned());
            }
        }
        Ok((found == expected).then_some(()))
    })
    .with_context(|| format!("{expected:?} expected to have filters"))
}

/// A failure is counted, and named in the access log.
fn diagnoses(rig: &Rig, pod: &str) -> Result<()> {
    let before: u64 = counters(rig)?.values().sum();
    let mark = rig.pod(pod)?.printed();
    eventually(|| {
        rig.pod(pod)?.exec(&["curl", "-s", "-m", "5", ASKED])?;
        let after: u64 = counters(rig)?.values().sum();
        let is_told = rig.pod(pod)?.output_after(mark).contains("\"cause\":\"upstream_refused\"");
        Ok((is_told && after > before).then_some(()))
    })
    .with_context(|| format!("{pod}: no diagnosis"))
}
