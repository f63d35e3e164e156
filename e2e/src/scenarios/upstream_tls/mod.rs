//! TLS between the proxy and the upstream.

mod certificates;
mod client_certificates;
mod conflict;
mod double_tls;
mod expects_tls;
mod handshakes;
mod speaks_plaintext;
mod tls_in_tls;

use serde_json::{Value, json};

use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{
    all_by, cluster, demanding_certificate, direct, istio_config, originate_tls, with,
};
use crate::harness::peers::Server;
use crate::scenarios::common::backend;
use crate::scenarios::scenario::Scenario;

const CADDY: Server = Server::Caddy("https://:{port}", "tls {pki}/server.pem {pki}/server.key\nrespond ok");

/// Like a sidecar under STRICT: mutual TLS or nothing, not even an error page.
const MUTUAL_ONLY: Server =
    Server::Openssl(&["-CAfile", "{pki}/ca.pem", "-Verify", "1", "-www", "-naccept", "100"]);

fn tls(context: Value) -> Value {
    with(backend(), originate_tls(context))
}

fn rule(cluster: Value, name: &str) -> Value {
    with(cluster, istio_config("destination-rule", "default", name))
}

fn only_version(version: &str) -> Value {
    json!({"common_tls_context": {"tls_params": {
        "tls_minimum_protocol_version": version, "tls_maximum_protocol_version": version,
    }}})
}

fn inspected(cluster: Value, roles: Roles) -> Proxy {
    Proxy::new([Listener::tcp("tcp", "backend").tls_inspector()], [cluster]).roles(roles)
}

/// An Envoy that asks every client for a certificate, on its only chain.
fn envoy_mutual() -> Server {
    let listener = Listener::http("mutual", all_by(direct("/", 200, "ok")));
    Server::envoy(Proxy::new([listener.tls_with("server", demanding_certificate("ca"))], []))
}

/// An Envoy that unwraps the outer TLS and passes the inner bytes on to the server `inner`.
fn outer_terminator() -> Server {
    let listener = Listener::tcp("outer", "inner").tls("server");
    Server::envoy(Proxy::new([listener], [cluster("inner", "inner")]))
}

pub(super) fn table() -> Vec<Scenario> {
    [
        conflict::table(),
        expects_tls::table(),
        speaks_plaintext::table(),
        certificates::table(),
        client_certificates::table(),
        handshakes::table(),
        double_tls::table(),
        tls_in_tls::table(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
