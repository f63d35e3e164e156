//! Replies that a proxy was configured to make, meant or not.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};

use super::super::story::Gets::{Answer, NoAnswer, Status};
use super::super::story::{Says, Story};
use super::UNTIL_DRAINED;
use super::who::SESSION;

/// All of them.
pub fn stories() -> Vec<Story> {
    [routes(), configured(), rejected()].concat()
}

fn routes() -> Vec<Story> {
    let by = |name, about, yaml| Story::new(name, about).own(yaml);
    vec![
        by(
            "replies/http_route_without_backend",
            "An HTTPRoute's backend doesn't exist",
            HTTP_ROUTE_TO_NOBODY,
        )
        .curl(&["http://orders/http-route"])
        .gets(Status(500))
        .says(Says::new("client", Cause::ClusterMissing, Certain).blames("HTTPRoute/default/orders")),
        by(
            "replies/http_route_of_no_weight",
            "All backends of an HTTPRoute have weight 0",
            HTTP_ROUTE_OF_NO_WEIGHT,
        )
        .curl(&["http://orders/no-weight"])
        .gets(Status(500))
        .says(Says::new("client", Cause::RouteWithoutBackend, Likely).blames("HTTPRoute/default/orders")),
        by("replies/http_route", "An HTTPRoute with a backend", HTTP_ROUTE)
            .curl(&["http://orders/fine"])
            .gets(Status(200)),
        by("replies/grpc_route_without_backend", "A GRPCRoute's backend doesn't exist", GRPC_ROUTE_TO_NOBODY)
            .curl(&["http://orders/a.Service/Call", "-H", "content-type: application/grpc", "-d", ""])
            .gets(Status(200))
            .says(Says::new("client", Cause::ClusterMissing, Certain)),
    ]
}

fn configured() -> Vec<Story> {
    vec![
        Story::new("replies/direct_response", "A VirtualService answers 503 itself")
            .own(UNDER_MAINTENANCE)
            .curl(&["http://orders/"])
            .gets(Status(503))
            .says(
                Says::new("client", Cause::ConfiguredErrorReply, Certain)
                    .blames("VirtualService/default/maintenance")
                    .fix("Remove the direct response of VirtualService default/maintenance once it isn't meant any more."),
            ),
        Story::new("replies/direct_response/fine", "Its other rule answers 200")
            .own(UNDER_MAINTENANCE)
            .curl(&["http://orders/healthz"])
            .gets(Status(200)),
    ]
}

