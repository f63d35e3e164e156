//! Pods: a network namespace each, with applications, and a sidecar or gateway where there is one.

use std::fs::{self, File, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::netns;
use super::page;
use super::pki::MeshCa;
use super::programs::Programs;
use crate::client::{Seen, status_in};
use crate::envoy::{Sample, parse};
use crate::peers::process::{Process, wait_for};
use crate::tools::{self, run};

/// The user that Istio's interception leaves alone.
const PROXY_USER: u32 = 1337;

/// How a pod's proxy gets its traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proxy {
    /// A sidecar; whether traffic is redirected to it.
    Sidecar { redirected: bool },
    /// A gateway.
    Router,
    /// No proxy at all.
    None,
}

/// An application in a pod.
#[derive(Debug, Clone)]
enum Application {
    /// nginx with the inside of a `server` block.
    Nginx(String),
    /// nginx with a configuration of the page: section, number, and what fills its gaps.
    NginxPage(&'static str, usize, &'static [(&'static str, &'static str)]),
    /// A program that listens on this port.
    Program(u16, &'static [&'static str]),
}

/// What a pod is to be.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Its name, and its namespace's.
    pub name: &'static str,
    /// The Kubernetes namespace.
    pub namespace: &'static str,
    /// The label `app`.
    pub app: &'static str,
    /// More labels.
    pub labels: Vec<(&'static str, &'static str)>,
    proxy: Proxy,
    serves: Vec<Application>,
    files: Option<u32>,
    stat_tags: bool,
}

impl Pod {
    /// A pod with a sidecar, its traffic redirected to it.
    pub fn sidecar(name: &'static str) -> Self {
        Self::new(name, Proxy::Sidecar { redirected: true })
    }

    /// A pod whose sidecar gets only what is sent to its own listeners (interception mode NONE).
    pub fn sidecar_without_interception(name: &'static str) -> Self {
        Self::new(name, Proxy::Sidecar { redirected: false })
    }

    /// Istio's ingress gateway.
    pub fn gateway(name: &'static str) -> Self {
        let mut pod = Self::new(name, Proxy::Router).label("istio", "ingressgateway");
        pod.namespace = "istio-system";
        pod
    }

    /// A pod outside of the mesh, or a host outside of the cluster.
    pub fn without_proxy(name: &'static str) -> Self {
        Self::new(name, Proxy::None)
    }

    fn new(name: &'static str, proxy: Proxy) -> Self {
        let labels = if proxy == Proxy::None { vec![] } else { vec![("meshwhy", "mounted")] };
        Self {
            name,
            namespace: "default",
            app: name,
            labels,
            proxy,
            serves: Vec::new(),
            files: None,
            stat_tags: true,
        }
    }

    /// With another label `app`.
    #[must_use]
    pub fn app(mut self, app: &'static str) -> Self {
        self.app = app;
        self
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, key: &'static str, value: &'static str) -> Self {
        self.labels.push((key, value));
        self
    }

    /// nginx on this port; every answer names the pod.
    #[must_use]
    pub fn serving(self, port: u16) -> Self {
        let name = self.name;
        let answer = format!("return 200 \"{name} $server_protocol\\n\";");
        self.nginx(format!("listen {port}; location / {{ {answer} }}"))
    }

    /// nginx with the inside of a `server` block; `{pki}` is the folder of the certificates.
    #[must_use]
    pub fn nginx(mut self, block: impl Into<String>) -> Self {
        self.serves.push(Application::Nginx(block.into()));
        self
    }

    /// nginx with a block of the page; what it leaves open is filled in.
    #[must_use]
    pub fn nginx_page(
        mut self,
        section: &'static str,
        index: usize,
        fill: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.serves.push(Application::NginxPage(section, index, fill));
        self
    }

    /// A program that listens on this port; it runs in a folder of its own with an `index.html`.
    #[must_use]
    pub fn program(mut self, port: u16, command: &'static [&'static str]) -> Self {
        self.serves.push(Application::Program(port, command));
        self
    }

    /// With so few file descriptors for the proxy.
    #[must_use]
    pub fn open_files(mut self, limit: u32) -> Self {
        self.files = Some(limit);
        self
    }

    /// Started before meshwhy's labels went into the mesh configuration (`extraStatTags`).
    #[must_use]
    pub fn without_stat_tags(mut self) -> Self {
        self.stat_tags = false;
        self
    }

    /// Whether it has a proxy.
    pub fn has_proxy(&self) -> bool {
        self.proxy != Proxy::None
    }

    /// Its Pod object.
    pub fn object(&self) -> Value {
        let mut labels = json!({ "app": self.app });
        if matches!(self.proxy, Proxy::Sidecar { .. }) {
            labels["security.istio.io/tlsMode"] = "istio".into();
        }
        for (key, value) in &self.labels {
            labels[*key] = (*value).into();
        }
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": self.name, "namespace": self.namespace, "labels": labels },
            "spec": {
                "serviceAccountName": self.app,
                "automountServiceAccountToken": false,
                "containers": [{ "name": "app", "image": "nginx" }],
            },
        })
    }
}

