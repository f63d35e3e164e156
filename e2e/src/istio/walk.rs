//! From a cluster with Istio alone to the first diagnosed failure: what the README says under "Install on Istio" and how it goes on, and
//! `docs/traces.md`, command by command as they stand there.
//!
//! What stands in for what the rig lacks: Istio's Helm repository is one of the rig's, with istiod's chart from Istio's Go module; the
//! rig's istiod runs in place of the Deployment that this chart makes, and reads the ConfigMap that it makes, for a revision beside the rig's own; the proxies have had
//! `extraStatTags` in their bootstrap since they started, so none is restarted; nginx is `files.example.com`; Prometheus is told of the pods.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use meshwhy::causes::manual::PageSection;
use serde_json::Value;

use super::deployment::{self, BOTH_LOGS, eventually};
use super::kubectl::Shell;
use super::traces;
use crate::harness::collector::{Collector, Span};
use crate::harness::process::Process;
use crate::harness::programs::Programs;
use crate::harness::prometheus::Prometheus;
use crate::harness::rig::netns::HOST;
use crate::harness::rig::{Rig, kubelet};
use crate::harness::tools::{self, root};
use crate::harness::{documents, page};
use crate::monitoring::scrape;

/// The host of the README's `MODULE_URL`.
const FILES: &str = "files.example.com";

/// The chart's: names without one are those of the rig's own injector.
const REVISION: &str = "readme";

/// What it all comes to.
const CAUSE: &str = "gateway_without_http_routes";

/// Walks it; the rig is as it was afterwards.
pub fn check(rig: &Rig) -> Result<()> {
    let mesh = rig.plane.mesh()?;
    let mistake = page::text(PageSection::GatewayTermination, "broken.yaml")?;
    rig.delete(&format!("{}\n---\n{BOTH_LOGS}", deployment::everything(rig)?))?;
    let shell = Shell::new(rig)?.with_helm(rig)?;
    let (collector, service) = traces::collector(rig)?;
    let walked = istio_alone(rig, &shell)
        .and_then(|()| rig.apply(&service))
        .and_then(|()| walk(rig, &shell, &collector, &mistake));
    // What a walk that ended early has left.
    for release in ["meshwhy", "istiod"] {
        shell.run(&format!("helm uninstall {release} -n istio-system"))?;
    }
    rig.plane.set_mesh(&mesh)?;
    rig.delete(&format!("{mistake}\n---\n{service}"))?;
    deployment::deploy(rig)?;
    walked
}

/// As a cluster is before somebody hears of meshwhy: Istio from its chart, with neither an access log nor a tracer.
fn istio_alone(rig: &Rig, shell: &Shell) -> Result<()> {
    let charts = rig.folder().join("module/charts");
    fs::create_dir_all(&charts)?;
    let chart = Programs::of(rig.version)?.istiod_chart();
    let (chart, charts) = (chart.display(), charts.display());
    for line in [
        format!("helm package {chart} -d {charts}"),
        format!("helm repo index {charts} --url http://{HOST}:8099/charts"),
        format!("helm repo add istio http://{HOST}:8099/charts"),
        // Its own filters in C++ are not in the stock Envoy.
        format!(
            "helm install istiod istio/istiod -n istio-system --set telemetry.enabled=false --set revision={REVISION}"
        ),
    ] {
        shell.succeeds(&line)?;
    }
    rig.plane.mount_mesh(REVISION)?;
    eventually(|| Ok((!meshs_providers(rig)?.contains("meshwhy")).then_some(()))).context("istiod's mesh")
}

/// What istiod makes of its file.
fn meshs_providers(rig: &Rig) -> Result<String> {
    let mesh: Value = serde_json::from_str(&rig.plane.istiod("/debug/mesh")?)?;
    Ok(mesh["extensionProviders"].to_string())
}

