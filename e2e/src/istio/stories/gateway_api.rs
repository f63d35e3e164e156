//! Mistakes with the Gateway API, at a gateway that was deployed by hand.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};

use super::super::story::Gets::{Answer, Nothing, Status};
use super::super::story::{Says, Story};

/// The Gateway API's kinds reach istiod by other ways than the marker that the rig waits for.
const UNTIL_TRANSLATED: &[&str] = &["sleep", "3"];

/// All of them.
pub fn stories() -> Vec<Story> {
    [http(), tls()].concat()
}

fn at(name: &'static str, about: &'static str, yaml: &'static str) -> Story {
    Story::new(name, about).own(GATEWAY).own(yaml).from("outside").run(UNTIL_TRANSLATED)
}

fn ingress(cause: Cause, confidence: meshwhy::diagnosis::Confidence) -> Says {
    Says::new("ingress", cause, confidence).gateway()
}

fn http() -> Vec<Story> {
    vec![
        at("gateway_api/backend", "An HTTPRoute to a Service", ROUTE)
            .curl(&["http://httpbin.example.com/backend"])
            .gets(Answer("helloworld")),
        at("gateway_api/backend_missing", "An HTTPRoute's backend doesn't exist", NO_SERVICE)
            .curl(&["http://httpbin.example.com/backend_missing"])
            .gets(Status(500))
            .says(ingress(Cause::ClusterMissing, Certain).blames("HTTPRoute/default/httpbin")),
        at("gateway_api/backend_port", "An HTTPRoute's backend doesn't have the port", NO_PORT)
            .curl(&["http://httpbin.example.com/backend_port"])
            .gets(Status(500))
            .says(ingress(Cause::ClusterMissing, Certain).blames("HTTPRoute/default/httpbin")),
        at("gateway_api/no_grant", "A backend in another namespace, without a ReferenceGrant", ELSEWHERE)
            .curl(&["http://httpbin.example.com/no_grant"])
            .gets(Status(500))
            .says(ingress(Cause::ClusterMissing, Certain).blames("HTTPRoute/default/httpbin")),
        at("gateway_api/grant", "The same with a ReferenceGrant", ELSEWHERE)
            .own(GRANT)
            .curl(&["http://httpbin.example.com/granted"])
            .gets(Status(200)),
        at("gateway_api/hostname", "A hostname that the listener doesn't have", OTHER_HOST)
            .own(ROUTE)
            .curl(&["-H", "Host: httpbin.example.org", "http://httpbin.example.com/hostname"])
            .gets(Status(404))
            .says(ingress(Cause::RouteHostUnknown, Likely)),
        at("gateway_api/not_allowed", "A listener that takes no routes from this namespace", NOT_ALLOWED)
            .curl(&["http://httpbin.example.com:8080/not_allowed"])
            .gets(Status(404))
            .says(ingress(Cause::GatewayWithoutHttpRoutes, Likely)),
        at("gateway_api/no_match", "A path that no rule matches", NARROW)
            .curl(&["http://httpbin.example.com/other"])
            .gets(Status(404))
            .says(ingress(Cause::RouteNoMatch, Certain)),
        at("gateway_api/backend_tls", "A BackendTLSPolicy for a Service that speaks plaintext", BACKEND_TLS)
            .curl(&["http://httpbin.example.com/backend_tls"])
            .gets(Status(503))
            .says(ingress(Cause::UpstreamSpeaksPlaintext, Certain).blames("Service/default/service1").fix(
                "Remove the BackendTLSPolicy for Service default/service1, or let its port 80 speak TLS.",
            )),
    ]
}

fn tls() -> Vec<Story> {
    let at = |name, about, yaml| Story::new(name, about).own(yaml).from("outside").run(UNTIL_TRANSLATED);
    vec![
        at("gateway_api/tls_route", "A TLSRoute where TLS is terminated for HTTP", TLS_ROUTE_BEHIND_HTTPS)
            .curl(&["https://httpbin.example.com/tls_route"])
            .gets(Status(404))
            .says(ingress(Cause::GatewayWithoutHttpRoutes, Certain)),
        at("gateway_api/http_route", "An HTTPRoute where TLS passes through", HTTP_ROUTE_BEHIND_PASSTHROUGH)
            .curl(&["https://httpbin.example.com:8443/http_route"])
            .gets(Nothing(7))
            .broken(),
        at("gateway_api/no_certificate", "A certificate that doesn't exist", NO_CERTIFICATE)
            .curl(&["https://httpbin.example.com/no_certificate"])
            .gets(Nothing(7))
            .broken(),
        at(
            "gateway_api/one_certificate",
            "Two listeners with one certificate, and one connection",
            ONE_CERTIFICATE,
        )
        .curl(&["-H", "Host: pay.shop.test", "https://cart.shop.test/one_certificate"])
        .gets(Status(404))
        .says(ingress(Cause::ConnectionReusedAcrossGateways, Likely)),
        at("gateway_api/two_connections", "The same, and a connection for each host", ONE_CERTIFICATE)
            .curl(&["https://pay.shop.test/two_connections"])
            .gets(Status(200)),
    ]
}

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: istio-system}
spec:
  gatewayClassName: istio
  addresses: [{type: Hostname, value: istio-ingressgateway.istio-system.svc.cluster.local}]
  listeners:
  - {name: http, port: 80, protocol: HTTP, hostname: '*.example.com', allowedRoutes: {namespaces: {from: All}}}
  - {name: same, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: Same}}}
";

const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: httpbin, namespace: default}
spec:
  parentRefs: [{name: front, namespace: istio-system, sectionName: http}]
  hostnames: [httpbin.example.com]
  rules: [{backendRefs: [{name: helloworld, port: 80}]}]
