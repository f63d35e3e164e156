//! The overlays of `envoyfilter/`, rendered by kubectl: what each consists of. What they do is shown on the rig (`e2e/src/istio/overlays.rs`).

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::harness::manifests::{self, OVERLAYS};
use e2e::harness::tools::{self, Needed};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use xtask::manifests::Place;

const KUBECTL: Needed = ("kubectl", "kubernetes-client");
const URLS: [&str; 2] = ["https://files.test/meshwhy.wasm", "oci://registry.test/meshwhy:1"];

/// Each overlay's namespace and resources; of those in another one, that as well.
const EXPECTED: &[(&str, &str, &[&str])] = &[
    (
        "mesh-wide",
        "istio-system",
        &[
            "EnvoyFilter/meshwhy-passthrough",
            "Telemetry/meshwhy",
            "WasmPlugin/meshwhy-connection",
            "WasmPlugin/meshwhy-http",
        ],
    ),
    (
        "gateways-only",
        "istio-system",
        &["Telemetry/meshwhy", "WasmPlugin/meshwhy-connection", "WasmPlugin/meshwhy-http"],
    ),
    (
        "one-namespace",
        "default",
        &[
            "EnvoyFilter/meshwhy-passthrough",
            "Telemetry/meshwhy",
            "WasmPlugin/meshwhy-connection",
            "WasmPlugin/meshwhy-http",
        ],
    ),
    ("log-only", "istio-system", &["EnvoyFilter/meshwhy-log-only", "Telemetry/meshwhy"]),
    (
        "access-logger-only",
        "istio-system",
        &["EnvoyFilter/meshwhy-access-log", "EnvoyFilter/meshwhy-access-log-http"],
    ),
    (
        "waypoints",
        "istio-system",
        &[
            "EnvoyFilter/meshwhy-tunnels-waypoints",
            "Telemetry/default/meshwhy-waypoints",
            "WasmPlugin/meshwhy-connection-waypoints",
            "WasmPlugin/meshwhy-http-waypoints",
        ],
    ),
    (
        "access-logger-waypoints",
        "istio-system",
        &[
            "EnvoyFilter/default/meshwhy-access-log-http-waypoints",
            "EnvoyFilter/default/meshwhy-access-log-waypoints",
        ],
    ),
];

fn main() {
    let arguments = Arguments::from_args();
    let missing = if arguments.list { BTreeSet::new() } else { tools::install([KUBECTL]) };
    let lacks = (!missing.is_empty()).then_some(KUBECTL.0);
    let trials = EXPECTED.iter().map(|(name, namespace, resources)| {
        let check = move || {
            let mut checks = URLS.iter().map(|url| check(name, url, namespace, resources));
            checks.find(Result::is_err).unwrap_or(Ok(())).map_err(|e| Failed::from(format!("{e:#}")))
        };
        tools::unless_lacking(Trial::test(format!("overlay/{name}"), check), lacks)
    });
    let all = Trial::test("every_overlay_is_looked_at", || {
        let looked_at: Vec<&str> = EXPECTED.iter().map(|(name, ..)| *name).collect();
        if looked_at == OVERLAYS { Ok(()) } else { Err(Failed::from(format!("{OVERLAYS:?}"))) }
    });
    libtest_mimic::run(&arguments, trials.chain([all]).collect()).exit();
}

fn check(name: &str, url: &str, namespace: &str, expected: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hash = "a".repeat(64);
    for chosen in [None, Some("shop")] {
        let place = Place { url: url.into(), namespace: chosen.map(str::to_owned) };
        let overlay = manifests::overlay(name, &place, &hash, folder.path())?;
        let namespace = chosen.filter(|_| name == "one-namespace").unwrap_or(namespace);
        rendered_as(&overlay, url, namespace, expected)?;
    }
    Ok(())
}

fn rendered_as(overlay: &Path, url: &str, namespace: &str, expected: &[&str]) -> Result<()> {
    let hash = "a".repeat(64);
    let output =
        Command::new(tools::program(KUBECTL.0, KUBECTL.1)?).arg("kustomize").arg(overlay).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rendered = String::from_utf8(output.stdout)?;
    ensure!(!rendered.contains("REPLACE-ME") && !rendered.contains("0000000000"), "{rendered}");
    // Whoever fetches it, WasmPlugin or EnvoyFilter, takes no other.
    let fetching = rendered.matches(&format!(": {url}\n")).count();
    let pinned = rendered.matches(&format!("sha256: {hash}\n")).count();
    let mounted = overlay.ends_with("access-logger-only") || overlay.ends_with("access-logger-waypoints");
    ensure!(fetching == pinned && (fetching > 0 || mounted), "{rendered}");
    let mut resources = BTreeSet::new();
    for document in rendered.split("\n---\n") {
        let resource: Value = serde_norway::from_str(document)?;
        let metadata = &resource["metadata"];
        let text = |value: &'_ Value| value.as_str().map(str::to_owned);
        let kind = text(&resource["kind"]).context("no kind")?;
        let name = text(&metadata["name"]).context("no name")?;
        let own = text(&metadata["namespace"]).context("no namespace")?;
        let place = if own == namespace { String::new() } else { format!("{own}/") };
        resources.insert(format!("{kind}/{place}{name}"));
    }
    ensure!(resources.iter().eq(expected), "{resources:?}");
    Ok(())
}