/// What all pods share.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The rig's folder; each pod gets one of its own in it.
    pub folder: &'a Path,
    /// Where certificates of servers lie.
    pub pki: &'a Path,
    /// The programs.
    pub programs: &'a Programs,
    /// Where every user can reach the agent and Envoy.
    pub agent: &'a Path,
    /// Envoy.
    pub envoy: &'a Path,
    /// The mesh's authority.
    pub ca: &'a MeshCa,
    /// `extraStatTags` of the mesh's default configuration.
    pub stat_tags: &'a Value,
}

/// A pod that runs.
#[derive(Debug)]
pub struct Running {
    /// What it is.
    pub pod: Pod,
    /// Its address.
    pub address: String,
    folder: PathBuf,
    _servers: Vec<Process>,
    proxy: Option<Process>,
}

impl Running {
    /// Starts what is in it; the proxy may still be on its way ([`Self::wait`]).
    pub fn start(pod: &Pod, address: &str, around: &Surroundings<'_>) -> Result<Self> {
        netns::add(pod.name, address)?;
        let folder = around.folder.join(pod.name);
        fs::create_dir_all(&folder)?;
        // As in Kubernetes: any user may listen on any port.
        run(netns::command(pod.name, "sysctl").args(["-qw", "net.ipv4.ip_unprivileged_port_start=0"]))?;
        let mut servers = Vec::new();
        for (number, application) in pod.serves.iter().enumerate() {
            let folder = folder.join(format!("application-{number}"));
            fs::create_dir_all(&folder)?;
            servers.push(application.start(pod, &folder, around)?);
        }
        let mut running =
            Self { pod: pod.clone(), address: address.into(), folder, _servers: servers, proxy: None };
        if pod.has_proxy() {
            running.intercept(around)?;
            running.proxy = Some(running.start_agent(around)?);
        }
        Ok(running)
    }

