//! Envoy's bootstrap, built from the few things in which scenarios differ.
//!
//! Texts may hold placeholders that are filled in when the scenario runs: `{server:NAME}` is a
//! server's port, `{pki}` the folder of certificates, `{folder}` Envoy's own folder.

use serde_json::{Value, json};

use super::config_log::{file_log, other_logs};

/// Which roles of the filter are installed, each with its configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Roles {
    /// HTTP filter.
    pub http: Option<Value>,
    /// Network filter on every chain.
    pub connection: Option<Value>,
    /// Access logger on the listeners, and on connection managers behind a native access-log filter.
    pub access_log: Option<Value>,
    /// Whether filters are installed whose configuration is wrong on purpose.
    pub runtime_failure_policy: FailurePolicy,
}

/// What Envoy does when the VM fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// As shipped.
    #[default]
    Open,
    /// As a user may have set it.
    Closed,
}

impl Roles {
    /// All three, as recommended.
    pub fn all() -> Self {
        Self {
            http: Some(json!({"role": "http"})),
            connection: Some(json!({"role": "connection"})),
            access_log: Some(json!({"role": "access_log"})),
            ..Self::default()
        }
    }

    /// All three; every stream and connection that succeeds is looked at, and everything is logged.
    pub fn observing() -> Self {
        let observing = |role: &str| json!({"role": role, "observe_every": 1, "log": "all"});
        Self {
            http: Some(observing("http")),
            connection: Some(observing("connection")),
            access_log: Some(json!({"role": "access_log"})),
            ..Self::default()
        }
    }

    /// The HTTP role alone.
    pub fn http_only() -> Self {
        Self { http: Some(json!({"role": "http"})), ..Self::default() }
    }

    /// The access logger alone.
    pub fn access_log_only() -> Self {
        Self { access_log: Some(json!({"role": "access_log"})), ..Self::default() }
    }

    /// None.
    pub fn none() -> Self {
        Self::default()
    }
}

/// A whole proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    listeners: Vec<Listener>,
    clusters: Vec<Value>,
    roles: Roles,
    node: String,
    patch: Value,
    ulimit: Vec<&'static str>,
}

/// A listener on a free port of the loopback.
#[derive(Debug, Clone)]
pub struct Listener {
    name: &'static str,
    chains: Vec<Chain>,
    default: Option<Chain>,
    patch: Value,
}

/// A filter chain.
#[derive(Debug, Clone)]
struct Chain {
    kind: Kind,
    http_filters: Vec<Value>,
    network_filters: Vec<Value>,
    /// Applied one after the other: a patch's null removes what is there, so they can't be merged beforehand.
    filter_patches: Vec<Value>,
    chain_patch: Value,
}

#[derive(Debug, Clone)]
enum Kind {
    Http(Value),
    Tcp(&'static str),
}

/// Applies an RFC 7396 merge patch.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, change) in changes {
        if change.is_null() {
            target.as_object_mut().expect("an object").remove(key);
        } else {
            merge(&mut target[key], change);
        }
    }
}

impl Proxy {
    /// A proxy with these listeners and clusters.
    pub fn new(listeners: impl Into<Vec<Listener>>, clusters: impl Into<Vec<Value>>) -> Self {
        Self {
            listeners: listeners.into(),
            clusters: clusters.into(),
            roles: Roles::all(),
            node: "test".into(),
            patch: json!({}),
            ulimit: Vec::new(),
        }
    }

