//! Istio's default chains: what falls through to `PassthroughCluster`, or ends in `BlackHoleCluster`.

mod allow_any;
mod as_tcp;
mod registry_only;

use serde_json::{Value, json};

use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_to, cluster, empty_cluster};
use crate::harness::peers::Server;
use crate::scenarios::common::{SIDECAR, backend};
use crate::scenarios::scenario::Scenario;

const HTTPS: &[&str] =
    &["-k", "--connect-to", "httpbin.org:443:127.0.0.1:{listener:port}", "https://httpbin.org/"];

const FINE: &[(&str, &str)] = &[("flags", "-"), ("cluster", "PassthroughCluster")];

/// Listener filters by name, as they stand before Istio's chains.
fn inspectors(names: &[&str]) -> Value {
    let filters: Vec<Value> = names
        .iter()
        .map(|name| {
            if let Some(kind) = name.strip_prefix("mark_") {
                return mark(kind);
            }
            let kind = if *name == "tls_inspector" { "TlsInspector" } else { "HttpInspector" };
            let kind = format!("type.googleapis.com/envoy.extensions.filters.listener.{name}.v3.{kind}");
            json!({"name": format!("envoy.filters.listener.{name}"), "typed_config": {"@type": kind}})
        })
        .collect();
    json!({"listener_filters": filters})
}

/// What `envoyfilter-black-hole.yaml` marks a listener with, beside the inspector that it found there.
fn mark(kind: &str) -> Value {
    let text = json!({"text_format_source": {"inline_string": "1"}});
    json!({"name": format!("meshwhy-{kind}"), "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.listener.set_filter_state.v3.Config",
        "on_accept": [{"object_key": format!("meshwhy.listener.{kind}"), "factory_key": "envoy.string", "format_string": text}],
    }})
}

/// The listener of an HTTP port, as istiod 1.31 makes it: HTTP/1.1 and HTTP/2 in plaintext, and the default chain.
fn http_port(default: &'static str, filters: Value) -> Listener {
    let matches = json!({"filter_chain_match": {"transport_protocol": "raw_buffer", "application_protocols": ["http/1.1", "h2c"]}});
    let fallthrough = Listener::tcp("port", default).chain(json!({"name": "PassthroughFilterChain"}));
    let virtual_hosts = all_to("outbound|80||httpbin.default.svc.cluster.local");
    Listener::http("port", virtual_hosts)
        .chain(matches)
        .otherwise(fallthrough)
        .direction("OUTBOUND")
        .patch(filters)
}

/// The same for an HTTPS port: server names, and the default chain.
fn https_port(default: &'static str) -> Listener {
    let matches = json!({"filter_chain_match": {"server_names": ["declared.example"]}});
    let fallthrough = Listener::tcp("port", default).chain(json!({"name": "PassthroughFilterChain"}));
    let declared = Listener::tcp("port", "outbound|443||declared.example").chain(matches);
    declared.otherwise(fallthrough).direction("OUTBOUND").patch(inspectors(&["tls_inspector"]))
}

/// `virtualOutbound`'s own catch-all.
fn catch_all(default: &'static str) -> Listener {
    Listener::tcp("port", default)
        .chain(json!({"name": "virtualOutbound-catchall-tcp"}))
        .direction("OUTBOUND")
}

fn sidecar(listener: Listener) -> Proxy {
    let clusters = [
        cluster("PassthroughCluster", "backend"),
        empty_cluster("BlackHoleCluster"),
        cluster("outbound|80||httpbin.default.svc.cluster.local", "backend"),
        cluster("outbound|443||declared.example", "backend"),
        cluster("inbound|8080||", "backend"),
        backend(),
        cluster("InboundPassthroughCluster", "backend"),
        cluster("AllowAnyDynamicDNSCluster", "backend"),
    ];
    Proxy::new([listener], clusters).node(SIDECAR).roles(Roles::observing())
}

fn scenario(name: &'static str, about: &'static str, listener: Listener, server: Server) -> Scenario {
    Scenario::new(name, about, sidecar(listener))
        .page("Route rules don't seem to affect traffic flow")
        .server("backend", server)
        .direction("outbound")
}

pub(super) fn table() -> Vec<Scenario> {
    [allow_any::table(), registry_only::table(), as_tcp::table()].into_iter().flatten().collect()
}
