//! Clusters, virtual hosts and routes in one line each.

use serde_json::{Value, json};

use super::config::{loopback, merge};

/// A cluster with one endpoint: the server of this name.
pub fn cluster(name: &str, server: &str) -> Value {
    cluster_at(name, loopback(format!("{{server:{server}}}")))
}

/// A cluster with one endpoint at this address.
pub fn cluster_at(name: &str, address: Value) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
    })
}

/// The cluster with one more endpoint: the server of this name.
pub fn and_endpoint(mut cluster: Value, server: &str) -> Value {
    let endpoint = json!({"endpoint": {"address": loopback(format!("{{server:{server}}}"))}});
    if let Some(endpoints) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"].as_array_mut() {
        endpoints.push(endpoint);
    }
    cluster
}

/// A cluster without endpoints.
pub fn empty_cluster(name: &str) -> Value {
    json!({"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name}})
}

/// The base with a merge patch applied.
pub fn with(mut base: Value, patch: Value) -> Value {
    merge(&mut base, &patch);
    base
}

/// A patch that makes a cluster speak HTTP/2.
pub fn http2() -> Value {
    let kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({"typed_extension_protocol_options": {kind: {
        "@type": format!("type.googleapis.com/{kind}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }}})
}

/// A patch that makes a cluster originate TLS; `context` is merged into the UpstreamTlsContext.
pub fn originate_tls(context: Value) -> Value {
    let mut typed = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": "httpbin.org",
    });
    merge(&mut typed, &context);
    json!({"transport_socket": {"name": "tls", "typed_config": typed}})
}

/// The part of a TLS context that trusts this authority of the PKI.
pub fn trusting(authority: &str) -> Value {
    json!({"common_tls_context": {"validation_context": {"trusted_ca": {"filename": format!("{{pki}}/{authority}.pem")}}}})
}

/// The part of a DownstreamTlsContext that demands a certificate of this authority.
pub fn demanding_certificate(authority: &str) -> Value {
    with(trusting(authority), json!({"require_client_certificate": true}))
}

/// The part of a TLS context that presents this certificate of the PKI.
pub fn presenting(certificate: &str) -> Value {
    json!({"common_tls_context": {"tls_certificates": [{
        "certificate_chain": {"filename": format!("{{pki}}/{certificate}.pem")},
        "private_key": {"filename": format!("{{pki}}/{certificate}.key")},
    }]}})
}

/// A patch that puts an Istio resource into a route's or cluster's metadata, as istiod does.
pub fn istio_config(kind: &str, namespace: &str, name: &str) -> Value {
    let path = format!("/apis/networking.istio.io/v1alpha3/namespaces/{namespace}/{kind}/{name}");
    json!({"metadata": {"filter_metadata": {"istio": {"config": path}}}})
}

/// A patch that makes a cluster's only endpoint say that it takes Istio's mutual TLS.
pub fn istio_mtls_endpoint(cluster: Value) -> Value {
    let mut cluster = cluster;
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["metadata"] =
        json!({"filter_metadata": {"envoy.transport_socket_match": {"tlsMode": "istio"}}});
    cluster
}

/// A virtual host.
pub fn vhost(name: &str, domains: &[&str], routes: Vec<Value>) -> Value {
    json!({"name": name, "domains": domains, "routes": routes})
}

/// One virtual host for everything, with one route for everything.
pub fn all_to(cluster: &str) -> Value {
    all_by(route("/", cluster))
}

/// One virtual host for everything, with this route only.
pub fn all_by(route: Value) -> Value {
    json!([vhost("all", &["*"], vec![route])])
}

/// A route by prefix.
pub fn route(prefix: &str, cluster: &str) -> Value {
    json!({"match": {"prefix": prefix}, "route": {"cluster": cluster}})
}

/// A route by prefix with a direct response.
pub fn direct(prefix: &str, status: u16, body: &str) -> Value {
    json!({"match": {"prefix": prefix}, "direct_response": {"status": status, "body": {"inline_string": body}}})
}
