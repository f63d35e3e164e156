//! The ambient mesh: traffic through a waypoint, from a pod of the mesh and from the ingress gateway.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use super::super::story::Gets::{Answer, Answers, Nothing, Status};
use super::super::story::{Says, Story};
use crate::harness::rig::pod::{DENIED_PORT, Pod};
use crate::harness::rig::{Plan, Service};

/// Adds the ambient part of the mesh.
pub(super) fn join(mut plan: Plan) -> Plan {
    plan.pods.extend([
        Pod::waypoint("waypoint"),
        Pod::ambient("catalog", "waypoint").serving(8080),
        Pod::ambient("shopper", "waypoint"),
        Pod::ambient_without_ztunnel("stranded").serving(8080),
        Pod::ambient_behind_firewall("walled").serving(8080),
    ]);
    let behind = |waypoint: &'static str, service: Service| {
        service.label("istio.io/use-waypoint", waypoint).label("istio.io/ingress-use-waypoint", "true")
    };
    let catalog = [
        ("http", 80, 8080),
        ("http-closed", 81, 9999),
        ("http-denied", 82, DENIED_PORT),
        ("tcp-catalog", 83, 8080),
    ];
    plan.services.extend([
        Service::new("waypoint", &[("mesh", 15008, 15008)]),
        behind("waypoint", Service::new("catalog", &catalog)),
        behind("waypoint", Service::new("stranded", &[("http", 80, 8080)])),
        behind("waypoint", Service::new("sold-out", &[("http", 80, 8080)])),
        behind(
            "waypoint",
            Service::new("attic", &[("http", 80, 8080), ("http-closed", 81, 9999)]).of("legacy"),
        ),
        // A waypoint whose pods are gone.
        Service::new("gone", &[("mesh", 15008, 15008)]).of("service1"),
        behind("gone", Service::new("lost", &[("http", 80, 8080)]).of("catalog")),
        behind("waypoint", Service::new("walled", &[("http", 80, 8080)])),
    ]);
    plan.applied.extend([STOCK_ENVOY, WAYPOINT, GONE]);
    plan
}

/// All of them.
pub fn stories() -> Vec<Story> {
    [healthy(), at_the_waypoint(), tunnels(), bytes(), at_the_ingress()].concat()
}

fn of(name: &'static str, about: &'static str) -> Story {
    Story::new(name, about).from("shopper")
}

fn routed(name: &'static str, about: &'static str) -> Story {
    of(name, about).own(ROUTE)
}

fn ingress(name: &'static str, about: &'static str, yaml: &'static str) -> Story {
    Story::new(name, about).own(yaml).from("outside").curl(&["http://httpbin.example.com/"])
}

fn waypoint(cause: Cause, confidence: meshwhy::diagnosis::Confidence) -> Says {
    Says::new("waypoint", cause, confidence).inbound()
}

fn healthy() -> Vec<Story> {
    vec![
        of(
            "waypoint/healthy",
            "From a pod of the ambient mesh through the waypoint, on one connection and on others",
        )
        .curl(&["http://catalog/", "-d", "a=b", "http://catalog/more"])
        .curl(&["--http2-prior-knowledge", "http://catalog/"])
        .curl(&["-I", "http://catalog/"])
        .curl(&["-H", "Connection: close", "http://catalog.default.svc.cluster.local/"])
        .gets(Answer("200 OK")),
        of("waypoint/outside_the_mesh", "Through the waypoint to a pod that isn't in the mesh")
            .curl(&["http://attic/"])
            .gets(Answer("legacy")),
        ingress("waypoint/ingress", "From the ingress gateway through the waypoint", TO_CATALOG)
            .gets(Answer("catalog")),
        routed("waypoint/routed", "An HTTPRoute at the waypoint")
            .curl(&["http://catalog/right"])
            .gets(Answer("catalog")),
        of("waypoint/allowed", "A request that no DENY rule is for")
            .own(DENY)
            .curl(&["http://catalog/allowed"])
            .gets(Status(200)),
    ]
}

