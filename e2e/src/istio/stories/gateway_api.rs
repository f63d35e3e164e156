//! Mistakes with the Gateway API, at a gateway that was deployed by hand.

/// A Gateway of this name with these listeners, at the pod that was deployed by hand.
macro_rules! gateway {
    ($name:literal, $($listener:expr),+) => {
        concat!(
            "\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: ", $name, ", namespace: istio-system}\n",
            "spec:\n  gatewayClassName: istio\n",
            "  addresses: [{type: Hostname, value: istio-ingressgateway.istio-system.svc.cluster.local}]\n  listeners:\n",
            $($listener),+
        )
    };
}

/// A listener that any namespace may use, with this `tls`.
macro_rules! listener {
    ($name:literal, $port:literal, $protocol:literal, $hostname:literal, $tls:literal) => {
        concat!(
            "  - name: ",
            $name,
            "\n    port: ",
            $port,
            "\n    protocol: ",
            $protocol,
            "\n    hostname: ",
            $hostname,
            "\n    tls: {",
            $tls,
            "}\n    allowedRoutes: {namespaces: {from: All}}\n"
        )
    };
}

/// A route at a Gateway's listener, with this `hostname` and these `rules`.
macro_rules! at_gateway {
    ($kind:literal, $name:literal, $gateway:literal, $section:literal, $hostname:literal, $rules:literal) => {
        route!(
            $kind,
            $name,
            concat!("name: ", $gateway, ", namespace: istio-system, sectionName: ", $section),
            concat!("  hostnames: [", $hostname, "]\n"),
            $rules
        )
    };
}

/// The route of most stories.
macro_rules! httpbin {
    ($rules:literal) => {
        at_gateway!("HTTPRoute", "httpbin", "front", "http", "httpbin.example.com", $rules)
    };
}

/// A listener that terminates TLS for HTTP, and a route of this kind at it.
macro_rules! behind_https {
    ($kind:literal, $rules:literal) => {
        concat!(
            gateway!(
                "secure",
                listener!(
                    "https",
                    "443",
                    "HTTPS",
                    "httpbin.example.com",
                    "mode: Terminate, certificateRefs: [{name: sds-credential}]"
                )
            ),
            "---",
            at_gateway!($kind, "httpbin", "secure", "https", "httpbin.example.com", $rules)
        )
    };
}

/// Lets routes of the namespace `default` lead to the Services of `shop`.
macro_rules! grant {
    () => {
        "
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: from-default, namespace: shop}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]
  to: [{group: '', kind: Service}]
"
    };
}

mod page;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};

use super::super::story::Gets::{Answer, Nothing, Status};
use super::super::story::{Says, Story};

/// All of them.
pub fn stories() -> Vec<Story> {
    [http(), tls(), page::stories()].concat()
}

fn at(name: &'static str, about: &'static str, yaml: &'static str) -> Story {
    Story::new(name, about).own(GATEWAY).own(yaml).from("outside")
}

fn ingress(cause: Cause, confidence: meshwhy::diagnosis::Confidence) -> Says {
    Says::new("ingress", cause, confidence).gateway()
}

fn http() -> Vec<Story> {
    vec![
        at("gateway_api/backend", "An HTTPRoute to a Service", ROUTE)
            .like("rejected/nr/gateway_fixed")
            .curl(&["http://httpbin.example.com/backend"])
            .gets(Answer("helloworld")),
        at("gateway_api/backend_missing", "An HTTPRoute's backend doesn't exist", NO_SERVICE)
            .like("rejected/nc/gateway")
            .curl(&["http://httpbin.example.com/backend_missing"])
            .gets(Status(500))
            .says(ingress(Cause::ClusterMissing, Certain).blames("HTTPRoute/default/httpbin")),
        at("gateway_api/backend_port", "An HTTPRoute's backend doesn't have the port", NO_PORT)
            .curl(&["http://httpbin.example.com/backend_port"])
            .gets(Status(500))
            .says(ingress(Cause::ClusterMissing, Certain).blames("HTTPRoute/default/httpbin")),
        at("gateway_api/grpc_backend", "A GRPCRoute's backend doesn't exist", GRPC_NO_SERVICE)
            .curl(&[
                "--http2-prior-knowledge",
                "-X",
                "POST",
                "-H",
                "content-type: application/grpc",
                "-H",
                "te: trailers",
                "http://httpbin.example.com/shop.Orders/List",
            ])
            .gets(Answer("grpc-status: 2"))
            .says(ingress(Cause::ClusterMissing, Certain).blames("Gateway/istio-system/front")),
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
            .like("rejected/nr/gateway_host")
            .curl(&["-H", "Host: httpbin.example.org", "http://httpbin.example.com/hostname"])
            .gets(Status(404))
            .says(ingress(Cause::RouteHostUnknown, Likely)),
        at("gateway_api/not_allowed", "A listener that takes no routes from this namespace", NOT_ALLOWED)
            .curl(&["http://httpbin.example.com:8080/not_allowed"])
            .gets(Status(404))
            .says(ingress(Cause::GatewayWithoutHttpRoutes, Likely)),
        at("gateway_api/no_match", "A path that no rule matches", NARROW)
            .like("rejected/nr/gateway_path")
            .curl(&["http://httpbin.example.com/other"])
            .gets(Status(404))
            .says(ingress(Cause::RouteNoMatch, Certain)),
        at("gateway_api/backend_tls", "A BackendTLSPolicy for a Service that speaks plaintext", BACKEND_TLS)
            .like("tls_conflict/reverse")
            .curl(&["http://httpbin.example.com/backend_tls"])
            .gets(Status(503))
            .says(ingress(Cause::UpstreamSpeaksPlaintext, Certain).blames("Service/default/service1").fix(
                "Remove the BackendTLSPolicy for Service default/service1, or let its port 80 speak TLS.",
            )),
    ]
}

