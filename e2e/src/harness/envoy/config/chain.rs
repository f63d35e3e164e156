//! Filter chains: a connection manager or a TCP proxy, the filters before it, and their access logs.

use serde_json::{Value, json};

use super::merge;
use super::roles::{Roles, Wasm};
use crate::harness::envoy::config_log::{file_log, other_logs};

/// A filter chain.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    kind: Kind,
    pub(super) http_filters: Vec<Value>,
    pub(super) network_filters: Vec<Value>,
    /// Applied one after the other: a patch's null removes what is there, so they can't be merged beforehand.
    pub(super) filter_patches: Vec<Value>,
    pub(super) patch: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A connection manager with this route configuration.
    Http(Value),
    /// A TCP proxy to this cluster.
    Tcp(&'static str),
}

impl Chain {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            http_filters: Vec::new(),
            network_filters: Vec::new(),
            filter_patches: Vec::new(),
            patch: json!({}),
        }
    }

    pub(super) fn render(&self, roles: &Roles, wasm: &Wasm<'_>) -> Value {
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
        merge(&mut chain, &self.patch);
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
pub(super) fn logs(name: &str) -> Vec<Value> {
    std::iter::once(file_log(&format!("{name}.log"))).chain(other_logs(name)).collect()
}

/// Envoy's own access-log filter that keeps the access logger away from success: status >= 400, or any flag.
pub fn only_failures() -> Value {
    json!({"or_filter": {"filters": [
        {"status_code_filter": {"comparison": {"op": "GE", "value": {"default_value": 400, "runtime_key": "none"}}}},
        {"response_flag_filter": {}},
    ]}})
}
