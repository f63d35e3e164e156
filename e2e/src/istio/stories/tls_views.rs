//! One failure of TLS, as every proxy on its way sees it.

use super::super::story::Gets::{Answer, Nothing, Status};
use super::super::story::{Says, Story};

/// All of them. `orders` has one pod, so it's known who is asked.
pub fn stories() -> Vec<Story> {
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
        Story::new("views/tls_to_http_port", "HTTPS to a service of the mesh whose port is named http")
            .curl(&["-k", "https://orders:80/"])
            .gets(Nothing(35)),
        Story::new("views/tls_to_http_port/strict", "The same, and the service takes only mutual TLS")
            .own(STRICT)
            .curl(&["-k", "https://orders:80/"])
            .gets(Nothing(35)),
        Story::new("views/tls_to_http_port/outside", "The same from a pod without proxy")
            .from("outside")
            .curl(&["-k", "https://orders:80/"])
            .gets(Nothing(35)),
        Story::new(
            "views/gateway_passes/to_http_port",
            "TLS passes the gateway to a service that speaks HTTP",
        )
        .own(PASSES_TO_HTTP)
        .from("outside")
        .curl(&["-k", "https://cart.shop.test/"])
        .gets(Nothing(35)),
        Story::new("views/simple_tls", "A DestinationRule originates plain TLS to a sidecar")
            .own(SIMPLE_TLS)
            .curl(&["http://orders/"])
            .gets(Status(503)),
        Story::new("views/simple_tls/strict", "The same, and the service takes only mutual TLS")
            .own(SIMPLE_TLS)
            .own(STRICT)
            .curl(&["http://orders/"])
            .gets(Status(503)),
        Story::new(
            "views/gateway/tls_disabled",
            "A DestinationRule turns off mutual TLS; a gateway is in front",
        )
        .own(GATEWAY)
        .own(STRICT)
        .own(NO_TLS)
        .from("outside")
        .curl(&["https://cart.shop.test/"])
        .gets(Status(503))
        .says(
            Says::new("ingress", "destination_rule_tls_conflict", "likely")
                .gateway()
                .blames("DestinationRule/default/orders"),
        )
        .says(Says::new("orders", "plaintext_to_strict_mtls", "likely").inbound().only_counted()),
        Story::new("views/gateway/simple_tls", "The gateway originates plain TLS to a sidecar")
            .own(GATEWAY)
            .own(SIMPLE_TLS)
            .from("outside")
            .curl(&["https://cart.shop.test/"])
            .gets(Status(503)),
        Story::new(
            "views/gateway/plaintext_server",
            "A gateway originates TLS to a server that speaks plaintext",
        )
        .own(GATEWAY)
        .own(TLS_TO_LEGACY)
        .from("outside")
        .curl(&["https://pay.shop.test/"])
        .gets(Status(503))
        .says(
            Says::new("ingress", "upstream_speaks_plaintext", "certain")
                .gateway()
                .blames("DestinationRule/default/legacy"),
        ),
        Story::new("views/gateway/plaintext", "Plain HTTP to a gateway's TLS port")
            .own(GATEWAY)
            .from("outside")
            .curl(&["http://cart.shop.test:443/"])
            .gets(Nothing(52))
            .says(Says::new("ingress", "plaintext_on_tls_port", "certain").gateway().only_counted()),
        Story::new(
            "views/strict/outside",
            "Plain HTTP from a pod without proxy to a service with mutual TLS only",
        )
        .own(STRICT)
        .from("outside")
        .curl(&["http://orders/"])
        .gets(Nothing(56))
        .says(Says::new("orders", "plaintext_to_strict_mtls", "likely").inbound().only_counted()),
        Story::new(
            "views/gateway/double_tls",
            "A client that wraps TLS in TLS: the gateway ended the outer one",
        )
        .own(GATEWAY)
        .from("outside")
        .run(&["sh", "-c", TLS_IN_TLS])
        .gets(Answer("400 Bad Request"))
        .says(Says::new("ingress", "double_tls", "certain").gateway()),
    ]
}

/// The bytes of a ClientHello through an `openssl s_client`.
const TLS_IN_TLS: &str = "(printf '\\026\\003\\001\\000\\005\\001\\000\\000\\001\\003'; sleep 1) | \
    openssl s_client -quiet -connect cart.shop.test:443 -servername cart.shop.test 2>/dev/null";

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
