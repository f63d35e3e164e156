//! etcd, kube-apiserver and istiod: what `kubectl` and the proxies talk to.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::injector::{self, Injector};
use super::netns::HOST;
use super::pki::MeshCa;
use crate::harness::process::{Process, wait_for, wait_for_port};
use crate::harness::programs::Programs;
use crate::harness::tools::run;

/// istiod's name for proxies; port 15012.
pub const ISTIOD: &str = "istiod.istio-system.svc";

/// Where the API server's own port is without TLS, as its administrator.
const API_PROXY: u16 = 16080;

/// The running control plane.
#[derive(Debug)]
pub struct ControlPlane {
    folder: PathBuf,
    programs: Programs,
    _istiod: Process,
    _api_proxy: Process,
    _api: Process,
    _etcd: Process,
}

impl ControlPlane {
    /// Starts all of it with this mesh configuration, and waits until istiod is ready.
    pub fn start(
        folder: &Path,
        programs: &Programs,
        ca: &MeshCa,
        mesh: &Value,
        ambient: bool,
    ) -> Result<Self> {
        let etcd = start_etcd(folder, programs)?;
        let mut api = start_api_server(folder, programs)?;
        fs::write(folder.join("kubeconfig"), kubeconfig().to_string())?;
        write_mesh(folder, mesh)?;
        let kubectl = Kubectl { folder };
        wait_for("the Kubernetes API", || {
            ensure!(api.is_running(), "kube-apiserver ended: {}", tail(&folder.join("kube-apiserver.log")));
            std::thread::sleep(Duration::from_millis(100));
            Ok(kubectl.run(&["get", "--raw", "/readyz"], "").ok())
        })?;
        let crds = [programs.crds(), programs.gateway_api_crds()].map(|file| file.display().to_string());
        kubectl.run(&["apply", "--server-side", "-f", &crds[0], "-f", &crds[1]], "")?;
        let api_proxy = kubectl.start_proxy()?;
        let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=20s"];
        kubectl.run(&established, "")?;
        kubectl.run(&["create", "namespace", "istio-system"], "")?;
        let injector = Injector::new(folder, programs)?;
        kubectl.run(&["apply", "--server-side", "-f", "-"], &injector.templates)?;
        let mut istiod = start_istiod(folder, programs, ca, ambient)?;
        wait_for("istiod", || {
            ensure!(istiod.is_running(), "istiod ended: {}", tail(&folder.join("istiod.log")));
            std::thread::sleep(Duration::from_millis(50));
            Ok(get_istiod("/ready").ok())
        })?;
        let plane = Self {
            folder: folder.into(),
            programs: programs.clone(),
            _istiod: istiod,
            _api_proxy: api_proxy,
            _api: api,
            _etcd: etcd,
        };
        injector.start(&plane)?;
        Ok(plane)
    }

    /// Runs kubectl; what it printed.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String> {
        Kubectl { folder: &self.folder }.run(arguments, input)
    }

    /// Applies an object at this path of the API server. A fraction of what kubectl takes, which asks for all kinds first.
    pub fn apply_at(&self, path: &str, object: &Value) -> Result<()> {
        let url = format!("http://127.0.0.1:{API_PROXY}{path}?fieldManager=meshwhy&force=true");
        ureq::patch(&url).content_type("application/apply-patch+yaml").send(object.to_string())?;
        Ok(())
    }

    /// Runs istioctl; whether it was content, and what it printed.
    pub fn istioctl(&self, arguments: &[&str], input: &str) -> Result<(bool, String)> {
        let mut command = Command::new(self.programs.istioctl());
        with_input(command.args(arguments).env("KUBECONFIG", self.kubeconfig()), input)
    }

    /// The file for `KUBECONFIG`.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A path of istiod's HTTP port.
    pub fn istiod(&self, path: &str) -> Result<String> {
        get_istiod(path)
    }

    /// What each connected proxy was sent and has acknowledged.
    pub fn sync_status(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.istiod("/debug/syncz")?)?)
    }

    /// The mesh configuration that istiod has.
    pub fn mesh(&self) -> Result<Value> {
        Ok(serde_json::from_str(&fs::read_to_string(self.folder.join("mesh.yaml"))?)?)
    }

    /// Replaces the mesh configuration; istiod picks it up by itself.
    pub fn set_mesh(&self, mesh: &Value) -> Result<()> {
        write_mesh(&self.folder, mesh)
    }

    /// What a kubelet does for istiod: its file is what the ConfigMap of its chart says, for this revision.
    pub fn mount_mesh(&self, revision: &str) -> Result<()> {
        let name = format!("istio-{revision}");
        let text = ["get", "configmap", &name, "-n", "istio-system", "-o", "jsonpath={.data.mesh}"];
        self.set_mesh(&serde_norway::from_str(&self.kubectl(&text, "")?)?)
    }
}

fn get_istiod(path: &str) -> Result<String> {
    let url = format!("http://127.0.0.1:15080{path}");
    Ok(ureq::get(&url).call()?.body_mut().with_config().limit(1 << 30).read_to_string()?)
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

struct Kubectl<'a> {
    folder: &'a Path,
}

