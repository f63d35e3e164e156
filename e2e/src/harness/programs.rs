//! The programs of the rig, built once from their Go modules into `target/istio`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::harness::tools::root;

/// Debian packages with the other programs of the rig.
pub const PACKAGES: &[crate::harness::tools::Needed] = &[
    ("kubectl", "kubernetes-client"),
    ("ip", "iproute2"),
    ("pgrep", "procps"),
    ("iptables", "iptables"),
    ("dnsmasq", "dnsmasq-base"),
    ("nginx", "nginx"),
    ("curl", "curl"),
    ("prometheus", "prometheus"),
];

/// A release of Istio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The newest that can be had.
    V1_31,
    /// An older one.
    V1_29,
}

impl Version {
    /// All that are tried.
    pub const ALL: &'static [Self] = &[Self::V1_31, Self::V1_29];

    /// `1.31`
    pub const fn id(self) -> &'static str {
        match self {
            Self::V1_31 => "1.31",
            Self::V1_29 => "1.29",
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The Kubernetes API server and its store.
    kubernetes: PathBuf,
    istio: PathBuf,
    /// The source of the same version: bootstrap template, CRDs.
    source: PathBuf,
}

impl Programs {
    /// Builds what is missing. `$ISTIO_PROGRAMS` may name a folder that has them in `kubernetes`, `1.31`, `1.29`, `ratelimit`, `helm`, `collector`.
    pub fn of(version: Version) -> Result<Self> {
        let folder = folder();
        let kubernetes = folder.join("kubernetes");
        let istio = folder.join(version.id());
        build("etcd", &[("etcd", "go.etcd.io/etcd/server/v3")], &kubernetes, "30 s")?;
        build(
            "kubernetes",
            &[("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver")],
            &kubernetes,
            "4 min",
        )?;
        let module = format!("istio-{}", version.id());
        let programs = [
            ("pilot-discovery", "istio.io/istio/pilot/cmd/pilot-discovery"),
            ("pilot-agent", "istio.io/istio/pilot/cmd/pilot-agent"),
            ("istioctl", "istio.io/istio/istioctl/cmd/istioctl"),
        ];
        build(&module, &programs, &istio, "7 min")?;
        Ok(Self { kubernetes, istio, source: source(&module)? })
    }

    /// etcd.
    pub fn etcd(&self) -> PathBuf {
        self.kubernetes.join("etcd")
    }

    /// The API server.
    pub fn kube_apiserver(&self) -> PathBuf {
        self.kubernetes.join("kube-apiserver")
    }

    /// istiod.
    pub fn pilot_discovery(&self) -> PathBuf {
        self.istio.join("pilot-discovery")
    }

    /// The agent beside each Envoy.
    pub fn pilot_agent(&self) -> PathBuf {
        self.istio.join("pilot-agent")
    }

    /// The command line tool.
    pub fn istioctl(&self) -> PathBuf {
        self.istio.join("istioctl")
    }

    /// Istio's custom resource definitions.
    pub fn crds(&self) -> PathBuf {
        self.source.join("manifests/charts/base/files/crd-all.gen.yaml")
    }

    /// The chart of istiod.
    pub fn istiod_chart(&self) -> PathBuf {
        self.source.join("manifests/charts/istio-control/istio-discovery")
    }

    /// The Gateway API's, as Istio's own tests have them.
    pub fn gateway_api_crds(&self) -> PathBuf {
        self.source.join("tests/integration/pilot/testdata/gateway-api-crd.yaml")
    }

    /// The template of Envoy's bootstrap.
    pub fn bootstrap(&self) -> PathBuf {
        self.source.join("tools/packaging/common/envoy_bootstrap.json")
    }
}

/// Envoy's rate limit service, built once.
pub fn ratelimit() -> Result<PathBuf> {
    let folder = folder().join("ratelimit");
    let package = "github.com/envoyproxy/ratelimit/src/service_cmd";
    build("ratelimit", &[("ratelimit", package)], &folder, "1 min")?;
    Ok(folder.join("ratelimit"))
}

/// Helm, built once.
pub fn helm() -> Result<PathBuf> {
    let folder = folder().join("helm");
    build("helm", &[("helm", "helm.sh/helm/v3/cmd/helm")], &folder, "2 min")?;
    Ok(folder.join("helm"))
}

/// An OpenTelemetry Collector that receives OTLP and writes JSON, built once.
pub fn collector() -> Result<PathBuf> {
    let folder = folder().join("collector");
    build("collector", &[("collector", "meshwhy/e2e/collector")], &folder, "2 min")?;
    Ok(folder.join("collector"))
}

/// Where the custom resource definitions of the Prometheus Operator are: in its module, of which nothing is built.
pub fn operator_crds() -> Result<PathBuf> {
    let module = "github.com/prometheus-operator/prometheus-operator";
    let fetched = go("prometheus-operator").args(["mod", "download", "-json", module]).output()?;
    let said: Value = serde_json::from_slice(&fetched.stdout).unwrap_or_default();
    let folder = said["Dir"].as_str().map(Path::new);
    let folder =
        folder.with_context(|| format!("{module} can't be had: {said} {}", last_line(&fetched.stderr)))?;
    Ok(folder.join("example/prometheus-operator-crd"))
}

fn folder() -> PathBuf {
    std::env::var_os("ISTIO_PROGRAMS").map_or_else(|| root().join("target/istio"), PathBuf::from)
}

/// Builds a module's programs (name, package) into a folder.
fn build(module: &str, programs: &[(&str, &str)], into: &Path, takes: &str) -> Result<()> {
    let there = || programs.iter().all(|(name, _)| into.join(name).exists());
    if there() {
        return Ok(());
    }
    fs::create_dir_all(into)?;
    let lock = File::create(into.join("lock"))?;
    lock.lock()?;
    if there() {
        return Ok(());
    }
    eprintln!("building {module} from its Go modules (about {takes} the first time)");
    let started = Instant::now();
    let work = tempfile::tempdir_in(into)?;
    for (name, package) in programs {
        let out = work.path().join(name);
        let built = go(module)
            .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
            .args([out.as_os_str(), package.as_ref()])
            .stdout(Stdio::null())
            .output()
            .context("Go is missing (https://go.dev/doc/install)")?;
        ensure!(built.status.success(), "{name} can't be built: {}", last_line(&built.stderr));
        fs::rename(&out, into.join(name))?;
        eprintln!("  {name}: after {} s", started.elapsed().as_secs());
    }
    Ok(())
}

/// The folder of Istio's source in Go's module cache; fetched if the programs are older than that.
fn source(module: &str) -> Result<PathBuf> {
    // By package: for some versions the proxy has the module, but not the record that `list -m` wants.
    let package = "istio.io/istio/pilot/cmd/pilot-agent";
    let listed = go(module).args(["list", "-f", "{{.Module.Dir}}", package]).output()?;
    let folder = PathBuf::from(String::from_utf8(listed.stdout)?.trim());
    ensure!(folder.is_dir(), "the source of Istio can't be had: {}", last_line(&listed.stderr));
    Ok(folder)
}

fn go(module: &str) -> Command {
    let usual = Path::new("/usr/local/go/bin/go");
    let mut command = Command::new(if usual.exists() { usual.as_os_str() } else { "go".as_ref() });
    command.current_dir(root().join("e2e/istio").join(module)).stdin(Stdio::null());
    command
}

fn last_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().lines().last().unwrap_or("no reason given").to_owned()
}
