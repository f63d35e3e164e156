//! A real Istio on one machine: a Kubernetes API server, istiod, and pods as network namespaces with
//! interception, sidecars and gateways, all inside [`sandbox`]es that leave nothing behind.

pub mod control_plane;
pub mod dns;
pub mod endpoints;
mod injector;
pub mod kube_proxy;
pub mod kubelet;
pub mod netns;
pub mod pki;
pub mod plan;
pub mod pod;
pub mod sandbox;
mod settled;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use self::control_plane::{ControlPlane, ISTIOD};
use self::dns::Dns;
use self::netns::HOST;
use self::pki::MeshCa;
pub use self::plan::{Plan, Service};
use self::pod::{Running, Surroundings};
use crate::harness::pki::Pki;
use crate::harness::process::Process;
use crate::harness::programs::{Programs, Version};
use crate::harness::{manifests, releases, tools};

/// Where the module is served inside the rig.
pub const MODULE_URL: &str = "http://10.89.0.1:8099/meshwhy.wasm";

/// A running Istio.
#[derive(Debug)]
pub struct Rig {
    /// Istio's release.
    pub version: Version,
    /// The control plane.
    pub plane: ControlPlane,
    pods: BTreeMap<&'static str, Running>,
    folder: PathBuf,
    generation: Cell<u32>,
    /// When every proxy had last forgotten what was deleted.
    deleted: Cell<Option<Instant>>,
    _module_server: Process,
    dns: Dns,
    names: Vec<(&'static str, &'static str)>,
    services: BTreeSet<&'static str>,
}

impl Rig {
    /// Starts everything and waits until it is ready.
    pub fn start(plan: &Plan) -> Result<Self> {
        let folder = Path::new(sandbox::FOLDER).join(plan.version.id());
        fs::create_dir_all(&folder)?;
        let programs = Programs::of(plan.version)?;
        let agent_folder = folder.join("programs");
        sandbox::show(programs.pilot_agent().parent().context("no folder")?, &agent_folder)?;
        let envoy = releases::envoy()?;
        let envoy_folder = folder.join("envoy");
        sandbox::show(envoy.parent().context("no folder")?, &envoy_folder)?;

        let dns = Dns::start(&folder)?;
        dns.add(ISTIOD, HOST)?;
        let pki = folder.join("pki");
        fs::create_dir_all(&pki)?;
        Pki::create(&pki)?;
        trust(&pki.join("ca.pem"), &folder)?;
        let ca = MeshCa::create()?;
        let mut mesh = default_mesh()?;
        if let Some(providers) = mesh["extensionProviders"].as_array_mut() {
            providers.extend(plan.providers.iter().cloned());
        }
        let plane = ControlPlane::start(&folder, &programs, &ca, &mesh, plan.is_ambient())?;

        let around = Surroundings {
            folder: &folder,
            pki: &pki,
            programs: &programs,
            agent: &agent_folder.join("pilot-agent"),
            envoy: &envoy_folder.join(envoy.file_name().context("no name")?),
            ca: &ca,
        };
        let addresses: BTreeMap<&str, String> =
            plan.pods.iter().zip(11..).map(|(pod, n)| (pod.name, format!("10.89.0.{n}"))).collect();
        for (name, pod) in &plan.names {
            dns.add(name, &addresses[pod])?;
        }
        create_objects(&plane, &dns, plan, &addresses, &mesh["defaultConfig"])?;
        let objects = created_pods(&plane)?;
        create_secrets(&plane, &pki, plan)?;
        for yaml in &plan.applied {
            plane.kubectl(&["apply", "-f", "-"], yaml)?;
        }
        kube_proxy::start(plan, &addresses)?;
        let module_server = serve_module(&folder)?;
        let mut pods = BTreeMap::new();
        for pod in &plan.pods {
            let object = objects.get(pod.name).context("the API server has no such pod");
            let running = object
                .and_then(|object| Running::start(pod, &addresses[pod.name], object, &around))
                .with_context(|| format!("pod {}", pod.name))?;
            pods.insert(pod.name, running);
        }
        for pod in pods.values_mut() {
            pod.wait()?;
        }
        let rig = Self {
            version: plan.version,
            plane,
            pods,
            folder,
            generation: Cell::new(0),
            deleted: Cell::new(None),
            _module_server: module_server,
            dns,
            names: plan.names.clone(),
            services: plan.services.iter().map(|service| service.name).collect(),
        };
        rig.settle()?;
        Ok(rig)
    }