fn tls() -> Vec<Story> {
    let at = |name, about, yaml| Story::new(name, about).own(yaml).from("outside");
    vec![
        at("gateway_api/tls_route", "A TLSRoute where TLS is terminated for HTTP", TLS_ROUTE_BEHIND_HTTPS)
            .like("gateway_terminates/tls_routes")
            .curl(&["https://httpbin.example.com/tls_route"])
            .gets(Status(404))
            .says(ingress(Cause::GatewayWithoutHttpRoutes, Certain)),
        at("gateway_api/http_route", "An HTTPRoute where TLS passes through", HTTP_ROUTE_BEHIND_PASSTHROUGH)
            .like("gateway_passes/http_routes")
            .curl(&["https://httpbin.example.com:8443/http_route"])
            .gets(Nothing(7))
            .broken(),
        at("gateway_api/no_certificate", "A certificate that doesn't exist", NO_CERTIFICATE)
            .curl(&["https://httpbin.example.com/no_certificate"])
            .gets(Nothing(7))
            .broken(),
        at(
            "gateway_api/no_certificate/shared_port",
            "The same where another listener is on that port",
            ONE_WITHOUT_CERTIFICATE,
        )
        .curl(&["https://httpbin.example.com/no_certificate"])
        .gets(Nothing(35))
        .says(ingress(Cause::NoFilterChainForSni, Likely).only_counted()),
        at("gateway_api/tls_terminated", "A TLSRoute where TLS is terminated for TCP", TLS_TERMINATED)
            .run(&["bash", "-c", PING])
            .gets(Answer("400 Bad Request")),
        at(
            "gateway_api/one_certificate",
            "Two listeners with one certificate, and one connection",
            ONE_CERTIFICATE,
        )
        .like("reuse/browser")
        .curl(&["-H", "Host: pay.shop.test", "https://cart.shop.test/one_certificate"])
        .gets(Status(404))
        .says(ingress(Cause::ConnectionReusedAcrossGateways, Likely)),
        at("gateway_api/two_connections", "The same, and a connection for each host", ONE_CERTIFICATE)
            .like("reuse/browser/fixed")
            .curl(&["https://pay.shop.test/two_connections"])
            .gets(Status(200)),
    ]
}

const GATEWAY: &str = gateway!(
    "front",
    "  - {name: http, port: 80, protocol: HTTP, hostname: '*.example.com', allowedRoutes: {namespaces: {from: All}}}\n",
    "  - {name: same, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: Same}}}\n"
);

const ROUTE: &str = httpbin!("[{backendRefs: [{name: helloworld, port: 80}]}]");
const NO_SERVICE: &str = httpbin!("[{backendRefs: [{name: absent, port: 80}]}]");
const NO_PORT: &str = httpbin!("[{backendRefs: [{name: helloworld, port: 8888}]}]");
const GRPC_NO_SERVICE: &str = at_gateway!(
    "GRPCRoute",
    "orders",
    "front",
    "http",
    "httpbin.example.com",
    "[{backendRefs: [{name: absent, port: 80}]}]"
);
const ELSEWHERE: &str = httpbin!("[{backendRefs: [{name: elsewhere, namespace: shop, port: 80}]}]");
const NARROW: &str = httpbin!(
    "[{matches: [{path: {type: PathPrefix, value: /get}}], backendRefs: [{name: helloworld, port: 80}]}]"
);

