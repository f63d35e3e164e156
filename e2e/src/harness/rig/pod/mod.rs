//! Pods: a network namespace each, with applications, and a proxy where there is one.

mod agent;
mod application;
mod kubelet;
mod running;
mod ztunnel;

use meshwhy::causes::manual::PageSection;
use serde_json::{Value, json};

use application::Application;
pub use running::{Running, Surroundings};
pub use ztunnel::DENIED_PORT;

/// How a pod's proxy gets its traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proxy {
    /// A sidecar; whether traffic is redirected to it.
    Sidecar { redirected: bool },
    /// A gateway.
    Router,
    /// A waypoint of the ambient mesh.
    Waypoint,
    /// No proxy at all.
    None,
}

/// What stands for the node's ztunnel in a pod of the ambient mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ztunnel {
    /// Takes tunnels from waypoints, and sends what goes to services through this waypoint's.
    Runs(&'static str),
    /// istiod believes that it is there.
    Missing,
    /// A firewall drops what is sent to it.
    Unreachable,
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
    ambient: Option<Ztunnel>,
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
        Self::new(name, Proxy::Router).label("istio", "ingressgateway").namespace("istio-system")
    }

    /// A waypoint, for the Gateway of this name.
    pub fn waypoint(name: &'static str) -> Self {
        Self::new(name, Proxy::Waypoint)
            .label("gateway.networking.k8s.io/gateway-name", name)
            .label("gateway.networking.k8s.io/gateway-class-name", "istio-waypoint")
            .label("gateway.istio.io/managed", "istio.io-mesh-controller")
            .label("istio.io/dataplane-mode", "none")
    }

    /// A pod of the ambient mesh, whose services are behind this waypoint.
    pub fn ambient(name: &'static str, waypoint: &'static str) -> Self {
        Self { ambient: Some(Ztunnel::Runs(waypoint)), ..Self::new(name, Proxy::None) }
    }

    /// A pod of the ambient mesh whose node's ztunnel is gone.
    pub fn ambient_without_ztunnel(name: &'static str) -> Self {
        Self { ambient: Some(Ztunnel::Missing), ..Self::new(name, Proxy::None) }
    }

    /// A pod of the ambient mesh, and a firewall that lets nothing through to its node's ztunnel.
    pub fn ambient_behind_firewall(name: &'static str) -> Self {
        Self { ambient: Some(Ztunnel::Unreachable), ..Self::new(name, Proxy::None) }
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
            ambient: None,
        }
    }

    /// With another label `app`.
    #[must_use]
    pub fn app(mut self, app: &'static str) -> Self {
        self.app = app;
        self
    }

    /// In this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: &'static str) -> Self {
        self.namespace = namespace;
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

    /// nginx with a file of the page; what it leaves open is filled in.
    #[must_use]
    pub fn nginx_page(
        mut self,
        section: PageSection,
        file: &'static str,
        fill: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.serves.push(Application::NginxPage(section, file, fill));
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

    /// Whether it is a waypoint.
    pub fn is_waypoint(&self) -> bool {
        self.proxy == Proxy::Waypoint
    }

    /// Its Pod object, as its owner writes it: the injector adds the rest. A waypoint's is istiod's own, with these defaults for proxies.
    pub fn object(&self, proxy_config: &Value) -> Value {
        let mut labels = json!({ "app": self.app });
        let mut annotations = json!({});
        let mut containers = vec![json!({ "name": "app", "image": "nginx" })];
        let mut volumes = json!([]);
        match self.proxy {
            Proxy::Sidecar { redirected } => {
                labels["sidecar.istio.io/inject"] = "true".into();
                annotations["sidecar.istio.io/userVolume"] = json!([volume()]).to_string().into();
                annotations["sidecar.istio.io/userVolumeMount"] = json!([mount()]).to_string().into();
                if !redirected {
                    annotations["sidecar.istio.io/interceptionMode"] = "NONE".into();
                }
            }
            Proxy::Router => {
                labels["sidecar.istio.io/inject"] = "true".into();
                annotations["inject.istio.io/templates"] = "gateway".into();
                // Its template knows no annotations for volumes.
                let proxy = json!({ "name": "istio-proxy", "image": "auto", "volumeMounts": [mount()] });
                (containers, volumes) = (vec![proxy], json!([volume()]));
            }
            Proxy::Waypoint => {
                let mut proxy = waypoint_container(proxy_config);
                proxy["volumeMounts"] = json!([mount()]);
                (containers, volumes) = (vec![proxy], json!([volume()]));
            }
            Proxy::None => {}
        }
        for (key, value) in &self.labels {
            labels[*key] = (*value).into();
        }
        if self.ambient.is_some() {
            annotations["ambient.istio.io/redirection"] = "enabled".into();
        }
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": self.name, "namespace": self.namespace, "labels": labels, "annotations": annotations },
            "spec": {
                "serviceAccountName": self.app,
                "automountServiceAccountToken": false,
                "containers": containers,
                "volumes": volumes,
            },
        })
    }
}

/// Where the module is for the role `access_log`, as the head of `base/envoyfilter-access-log.yaml` has it.
fn volume() -> Value {
    json!({ "name": "meshwhy", "configMap": { "name": "meshwhy" } })
}

fn mount() -> Value {
    json!({ "name": "meshwhy", "mountPath": "/var/lib/meshwhy", "readOnly": true })
}

/// As istiod's deployment controller writes it, which doesn't run here.
fn waypoint_container(proxy_config: &Value) -> Value {
    let field =
        |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } });
    json!({
        "name": "istio-proxy", "image": "proxyv2",
        "args": ["proxy", "waypoint", "--domain", "$(POD_NAMESPACE).svc.cluster.local"],
        "env": [
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("INSTANCE_IP", "status.podIP"),
            field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
            field("ISTIO_META_WORKLOAD_NAME", "metadata.name"),
            { "name": "PROXY_CONFIG", "value": proxy_config.to_string() },
            { "name": "TRUST_DOMAIN", "value": "cluster.local" },
            { "name": "ISTIO_META_CLUSTER_ID", "value": "Kubernetes" },
            { "name": "ISTIO_META_INTERCEPTION_MODE", "value": "REDIRECT" },
        ],
    })
}