    /// The rig's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A pod.
    pub fn pod(&self, name: &str) -> Result<&Running> {
        self.pods.get(name).with_context(|| format!("no pod {name}"))
    }

    /// All pods.
    pub fn pods(&self) -> impl Iterator<Item = &Running> {
        self.pods.values()
    }

    /// All pods with a proxy.
    pub fn proxies(&self) -> impl Iterator<Item = &Running> {
        self.pods().filter(|pod| pod.pod.has_proxy())
    }

    /// Lets a name outside of the cluster stand for this pod, or again for the one it was planned to.
    pub fn resolve(&self, name: &str, pod: Option<&str>) -> Result<()> {
        let planned = || self.names.iter().find(|(known, _)| *known == name).map(|(_, pod)| *pod);
        let pod = pod.or_else(planned).with_context(|| format!("the plan has no {name}"))?;
        self.dns.add(name, &self.pod(pod)?.address)
    }

    /// Lets a name outside of the cluster stand for the rig's own host.
    pub fn resolve_to_host(&self, name: &str) -> Result<()> {
        self.dns.add(name, HOST)
    }

    /// Whether the plan has a Service of this name.
    fn has_planned(&self, service: &str) -> bool {
        self.services.contains(service)
    }

    /// A number that no marker had yet.
    pub(super) fn next_generation(&self) -> u32 {
        let generation = self.generation.get() + 1;
        self.generation.set(generation);
        generation
    }
}

/// The mesh as meshwhy's own manifest wants it, on top of what many clusters have.
pub fn default_mesh() -> Result<Value> {
    let mut mesh = manifests::mesh_config()?;
    mesh["accessLogFile"] = "/dev/stdout".into();
    mesh["outboundTrafficPolicy"] = json!({ "mode": "ALLOW_ANY" });
    mesh["defaultConfig"]["discoveryAddress"] = format!("{ISTIOD}:15012").into();
    mesh["defaultConfig"]["concurrency"] = 1.into();
    // How long connections stay with the configuration that they began with; 45s by default.
    mesh["defaultConfig"]["drainDuration"] = "1s".into();
    Ok(mesh)
}

/// Pods, services and the endpoints that a controller would make.
fn create_objects(
    plane: &ControlPlane,
    dns: &Dns,
    plan: &Plan,
    addresses: &BTreeMap<&str, String>,
    proxy_config: &Value,
) -> Result<()> {
    let namespaces: BTreeSet<&str> = plan.pods.iter().map(|pod| pod.namespace).collect();
    let mut objects: Vec<Value> = namespaces
        .into_iter()
        .map(|name| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }))
        .collect();
    let mut pods: BTreeMap<&str, Value> =
        plan.pods.iter().map(|pod| (pod.name, pod.object(proxy_config))).collect();
    objects.extend(pods.values().cloned());
    objects.extend(may_read_secrets(plan));
    for (name, pod) in &mut pods {
        pod["status"]["podIP"] = addresses[name].as_str().into();
    }
    for (service, ip) in plan.services_with_addresses() {
        dns.add(&format!("{}.{}.svc.cluster.local", service.name, service.namespace), &ip)?;
        let ports: Vec<Value> = service
            .ports
            .iter()
            .map(|(name, port, target)| json!({ "name": name, "port": port, "targetPort": target }))
            .collect();
        let export = if service.private { "." } else { "*" };
        let annotations = json!({ "networking.istio.io/exportTo": export });
        let labels: BTreeMap<&str, &str> = service.labels.iter().copied().collect();
        let metadata = json!({ "name": service.name, "namespace": service.namespace, "labels": labels, "annotations": annotations });
        let object = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": { "clusterIP": ip, "selector": { "app": service.app }, "ports": ports },
        });
        objects.push(endpoints::slice(&object, plan.pods_of(service).map(|pod| &pods[pod.name])));
        objects.push(object);
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    plane.kubectl(&["apply", "--server-side", "-f", "-"], &list.to_string())?;
    for pod in &plan.pods {
        let ip = &addresses[pod.name];
        let status = json!({ "status": {
            "phase": "Running", "podIP": ip, "podIPs": [{ "ip": ip }],
            "conditions": [{ "type": "Ready", "status": "True" }],
        } });
        let patch = ["patch", "pod", pod.name, "-n", pod.namespace, "--subresource=status", "--type=merge"];
        plane.kubectl(&[&patch[..], &["-p", &status.to_string()]].concat(), "")?;
    }
    Ok(())
}

