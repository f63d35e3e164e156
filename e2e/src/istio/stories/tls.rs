//! The page's section "Sending HTTPS to an HTTP port", wherever that port is.

use meshwhy::causes::Cause;
use meshwhy::causes::manual::PageSection;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use super::super::story::Gets::{Answer, NoAnswer, Nothing, Status};
use super::super::story::{Says, Story, Yaml};
use crate::harness::tools::Needed;

const TO_HTTP_PORT: PageSection = PageSection::HttpsToHttpPort;

/// All of them.
pub fn stories() -> Vec<Story> {
    [page(), elsewhere(), other_bytes()].concat()
}

fn page() -> Vec<Story> {
    let broken = |name, about| Story::new(name, about).page(TO_HTTP_PORT).file("broken.yaml");
    let fixed = |name, about| {
        broken(name, about).with(Yaml::PagePatch(
            "serviceentry/httpbin",
            "default",
            TO_HTTP_PORT,
            "fixed.yaml",
        ))
    };
    vec![
        broken("https_to_http_port/allow_any", "HTTPS to a port declared HTTP bypasses the mesh")
            .curl(&["https://httpbin.org/"])
            .gets(Answer("httpbin-org over TLS"))
            .says(Says::new("client", Cause::TlsOnPlaintextPort, Likely).soft()),
        broken("https_to_http_port/registry_only", "HTTPS to a port declared HTTP ends in the black hole")
            .registry_only()
            .curl(&["https://httpbin.org/"])
            .gets(Nothing(35))
            .says(
                Says::new("client", Cause::TlsOnPlaintextPort, Likely)
                    .because(&["cluster=BlackHoleCluster", "sni=httpbin.org", "listener=http"])
                    .fix("Declare port 443 of httpbin.org as HTTPS, or send plain HTTP to it."),
            ),
        broken("https_to_http_port/no_interception", "HTTPS to a port declared HTTP is no HTTP")
            .own(UNREDIRECTED)
            .from("unredirected")
            .curl(&["https://httpbin.org/", "--connect-to", "::127.0.0.1:443"])
            .gets(Nothing(35))
            .says(
                Says::new("unredirected", Cause::TlsOnPlaintextPort, Certain)
                    .because(&[
                        "details=http1.codec_error",
                        "first_bytes=tls_client_hello",
                        "sni=httpbin.org",
                    ])
                    .fix("Declare port 443 of httpbin.org as HTTPS, or send plain HTTP to it."),
            ),
        broken("https_to_http_port/plaintext", "Plaintext to the port declared HTTP: the server wants TLS")
            .curl(&["http://httpbin.org:443/"])
            .gets(Status(400))
            .says(
                Says::new("client", Cause::UpstreamExpectsTls, Likely)
                    .because(&["page=plain_http_to_https_port"]),
            ),
        broken("https_to_http_port/plaintext/meant", "Plaintext on 443, and a server that speaks it there")
            .where_resolves("httpbin.org", "billing")
            .curl(&["http://httpbin.org:443/"])
            .gets(Status(200)),
        fixed("https_to_http_port/fixed/allow_any", "The port declared HTTPS")
            .curl(&["https://httpbin.org/"])
            .gets(Status(200)),
        fixed("https_to_http_port/fixed/registry_only", "The port declared HTTPS")
            .registry_only()
            .curl(&["https://httpbin.org/"])
            .gets(Status(200)),
        fixed("https_to_http_port/fixed/no_interception", "The port declared HTTPS")
            .own(UNREDIRECTED)
            .from("unredirected")
            .curl(&["https://httpbin.org/", "--connect-to", "::127.0.0.1:443"])
            .gets(Status(200)),
    ]
}

/// The same mistake at ports that the page doesn't speak of.
fn elsewhere() -> Vec<Story> {
    let own = |name, about| Story::new(name, about).own(BILLING_HTTP);
    vec![
        own("own/https_to_http_port/allow_any", "An API on 8443, declared HTTP")
            .curl(&["https://api.billing.test:8443/v1"])
            .gets(Answer("billing over TLS"))
            .says(Says::new("client", Cause::TlsOnPlaintextPort, Likely).soft()),
        own("own/https_to_http_port/registry_only", "An API on 8443, declared HTTP")
            .registry_only()
            .curl(&["https://api.billing.test:8443/v1"])
            .gets(Nothing(35))
            .says(
                Says::new("client", Cause::TlsOnPlaintextPort, Likely)
                    .because(&["cluster=BlackHoleCluster", "sni=api.billing.test"]),
            ),
        Story::new("own/https_to_http_port/fixed", "The API declared HTTPS")
            .own(BILLING_HTTPS)
            .registry_only()
            .curl(&["https://api.billing.test:8443/v1"])
            .gets(Answer("billing over TLS")),
        Story::new("https_to_http_port/gateway", "HTTPS to a gateway's plaintext port")
            .own(SHOP_HTTP)
            .from("outside")
            .curl(&["https://cart.shop.test:80/"])
            .gets(Nothing(35))
            .says(
                Says::new("ingress", Cause::TlsOnPlaintextPort, Certain)
                    .gateway()
                    .because(&["first_bytes=tls_client_hello", "sni=cart.shop.test"]),
            ),
        Story::new("https_to_http_port/gateway/healthy", "HTTP to a gateway's plaintext port")
            .own(SHOP_HTTP)
            .from("outside")
            .curl(&["http://cart.shop.test/"])
            .gets(Status(200)),
    ]
}