    /// With another listener.
    #[must_use]
    pub fn and(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Whether all roles are there, as recommended.
    pub fn has_all_roles(&self) -> bool {
        self.roles == Roles::all()
    }

    /// With these roles of the filter.
    #[must_use]
    pub fn roles(mut self, roles: Roles) -> Self {
        self.roles = roles;
        self
    }

    /// Whether any role is installed.
    pub fn has_meshwhy(&self) -> bool {
        let Roles { http, connection, access_log, .. } = &self.roles;
        http.is_some() || connection.is_some() || access_log.is_some()
    }

    /// With this node id, such as `sidecar~10.0.0.1~app.default~default.svc.cluster.local`.
    #[must_use]
    pub fn node(mut self, id: &str) -> Self {
        self.node = id.to_owned();
        self
    }

    /// With a merge patch on the whole bootstrap.
    #[must_use]
    pub fn patch(mut self, patch: Value) -> Self {
        self.patch = patch;
        self
    }

    /// Started under these `ulimit` arguments.
    #[must_use]
    pub fn ulimit(mut self, arguments: &[&'static str]) -> Self {
        self.ulimit = arguments.to_vec();
        self
    }

    /// The `ulimit` arguments.
    pub fn limits(&self) -> &[&'static str] {
        &self.ulimit
    }

    /// The bootstrap.
    pub fn bootstrap(&self, module: &str) -> Value {
        let wasm = Wasm { module, policy: self.roles.runtime_failure_policy };
        // Istio's form for `extraStatTags`: `TAG=\.=(.*?);\.;`
        let labels = ["cause", "confidence", "side", "direction", "resource", "version"];
        let tags: Vec<Value> =
            labels.iter().map(|l| json!({"tag_name": l, "regex": format!("({l}=\\.=(.*?);\\.;)")})).collect();
        let mut bootstrap = json!({
            "node": {"id": self.node, "cluster": "test"},
            "admin": {"address": loopback(0)},
            "stats_config": {"stats_tags": tags},
            "static_resources": {
                "listeners": self.listeners.iter().map(|l| l.render(&self.roles, &wasm)).collect::<Vec<_>>(),
                "clusters": self.clusters,
            },
        });
        merge(&mut bootstrap, &self.patch);
        bootstrap
    }
}

impl Listener {
    /// A connection manager with these virtual hosts.
    pub fn http(name: &'static str, virtual_hosts: Value) -> Self {
        let routes = json!({"name": "routes", "validate_clusters": false, "virtual_hosts": virtual_hosts});
        Self::of(name, Kind::Http(routes))
    }

    /// A TCP proxy to this cluster.
    pub fn tcp(name: &'static str, cluster: &'static str) -> Self {
        Self::of(name, Kind::Tcp(cluster))
    }

    fn of(name: &'static str, kind: Kind) -> Self {
        let chain = Chain {
            kind,
            http_filters: Vec::new(),
            network_filters: Vec::new(),
            filter_patches: Vec::new(),
            chain_patch: json!({}),
        };
        Self { name, chains: vec![chain], default: None, patch: json!({}) }
    }

    /// Another listener's chains behind this one's.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.chains.extend(other.chains);
        self
    }

    /// Another listener's chain for what no chain of this one matches.
    #[must_use]
    pub fn otherwise(mut self, mut other: Self) -> Self {
        self.default = other.chains.pop();
        self
    }

    /// Terminates TLS with this certificate of the PKI.
    #[must_use]
    pub fn tls(self, certificate: &str) -> Self {
        self.tls_with(certificate, json!({}))
    }

    /// The same with a patch on the DownstreamTlsContext.
    #[must_use]
    pub fn tls_with(self, certificate: &str, patch: Value) -> Self {
        let mut context = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": {"filename": format!("{{pki}}/{certificate}.pem")},
                    "private_key": {"filename": format!("{{pki}}/{certificate}.key")},
                }],
            },
        });
        merge(&mut context, &patch);
        self.chain(json!({"transport_socket": {"name": "tls", "typed_config": context}}))
    }

    /// A patch on the (last) filter chain.
    #[must_use]
    pub fn chain(mut self, patch: Value) -> Self {
        if let Some(chain) = self.chains.last_mut() {
            merge(&mut chain.chain_patch, &patch);
        }
        self
    }

    /// A patch on the connection manager or TCP proxy of the (last) chain.
    #[must_use]
    pub fn filter(mut self, patch: Value) -> Self {
        if let Some(chain) = self.chains.last_mut() {
            chain.filter_patches.push(patch);
        }
        self
    }

    /// An HTTP filter before the router: its name without `envoy.filters.http.`, type and configuration.
    #[must_use]
    pub fn http_filter(self, name: &str, kind: &str, config: Value) -> Self {
        let mut typed = json!({"@type": format!("type.googleapis.com/{kind}")});
        merge(&mut typed, &config);
        self.raw_http_filter(json!({"name": format!("envoy.filters.http.{name}"), "typed_config": typed}))
    }

    /// An HTTP filter before the router, as it is.
    #[must_use]
    pub fn raw_http_filter(mut self, filter: Value) -> Self {
        if let Some(chain) = self.chains.last_mut() {
            chain.http_filters.push(filter);
        }
        self
    }

    /// A network filter before the connection manager or TCP proxy, as it is.
    #[must_use]
    pub fn raw_network_filter(mut self, filter: Value) -> Self {
        if let Some(chain) = self.chains.last_mut() {
            chain.network_filters.push(filter);
        }
        self
    }

    /// Reads the ClientHello before choosing a chain.
    #[must_use]
    pub fn tls_inspector(self) -> Self {
        let kind = "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
        self.patch(json!({"listener_filters": [{"name": "tls_inspector", "typed_config": {"@type": kind}}]}))
    }

    /// `INBOUND` or `OUTBOUND`.
    #[must_use]
    pub fn direction(self, direction: &str) -> Self {
        self.patch(json!({"traffic_direction": direction}))
    }

    /// A patch on the listener.
    #[must_use]
    pub fn patch(mut self, patch: Value) -> Self {
        merge(&mut self.patch, &patch);
        self
    }

    fn render(&self, roles: &Roles, wasm: &Wasm<'_>) -> Value {
        let mut logs = logs("listener");
        logs.extend(roles.access_log.as_ref().map(|config| wasm.logger(config)));
        let mut listener = json!({
            "name": self.name,
            "address": loopback(0),
            "access_log": logs,
            "filter_chains": self.chains.iter().map(|c| c.render(roles, wasm)).collect::<Vec<_>>(),
        });
        if let Some(default) = &self.default {
            listener["default_filter_chain"] = default.render(roles, wasm);
        }
        merge(&mut listener, &self.patch);
        listener
    }
}

