//! The page's section "Gateway to virtual service TLS mismatch".

use meshwhy::causes::Cause;
use meshwhy::causes::manual::PageSection;
use meshwhy::diagnosis::Confidence::{Certain, Likely};

use super::super::story::Gets::{Answer, NoAnswer, Nothing, Status};
use super::super::story::{Says, Story, Yaml};

const TERMINATES: PageSection = PageSection::GatewayTermination;
const PASSES: PageSection = PageSection::GatewayPassthrough;

/// All of them.
pub fn stories() -> Vec<Story> {
    [termination(), passthrough(), own()].concat()
}

fn termination() -> Vec<Story> {
    let broken = |name, about| Story::new(name, about).page(TERMINATES).file("broken.yaml").own(HTTPBIN_443);
    vec![
        broken("gateway_terminates/tls_routes", "TLS ends at the gateway, and no rule is for what comes out")
            .from("outside")
            .curl(&["https://httpbin.example.com/"])
            .gets(Status(404))
            .says(
                Says::new("ingress", Cause::GatewayWithoutHttpRoutes, Certain)
                    .gateway()
                    .because(&["virtual_host=blackhole:443", "sni=httpbin.example.com"]),
            ),
        broken("gateway_terminates/tls_routes/http1", "The same over HTTP/1.1")
            .from("outside")
            .curl(&["--http1.1", "https://httpbin.example.com/"])
            .gets(Status(404))
            .says(Says::new("ingress", Cause::GatewayWithoutHttpRoutes, Certain).gateway()),
        broken("gateway_terminates/fixed", "HTTP routes")
            .own(HTTPBIN_80)
            .with(Yaml::PageFilled(TERMINATES, "fixed.yaml", HTTP_ROUTES))
            .from("outside")
            .curl(&["https://httpbin.example.com/"])
            .gets(Answer("httpbin-org HTTP/1.1")),
    ]
}

/// The rest of the page's `VirtualService`, and a route.
const HTTP_ROUTES: &[(&str, &str)] = &[
    (
        "spec:\n  ...\n",
        "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata:\n  name: httpbin\nspec:\n  \
         hosts:\n  - \"*.example.com\"\n  gateways:\n  - istio-system/gateway\n",
    ),
    (
        "- match: ...",
        "- match:\n    - uri:\n        prefix: /\n    route:\n    - destination:\n        host: httpbin.org",
    ),
];

fn passthrough() -> Vec<Story> {
    let broken = |name, about| Story::new(name, about).page(PASSES).file("broken.yaml");
    vec![
        broken(
            "gateway_passes/http_routes",
            "HTTP routes for TLS that passes: the gateway doesn't even listen",
        )
        .own(HTTPBIN_443)
        .from("outside")
        .curl(&["https://httpbin.example.com/"])
        .gets(Nothing(7))
        .broken(),
        broken(
            "gateway_passes/http_routes/shared_port",
            "The same where another host is routed on that port",
        )
        .own(HTTPBIN_443)
        .own(OTHER_HOST)
        .from("outside")
        .curl(&["https://httpbin.example.com/"])
        .gets(Nothing(35))
        .says(Says::new("ingress", Cause::NoFilterChainForSni, Likely).gateway().only_counted()),
        broken("gateway_passes/fixed/tls_routes", "TLS routes")
            .own(HTTPBIN_443)
            .with(Yaml::PageFilled(PASSES, "fixed-tls-routes.yaml", TLS_ROUTES))
            .from("outside")
            .curl(&["https://httpbin.example.com/"])
            .gets(Answer("httpbin-org over TLS")),
        broken("gateway_passes/fixed/terminates", "TLS ends at the gateway")
            .own(HTTPBIN_80)
            .with(Yaml::PageFilled(PASSES, "fixed-termination.yaml", TERMINATION))
            .from("outside")
            .curl(&["https://httpbin.example.com/"])
            .gets(Answer("httpbin-org HTTP/1.1")),
    ]
}

/// The rest of the page's `VirtualService`.
const TLS_ROUTES: &[(&str, &str)] = &[(
    "spec:\n",
    "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata:\n  name: virtual-service\nspec:\n  \
     gateways:\n  - gateway\n  hosts:\n  - httpbin.example.com\n",
)];

/// The rest of the page's `Gateway`.
const TERMINATION: &[(&str, &str)] = &[(
    "spec:\n  ...\n",
    "apiVersion: networking.istio.io/v1beta1\nkind: Gateway\nmetadata:\n  name: gateway\nspec:\n  selector:\n    \
     istio: ingressgateway\n  servers:\n  - hosts:\n    - \"*\"\n    port:\n      name: https\n      number: 443\n      \
     protocol: HTTPS\n",
)];

