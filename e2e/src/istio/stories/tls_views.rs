//! One failure of TLS, as every proxy on its way sees it.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Certain, Likely};

use super::super::story::Gets::{Answer, NoAnswer, Nothing, Status};
use super::super::story::{Says, Story, Yaml};
use crate::harness::tools::Needed;

const PYTHON: Needed = ("python3", "python3");

/// All of them. `orders` has one pod, so it's known who is asked.
pub fn stories() -> Vec<Story> {
    [healthy(), tls_to_http_port(), rules(), gateway()].concat()
}

fn healthy() -> Vec<Story> {
    vec![
        Story::new("views/healthy/mesh", "Sidecar to sidecar over mutual TLS, where nothing else is taken")
            .own(STRICT)
            .curl(&["http://orders/"])
            .gets(Answer("orders HTTP/1.1")),
        Story::new("views/healthy/gateway", "From a gateway that ends TLS to a sidecar over mutual TLS")
            .own(STRICT)
            .own(GATEWAY)
            .from("outside")
            .curl(&["https://cart.shop.test/"])
            .gets(Answer("orders HTTP/1.1")),
        Story::new("views/healthy/reset", "A client of a gateway's TLS that ends with a reset")
            .own(GATEWAY)
            .from("outside")
            .needs(PYTHON)
            .run(&["python3", "-c", RESETS])
            .gets(Status(200)),
    ]
}

fn tls_to_http(pod: &'static str, confidence: Confidence) -> Says {
    Says::new(pod, Cause::TlsOnPlaintextPort, confidence)
}

fn tls_to_http_port() -> Vec<Story> {
    vec![
        Story::new("views/tls_to_http_port", "HTTPS to a service of the mesh whose port is named http")
            .curl(&["-k", "https://orders:80/"])
            .gets(Nothing(35))
            .says(tls_to_http("client", Likely).because(&["cluster=PassthroughCluster", "sni=orders"]))
            .says(tls_to_http("orders", Likely).inbound().only_counted()),
        Story::new("views/tls_to_http_port/strict", "The same, and the service takes only mutual TLS")
            .own(STRICT)
            .curl(&["-k", "https://orders:80/"])
            .gets(NoAnswer)
            .says(tls_to_http("client", Likely).soft())
            .says(Says::new("orders", Cause::ClientCertificateMissing, Certain).inbound().only_counted()),
        Story::new("views/tls_to_http_port/outside", "The same from a pod without proxy")
            .from("outside")
            .curl(&["-k", "https://orders:80/"])
            .gets(Nothing(35))
            .says(tls_to_http("orders", Likely).inbound().only_counted()),
        Story::new("views/tls_to_http_port/no_proxy", "HTTPS to a plaintext server that has no proxy")
            .curl(&["-k", "https://legacy:80/"])
            .gets(Nothing(35))
            .says(tls_to_http("client", Likely).soft()),
        Story::new("views/tls_to_http_port/gateway", "TLS passes the gateway to a service that speaks HTTP")
            .own(PASSES_TO_HTTP)
            .from("outside")
            .curl(&["-k", "https://cart.shop.test/"])
            .gets(Nothing(35))
            .says(
                tls_to_http("orders", Certain)
                    .inbound()
                    .because(&["first_bytes=tls_client_hello", "sni=cart.shop.test"]),
            ),
    ]
}

/// What a DestinationRule makes of the connection between two proxies.
fn rules() -> Vec<Story> {
    let conflict = || {
        Says::new("client", Cause::DestinationRuleTlsConflict, Likely)
            .blames("DestinationRule/default/orders")
            .because(&["endpoint_took_istio_mtls=true"])
    };
    let from_gateway = |name, about, rule| {
        let story = Story::new(name, about).own(GATEWAY).own(rule).from("outside");
        story.curl(&["https://cart.shop.test/"]).gets(Status(503))
    };
    vec![
        Story::new("views/simple_tls", "A DestinationRule originates plain TLS to a sidecar")
            .curl(&["http://orders/"])
            .then(Yaml::Own(SIMPLE_TLS))
            .curl(&["http://orders/"])
            .gets(Status(503))
            .says(conflict())
            .says(tls_to_http("orders", Likely).inbound().only_counted()),
        Story::new("views/simple_tls/strict", "The same, and the service takes only mutual TLS")
            .own(STRICT)
            .curl(&["http://orders/"])
            .then(Yaml::Own(SIMPLE_TLS))
            .curl(&["http://orders/"])
            .gets(Status(503))
            .says(conflict())
            .says(Says::new("orders", Cause::DownstreamTlsFailed, Certain).inbound().only_counted()),
        from_gateway("views/simple_tls/gateway", "The gateway originates plain TLS to a sidecar", SIMPLE_TLS)
            .says(
                Says::new("ingress", Cause::UpstreamTlsFailed, Likely)
                    .gateway()
                    .blames("DestinationRule/default/orders")
                    .because(&["Connection reset by peer"]),
            )
            .says(tls_to_http("orders", Likely).inbound().only_counted()),
        from_gateway(
            "views/no_tls/gateway",
            "The gateway sends plaintext to a sidecar that refuses it",
            NO_TLS,
        )
        .own(STRICT)
        .says(Says::new("ingress", Cause::UpstreamClosedConnection, Likely).gateway())
        .says(Says::new("orders", Cause::PlaintextToStrictMtls, Likely).inbound().only_counted()),
        Story::new(
            "views/tls_to_plaintext/gateway",
            "A gateway originates TLS to a server that speaks plaintext",
        )
        .own(GATEWAY)
        .own(TLS_TO_LEGACY)
        .from("outside")
        .curl(&["https://pay.shop.test/"])
        .gets(Status(503))
        .says(
            Says::new("ingress", Cause::UpstreamSpeaksPlaintext, Certain)
                .gateway()
                .blames("DestinationRule/default/legacy"),
        ),
    ]
}

