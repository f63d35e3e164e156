//! The mistakes of Istio's page that stories beside these don't make, made once more with the Gateway API, in the mesh (GAMMA) and at a
//! gateway; and what mends them.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use super::super::super::story::Gets::{Answer, Answers, Nothing, Status};
use super::super::super::story::{Says, Story, Yaml};
use super::{GATEWAY, GRANT, TLS_ROUTE_BEHIND_HTTPS, at, ingress};

/// All of them.
pub fn stories() -> Vec<Story> {
    [mesh(), weights(), gateway(), tls()].concat()
}

fn within(name: &'static str, about: &'static str, yaml: &'static str) -> Story {
    Story::new(name, about).own(yaml)
}

fn client(cause: Cause, confidence: meshwhy::diagnosis::Confidence) -> Says {
    Says::new("client", cause, confidence)
}

fn mesh() -> Vec<Story> {
    vec![
        within("gateway_api/mesh/routed", "An HTTPRoute for a Service of the mesh", MESH)
            .like("rejected/nr/mesh_fixed")
            .curl(&["http://helloworld/orders"])
            .gets(Answer("orders")),
        within("gateway_api/mesh/backend", "A backend of an HTTPRoute, asked by its own name", MESH)
            .curl(&["http://helloworld/orders"])
            .curl(&["http://orders/"])
            .gets(Answer("orders")),
        within("gateway_api/mesh/no_match", "An HTTPRoute for a Service, and a path that no rule has", MESH)
            .like("rejected/nr/mesh_path")
            .curl(&["http://helloworld/other"])
            .gets(Status(404))
            .says(client(Cause::RouteNoMatch, Certain)),
        within(
            "gateway_api/mesh/backend_missing",
            "An HTTPRoute for a Service, and a backend that doesn't exist",
            MESH,
        )
        .like("rejected/nc/subset")
        .curl(&["http://helloworld/missing"])
        .gets(Status(500))
        .says(client(Cause::ClusterMissing, Certain).blames("HTTPRoute/default/helloworld")),
        within("gateway_api/mesh/no_pods", "An HTTPRoute to a Service whose selector matches no pod", MESH)
            .like("rejected/uh/no_pods")
            .curl(&["http://helloworld/nobody"])
            .gets(Status(503))
            .says(client(Cause::NoEndpoints, Likely)),
        within("gateway_api/mesh/refused", "An HTTPRoute to a target port that nobody listens on", MESH)
            .like("rejected/uf/refused")
            .curl(&["http://helloworld/closed"])
            .gets(Status(503))
            .says(client(Cause::UpstreamRefused, Certain)),
        within("gateway_api/mesh/port_name", "An HTTPRoute for a port named tcp-...", BOOKS)
            .like("port_name/tcp")
            .curl(&["http://books:83/"])
            .gets(Status(200))
            .says(client(Cause::HttpTreatedAsTcp, Certain).soft())
            .says(Says::new("reports", Cause::HttpTreatedAsTcp, Certain).inbound().soft()),
        within("gateway_api/mesh/port_name/http", "An HTTPRoute for a port named http-...", HTTP_BOOKS)
            .like("port_name/http")
            .curl(&["http://books:85/"])
            .gets(Answer("orders")),
    ]
}

fn weights() -> Vec<Story> {
    vec![
        within("gateway_api/mesh/weights", "Sixty requests over weights of 90 and 10", WEIGHTS)
            .like("weights/named")
            .curl(&["http://helloworld/?[1-60]"])
            .gets(Answer("orders"))
            .says(client(Cause::WeightsNotSettled, Possible).soft().blames("HTTPRoute/default/helloworld")),
        within("gateway_api/mesh/weights/many", "Three hundred requests over them", WEIGHTS)
            .like("weights/many")
            .curl(&["http://helloworld/?[1-300]"])
            .gets(Answers(&["orders", "elsewhere"]))
            // Its first requests are a few of many.
            .may_say(
                client(Cause::WeightsNotSettled, Possible).soft().blames("HTTPRoute/default/helloworld"),
            ),
        at("gateway_api/late_grant", "A ReferenceGrant that arrives later", LATE)
            .like("propagation")
            .curl(&["http://httpbin.example.com/late_grant"])
            .then(Yaml::Own(GRANT))
            // A failure counts as over once three seconds were quiet.
            .run(&["sleep", "4"])
            .curl(&["http://httpbin.example.com/late_grant"])
            .gets(Status(200))
            .says(ingress(Cause::ClusterMissing, Certain).blames("HTTPRoute/default/httpbin"))
            .says(ingress(Cause::ConfigPropagating, Possible).soft().blames("HTTPRoute/default/httpbin")),
    ]
}