/// Other names, other hosts, in another namespace.
fn own() -> Vec<Story> {
    vec![
        Story::new(
            "own/gateway_terminates/tls_routes",
            "A shop's gateway on 8443 that ends TLS, and TLS routes",
        )
        .own(SHOP_SIMPLE)
        .own(SHOP_TLS_ROUTES)
        .from("outside")
        .curl(&["https://cart.shop.test:8443/"])
        .gets(Status(404))
        .says(
            Says::new("ingress", Cause::GatewayWithoutHttpRoutes, Certain)
                .gateway()
                .because(&["virtual_host=blackhole:8443"]),
        ),
        Story::new("own/gateway_terminates/no_secret", "A gateway whose credentialName names no secret")
            .own(SHOP_WITHOUT_SECRET)
            .own(SHOP_HTTP_ROUTES)
            .from("outside")
            // The listener waits for the secret first.
            .curl(&[
                "--retry",
                "25",
                "--retry-connrefused",
                "--retry-delay",
                "1",
                "https://cart.shop.test:8443/",
            ])
            .gets(NoAnswer)
            .says(Says::new("ingress", Cause::ProxyCertificateMissing, Certain).gateway().only_counted()),
        Story::new("own/gateway_terminates/healthy", "The same gateway with HTTP routes to the mesh")
            .own(SHOP_SIMPLE)
            .own(SHOP_HTTP_ROUTES)
            .from("outside")
            .curl(&["https://cart.shop.test:8443/"])
            .gets(Answer("helloworld-v")),
        Story::new("own/gateway_terminates/other_host", "A host that none of its HTTP routes is for")
            .own(SHOP_SIMPLE)
            .own(SHOP_HTTP_ROUTES)
            .from("outside")
            .curl(&["https://pay.shop.test:8443/"])
            .gets(Status(404))
            .says(Says::new("ingress", Cause::RouteHostUnknown, Likely).gateway()),
        Story::new("own/gateway_passes/unknown_sni", "A server name that no TLS route is for")
            .own(SHOP_PASSTHROUGH)
            .from("outside")
            .curl(&["-k", "https://pay.shop.test:8443/"])
            .gets(Nothing(35))
            .says(Says::new("ingress", Cause::NoFilterChainForSni, Likely).gateway().only_counted()),
        Story::new("own/gateway_passes/healthy", "TLS passes to a server outside")
            .own(SHOP_PASSTHROUGH)
            .from("outside")
            .curl(&["-k", "https://cart.shop.test:8443/"])
            .gets(Answer("billing over TLS")),
    ]
}

const HTTPBIN_443: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: httpbin-org, namespace: default}
spec:
  hosts: [httpbin.org]
  ports: [{number: 443, name: https, protocol: HTTPS}]
  resolution: DNS
";

const HTTPBIN_80: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: httpbin-org, namespace: default}
spec:
  hosts: [httpbin.org]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
";

const OTHER_HOST: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other-host, namespace: default}
spec:
  gateways: [gateway]
  hosts: [other.example.com]
  tls: [{match: [{sniHosts: [other.example.com]}], route: [{destination: {host: httpbin.org}}]}]
";

const SHOP_SIMPLE: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - hosts: ['*.shop.test']
    port: {number: 8443, name: https-shop, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: shop-tls}
";

const SHOP_WITHOUT_SECRET: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - hosts: ['*.shop.test']
    port: {number: 8443, name: https-shop, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: shop-tls-old}
";

const SHOP_TLS_ROUTES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: default}
spec:
  gateways: [istio-system/shop]
  hosts: [cart.shop.test]
  tls: [{match: [{sniHosts: [cart.shop.test]}], route: [{destination: {host: helloworld, port: {number: 80}}}]}]
";

const SHOP_HTTP_ROUTES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: default}
spec:
  gateways: [istio-system/shop]
  hosts: [cart.shop.test]
  http: [{route: [{destination: {host: helloworld, port: {number: 80}}}]}]
";

const SHOP_PASSTHROUGH: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: billing-api, namespace: default}
spec:
  hosts: [api.billing.test]
  ports: [{number: 8443, name: tls-api, protocol: TLS}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - hosts: ['*.shop.test']
    port: {number: 8443, name: tls-shop, protocol: TLS}
    tls: {mode: PASSTHROUGH}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: default}
spec:
  gateways: [shop]
  hosts: [cart.shop.test]
  tls: [{match: [{sniHosts: [cart.shop.test]}], route: [{destination: {host: api.billing.test}}]}]
";