impl Kubectl<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .arg("--cache-dir")
            .arg(self.folder.join("cache"))
            .args(arguments);
        command
    }

    fn start_proxy(&self) -> Result<Process> {
        let port = format!("--port={API_PROXY}");
        let mut proxy = daemon(&mut self.command(&["proxy", &port]), self.folder.join("kubectl-proxy.log"))?;
        wait_for_port(API_PROXY, &mut proxy)?;
        Ok(proxy)
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = self.command(arguments);
        let (ok, out) = with_input(&mut command, input)?;
        ensure!(ok, "kubectl {}: {}", arguments.join(" "), out.trim());
        Ok(out)
    }
}

/// Runs a command; whether it succeeded, and what it printed.
fn with_input(command: &mut Command, input: &str) -> Result<(bool, String)> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't run {}", command.get_program().display()))?;
    // Who wants none of it closes early.
    let _ = child.stdin.take().context("no stdin")?.write_all(input.as_bytes());
    let output = child.wait_with_output()?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), text))
}

fn daemon(command: &mut Command, log: PathBuf) -> Result<Process> {
    let log = File::create(log)?;
    Process::start(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log))
}

fn start_etcd(folder: &Path, programs: &Programs) -> Result<Process> {
    let (client, peer) = ("http://127.0.0.1:12379", "http://127.0.0.1:12380");
    daemon(
        Command::new(programs.etcd())
            .arg("--data-dir")
            .arg(folder.join("etcd"))
            .args(["--listen-client-urls", client, "--advertise-client-urls", client])
            .args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
            .args(["--initial-cluster", "default=http://127.0.0.1:12380", "--unsafe-no-fsync"]),
        folder.join("etcd.log"),
    )
}

fn start_api_server(folder: &Path, programs: &Programs) -> Result<Process> {
    let key = folder.join("sa.key");
    run(Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048"))?;
    let tokens = folder.join("tokens.csv");
    fs::write(&tokens, "admintoken,admin,admin,system:masters\n")?;
    daemon(
        Command::new(programs.kube_apiserver())
            .args(["--etcd-servers", "http://127.0.0.1:12379"])
            .args(["--secure-port", "16443", "--bind-address", "127.0.0.1"])
            .args(["--advertise-address", HOST, "--cert-dir"])
            .arg(folder.join("kubernetes-certs"))
            .args(["--service-account-issuer", "https://kubernetes.default.svc"])
            .arg("--service-account-key-file")
            .arg(&key)
            .arg("--service-account-signing-key-file")
            .arg(&key)
            .arg("--token-auth-file")
            .arg(&tokens)
            .args(["--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16"])
            // No controllers run that would make the accounts it asks for.
            .args(["--disable-admission-plugins", "ServiceAccount", "--allow-privileged=true"]),
        folder.join("kube-apiserver.log"),
    )
}

fn start_istiod(folder: &Path, programs: &Programs, ca: &MeshCa, ambient: bool) -> Result<Process> {
    let certs = folder.join("istiod-certs");
    ca.issue_server(&certs, ISTIOD)?;
    daemon(
        Command::new(programs.pilot_discovery())
            .arg("discovery")
            .arg("--kubeconfig")
            .arg(folder.join("kubeconfig"))
            .arg("--meshConfig")
            .arg(folder.join("mesh.yaml"))
            .args(["--grpcAddr", "", "--httpAddr", "127.0.0.1:15080"])
            .args(["--httpsAddr", &format!("{HOST}:{}", injector::PORT)])
            .args(["--secureGRPCAddr", &format!("{HOST}:15012"), "--monitoringAddr", "127.0.0.1:15014"])
            .args(["--ctrlz_port", "0"])
            .arg("--tlsCertFile")
            .arg(certs.join("cert-chain.pem"))
            .arg("--tlsKeyFile")
            .arg(certs.join("key.pem"))
            .arg("--caCertFile")
            .arg(certs.join("root-cert.pem"))
            // Istio's own C++ filters are not in the stock Envoy.
            .env("PILOT_ENABLE_METADATA_EXCHANGE", "false")
            .env("PILOT_ENABLE_ALPN_FILTER", "false")
            .env("ENABLE_CA_SERVER", "false")
            .env("PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER", "false")
            .env("PILOT_ENABLE_AMBIENT", ambient.to_string())
            // Between networks waypoints use filters that are not in the stock Envoy.
            .env("AMBIENT_ENABLE_MULTI_NETWORK_WAYPOINT", "false")
            .env("VALIDATION_WEBHOOK_CONFIG_NAME", "")
            .env("INJECTION_WEBHOOK_CONFIG_NAME", injector::NAME)
            .env("REVISION", "default")
            .env("POD_NAMESPACE", "istio-system")
            .env("POD_NAME", "istiod-0")
            .env("CLUSTER_ID", "Kubernetes"),
        folder.join("istiod.log"),
    )
}

fn kubeconfig() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "rig", "cluster": {
            "server": "https://127.0.0.1:16443", "insecure-skip-tls-verify": true } }],
        "users": [{ "name": "admin", "user": { "token": "admintoken" } }],
        "contexts": [{ "name": "rig", "context": { "cluster": "rig", "user": "admin" } }],
        "current-context": "rig",
    })
}

fn write_mesh(folder: &Path, mesh: &Value) -> Result<()> {
    // Never seen half written.
    let (new, file) = (folder.join("mesh.yaml.new"), folder.join("mesh.yaml"));
    fs::write(&new, mesh.to_string())?;
    Ok(fs::rename(new, file)?)
}