fn at_the_waypoint() -> Vec<Story> {
    vec![
        routed("waypoint/backend_missing", "A backend that doesn't exist")
            .curl(&["http://catalog/missing"])
            .gets(Status(500))
            .says(waypoint(Cause::ClusterMissing, Certain).blames("HTTPRoute/default/catalog")),
        routed("waypoint/no_match", "A path that no rule matches")
            .curl(&["http://catalog/other"])
            .gets(Status(404))
            .says(waypoint(Cause::RouteNoMatch, Certain).blames("Service/default/catalog").fix(
                "Add a rule that fits the request, or a last one without match, to the HTTPRoute or \
                 VirtualService of Service default/catalog.",
            )),
        of("waypoint/no_endpoints", "A Service without pods")
            .curl(&["http://sold-out/"])
            .gets(Status(503))
            .says(waypoint(Cause::NoEndpoints, Likely).fix(
                "Make the selector of the Service sold-out.default.svc.cluster.local match a ready pod.",
            )),
        of("waypoint/denied", "A DENY rule")
            .own(DENY)
            .curl(&["http://catalog/denied"])
            .gets(Status(403))
            .says(
                waypoint(Cause::AuthorizationPolicyDenied, Certain)
                    .blames("AuthorizationPolicy/default/catalog-deny"),
            ),
        of("waypoint/refused", "A pod outside of the mesh that doesn't listen")
            .curl(&["http://attic:81/"])
            .gets(Status(503))
            .says(waypoint(Cause::UpstreamRefused, Certain).because(&["connect_error=refused"])),
    ]
}

/// The way from the waypoint to the pod, and the way to the waypoint.
fn tunnels() -> Vec<Story> {
    let refused = |name, about, url| {
        of(name, about).curl(&[url]).gets(Status(503)).says(
            waypoint(Cause::UpstreamClosedConnection, Possible)
                .because(&["endpoint=envoy://connect_originate/"])
                .fix(
                    "Find connect_originate in this log: after tunnel_response ztunnel's log says why, \
                     else the application closed.",
                ),
        )
    };
    vec![
        of("waypoint/no_ztunnel", "The destination's ztunnel is gone")
            .curl(&["http://stranded/"])
            .gets(Status(503))
            .says(
                waypoint(Cause::UpstreamUnreachable, Likely)
                    .because(&["endpoint=envoy://connect_originate/"])
                    .fix(NO_TUNNEL),
            ),
        of("waypoint/tunnel_dropped", "A NetworkPolicy that leaves out the port of tunnels")
            .curl(&["http://walled/"])
            .gets(Status(503))
            .says(
                waypoint(Cause::UpstreamConnectTimeout, Possible)
                    // The timer is 10 s; lived=9998ms was seen.
                    .because(&["lived=", "endpoint=envoy://connect_originate/"])
                    .fix(NO_TUNNEL),
            ),
        refused("waypoint/tunnel_503", "ztunnel can't reach the application", "http://catalog:81/"),
        refused("waypoint/tunnel_401", "ztunnel refuses by its policy", "http://catalog:82/"),
        of("waypoint/not_attached", "A Service that isn't the waypoint's")
            .curl(&["http://service2/"])
            .gets(Nothing(56))
            .says(
                Says::new("waypoint", Cause::RouteHostUnknown, Likely)
                    .gateway()
                    .because(&["cluster=main_internal"])
                    .fix(
                        "Attach the Service to this waypoint (label istio.io/use-waypoint), or ask another.",
                    ),
            ),
        // The tunnel is accepted by then.
        of("waypoint/no_port", "A port that the Service doesn't have")
            .curl(&["http://catalog:84/"])
            .gets(Nothing(52))
            .broken(),
    ]
}

