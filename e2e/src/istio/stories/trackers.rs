//! Reports of 2023 to 2026 on a real Istio: rules that istiod reads otherwise than their authors, and what stays well.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};

use super::super::story::Gets::{Answer, Status};
use super::super::story::{Says, Story};
use super::UNTIL_DRAINED;
use super::who::SESSION;

/// All of them.
pub fn stories() -> Vec<Story> {
    [filters(), rules()].concat()
}

fn filters() -> Vec<Story> {
    vec![
        Story::new("reported/fault_behind_retries", "A fault in the server's sidecar, which the client retries")
            .own(FAULT)
            .run(UNTIL_DRAINED)
            .curl(&["http://orders/"])
            .gets(Status(503))
            .says(Says::new("orders", Cause::FaultInjected, Certain).inbound())
            .says(Says::new("client", Cause::UpstreamProxyError, Likely)),
        Story::new("reported/rate_limit_cluster", "The cluster of a rate limit service doesn't exist")
            .own(RATE_LIMIT)
            .run(UNTIL_DRAINED)
            .curl(&["http://orders/"])
            .gets(Status(500))
            .says(Says::new("orders", Cause::RateLimitServiceUnavailable, Certain).inbound())
            .says(Says::new("client", Cause::ApplicationError, Likely).fix(
                "Read the log of orders.default.svc.cluster.local: it sent this error itself, unless its proxy's log has other details than via_upstream.",
            )),
        Story::new("reported/remote_address", "A policy allows an address that only X-Forwarded-For has")
            .own(REMOTE_ADDRESS)
            .from("outside")
            .run(UNTIL_DRAINED)
            .curl(&["http://httpbin.example.com/", "-H", "X-Forwarded-For: 203.0.113.7"])
            .gets(Status(403))
            .says(Says::new("ingress", Cause::AuthorizationPolicyDenied, Certain).gateway()),
    ]
}

fn rules() -> Vec<Story> {
    let originates = |name, about, yaml| Story::new(name, about).own(yaml).curl(&["http://httpbin.org/"]);
    let rule = "DestinationRule/default/httpbin";
    vec![
        originates("reported/credential_ignored", "A sidecar's rule with a credentialName", CREDENTIAL)
            .gets(Status(400))
            .says(Says::new("client", Cause::UpstreamExpectsTls, Likely).blames(rule).fix(
                "Set tls.mode SIMPLE or MUTUAL for port 80 in DestinationRule default/httpbin; in a sidecar its credentialName counts only with a workloadSelector.",
            )),
        originates(
            "reported/credential_missing",
            "The same with a workloadSelector, and without the secret",
            CREDENTIAL_OF_CLIENT,
        )
        .gets(Status(503))
        .says(Says::new("client", Cause::ProxyCertificateMissing, Certain).blames(rule)),
        originates("reported/alternative_names", "A name that the server's certificate lacks", OTHER_NAMES)
            .gets(Status(503))
            .says(Says::new("client", Cause::UpstreamCertificateRejected, Certain).blames(rule)),
        Story::new("reported/trust_domain", "A rule expects identities of another trust domain")
            .own(OTHER_DOMAIN)
            .run(UNTIL_DRAINED)
            .curl(&["http://orders/"])
            .gets(Status(503))
            .says(
                Says::new("client", Cause::UpstreamCertificateRejected, Certain)
                    .blames("DestinationRule/default/orders"),
            )
            .may_say(Says::new("orders", Cause::DownstreamTlsFailed, Certain).inbound().only_counted()),
        Story::new("reported/session_too_old", "A session of a database lives for longer than its rule allows")
            .own(AGED)
            .run(&["python3", "-c", SESSION, "2.5"])
            .gets(Answer("ended"))
            .says(
                Says::new("client", Cause::MaxDurationReached, Likely)
                    .blames("DestinationRule/default/sessions"),
            ),
        Story::new("reported/alias", "A gateway's route to an ExternalName of a Service")
            .own(ALIAS)
            .from("outside")
            .run(UNTIL_DRAINED)
            .curl(&["http://httpbin.example.com/alias"])
            .gets(Status(200)),
    ]
}

/// An EnvoyFilter for what comes to `orders`: an HTTP filter, its configuration, and more patches.
macro_rules! inbound {
    ($name:literal, $config:literal, $more:literal) => {
        concat!(
            "
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: ",
            $name,
            ", namespace: default}
spec:
  workloadSelector: {labels: {app: orders}}
  configPatches:
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_INBOUND, listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}}}
    patch:
      operation: INSERT_BEFORE
      value: {name: ",
            $name,
            ", typed_config: ",
            $config,
            "}
",
            $more
        )
    };
}

const FAULT: &str = inbound!(
    "fault",
    "{'@type': type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault, abort: {http_status: 503, percentage: {numerator: 100}}}",
    "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: orders, namespace: default}
spec:
  hosts: [orders]
  http: [{route: [{destination: {host: orders}}], retries: {attempts: 2, retryOn: 5xx}}]
"
);

const RATE_LIMIT: &str = inbound!(
    "limits",
    "{'@type': type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit, domain: shop, failure_mode_deny: true, \
      rate_limit_service: {transport_api_version: V3, grpc_service: {envoy_grpc: {cluster_name: 'outbound|8081||ratelimit.default.svc.cluster.local'}}}}",
    "  - applyTo: VIRTUAL_HOST
    match: {context: SIDECAR_INBOUND}
    patch:
      operation: MERGE
      value: {rate_limits: [{actions: [{request_headers: {header_name: ':path', descriptor_key: path}}]}]}
"
);

const REMOTE_ADDRESS: &str = concat!(
    through_ingress!(
        "shop",
        "'*'",
        "
  http: [{route: [{destination: {host: helloworld}}]}]
"
    ),
    "
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: office, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  action: ALLOW
  rules: [{from: [{source: {remoteIpBlocks: [203.0.113.7/32]}}]}]
"
);

const CREDENTIAL: &str = originates!("httpbin", "{mode: MUTUAL, credentialName: gone, sni: httpbin.org}", "");

const CREDENTIAL_OF_CLIENT: &str = originates!(
    "httpbin",
    "{mode: MUTUAL, credentialName: gone, sni: httpbin.org}",
    "  workloadSelector: {matchLabels: {app: client}}
"
);

const OTHER_NAMES: &str =
    originates!("httpbin", "{mode: SIMPLE, sni: httpbin.org, subjectAltNames: [api.example.org]}", "");

const OTHER_DOMAIN: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders, namespace: default}
spec:
  host: orders
  trafficPolicy: {tls: {mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://payments.prod/ns/default/sa/orders']}}
";

const AGED: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: sessions, namespace: default}
spec: {host: reports, trafficPolicy: {connectionPool: {tcp: {maxConnectionDuration: 1s}}}}
";

const ALIAS: &str = concat!(
    "
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: default}
spec: {type: ExternalName, externalName: orders.default.svc.cluster.local, ports: [{name: http, port: 80}]}
---",
    through_ingress!(
        "shop",
        "'*'",
        "
  http: [{route: [{destination: {host: alias, port: {number: 80}}}]}]
"
    )
);
