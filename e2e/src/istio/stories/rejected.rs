//! Requests that Envoy rejects: no route, no cluster, no endpoint, no connection, a limit, an authorizer.

use meshwhy::causes::Cause;
use meshwhy::causes::manual::PageSection;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use super::super::story::Gets::{Answer, Status};
use super::super::story::{Says, Story};
use super::UNTIL_DRAINED;

const PAGE: PageSection = PageSection::RequestsRejected;

/// All of them.
pub fn stories() -> Vec<Story> {
    [no_route(), no_upstream(), external_authorization()].concat()
}

fn no_route() -> Vec<Story> {
    let page = |name, about| Story::new(name, about).page(PAGE);
    vec![
        page("rejected/nr/gateway_host", "A gateway is asked for a host that no VirtualService has")
            .own(SHOP_GATEWAY)
            .from("outside")
            .curl(&["http://httpbin.example.com/", "-H", "Host: unknown.example.com"])
            .gets(Status(404))
            .says(Says::new("ingress", Cause::RouteHostUnknown, Likely).gateway()),
        page("rejected/nr/gateway_path", "A gateway is asked for a path that no rule has")
            .own(SHOP_GATEWAY)
            .from("outside")
            .curl(&["http://httpbin.example.com/", "-H", "Host: shop.example.com"])
            .gets(Status(404))
            .says(Says::new("ingress", Cause::RouteNoMatch, Certain).gateway()),
        page("rejected/nr/gateway_fixed", "A host and a path that the gateway has")
            .own(SHOP_GATEWAY)
            .from("outside")
            .curl(&["http://httpbin.example.com/orders", "-H", "Host: shop.example.com"])
            .gets(Status(200)),
        page("rejected/nr/mesh_path", "A sidecar is asked for a path that no rule has")
            .own(ONLY_HELLO)
            .curl(&["http://helloworld/other"])
            .gets(Status(404))
            .says(Says::new("client", Cause::RouteNoMatch, Certain)),
        page("rejected/nr/mesh_fixed", "A path that a rule has")
            .own(ONLY_HELLO)
            .curl(&["http://helloworld/hello"])
            .gets(Status(200)),
        page("rejected/nc/subset", "A VirtualService names a subset that no DestinationRule has")
            .own(TO_V1)
            .curl(&["http://helloworld/"])
            .gets(Status(503))
            .says(Says::new("client", Cause::ClusterMissing, Certain).blames("VirtualService/default/to-v1").fix("Define what VirtualService default/to-v1 points to: the host, its port, and the subset in a DestinationRule.")),
        page("rejected/nc/gateway", "The same at a gateway")
            .own(SHOP_GATEWAY_TO_V1)
            .from("outside")
            .curl(&["http://httpbin.example.com/", "-H", "Host: shop.example.com"])
            .gets(Status(503))
            .says(
                Says::new("ingress", Cause::ClusterMissing, Certain)
                    .gateway()
                    .blames("VirtualService/default/shop"),
            ),
        page("rejected/nc/fixed", "A subset that a DestinationRule has")
            .own(TO_V1)
            .own(SUBSETS)
            .curl(&["http://helloworld/fixed"])
            .gets(Answer("helloworld-v1")),
        page("rejected/egress/registry_only", "A host outside of the registry under REGISTRY_ONLY")
            .registry_only()
            .curl(&["http://httpbin.org/"])
            .gets(Status(502))
            .says(Says::new("client", Cause::EgressBlocked, Certain)),
        page("rejected/egress/registry_only_tls", "The same over TLS")
            .registry_only()
            .curl(&["https://httpbin.org/"])
            .gets(super::super::story::Gets::Nothing(35))
            .says(Says::new("client", Cause::EgressBlocked, Certain)),
        page("rejected/egress/fixed", "The host in the registry")
            .registry_only()
            .own(HTTPBIN)
            .curl(&["http://httpbin.org/"])
            .gets(Status(200)),
    ]
}