/// Bytes that no HTTP port takes, in a tunnel.
fn bytes() -> Vec<Story> {
    const SSH: &str =
        "exec 3<>/dev/tcp/catalog/80; printf 'SSH-2.0-OpenSSH_9.6\\r\\n' >&3; timeout 5 cat <&3";
    vec![
        of("waypoint/tls", "TLS to a port for HTTP")
            .curl(&["-k", "https://catalog:80/"])
            .gets(Nothing(35))
            .says(waypoint(Cause::TlsOnPlaintextPort, Certain).because(&["first_bytes=tls_client_hello"])),
        of("waypoint/ssh", "SSH to a port for HTTP")
            .run(&["bash", "-c", SSH])
            .gets(Answer("400"))
            .says(waypoint(Cause::NotHttpOnHttpPort, Certain).because(&["first_bytes=ssh"])),
        of("waypoint/http_as_tcp", "HTTP to a port for TCP")
            .curl(&["http://catalog:83/"])
            .gets(Answers(&["200", "catalog"]))
            .says(waypoint(Cause::HttpTreatedAsTcp, Certain).soft()),
    ]
}

fn at_the_ingress() -> Vec<Story> {
    vec![
        ingress("waypoint/gone", "The waypoint is gone, as the ingress gateway sees it", TO_LOST)
            .gets(Status(503))
            .says(
                Says::new("ingress", Cause::UpstreamUnreachable, Likely)
                    .gateway()
                    .because(&["endpoint=envoy://connect_originate/"])
                    .fix(NO_TUNNEL),
            ),
        ingress(
            "waypoint/no_ztunnel_behind",
            "The ztunnel behind the waypoint is gone, as the ingress gateway sees it",
            TO_STRANDED,
        )
        .gets(Status(503))
        .says(Says::new("ingress", Cause::UpstreamProxyError, Likely).gateway())
        .says(waypoint(Cause::UpstreamUnreachable, Likely).fix(NO_TUNNEL)),
    ]
}

const NO_TUNNEL: &str = "Let port 15008 (HBONE) through to the endpoint (NetworkPolicy, firewall), where ztunnel or a \
                         waypoint ends tunnels: connect_originate in this log has the error.";

/// What of a waypoint's configuration the stock Envoy doesn't know.
const STOCK_ENVOY: &str = include_str!("../../../istio/waypoint-on-stock-envoy.yaml");

/// A waypoint that nobody deploys: its Service and pods are there already.
macro_rules! waypoint {
    ($name:literal) => {
        concat!(
            "\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: ",
            $name,
            ", namespace: default, labels: {istio.io/waypoint-for: service}}\nspec:\n  gatewayClassName: istio-waypoint\n",
            "  addresses: [{type: Hostname, value: ",
            $name,
            ".default.svc.cluster.local}]\n",
            "  listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}]\n"
        )
    };
}

const WAYPOINT: &str = waypoint!("waypoint");
const GONE: &str = waypoint!("gone");

/// The ingress gateway leads to this Service.
macro_rules! at_ingress {
    ($service:literal) => {
        through_ingress!(
            "front",
            "'*'",
            "
  http: [{route: [{destination: {host: ",
            $service,
            ", port: {number: 80}}}]}]
"
        )
    };
}

const TO_CATALOG: &str = at_ingress!("catalog");
const TO_LOST: &str = at_ingress!("lost");
const TO_STRANDED: &str = at_ingress!("stranded");

const ROUTE: &str = route!(
    "HTTPRoute",
    "catalog",
    "group: '', kind: Service, name: catalog, port: 80",
    "",
    "[{matches: [{path: {type: PathPrefix, value: /missing}}], backendRefs: [{name: absent, port: 80}]}, \
      {matches: [{path: {type: PathPrefix, value: /right}}], backendRefs: [{name: catalog, port: 80}]}]"
);

const DENY: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: catalog-deny, namespace: default}
spec:
  targetRefs: [{group: '', kind: Service, name: catalog}]
  action: DENY
  rules: [{to: [{operation: {paths: [/denied]}}]}]
";