impl Chain {
    fn render(&self, roles: &Roles, wasm: &Wasm<'_>) -> Value {
        let mut filter = match &self.kind {
            Kind::Http(routes) => self.connection_manager(routes, roles, wasm),
            Kind::Tcp(cluster) => json!({
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": "tcp",
                "cluster": cluster,
                "access_log": logs("tcp"),
            }),
        };
        self.filter_patches.iter().for_each(|patch| merge(&mut filter, patch));
        let name = match self.kind {
            Kind::Http(_) => "envoy.filters.network.http_connection_manager",
            Kind::Tcp(_) => "envoy.filters.network.tcp_proxy",
        };
        let mut filters: Vec<Value> =
            roles.connection.iter().map(|config| wasm.network_filter(config)).collect();
        filters.extend(self.network_filters.iter().cloned());
        filters.push(json!({"name": name, "typed_config": filter}));
        let mut chain = json!({"filters": filters});
        merge(&mut chain, &self.chain_patch);
        chain
    }

    fn connection_manager(&self, routes: &Value, roles: &Roles, wasm: &Wasm<'_>) -> Value {
        let mut filters: Vec<Value> = roles.http.iter().map(|config| wasm.http_filter(config)).collect();
        filters.extend(self.http_filters.iter().cloned());
        let router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
        filters.push(json!({"name": "envoy.filters.http.router", "typed_config": {"@type": router}}));
        let mut logs = logs("http");
        logs.extend(roles.access_log.as_ref().map(|config| {
            let mut logger = wasm.logger(config);
            logger["filter"] = only_failures();
            logger
        }));
        json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            "route_config": routes,
            "http_filters": filters,
            "access_log": logs,
            "upgrade_configs": [{"upgrade_type": "websocket"}],
        })
    }
}

/// `NAME.log` for the assertions, and what the tool explains.
fn logs(name: &str) -> Vec<Value> {
    std::iter::once(file_log(&format!("{name}.log"))).chain(other_logs(name)).collect()
}

/// Envoy's own access-log filter that keeps the access logger away from success: status >= 400, or any flag.
pub fn only_failures() -> Value {
    json!({"or_filter": {"filters": [
        {"status_code_filter": {"comparison": {"op": "GE", "value": {"default_value": 400, "runtime_key": "none"}}}},
        {"response_flag_filter": {}},
    ]}})
}

/// How the module is plugged in: one VM for all roles.
struct Wasm<'a> {
    module: &'a str,
    policy: FailurePolicy,
}

impl Wasm<'_> {
    fn plugin(&self, kind: &str, config: &Value) -> Value {
        let text = match config {
            Value::String(raw) => raw.clone(),
            other => other.to_string(),
        };
        let policy = match self.policy {
            FailurePolicy::Open => "FAIL_OPEN",
            FailurePolicy::Closed => "FAIL_CLOSED",
        };
        json!({"name": "meshwhy", "typed_config": {"@type": format!("type.googleapis.com/{kind}"), "config": {
            "name": "meshwhy",
            "root_id": "meshwhy",
            "failure_policy": policy,
            "vm_config": {
                "vm_id": "meshwhy",
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": self.module}},
            },
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text},
        }}})
    }

    fn http_filter(&self, config: &Value) -> Value {
        self.plugin("envoy.extensions.filters.http.wasm.v3.Wasm", config)
    }

    fn network_filter(&self, config: &Value) -> Value {
        self.plugin("envoy.extensions.filters.network.wasm.v3.Wasm", config)
    }

    fn logger(&self, config: &Value) -> Value {
        self.plugin("envoy.extensions.access_loggers.wasm.v3.WasmAccessLog", config)
    }
}

/// An address on the loopback; the port may be a placeholder.
pub fn loopback(port: impl Into<Value>) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port.into()}})
}
