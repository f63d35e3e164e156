//! The stories: every section of Istio's page, and some of our own.

mod routes;
mod tls;

use super::pod::Pod;
use super::programs::Version;
use super::rig::{Plan, Service};
use super::story::Story;

/// All stories.
pub fn all() -> Vec<Story> {
    [routes::stories(), tls::stories()].concat()
}

/// The cluster that they play in.
pub fn plan(version: Version) -> Plan {
    Plan {
        version,
        pods: vec![
            Pod::sidecar("client"),
            Pod::sidecar_without_interception("unredirected"),
            Pod::sidecar("not-restarted").without_stat_tags(),
            Pod::without_proxy("outside"),
            Pod::sidecar("helloworld-v1").app("helloworld").label("version", "v1").serving(8080),
            Pod::sidecar("helloworld-v2").app("helloworld").label("version", "v2").serving(8080),
            Pod::without_proxy("legacy").serving(8080),
            Pod::gateway("ingress"),
            external("httpbin-org", "server"),
            external("untrusted", "other-server"),
        ],
        services: vec![
            Service::new("helloworld", &[("http", 80, 8080)]),
            Service::new("legacy", &[("http", 80, 8080)]),
        ],
        names: vec![("httpbin.org", "httpbin-org"), ("httpbin.example.com", "ingress")],
    }
}

/// A host outside of the cluster: plaintext on 80, TLS on 443 with a certificate of the authority that everybody trusts,
/// or of another.
fn external(name: &'static str, certificate: &str) -> Pod {
    Pod::without_proxy(name).serving(80).nginx(format!(
        "listen 443 ssl http2; ssl_certificate {{pki}}/{certificate}.pem; ssl_certificate_key {{pki}}/{certificate}.key;\n\
         location / {{ return 200 \"{name} over TLS $server_protocol\\n\"; }}"
    ))
}