const GRANT: &str = grant!();

const OTHER_HOST: &str = at_gateway!(
    "HTTPRoute",
    "other-host",
    "front",
    "http",
    "httpbin.example.org",
    "[{backendRefs: [{name: helloworld, port: 80}]}]"
);

const NOT_ALLOWED: &str = at_gateway!(
    "HTTPRoute",
    "not-allowed",
    "front",
    "same",
    "httpbin.example.com",
    "[{backendRefs: [{name: helloworld, port: 80}]}]"
);

const BACKEND_TLS: &str = concat!(
    "
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: service1-tls, namespace: default}
spec:
  targetRefs: [{group: '', kind: Service, name: service1}]
  validation: {hostname: service1.test.com, wellKnownCACertificates: System}
---",
    httpbin!("[{backendRefs: [{name: service1, port: 80}]}]")
);

const TLS_ROUTE_BEHIND_HTTPS: &str =
    behind_https!("TLSRoute", "[{backendRefs: [{name: helloworld, port: 80}]}]");

const HTTP_ROUTE_BEHIND_PASSTHROUGH: &str = concat!(
    gateway!("passing", listener!("tls", "8443", "TLS", "httpbin.example.com", "mode: Passthrough")),
    "---",
    at_gateway!(
        "HTTPRoute",
        "httpbin",
        "passing",
        "tls",
        "httpbin.example.com",
        "[{backendRefs: [{name: helloworld, port: 80}]}]"
    )
);

const NO_CERTIFICATE: &str = concat!(
    gateway!(
        "secure",
        listener!(
            "https",
            "443",
            "HTTPS",
            "httpbin.example.com",
            "mode: Terminate, certificateRefs: [{name: absent}]"
        )
    ),
    "---",
    at_gateway!(
        "HTTPRoute",
        "httpbin",
        "secure",
        "https",
        "httpbin.example.com",
        "[{backendRefs: [{name: helloworld, port: 80}]}]"
    )
);

const ONE_WITHOUT_CERTIFICATE: &str = concat!(
    gateway!(
        "secure",
        listener!(
            "https",
            "443",
            "HTTPS",
            "httpbin.example.com",
            "mode: Terminate, certificateRefs: [{name: absent}]"
        ),
        listener!(
            "cart",
            "443",
            "HTTPS",
            "cart.shop.test",
            "mode: Terminate, certificateRefs: [{name: shop-tls}]"
        )
    ),
    "---",
    at_gateway!(
        "HTTPRoute",
        "httpbin",
        "secure",
        "https",
        "httpbin.example.com",
        "[{backendRefs: [{name: helloworld, port: 80}]}]"
    ),
    "---",
    at_gateway!(
        "HTTPRoute",
        "cart",
        "secure",
        "cart",
        "cart.shop.test",
        "[{backendRefs: [{name: helloworld, port: 80}]}]"
    )
);

/// What is no HTTP; the server says so.
const PING: &str = "printf 'PING\\r\\n\\r\\n' | timeout 3 openssl s_client -quiet -connect httpbin.example.com:8443 \
                    -servername httpbin.example.com 2>/dev/null";

const TLS_TERMINATED: &str = concat!(
    gateway!(
        "secure",
        listener!(
            "tls",
            "8443",
            "TLS",
            "httpbin.example.com",
            "mode: Terminate, certificateRefs: [{name: sds-credential}]"
        )
    ),
    "---",
    at_gateway!(
        "TLSRoute",
        "httpbin",
        "secure",
        "tls",
        "httpbin.example.com",
        "[{backendRefs: [{name: legacy, port: 80}]}]"
    )
);

const ONE_CERTIFICATE: &str = concat!(
    gateway!(
        "shop",
        listener!(
            "cart",
            "443",
            "HTTPS",
            "cart.shop.test",
            "mode: Terminate, certificateRefs: [{name: shop-tls}]"
        ),
        listener!(
            "pay",
            "443",
            "HTTPS",
            "pay.shop.test",
            "mode: Terminate, certificateRefs: [{name: shop-tls}]"
        )
    ),
    "---",
    at_gateway!(
        "HTTPRoute",
        "cart",
        "shop",
        "cart",
        "cart.shop.test",
        "[{backendRefs: [{name: service1, port: 80}]}]"
    ),
    "---",
    at_gateway!(
        "HTTPRoute",
        "pay",
        "shop",
        "pay",
        "pay.shop.test",
        "[{backendRefs: [{name: service2, port: 80}]}]"
    )
);