fn gateway() -> Vec<Story> {
    vec![
        at("gateway_api/http10", "An HTTP/1.0 client at a Gateway", ROUTE)
            .like("http10/gateway")
            .curl(&["-0", "http://httpbin.example.com/http10"])
            .gets(Status(426))
            .says(ingress(Cause::Http10Client, Certain)),
        at("gateway_api/http10/fixed", "An HTTP/1.1 client", ROUTE)
            .like("http10/nginx/fixed/no_interception")
            .curl(&["--http1.1", "http://httpbin.example.com/http11"])
            .gets(Status(200)),
    ]
}

fn tls() -> Vec<Story> {
    let at = |name, about, yaml| Story::new(name, about).own(yaml).from("outside");
    vec![
        at("gateway_api/tls_route/http1", "The same over HTTP/1.1", TLS_ROUTE_BEHIND_HTTPS)
            .like("gateway_terminates/tls_routes/http1")
            .curl(&["--http1.1", "https://httpbin.example.com/tls_route"])
            .gets(Status(404))
            .says(ingress(Cause::GatewayWithoutHttpRoutes, Certain)),
        at("gateway_api/terminates", "An HTTPRoute where TLS is terminated", HTTP_ROUTE_BEHIND_HTTPS)
            .like("gateway_terminates/fixed")
            .curl(&["https://httpbin.example.com/terminates"])
            .gets(Answer("helloworld")),
        at("gateway_api/http_route/shared_port", "The same where another TLSRoute is on that port", PASSING)
            .like("gateway_passes/http_routes/shared_port")
            .curl(&["https://httpbin.example.com:8443/http_route"])
            .gets(Nothing(35))
            .says(ingress(Cause::NoFilterChainForSni, Likely).only_counted()),
        at("gateway_api/passes", "A TLSRoute where TLS passes through", TLS_ROUTE_BEHIND_PASSTHROUGH)
            .like("gateway_passes/fixed/tls_routes")
            .curl(&["-k", "https://httpbin.example.com:8443/passes"])
            .gets(Answer("httpbin-org over TLS")),
        at("gateway_api/double_tls", "A BackendTLSPolicy where TLS passes through", DOUBLE_TLS)
            .like("double_tls/trusted")
            .curl(&["-k", "https://httpbin.example.com:8443/double_tls"])
            .gets(Nothing(35))
            .says(ingress(Cause::DoubleTls, Certain).blames("Service/default/secured")),
        at("gateway_api/double_tls/fixed", "A BackendTLSPolicy where TLS is terminated", TERMINATES)
            .own(SECURED)
            .like("double_tls/fixed/http_on_443")
            .curl(&["https://httpbin.example.com/double_tls"])
            .gets(Answer("httpbin-org over TLS")),
        Story::new("gateway_api/backend_tls/fixed", "A BackendTLSPolicy for a Service that speaks TLS")
            .own(GATEWAY)
            .own(BACKEND_TLS)
            .from("outside")
            .like("tls_conflict/reverse/fixed")
            .curl(&["http://httpbin.example.com/backend_tls"])
            .gets(Answer("httpbin-org over TLS")),
    ]
}

/// A route for a Service of the mesh.
macro_rules! in_mesh {
    ($service:literal, $port:literal, $rules:literal) => {
        route!(
            "HTTPRoute",
            $service,
            concat!("group: '', kind: Service, name: ", $service, ", port: ", $port),
            "",
            $rules
        )
    };
}