fn no_upstream() -> Vec<Story> {
    let page = |name, about| Story::new(name, about).page(PAGE);
    vec![
        page("rejected/uh/no_pods", "A Service whose selector matches no pod")
            .curl(&["http://nobody/"])
            .gets(Status(503))
            .says(
                Says::new("client", Cause::NoEndpoints, Likely).fix(
                    "Make the selector of the Service nobody.default.svc.cluster.local match a ready pod.",
                ),
            ),
        page("rejected/uh/subset", "A subset whose labels match no pod")
            .own(TO_V1)
            .own(SUBSETS_WRONG)
            .curl(&["http://helloworld/"])
            .gets(Status(503))
            .says(Says::new("client", Cause::NoEndpoints, Likely)),
        page(
            "rejected/uf/refused",
            "A Service whose target port nobody listens on, without a sidecar behind it",
        )
        .curl(&["http://legacy:81/"])
        .gets(Status(503))
        .says(Says::new("client", Cause::UpstreamRefused, Certain)),
        page("rejected/uf/refused_in_pod", "The same with a sidecar behind it")
            .curl(&["http://reports:81/"])
            .gets(Status(503))
            .says(Says::new("reports", Cause::UpstreamRefused, Certain).inbound())
            .says(Says::new("client", Cause::UpstreamProxyError, Likely)),
        page("rejected/uf/unreachable", "An endpoint at an address that nobody has")
            .own(UNREACHABLE)
            .curl(&["http://unreachable.example.com/", "--resolve", "unreachable.example.com:80:240.240.0.1"])
            .gets(Status(503))
            .says(Says::new("client", Cause::UpstreamUnreachable, Certain)),
        page("rejected/uf/timeout", "An endpoint that never answers")
            .own(SILENT)
            .curl(&["http://silent.example.com/", "--resolve", "silent.example.com:80:240.240.0.2"])
            .gets(Status(503))
            .says(Says::new("client", Cause::UpstreamConnectTimeout, Likely)),
        Story::new("own/target_port", "A Service asked at its target port, which is none of its own")
            .curl(&["http://orders:8080/"])
            .gets(Status(503))
            .says(Says::new("client", Cause::UpstreamUnreachable, Certain).fix(
                "Ask a port that the Service has (not its target port), or restore the network path: the mesh doesn't know this address and port.",
            )),
        page("rejected/application", "The application's own 503, behind its sidecar")
            .curl(&["http://reports/error"])
            .gets(Status(503))
            .says(Says::new("reports", Cause::ApplicationError, Certain).inbound())
            .says(Says::new("client", Cause::ApplicationError, Likely)),
        page("rejected/uo", "More requests at once than the DestinationRule allows")
            .own(CIRCUIT_BREAKER)
            .curl(&["--parallel", "--parallel-immediate", "http://reports/?[1-6]"])
            .gets(Answer("503"))
            .says(
                Says::new("client", Cause::CircuitBreakerOverflow, Certain)
                    .blames("DestinationRule/default/reports-limits"),
            ),
        page("rejected/uo/fixed", "Without the limits")
            .curl(&["--parallel", "--parallel-immediate", "http://reports/?[1-6]"])
            .gets(Status(200)),
    ]
}