fn walk(rig: &Rig, shell: &Shell, collector: &Collector, mistake: &str) -> Result<()> {
    let readme = documents::read("README.md")?;
    let (install, play) = (
        documents::section(&readme, "## Install on Istio")?,
        documents::section(&readme, "## On a real Istio, in five minutes")?,
    );
    let commands = documents::commands(install);
    ensure!(commands.len() == 3, "three commands to install: {commands:#?}");
    let command = |text: &str, begins: &str| {
        let mut all = documents::commands(text).into_iter().chain(documents::inline(text));
        all.find(|line| line.starts_with(begins)).with_context(|| format!("no {begins:?}"))
    };

    // Three commands to install. The module goes where the first one says that it will be.
    let files = rig.folder().join("files");
    rig.resolve_to_host(FILES)?;
    let (make, rest) = commands.split_first().context("no command")?;
    shell.succeeds(make)?;
    let _server = serve(rig, &files, &root().join("dist/meshwhy.wasm"))?;
    for line in rest {
        shell.succeeds(line)?;
    }
    rig.plane.mount_mesh(REVISION)?;
    eventually(|| Ok(meshs_providers(rig)?.contains("meshwhy").then_some(()))).context("istiod's mesh")?;
    // And the cause on spans.
    let traces = documents::read("docs/traces.md")?;
    shell.succeeds(&command(&traces, "helm upgrade meshwhy")?)?;
    rig.settle()?;
    let prometheus = prometheus(rig)?;
    let status = command(install, "kubectl meshwhy status")?;
    let client = format!("default/client         sidecar   {}   connection http", env!("CARGO_PKG_VERSION"));
    shell.until(&status, &[&client])?;
    let tested =
        kubelet::with_pods_run(rig, "outside", &mut shell.command(&command(install, "helm test meshwhy")?))?;
    ensure!(tested.status.success(), "{tested:?}");

    // One mistake, and a client who feels it.
    rig.apply(mistake)?;
    let asked = command(play, "kubectl exec outside -- curl -sik ")?;
    shell.until(&asked, &["HTTP/2 404"])?;
    let traced = command(&traces, "kubectl exec")?;
    let (id, traced) = traced_request(&traced, &asked)?;
    shell.until(&traced, &["HTTP/2 404"])?;

    // In the access log, in words, in Prometheus, in a span, and in the status.
    shell.until(&command(play, "sleep 2; kubectl logs")?, &[&format!("\"cause\":\"{CAUSE}\"")])?;
    shell.until(&command(play, "kubectl meshwhy explain")?, &[CAUSE])?;
    shell.until(&status, &[&format!("{CAUSE} 2")])?;
    let query = format!("meshwhy_failures_total{{cause=\"{CAUSE}\", pod=\"ingress\"}}");
    let counted = eventually(|| {
        let series = prometheus.query(&query)?;
        Ok(series.first().and_then(|one| one["value"][1].as_str().map(str::to_owned)))
    })
    .context("nothing in Prometheus")?;
    ensure!(counted == "2", "{counted} in Prometheus");
    let span = eventually(|| {
        let named = |span: &Span| span.text("guid:x-client-trace-id") == id;
        Ok(collector.spans()?.into_iter().find(named))
    })
    .with_context(|| format!("no span of {id}"))?;
    ensure!(span.text("meshwhy.cause") == CAUSE && !span.text("meshwhy.fix").is_empty(), "{span:#?}");

    // The fix that they all name, and then nothing of it is left.
    shell.succeeds(&command(play, "kubectl patch virtualservice httpbin")?)?;
    shell.until(&command(play, "kubectl exec outside -- curl -sikf ")?, &["HTTP/2 200"])?;
    shell.succeeds(&command(install, "helm uninstall meshwhy")?)?;
    rig.settle()?;
    eventually(|| Ok(deployment::no_parts_left(rig).is_ok().then_some(()))).context("after helm uninstall")
}

/// The id of the document's request, and the request, to the host of the README's.
fn traced_request(line: &str, like: &str) -> Result<(String, String)> {
    let url = like.split_whitespace().find(|word| word.starts_with("https://")).context("no URL")?;
    let header = line.split('"').nth(1).context("no header")?;
    let id = header.strip_prefix("x-client-trace-id: ").context("no id")?.to_owned();
    let line = line.replace("deploy/CLIENT", "outside").replace("http://nowhere.example.com/", url);
    Ok((id, line.replace("curl -s ", "curl -sik ")))
}

/// Over TLS, by an authority that every pod trusts.
fn serve(rig: &Rig, folder: &Path, module: &Path) -> Result<Process> {
    fs::create_dir_all(folder)?;
    fs::copy(module, folder.join("meshwhy.wasm"))?;
    let certificate = rig.folder().join("pki/server");
    let config = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log; events {{}}\n\
         http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p;\n\
         fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         server {{ listen {HOST}:443 ssl; root {0}; ssl_certificate {1}.pem; ssl_certificate_key {1}.key; }} }}\n",
        folder.display(),
        certificate.display()
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config)?;
    Process::start(
        Command::new(tools::program("nginx", "nginx")?)
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr"])
            .stdin(Stdio::null()),
    )
}

/// With the shipped scrape configuration. Debian's can't ask the API for pods, so it is told of all those with a proxy.
fn prometheus(rig: &Rig) -> Result<Prometheus> {
    let proxies: Vec<(&str, &str)> = rig.proxies().map(|pod| (pod.pod.name, pod.address.as_str())).collect();
    Prometheus::start(rig.folder(), &format!("{HOST}:9090"), &scrape::config_for(&proxies)?)
}