/// The pods as they came back from the API server, which had istiod inject sidecars.
fn created_pods(plane: &ControlPlane) -> Result<BTreeMap<String, Value>> {
    let all: Value = serde_json::from_str(&plane.kubectl(&["get", "pods", "-A", "-o", "json"], "")?)?;
    let all = all["items"].as_array().into_iter().flatten();
    let named = |pod: &Value| Some((pod["metadata"]["name"].as_str()?.to_owned(), pod.clone()));
    Ok(all.filter_map(named).collect())
}

/// istiod gives a proxy the secrets that its service account may read, asked by its name: the charts of gateways grant that.
fn may_read_secrets(plan: &Plan) -> [Value; 2] {
    let group = "rbac.authorization.k8s.io";
    let metadata = json!({ "name": "proxies-read-secrets" });
    let subjects: Vec<Value> = plan
        .pods
        .iter()
        .filter(|pod| pod.has_proxy())
        .map(|pod| json!({ "kind": "ServiceAccount", "name": pod.app, "namespace": pod.namespace }))
        .collect();
    [
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": metadata,
            "rules": [{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"] }],
        }),
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": "proxies-read-secrets" },
            "subjects": subjects,
        }),
    ]
}

/// Where gateways have a certificate (`*.test.com`) mounted: `tls.crt`, `tls.key`, and `ca.crt` that signed it.
pub const MOUNTED_CERTIFICATE: &str = "/var/lib/istio/ingressgateway-certs";

/// Secrets where gateways look for them, as `kubectl create secret tls` makes them.
fn create_secrets(plane: &ControlPlane, pki: &Path, plan: &Plan) -> Result<()> {
    for (name, certificate) in &plan.secrets {
        let (cert, key) = (pki.join(format!("{certificate}.pem")), pki.join(format!("{certificate}.key")));
        let (cert, key) = (format!("--cert={}", cert.display()), format!("--key={}", key.display()));
        plane.kubectl(&["create", "secret", "tls", name, "-n", "istio-system", &cert, &key], "")?;
    }
    let mounted = Path::new(MOUNTED_CERTIFICATE);
    fs::create_dir_all(mounted)?;
    fs::copy(pki.join("wildcard.pem"), mounted.join("tls.crt"))?;
    fs::copy(pki.join("wildcard.key"), mounted.join("tls.key"))?;
    fs::copy(pki.join("ca.pem"), mounted.join("ca.crt"))?;
    Ok(())
}

/// Adds an authority to those that this machine trusts, for the sandbox only.
fn trust(authority: &Path, folder: &Path) -> Result<()> {
    let trusted = "/etc/ssl/certs/ca-certificates.crt";
    // As it was before the first rig of this sandbox: authorities of the same name confuse whoever verifies.
    let original = Path::new(sandbox::FOLDER).join("ca-certificates.crt");
    if !original.exists() {
        fs::copy(trusted, &original).with_context(|| format!("{trusted} (package ca-certificates)"))?;
    }
    let mut bundle = fs::read(original)?;
    bundle.extend(fs::read(authority)?);
    let file = folder.join("ca-certificates.crt");
    fs::write(&file, bundle)?;
    sandbox::cover(trusted, &file)
}

/// A web server for the module, as a team would have one.
fn serve_module(folder: &Path) -> Result<Process> {
    let root = folder.join("module");
    fs::create_dir_all(&root)?;
    fs::copy(tools::module()?, root.join("meshwhy.wasm"))?;
    fs::copy(tools::module()?, "/var/lib/meshwhy/meshwhy.wasm")?;
    let config = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log; events {{}}\n\
         http {{ access_log {0}/access.log; client_body_temp_path {0}/b; proxy_temp_path {0}/p;\n\
         fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         server {{ listen {HOST}:8099; root {0}; }} }}\n",
        root.display()
    );
    fs::write(root.join("nginx.conf"), config)?;
    Process::start(
        std::process::Command::new(tools::program("nginx", "nginx")?)
            .arg("-p")
            .arg(&root)
            .arg("-c")
            .arg(root.join("nginx.conf"))
            .args(["-e", "error.log"])
            .stdin(std::process::Stdio::null()),
    )
}