fn external_authorization() -> Vec<Story> {
    let page = |name, about| Story::new(name, about).page(PAGE);
    vec![
        Story::new("own/ejected", "The only endpoint failed once and is ejected by outlier detection")
            .own(EJECTS)
            .curl(&["http://reports/error"])
            .run(UNTIL_DRAINED)
            .curl(&["http://reports/"])
            .gets(Status(503))
            .says(Says::new("client", Cause::ApplicationError, Likely))
            .says(Says::new("reports", Cause::ApplicationError, Certain).inbound())
            .says(
                Says::new("client", Cause::NoHealthyEndpoints, Possible)
                    .blames("DestinationRule/default/impatient")
                    .because(&["endpoint_failed=true"]),
            ),
        page("rejected/uaex", "An external authorizer says no")
            .own(CUSTOM_AUTHORIZATION)
            .run(UNTIL_DRAINED)
            .curl(&["http://books:85/"])
            .gets(Status(403))
            .says(Says::new("reports", Cause::ExtAuthzDenied, Certain).inbound()),
        page("rejected/uaex/unavailable", "The external authorizer is not there")
            .own(CUSTOM_AUTHORIZATION_GONE)
            .run(UNTIL_DRAINED)
            .curl(&["http://books:85/"])
            .gets(Status(403))
            .says(Says::new("reports", Cause::ExtAuthzUnavailable, Certain).inbound()),
        page("rejected/uaex/allowed", "An external authorizer says yes")
            .own(CUSTOM_AUTHORIZATION)
            .run(UNTIL_DRAINED)
            .curl(&["http://books:85/", "-H", "x-ext-authz: allow"])
            .gets(Status(200)),
    ]
}

const SHOP_GATEWAY: &str = through_ingress!(
    "shop",
    "shop.example.com",
    "
  http:
  - match: [{uri: {prefix: /orders}}]
    route: [{destination: {host: helloworld}}]
"
);

const SHOP_GATEWAY_TO_V1: &str = through_ingress!(
    "shop",
    "shop.example.com",
    "
  http: [{route: [{destination: {host: helloworld, subset: v1}}]}]
"
);

const ONLY_HELLO: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: only-hello, namespace: default}
spec:
  hosts: [helloworld]
  http:
  - match: [{uri: {prefix: /hello}}]
    route: [{destination: {host: helloworld}}]
";

const TO_V1: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: to-v1, namespace: default}
spec:
  hosts: [helloworld]
  http: [{route: [{destination: {host: helloworld, subset: v1}}]}]
";

pub(super) const SUBSETS: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: helloworld, namespace: default}
spec:
  host: helloworld
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
";

const SUBSETS_WRONG: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: helloworld, namespace: default}
spec:
  host: helloworld
  subsets: [{name: v1, labels: {version: 1.0.0}}]
";

const HTTPBIN: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: httpbin, namespace: default}
spec:
  hosts: [httpbin.org]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
";

/// On the pods' network, so that nobody answers the question who has it.
const UNREACHABLE: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: unreachable, namespace: default}
spec:
  hosts: [unreachable.example.com]
  addresses: [240.240.0.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.89.0.200}]
";

/// Routed, and dropped on the way, as by a NetworkPolicy.
const SILENT: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: silent, namespace: default}
spec:
  hosts: [silent.example.com]
  addresses: [240.240.0.2]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 192.0.2.1}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: silent, namespace: default}
spec:
  host: silent.example.com
  trafficPolicy: {connectionPool: {tcp: {connectTimeout: 1s}}}
";

const CIRCUIT_BREAKER: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reports-limits, namespace: default}
spec:
  host: reports
  trafficPolicy:
    connectionPool:
      tcp: {maxConnections: 1}
      http: {http1MaxPendingRequests: 1, maxRequestsPerConnection: 1}
";

pub(super) const CUSTOM_AUTHORIZATION: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask-authorizer, namespace: default}
spec:
  selector: {matchLabels: {app: reports}}
  action: CUSTOM
  provider: {name: authorizer}
  rules: [{}]
";

const CUSTOM_AUTHORIZATION_GONE: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask-nobody, namespace: default}
spec:
  selector: {matchLabels: {app: reports}}
  action: CUSTOM
  provider: {name: authorizer-gone}
  rules: [{}]
";

/// For longer than the story, but not for much longer.
const EJECTS: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: impatient, namespace: default}
spec:
  host: reports
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 1, interval: 0.5s, baseEjectionTime: 10s, maxEjectionPercent: 100}
";