";

const NO_SERVICE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: httpbin, namespace: default}
spec:
  parentRefs: [{name: front, namespace: istio-system, sectionName: http}]
  hostnames: [httpbin.example.com]
  rules: [{backendRefs: [{name: absent, port: 80}]}]
";

const NO_PORT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: httpbin, namespace: default}
spec:
  parentRefs: [{name: front, namespace: istio-system, sectionName: http}]
  hostnames: [httpbin.example.com]
  rules: [{backendRefs: [{name: helloworld, port: 8888}]}]
";

const ELSEWHERE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: httpbin, namespace: default}
spec:
  parentRefs: [{name: front, namespace: istio-system, sectionName: http}]
  hostnames: [httpbin.example.com]
  rules: [{backendRefs: [{name: elsewhere, namespace: shop, port: 80}]}]
";

const GRANT: &str = "
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: from-default, namespace: shop}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]
  to: [{group: '', kind: Service}]
";

const OTHER_HOST: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: other-host, namespace: default}
spec:
  parentRefs: [{name: front, namespace: istio-system, sectionName: http}]
  hostnames: [httpbin.example.org]
  rules: [{backendRefs: [{name: helloworld, port: 80}]}]
";

const NOT_ALLOWED: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: not-allowed, namespace: default}
spec:
  parentRefs: [{name: front, namespace: istio-system, sectionName: same}]
  hostnames: [httpbin.example.com]
  rules: [{backendRefs: [{name: helloworld, port: 80}]}]
";

const NARROW: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: httpbin, namespace: default}
spec:
  parentRefs: [{name: front, namespace: istio-system, sectionName: http}]
  hostnames: [httpbin.example.com]
  rules: [{matches: [{path: {type: PathPrefix, value: /get}}], backendRefs: [{name: helloworld, port: 80}]}]
";

const BACKEND_TLS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: service1-tls, namespace: default}
spec:
  targetRefs: [{group: '', kind: Service, name: service1}]
  validation: {hostname: service1.test.com, wellKnownCACertificates: System}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: httpbin, namespace: default}
spec:
  parentRefs: [{name: front, namespace: istio-system, sectionName: http}]
  hostnames: [httpbin.example.com]
  rules: [{backendRefs: [{name: service1, port: 80}]}]
";

const TLS_ROUTE_BEHIND_HTTPS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: secure, namespace: istio-system}
spec:
  gatewayClassName: istio
  addresses: [{type: Hostname, value: istio-ingressgateway.istio-system.svc.cluster.local}]
  listeners:
  - name: https
    port: 443
    protocol: HTTPS
    hostname: httpbin.example.com
    tls: {mode: Terminate, certificateRefs: [{name: sds-credential}]}
    allowedRoutes: {namespaces: {from: All}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: httpbin, namespace: default}
spec:
  parentRefs: [{name: secure, namespace: istio-system, sectionName: https}]
  hostnames: [httpbin.example.com]
  rules: [{backendRefs: [{name: helloworld, port: 80}]}]
";

const HTTP_ROUTE_BEHIND_PASSTHROUGH: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: passing, namespace: istio-system}
spec:
  gatewayClassName: istio
  addresses: [{type: Hostname, value: istio-ingressgateway.istio-system.svc.cluster.local}]
  listeners:
  - name: tls
    port: 8443
    protocol: TLS
    hostname: httpbin.example.com
    tls: {mode: Passthrough}
    allowedRoutes: {namespaces: {from: All}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: httpbin, namespace: default}
spec:
  parentRefs: [{name: passing, namespace: istio-system, sectionName: tls}]
  hostnames: [httpbin.example.com]
  rules: [{backendRefs: [{name: helloworld, port: 80}]}]
";

const NO_CERTIFICATE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: secure, namespace: istio-system}
spec:
  gatewayClassName: istio
  addresses: [{type: Hostname, value: istio-ingressgateway.istio-system.svc.cluster.local}]
  listeners:
  - name: https
    port: 443
    protocol: HTTPS
    hostname: httpbin.example.com
    tls: {mode: Terminate, certificateRefs: [{name: absent}]}
    allowedRoutes: {namespaces: {from: All}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: httpbin, namespace: default}
spec:
  parentRefs: [{name: secure, namespace: istio-system, sectionName: https}]
  hostnames: [httpbin.example.com]
  rules: [{backendRefs: [{name: helloworld, port: 80}]}]
";

const ONE_CERTIFICATE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop, namespace: istio-system}
spec:
  gatewayClassName: istio
  addresses: [{type: Hostname, value: istio-ingressgateway.istio-system.svc.cluster.local}]
  listeners:
  - name: cart
    port: 443
    protocol: HTTPS
    hostname: cart.shop.test
    tls: {mode: Terminate, certificateRefs: [{name: shop-tls}]}
    allowedRoutes: {namespaces: {from: All}}
  - name: pay
    port: 443
    protocol: HTTPS
    hostname: pay.shop.test
    tls: {mode: Terminate, certificateRefs: [{name: shop-tls}]}
    allowedRoutes: {namespaces: {from: All}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart, namespace: default}
spec:
  parentRefs: [{name: shop, namespace: istio-system, sectionName: cart}]
  hostnames: [cart.shop.test]
  rules: [{backendRefs: [{name: service1, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: pay, namespace: default}
spec:
  parentRefs: [{name: shop, namespace: istio-system, sectionName: pay}]
  hostnames: [pay.shop.test]
  rules: [{backendRefs: [{name: service2, port: 80}]}]
";
