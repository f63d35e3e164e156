//! Listeners, with what scenarios say of their (last) filter chain.

use serde_json::{Value, json};

use super::chain::{Chain, Kind, logs};
use super::roles::{Roles, Wasm};
use super::{loopback, merge};

/// A listener on a free port of the loopback.
#[derive(Debug, Clone)]
pub struct Listener {
    name: &'static str,
    chains: Vec<Chain>,
    default: Option<Chain>,
    patch: Value,
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
        Self { name, chains: vec![Chain::new(kind)], default: None, patch: json!({}) }
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

    fn on_chain(mut self, change: impl FnOnce(&mut Chain)) -> Self {
        self.chains.last_mut().map(change);
        self
    }

    /// A patch on the (last) filter chain.
    #[must_use]
    pub fn chain(self, patch: Value) -> Self {
        self.on_chain(|chain| merge(&mut chain.patch, &patch))
    }

    /// A patch on the connection manager or TCP proxy of the (last) chain.
    #[must_use]
    pub fn filter(self, patch: Value) -> Self {
        self.on_chain(|chain| chain.filter_patches.push(patch))
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
    pub fn raw_http_filter(self, filter: Value) -> Self {
        self.on_chain(|chain| chain.http_filters.push(filter))
    }

    /// A network filter before the connection manager or TCP proxy, as it is.
    #[must_use]
    pub fn raw_network_filter(self, filter: Value) -> Self {
        self.on_chain(|chain| chain.network_filters.push(filter))
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

    pub(super) fn render(&self, roles: &Roles, wasm: &Wasm<'_>) -> Value {
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