    /// Waits until its proxy is ready.
    pub fn wait(&mut self) -> Result<()> {
        let Some(mut proxy) = self.proxy.take() else { return Ok(()) };
        let ready = wait_for(&format!("the proxy of {}", self.pod.name), || {
            if !proxy.is_running() {
                bail!("the agent of {} ended: {}", self.pod.name, self.tail());
            }
            let ready = self.get(15021, "/healthz/ready").is_ok();
            if !ready {
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(ready.then_some(()))
        });
        self.proxy = Some(proxy);
        ready.with_context(|| self.tail())
    }

    /// Runs a program in it.
    pub fn exec(&self, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Result<Seen> {
        let (program, rest) = arguments.split_first().context("no program")?;
        let output = netns::command(self.pod.name, program).args(rest).stdin(Stdio::null()).output()?;
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok(Seen { status: status_in(&text), exit: output.status.code().unwrap_or(-1), text })
    }

    /// `GET path` on the proxy's admin interface.
    pub fn admin(&self, path: &str) -> Result<String> {
        self.get(15000, path)
    }

    /// `POST path` on the proxy's admin interface.
    pub fn admin_post(&self, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:15000{path}");
        netns::within(self.pod.name, || Ok(ureq::post(&url).send_empty()?.body_mut().read_to_string()?))
    }

    /// Whether a cluster or listener that it has acknowledged is not in use yet.
    pub fn is_warming(&self) -> Result<bool> {
        let stats = self.admin("/stats?filter=warming")?;
        Ok(stats.lines().any(|line| line.rsplit_once(": ").is_some_and(|(_, count)| count != "0")))
    }

    /// meshwhy's samples, as Prometheus gets them from the agent.
    pub fn meshwhy_samples(&self) -> Result<Vec<Sample>> {
        let samples = parse(&self.get(15020, "/stats/prometheus")?);
        Ok(samples.into_iter().filter(|s| s.name.starts_with("meshwhy_")).collect())
    }

    /// `GET` on a port of the pod itself.
    pub fn get(&self, port: u16, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:{port}{path}");
        netns::within(self.pod.name, || {
            Ok(ureq::get(&url).call()?.body_mut().with_config().limit(1 << 30).read_to_string()?)
        })
    }

    /// What the proxy's container has printed: the agent's and Envoy's own log, and the access log.
    pub fn output(&self) -> String {
        fs::read_to_string(self.folder.join("output")).unwrap_or_default()
    }

    /// The last lines in which its proxy spoke of trouble.
    pub fn troubles(&self) -> Option<String> {
        let output = self.output();
        let troubled = |line: &&str| {
            ["\twarning\t", "\twarn\t", "\terror\t", "\tcritical\t"].iter().any(|l| line.contains(l))
        };
        let lines: Vec<&str> = output.lines().filter(troubled).collect();
        let last = lines[lines.len().saturating_sub(4)..].join("\n  ");
        (!last.is_empty()).then(|| format!("{}:\n  {last}", self.pod.name))
    }

    fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    fn intercept(&self, around: &Surroundings<'_>) -> Result<()> {
        if self.pod.proxy != (Proxy::Sidecar { redirected: true }) {
            return Ok(());
        }
        let user = PROXY_USER.to_string();
        run(netns::command(self.pod.name, around.agent)
            .args(["istio-iptables", "-p", "15001", "-z", "15006", "-u", &user, "-g", &user])
            .args(["-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020"]))
    }

    fn start_agent(&self, around: &Surroundings<'_>) -> Result<Process> {
        let folder = &self.folder;
        around.ca.issue(&folder.join("etc/certs"), self.pod.namespace, self.pod.app)?;
        fs::create_dir_all(folder.join("etc/istio/proxy"))?;
        let template = folder.join("envoy_bootstrap.json");
        fs::copy(around.programs.bootstrap(), &template)?;
        fs::set_permissions(&template, Permissions::from_mode(0o644))?;
        fs::write(folder.join("proxy.yaml"), self.proxy_config(around).to_string())?;
        let output = File::options().create(true).append(true).open(folder.join("output"))?;
        own(folder)?;

        let user = PROXY_USER.to_string();
        // As in a container: a place of its own for Wasm modules (`ip netns exec` has made a mount namespace), and limits.
        let limit = self.pod.files.map_or_else(String::new, |limit| format!("ulimit -n {limit} && "));
        let script =
            format!("mount -t tmpfs -o mode=777 tmpfs /var/lib/istio/data && {limit}exec \"$0\" \"$@\"");
        let role = if self.pod.proxy == Proxy::Router { "router" } else { "sidecar" };
        let interception =
            if self.pod.proxy == (Proxy::Sidecar { redirected: true }) { "REDIRECT" } else { "NONE" };
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
            "discoveryAddress": format!("{}:15012", super::control_plane::ISTIOD),
            "controlPlaneAuthPolicy": "MUTUAL_TLS",
            "statusPort": 15020,
            // How long connections stay with the configuration that they began with; 45s by default.
            "drainDuration": "1s",
            "extraStatTags": if self.pod.stat_tags { around.stat_tags.clone() } else { json!([]) },
        } })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.proxy.take();
        self._servers.clear();
        let _ = netns::remove(self.pod.name);
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

impl Application {
    fn start(&self, pod: &Pod, folder: &Path, around: &Surroundings<'_>) -> Result<Process> {
        match self {
            Self::Nginx(block) => {
                let block = block.replace("{pki}", &around.pki.display().to_string());
                start_nginx(pod, folder, &format!("server {{ server_name _; {block} }}"))
            }
            Self::NginxPage(section, index, fill) => {
                start_nginx(pod, folder, &page::filled(section, *index, fill)?)
            }
            Self::Program(port, command) => {
                fs::write(folder.join("index.html"), format!("{}\n", pod.name))?;
                let (program, arguments) = command.split_first().context("no program")?;
                let mut command = netns::command(pod.name, program);
                command.args(arguments).current_dir(folder);
                start_application(pod, folder, *port, &mut command)
            }
        }
    }
}

fn start_nginx(pod: &Pod, folder: &Path, servers: &str) -> Result<Process> {
    let here = folder.display();
    let config = format!(
        "daemon off; master_process off; pid {here}/pid; error_log {here}/error.log;\n\
         events {{ worker_connections 512; }}\n\
         http {{ access_log {here}/access.log; client_body_temp_path {here}/b; proxy_temp_path {here}/p;\n\
         fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;\n\
         {servers} }}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config)?;
    let port = servers
        .split_once("listen ")
        .and_then(|(_, rest)| rest.split([' ', ';']).next())
        .and_then(|listen| listen.rsplit(':').next()?.parse().ok())
        .context("no port in the server block")?;
    let mut command = netns::command(pod.name, tools::program("nginx", "nginx")?);
    command.arg("-p").arg(folder).arg("-c").arg(&file).args(["-e", "error.log"]);
    start_application(pod, folder, port, &mut command)
}

/// Starts a server and waits until it listens.
fn start_application(pod: &Pod, folder: &Path, port: u16, command: &mut Command) -> Result<Process> {
    let log = File::create(folder.join("output"))?;
    let mut process = Process::start(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log))?;
    wait_for(&format!("port {port} in {}", pod.name), || {
        if !process.is_running() {
            bail!("it ended: {}", fs::read_to_string(folder.join("output")).unwrap_or_default());
        }
        Ok(netns::within(pod.name, || Ok(TcpStream::connect(("127.0.0.1", port))?)).ok())
    })?;
    Ok(process)
}