const MESH: &str = in_mesh!(
    "helloworld",
    "80",
    "
  - {matches: [{path: {type: PathPrefix, value: /orders}}], backendRefs: [{name: orders, port: 80}]}
  - {matches: [{path: {type: PathPrefix, value: /missing}}], backendRefs: [{name: absent, port: 80}]}
  - {matches: [{path: {type: PathPrefix, value: /nobody}}], backendRefs: [{name: nobody, port: 80}]}
  - {matches: [{path: {type: PathPrefix, value: /closed}}], backendRefs: [{name: legacy, port: 81}]}"
);

const BOOKS: &str = in_mesh!("books", "83", "[{backendRefs: [{name: orders, port: 80}]}]");
const HTTP_BOOKS: &str = in_mesh!("books", "85", "[{backendRefs: [{name: orders, port: 80}]}]");

/// A Service for each version is what the Gateway API has in place of subsets.
const WEIGHTS: &str = concat!(
    in_mesh!(
        "helloworld",
        "80",
        "[{backendRefs: [{name: orders, port: 80, weight: 90}, {name: elsewhere, namespace: shop, port: 80, weight: 10}]}]"
    ),
    "---",
    grant!()
);

const ROUTE: &str = at_gateway!(
    "HTTPRoute",
    "old-clients",
    "front",
    "http",
    "httpbin.example.com",
    "[{backendRefs: [{name: helloworld, port: 80}]}]"
);
const LATE: &str = httpbin!("[{backendRefs: [{name: elsewhere, namespace: shop, port: 80}]}]");

const HTTP_ROUTE_BEHIND_HTTPS: &str =
    behind_https!("HTTPRoute", "[{backendRefs: [{name: helloworld, port: 80}]}]");

const PASSING: &str = concat!(
    gateway!(
        "passing",
        listener!("tls", "8443", "TLS", "httpbin.example.com", "mode: Passthrough"),
        listener!("other", "8443", "TLS", "other.example.com", "mode: Passthrough")
    ),
    "---",
    at_gateway!(
        "HTTPRoute",
        "httpbin",
        "passing",
        "tls",
        "httpbin.example.com",
        "[{backendRefs: [{name: helloworld, port: 80}]}]"
    ),
    "---",
    at_gateway!(
        "TLSRoute",
        "other",
        "passing",
        "other",
        "other.example.com",
        "[{backendRefs: [{name: secured, port: 444}]}]"
    )
);

const TLS_ROUTE_BEHIND_PASSTHROUGH: &str = concat!(
    gateway!("passing", listener!("tls", "8443", "TLS", "httpbin.example.com", "mode: Passthrough")),
    "---",
    at_gateway!(
        "TLSRoute",
        "httpbin",
        "passing",
        "tls",
        "httpbin.example.com",
        "[{backendRefs: [{name: secured, port: 444}]}]"
    )
);

/// TLS from the gateway to a Service of which the certificate is for `httpbin.org`.
macro_rules! secured {
    () => {
        "
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: secured-tls, namespace: default}
spec:
  targetRefs: [{group: '', kind: Service, name: secured}]
  validation: {hostname: httpbin.org, wellKnownCACertificates: System}
"
    };
}

const SECURED: &str = secured!();

/// TLS ends at the gateway, and begins again.
const TERMINATES: &str = behind_https!("HTTPRoute", "[{backendRefs: [{name: secured, port: 444}]}]");

const BACKEND_TLS: &str =
    concat!(secured!(), "---", httpbin!("[{backendRefs: [{name: secured, port: 444}]}]"));

const DOUBLE_TLS: &str = concat!(
    secured!(),
    "---",
    gateway!("passing", listener!("tls", "8443", "TLS", "httpbin.example.com", "mode: Passthrough")),
    "---",
    at_gateway!(
        "TLSRoute",
        "httpbin",
        "passing",
        "tls",
        "httpbin.example.com",
        "[{backendRefs: [{name: secured, port: 444}]}]"
    )
);
