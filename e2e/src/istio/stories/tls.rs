//! The page's TLS configuration mistakes.

use super::super::story::Gets::{Answer, Nothing, Status};
use super::super::story::{Says, Story, Yaml};

const TO_HTTP_PORT: &str = "Sending HTTPS to an HTTP port";

/// All of them.
pub fn stories() -> Vec<Story> {
    https_to_http_port()
}

fn https_to_http_port() -> Vec<Story> {
    let broken = |name, about| Story::new(name, about).page(TO_HTTP_PORT).block(0);
    let fixed = |name, about| {
        broken(name, about).with(Yaml::PagePatch("serviceentry/httpbin", "default", TO_HTTP_PORT, 1))
    };
    vec![
        broken("https_to_http_port/allow_any", "HTTPS to a port declared HTTP bypasses the mesh")
            .curl(&["https://httpbin.org/"])
            .gets(Answer("httpbin-org over TLS"))
            .says(Says::new("client", "tls_on_plaintext_port", "likely").soft()),
        broken("https_to_http_port/registry_only", "HTTPS to a port declared HTTP ends in the black hole")
            .registry_only()
            .curl(&["https://httpbin.org/"])
            .gets(Nothing(35))
            .says(Says::new("client", "tls_on_plaintext_port", "likely").because(&[
                "cluster=BlackHoleCluster",
                "sni=httpbin.org",
                "listener=http",
            ])),
        broken("https_to_http_port/no_interception", "HTTPS to a port declared HTTP is no HTTP")
            .own(UNREDIRECTED)
            .from("unredirected")
            .curl(&["https://httpbin.org/", "--connect-to", "::127.0.0.1:443"])
            .gets(Nothing(35))
            .says(Says::new("unredirected", "tls_on_plaintext_port", "certain").because(&[
                "details=http1.codec_error",
                "first_bytes=tls_client_hello",
                "sni=httpbin.org",
            ])),
        fixed("https_to_http_port/fixed/allow_any", "The port declared HTTPS")
            .curl(&["https://httpbin.org/"])
            .gets(Status(200)),
        fixed("https_to_http_port/fixed/registry_only", "The port declared HTTPS")
            .registry_only()
            .curl(&["https://httpbin.org/"])
            .gets(Status(200)),
    ]
}

/// Without interception every listener needs a port of its own: only this host gets one.
const UNREDIRECTED: &str = "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: unredirected, namespace: default}
spec:
  workloadSelector: {labels: {app: unredirected}}
  egress: [{hosts: ['*/httpbin.org', istio-system/*]}]
";