/// What a client does to the one that ends TLS, or wants it.
fn gateway() -> Vec<Story> {
    vec![
        Story::new("views/plaintext/gateway", "Plain HTTP to a gateway's TLS port")
            .own(GATEWAY)
            .from("outside")
            .curl(&["http://cart.shop.test:443/"])
            .gets(Nothing(56))
            .says(Says::new("ingress", Cause::PlaintextOnTlsPort, Certain).gateway().only_counted()),
        Story::new("views/plaintext/strict", "Plain HTTP without proxy to a service with mutual TLS only")
            .own(STRICT)
            .from("outside")
            .curl(&["http://orders/"])
            .gets(Nothing(56))
            .says(Says::new("orders", Cause::PlaintextToStrictMtls, Likely).inbound().only_counted()),
        Story::new(
            "views/tls_in_tls/gateway",
            "A client that wraps TLS in TLS: the gateway ended the outer one",
        )
        .own(GATEWAY)
        .from("outside")
        .needs(PYTHON)
        .run(&["python3", "-c", TLS_IN_TLS])
        .gets(Status(400))
        .says(Says::new("ingress", Cause::DoubleTls, Certain).gateway()),
    ]
}

/// A TLS client inside of a TLS client: it prints what the gateway answers to the inner one.
const TLS_IN_TLS: &str = "
import socket, ssl
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
outer = context.wrap_socket(socket.create_connection(('cart.shop.test', 443)), server_hostname='cart.shop.test')
bytes_in, bytes_out = ssl.MemoryBIO(), ssl.MemoryBIO()
inner = context.wrap_bio(bytes_in, bytes_out, server_hostname='cart.shop.test')
try:
    inner.do_handshake()
except ssl.SSLWantReadError:
    outer.sendall(bytes_out.read())
    print(outer.recv(4096).decode())
";

/// A client that asks, gets its answer, and resets the connection.
const RESETS: &str = "
import os, socket, ssl, struct
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
stream = context.wrap_socket(socket.create_connection(('cart.shop.test', 443)), server_hostname='cart.shop.test')
stream.sendall(b'GET / HTTP/1.1\\r\\nHost: cart.shop.test\\r\\n\\r\\n')
print(stream.recv(4096).decode())
stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
os.close(stream.detach())
";

const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: default}
spec: {mtls: {mode: STRICT}}
";

const GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - hosts: ['*.shop.test']
    port: {number: 443, name: https, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: shop-tls}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: default}
spec:
  hosts: [cart.shop.test]
  gateways: [shop]
  http: [{route: [{destination: {host: orders, port: {number: 80}}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pay, namespace: default}
spec:
  hosts: [pay.shop.test]
  gateways: [shop]
  http: [{route: [{destination: {host: legacy, port: {number: 80}}}]}]
";

const PASSES_TO_HTTP: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - hosts: ['*.shop.test']
    port: {number: 443, name: tls, protocol: TLS}
    tls: {mode: PASSTHROUGH}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: default}
spec:
  hosts: [cart.shop.test]
  gateways: [shop]
  tls: [{match: [{sniHosts: [cart.shop.test]}], route: [{destination: {host: orders, port: {number: 80}}}]}]
";

const SIMPLE_TLS: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders, namespace: default}
spec: {host: orders, trafficPolicy: {tls: {mode: SIMPLE}}}
";

const NO_TLS: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders, namespace: default}
spec: {host: orders, trafficPolicy: {tls: {mode: DISABLE}}}
";

const TLS_TO_LEGACY: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: legacy, namespace: default}
spec: {host: legacy, trafficPolicy: {tls: {mode: SIMPLE}}}
";
