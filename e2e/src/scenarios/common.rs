//! What many scenarios share: a request, a server that answers it, and a proxy between them.

use serde_json::Value;

use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, cluster};
use crate::harness::peers::Server;

pub const ASK: &[&str] = &["http://127.0.0.1:{listener:http}/"];
pub const ASK_TCP: &[&str] = &["http://127.0.0.1:{listener:tcp}/"];
/// HTTPS through a TCP proxy.
pub const ASK_TLS_OVER_TCP: &[&str] =
    &["-k", "--connect-to", "httpbin.org:443:127.0.0.1:{listener:tcp}", "https://httpbin.org/"];

/// HTTPS with the certificate of a client.
pub const ASK_WITH_CERTIFICATE: &[&str] =
    &["-k", "--cert", "{pki}/client.pem", "--key", "{pki}/client.key", "https://127.0.0.1:{listener:http}/"];

/// The log of an answer that the upstream gave.
pub const FINE: &[(&str, &str)] = &[("code", "200"), ("flags", "-"), ("details", "via_upstream")];
/// The log where the upstream closed the connection before it answered.
pub const CLOSED_EARLY: &[(&str, &str)] =
    &[("flags", "UC"), ("details", "upstream_reset_before_response_started{connection_termination}")];
/// The log where the answer was no HTTP that Envoy takes.
pub const BROKEN_ANSWER: &[(&str, &str)] = &[
    ("code", "502"),
    ("flags", "UPE"),
    ("details", "upstream_reset_before_response_started{protocol_error}"),
];

/// nginx in plaintext.
pub const PLAIN: Server = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }");
/// The same for HTTP/2.
pub const PLAIN_HTTP2: Server = Server::Nginx("listen 127.0.0.1:{port} http2; location / { return 200 ok; }");
/// nginx with TLS.
pub const TLS: Server = Server::Nginx(
    "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }",
);

/// The node id of a sidecar.
pub const SIDECAR: &str = "sidecar~10.0.0.1~app.default~default.svc.cluster.local";

/// The cluster that most scenarios have.
pub fn backend() -> Value {
    cluster("backend", "backend")
}

/// An HTTP listener before this cluster, which is called `backend`.
pub fn http(cluster: Value) -> Proxy {
    Proxy::new([Listener::http("http", all_to("backend"))], [cluster])
}

/// A TCP proxy before this cluster, which is called `backend`.
pub fn tcp(cluster: Value) -> Proxy {
    Proxy::new([Listener::tcp("tcp", "backend")], [cluster])
}