fn rejected() -> Vec<Story> {
    vec![
        Story::new("replies/headers_too_large", "Headers are larger than a sidecar takes")
            .run(&[
                "sh",
                "-c",
                "curl -sS -i -m 20 http://orders/ -H \"x-large: $(head -c 61500 /dev/zero | tr '\\0' a)\"",
            ])
            .gets(Status(431))
            .says(Says::new("client", Cause::RequestTooLarge, Certain)),
        Story::new("replies/headers_large", "Large headers that it takes")
            .run(&[
                "sh",
                "-c",
                "curl -sS -i -m 20 http://orders/large -H \"x-large: $(head -c 7000 /dev/zero | tr '\\0' a)\"",
            ])
            .gets(Status(200)),
        Story::new("replies/too_many_headers_http2", "HTTP/2 with more headers than a sidecar takes, which no filter sees")
            .run(&[
                "sh",
                "-c",
                "curl -sS -i -m 20 --http2-prior-knowledge http://shelf:81/ \
                 $(i=0; while [ $i -lt 120 ]; do printf ' -H a%s:b' $i; i=$((i+1)); done)",
            ])
            .gets(NoAnswer)
            .says(Says::new("client", Cause::RequestTooLarge, Certain).only_counted()),
        Story::new("replies/many_headers_http2", "Fewer of them")
            .run(&[
                "sh",
                "-c",
                "curl -sS -i -m 20 --http2-prior-knowledge http://shelf:81/ \
                 $(i=0; while [ $i -lt 80 ]; do printf ' -H a%s:b' $i; i=$((i+1)); done)",
            ])
            .gets(Status(200)),
        Story::new("replies/local_rate_limit_tcp", "An EnvoyFilter limits the connections to a TCP port")
            .own(TCP_RATE_LIMIT)
            .run(UNTIL_DRAINED)
            .run(&["sh", "-c", "curl -sS -m 5 http://orders:9000/; curl -sS -i -m 5 http://orders:9000/"])
            .gets(NoAnswer)
            .says(Says::new("client", Cause::RateLimited, Likely))
            .may_say(Says::new("client", Cause::HttpTreatedAsTcp, Certain).soft()),
        Story::new("replies/lua", "A Lua filter of an EnvoyFilter rejects the request")
            .own(LUA)
            .run(UNTIL_DRAINED)
            .curl(&["http://orders/lua", "-H", "x-blocked: yes"])
            .gets(Status(403))
            .says(
                Says::new("orders", Cause::FilterRejected, Certain)
                    .inbound()
                    .because(&["filter=lua"])
                    .fix("Read the code of filter lua (EnvoyFilter): it made this reply with respond()."),
            ),
        Story::new("replies/lua/passes", "The same filter lets another pass")
            .own(LUA)
            .curl(&["http://orders/"])
            .gets(Status(200)),
        Story::new("replies/wrong_principal", "An AuthorizationPolicy allows somebody else")
            .own(ALLOWS_ANOTHER)
            .run(UNTIL_DRAINED)
            .curl(&["http://orders/"])
            .gets(Status(403))
            .says(
                Says::new("orders", Cause::AuthorizationPolicyDenied, Certain)
                    .inbound()
                    .because(&["principal=spiffe://cluster.local/ns/default/sa/client"])
                    .fix("Add an ALLOW rule for spiffe://cluster.local/ns/default/sa/client and this method, path and port (the workload's): none matches. requestPrincipals need a RequestAuthentication."),
            ),
        Story::new("replies/no_identity", "An AuthorizationPolicy allows a namespace, and the caller has no sidecar")
            .own(ALLOWS_NAMESPACE)
            .from("outside")
            .run(UNTIL_DRAINED)
            .curl(&["http://orders/"])
            .gets(Status(403))
            .says(
                Says::new("orders", Cause::AuthorizationPolicyDenied, Certain)
                    .inbound()
                    .fix("Give the caller a sidecar (mutual TLS), or add an ALLOW rule that needs no principal and no namespace: it showed no certificate."),
            ),
        Story::new("replies/methods_on_tcp", "An AuthorizationPolicy allows methods, and the port is for TCP")
            .own(ALLOWS_METHODS)
            .run(UNTIL_DRAINED)
            .run(&["python3", "-c", SESSION, "0"])
            .gets(Answer("ended"))
            .says(
                Says::new("reports", Cause::AuthorizationPolicyDenied, Likely)
                    .inbound()
                    .because(&["rbac_access_denied_matched_policy[none]"])
                    .fix("Add an ALLOW rule for this caller and the workload's port: rules with methods, paths or hosts never match TCP."),
            ),
        Story::new("replies/http2_upgrade", "A DestinationRule makes HTTP/2 of requests to a server of HTTP/1.1")
            .own(UPGRADES)
            .curl(&["http://legacy/"])
            .gets(Status(502))
            .says(Says::new("client", Cause::UpstreamProtocolError, Likely).fix(
                "Declare port 80 of legacy.default.svc.cluster.local with the protocol that it speaks, see whether DestinationRule default/legacy has h2UpgradePolicy, or correct its response: it breaks that protocol.",
            )),
        Story::new("replies/no_provider", "The action CUSTOM names a provider that nobody defined")
            .own(NO_PROVIDER)
            .run(UNTIL_DRAINED)
            .curl(&["http://orders/"])
            .gets(Status(403))
            .says(
                Says::new("orders", Cause::AuthorizationPolicyDenied, Certain)
                    .inbound()
                    .blames("AuthorizationPolicy/default/asks")
                    .fix("Define the CUSTOM policy's provider in the mesh's extensionProviders: until then it denies all."),
            ),
        Story::new("replies/upgrade", "A websocket is asked of a service that has none")
            .curl(&[
                "http://orders/",
                "-H",
                "Connection: Upgrade",
                "-H",
                "Upgrade: irc",
                "-H",
                "Sec-WebSocket-Version: 13",
            ])
            .gets(Status(403))
            .says(Says::new("client", Cause::UpgradeRefused, Certain)),
    ]
}

