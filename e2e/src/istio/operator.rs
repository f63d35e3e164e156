//! The Prometheus Operator's kinds on a real API server with the operator's own definitions, which validate them: as shipped, and by the
//! chart. The operator itself doesn't run: what it would write into Prometheus' configuration is `monitoring::scrape`.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::deployment::eventually;
use super::helm::{Helm, namespace};
use crate::harness::rig::Rig;
use crate::harness::tools::root;
use crate::harness::{documents, programs};

/// Definition, and what is shipped of it.
const KINDS: [(&str, &str); 2] =
    [("podmonitors", "podmonitor.yaml"), ("prometheusrules", "monitoring/prometheusrule.yaml")];

/// Applies them; nothing of it is left.
pub fn check(rig: &Rig) -> Result<()> {
    let crds = programs::operator_crds()?;
    let files: Vec<String> = KINDS
        .iter()
        .map(|(kind, _)| crds.join(format!("monitoring.coreos.com_{kind}.yaml")).display().to_string())
        .collect();
    let files: Vec<&str> = files.iter().flat_map(|file| ["-f", file]).collect();
    // Too long for the annotation of an apply on the client's side.
    rig.plane.kubectl(&[&["apply", "--server-side"], &files[..]].concat(), "")?;
    let wait = ["wait", "--for=condition=Established", "--timeout=20s"];
    rig.plane.kubectl(&[&wait[..], &files[..]].concat(), "")?;
    let checked = shipped(rig).and_then(|()| by_the_chart(rig));
    rig.plane.kubectl(&[&["delete", "--wait=false"], &files[..]].concat(), "")?;
    checked
}

fn shipped(rig: &Rig) -> Result<()> {
    let apply = ["apply", "--server-side", "--validate=strict", "-f", "-"];
    for (kind, name) in KINDS {
        let text = documents::read(&format!("envoyfilter/{name}"))?;
        served(rig, kind)?;
        rig.plane.kubectl(&apply, &text).with_context(|| name.to_owned())?;
        // That it would be refused otherwise: another type, and a key that there isn't.
        for (right, wrong) in
            [("spec:\n", "spec:\n  unknown: 1\n"), ("metadata:\n  name: meshwhy\n", "metadata:\n  name: 7\n")]
        {
            ensure!(text.contains(right), "{name} has no {right:?}");
            let refused = rig.plane.kubectl(&apply, &text.replacen(right, wrong, 1));
            ensure!(refused.is_err(), "{name} with {wrong:?}: {refused:?}");
        }
        rig.plane.kubectl(&["delete", "-f", "-"], &text)?;
    }
    let monitor = documents::read("envoyfilter/podmonitor.yaml")?;
    let refused = rig.plane.kubectl(&apply, &monitor.replace("interval: 15s", "interval: 15 seconds"));
    let said = refused.err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(said.contains("interval"), "{said}");
    Ok(())
}

/// An API server takes a moment to serve a kind that has just been defined.
fn served(rig: &Rig, kind: &str) -> Result<()> {
    eventually(|| Ok(rig.plane.kubectl(&["get", kind, "-A"], "").ok().map(drop)))
        .with_context(|| kind.to_owned())
}

fn by_the_chart(rig: &Rig) -> Result<()> {
    let helm = Helm::new(rig)?;
    let chart = helm.chart()?;
    namespace(rig, "nobody")?;
    namespace(rig, "observability")?;
    // No proxy gets anything.
    let values = [
        "scope.mode=namespaces",
        "scope.namespaces={nobody}",
        "monitoring.podMonitor.enabled=true",
        "monitoring.prometheusRule.enabled=true",
        "monitoring.prometheusRule.labels.release=prometheus",
        "monitoring.dashboard.enabled=true",
        "monitoring.namespace=observability",
        "docsUrl=https://docs.test/meshwhy",
    ];
    let values = values.iter().flat_map(|value| ["--set", value]);
    helm.run(&["install", "meshwhy", &chart].into_iter().chain(values).collect::<Vec<_>>())?;
    let list = ["get", "podmonitors,prometheusrules,configmaps", "-n", "observability", "-o", "yaml"];
    let made = rig.plane.kubectl(&list, "");
    helm.run(&["uninstall", "meshwhy"])?;
    let made = made?;
    for part in [
        "kind: PodMonitor",
        "kind: PrometheusRule",
        "release: prometheus",
        "name: meshwhy-dashboard",
        "https://docs.test/meshwhy/causes.md#",
    ] {
        ensure!(made.contains(part), "no {part:?} in {made}");
    }
    let left = rig.plane.kubectl(
        &["get", "podmonitors,prometheusrules,configmaps", "-n", "observability", "-o", "name"],
        "",
    )?;
    ensure!(!left.contains("meshwhy"), "{left}");
    // The chart has the same files as `kubectl apply`.
    let same = |name: &str| -> Result<bool> {
        Ok(fs::read(root().join("envoyfilter").join(name))? == fs::read(format!("{chart}/files/{name}"))?)
    };
    for (_, name) in KINDS {
        ensure!(same(name)?, "{name} differs");
    }
    Ok(())
}