/// What is no HTTP and no TLS either isn't called TLS.
fn other_bytes() -> Vec<Story> {
    let gateway = |name, about, bytes| {
        let story = Story::new(name, about).own(SHOP_HTTP).from("outside").needs(NETCAT);
        story.run(&["sh", "-c", SEND, bytes, "cart.shop.test"]).gets(Status(400))
    };
    let mesh = |name, about, bytes| {
        let story = Story::new(name, about).needs(NETCAT);
        story.run(&["sh", "-c", SEND, bytes, "orders"]).gets(Status(400))
    };
    let not_http = |pod, confidence| Says::new(pod, Cause::NotHttpOnHttpPort, confidence);
    vec![
        Story::new(
            "own/tls/address_of_the_mesh_alone",
            "HTTPS to a port declared HTTP, at an address that exists in Envoy only",
        )
        .own(DEPOT)
        .curl(&["https://web.depot.test/", "--resolve", "web.depot.test:443:240.240.7.7"])
        .gets(NoAnswer)
        .says(
            Says::new("client", Cause::TlsOnPlaintextPort, Possible)
                .because(&["sni=web.depot.test", "connect_error=unreachable"]),
        ),
        Story::new("not_tls/gateway/redis", "A Redis client at a gateway's HTTP port")
            .own(SHOP_HTTP)
            .from("outside")
            .needs(("redis-cli", "redis-tools"))
            .run(&["redis-cli", "-h", "cart.shop.test", "-p", "80", "PING"])
            .gets(Answer("Protocol error"))
            .says(not_http("ingress", Certain).gateway().because(&["first_bytes=redis"])),
        gateway("not_tls/gateway/ssh", "An SSH client at a gateway's HTTP port", SSH)
            .says(not_http("ingress", Certain).gateway().because(&["first_bytes=ssh"])),
        gateway("not_tls/gateway/garbage", "Bytes of no protocol at a gateway's HTTP port", GARBAGE)
            .says(not_http("ingress", Likely).gateway()),
        mesh(
            "not_tls/mesh/ssh",
            "An SSH client at a service's HTTP port bypasses its own sidecar's routes",
            SSH,
        )
        .says(not_http("client", Likely).soft())
        .says(not_http("orders", Certain).inbound().because(&["first_bytes=ssh"])),
        mesh("not_tls/mesh/garbage", "Bytes of no protocol at a service's HTTP port", GARBAGE)
            .says(Says::new("client", Cause::TrafficBypassesMesh, Certain).soft())
            .says(not_http("orders", Likely).inbound()),
    ]
}

const NETCAT: Needed = ("nc", "netcat-openbsd");
/// Sends these bytes (in octal) to a host's port 80, and waits for an answer.
const SEND: &str = "(printf \"$0\"; sleep 1) | nc -q 1 \"$1\" 80";
const SSH: &str = "SSH-2.0-OpenSSH_9.2\\r\\n";
const GARBAGE: &str = "\\001\\002\\003\\004\\005\\006\\007\\n\\n";

/// Without interception every listener needs a port of its own: only this host gets one.
const UNREDIRECTED: &str = "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: unredirected, namespace: default}
spec:
  workloadSelector: {labels: {app: unredirected}}
  egress: [{hosts: ['*/httpbin.org', istio-system/*]}]
";

const BILLING_HTTP: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: billing-api, namespace: default}
spec:
  hosts: [api.billing.test]
  ports: [{number: 8443, name: http-api, protocol: HTTP}]
  resolution: DNS
";

const BILLING_HTTPS: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: billing-api, namespace: default}
spec:
  hosts: [api.billing.test]
  ports: [{number: 8443, name: tls-api, protocol: TLS}]
  resolution: DNS
";

const SHOP_HTTP: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{hosts: ['*.shop.test'], port: {number: 80, name: http, protocol: HTTP}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default}
spec:
  hosts: ['*.shop.test']
  gateways: [shop]
  http: [{route: [{destination: {host: helloworld, port: {number: 80}}}]}]
";

const DEPOT: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: depot, namespace: default}
spec:
  hosts: [web.depot.test]
  addresses: [240.240.7.7]
  ports: [{number: 443, name: http, protocol: HTTP, targetPort: 8080}]
  resolution: STATIC
  endpoints: [{address: 10.89.0.20}]
";
