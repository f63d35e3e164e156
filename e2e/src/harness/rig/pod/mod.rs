//! Pods: a network namespace each, with applications, and a proxy where there is one.

mod agent;
mod application;
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

impl Proxy {
    /// What the agent is started as.
    const fn role(self) -> Option<&'static str> {
        match self {
            Self::Sidecar { .. } => Some("sidecar"),
            Self::Router => Some("router"),
            Self::Waypoint => Some("waypoint"),
            Self::None => None,
        }
    }
}

/// What stands for the node's ztunnel in a pod of the ambient mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ztunnel {
    /// Takes tunnels from waypoints, and sends what goes to services through this waypoint's.
    Runs(&'static str),
    /// istiod believes that it is there.
    Missing,
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

    fn is_intercepted(&self) -> bool {
        self.proxy == Proxy::Sidecar { redirected: true }
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
        let mut annotations = json!({});
        if self.ambient.is_some() {
            annotations["ambient.istio.io/redirection"] = "enabled".into();
        }
        let mut containers = vec![json!({ "name": "app", "image": "nginx" })];
        // As an injected pod has it.
        if let Some(role) = self.proxy.role() {
            containers.push(json!({ "name": "istio-proxy", "image": "proxyv2", "args": ["proxy", role] }));
        }
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": self.name, "namespace": self.namespace, "labels": labels, "annotations": annotations },
            "spec": {
                "serviceAccountName": self.app,
                "automountServiceAccountToken": false,
                "containers": containers,
            },
        })
    }
}