/// A route for clients of the mesh that ask for `orders`.
macro_rules! orders {
    ($kind:literal, $rules:literal) => {
        route!($kind, "orders", "group: '', kind: Service, name: orders, port: 80", "", $rules)
    };
}

const HTTP_ROUTE: &str = orders!("HTTPRoute", "[{backendRefs: [{name: helloworld, port: 80}]}]");
const HTTP_ROUTE_TO_NOBODY: &str = orders!("HTTPRoute", "[{backendRefs: [{name: gone, port: 80}]}]");
const HTTP_ROUTE_OF_NO_WEIGHT: &str =
    orders!("HTTPRoute", "[{backendRefs: [{name: helloworld, port: 80, weight: 0}]}]");
const GRPC_ROUTE_TO_NOBODY: &str = orders!("GRPCRoute", "[{backendRefs: [{name: gone, port: 80}]}]");

const UNDER_MAINTENANCE: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: maintenance, namespace: default}
spec:
  hosts: [orders]
  http:
  - match: [{uri: {exact: /healthz}}]
    directResponse: {status: 200, body: {string: 'fine'}}
  - directResponse: {status: 503, body: {string: 'back at noon'}}
";

/// An AuthorizationPolicy with action ALLOW: its name, the workload, its rules.
macro_rules! allows {
    ($name:literal, $app:literal, $rules:literal) => {
        concat!(
            "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ",
            $name,
            ", namespace: default}
spec:
  selector: {matchLabels: {app: ",
            $app,
            "}}
  action: ALLOW
  rules: ",
            $rules,
            "\n"
        )
    };
}

const ALLOWS_ANOTHER: &str = allows!(
    "only-frontend",
    "orders",
    "[{from: [{source: {principals: [cluster.local/ns/default/sa/frontend]}}]}]"
);

const ALLOWS_NAMESPACE: &str =
    allows!("from-default", "orders", "[{from: [{source: {namespaces: [default]}}]}]");

const ALLOWS_METHODS: &str = allows!("only-get", "reports", "[{to: [{operation: {methods: [GET]}}]}]");

const UPGRADES: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: legacy, namespace: default}
spec: {host: legacy, trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}}
";

const NO_PROVIDER: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: asks, namespace: default}
spec:
  selector: {matchLabels: {app: orders}}
  action: CUSTOM
  provider: {name: nobody-defined-it}
  rules: [{}]
";

const TCP_RATE_LIMIT: &str = "
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: connections, namespace: default}
spec:
  workloadSelector: {labels: {app: client}}
  configPatches:
  - applyTo: NETWORK_FILTER
    match: {context: SIDECAR_OUTBOUND, listener: {portNumber: 9000, filterChain: {filter: {name: envoy.filters.network.tcp_proxy}}}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.network.local_ratelimit
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit
          stat_prefix: connections
          token_bucket: {max_tokens: 1, fill_interval: 3600s}
";

const LUA: &str = "
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: lua, namespace: default}
spec:
  workloadSelector: {labels: {app: orders}}
  configPatches:
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_INBOUND, listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.lua
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          default_source_code:
            inline_string: |
              function envoy_on_request(handle)
                if handle:headers():get('x-blocked') then
                  handle:respond({[':status'] = '403'}, 'blocked')
                end
              end
";
