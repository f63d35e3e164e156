//! Finding a route and a cluster.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static ROUTE_HOST_UNKNOWN: Entry = Entry {
    title: "No route table entry for this host",
    happened: "The proxy has routes for this port, but none for the host that the request names \
        (`Host` or `:authority`). At a gateway: no VirtualService for the host is bound to it.",
    looks_like: "`404 NR route_not_found`, empty body, server `istio-envoy`. Route name `-`.",
    confirm: r#"# Which hosts does this proxy know on the port?
istioctl proxy-config routes GATEWAY_POD.istio-system
curl -v -H 'Host: HOST' http://GATEWAY_IP/
# VirtualServices for the host: same gateway name, right namespace?
kubectl get virtualservice -A -o custom-columns='NS:.metadata.namespace,NAME:.metadata.name,HOSTS:.spec.hosts,GATEWAYS:.spec.gateways'
istioctl analyze -A"#,
    fix: "`hosts` of Gateway and VirtualService must overlap; a Gateway in another namespace is \
        written `namespace/name`. A client that sends the wrong Host, or the IP address, needs the \
        same: the right name.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: myapp
spec:
  hosts:
  - "myapp.com"
  gateways:
  - istio-system/myapp-gateway
  http:
  - route:
    - destination:
        host: helloworld.default.svc.cluster.local
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[
        Cause::RouteNoMatch,
        Cause::GatewayWithoutHttpRoutes,
        Cause::ConnectionReusedAcrossGateways,
        Cause::RouteTableMissing,
    ],
    tell_apart: "All are `404 NR`. Host known but no rule fits: `route_no_match`. The port has no \
        HTTP route at all: `gateway_without_http_routes`. HTTP/2 over TLS with an SNI that isn't \
        the host: `connection_reused_across_gateways`. A route table that never arrived over RDS \
        looks exactly like an unknown host: check `istioctl proxy-status`.",
};

pub(super) static ROUTE_NO_MATCH: Entry = Entry {
    title: "The host is known, no route rule matches",
    happened: "The proxy found the host, and none of its rules fits the path, method, headers or \
        query of the request.",
    looks_like: "`404 NR route_not_found`, empty body. meshwhy's evidence names the virtual host.",
    confirm: r#"# The rules in order, with their matches:
istioctl proxy-config routes POD.NAMESPACE -o yaml | less
kubectl get virtualservice NAME -n NAMESPACE -o yaml
# Vary the path, the trailing slash, the header:
curl -v http://HOST/PATH"#,
    fix: "`exact` doesn't take a trailing slash, `prefix: /a` also takes `/ab`, a `regex` must \
        match the whole path, and matches are case-sensitive.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: myapp
spec:
  hosts:
  - "myapp.com"
  gateways:
  - myapp-gateway
  http:
  - match:
    - uri:
        prefix: /hello
    route:
    - destination:
        host: helloworld.default.svc.cluster.local
  - route: # everything else
    - destination:
        host: frontend.default.svc.cluster.local
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::RouteHostUnknown, Cause::ApplicationError],
    tell_apart: "`NR` is the proxy's own 404. The application's 404 has `via_upstream` and no \
        flag, and is no failure of the mesh. The virtual host in the evidence rules out \
        `route_host_unknown`.",
};

pub(super) static ROUTE_TABLE_MISSING: Entry = Entry {
    title: "The route table never arrived",
    happened: "The listener names a route table (RDS) that istiod has not sent to this proxy: the \
        proxy has just started, has lost istiod, or istiod no longer knows the table.",
    looks_like: "`404 NR route_configuration_not_found`.",
    confirm: r#"# SYNCED, STALE or NOT SENT; look at the RDS column:
istioctl proxy-status
istioctl proxy-status POD.NAMESPACE
istioctl proxy-config routes POD.NAMESPACE
# Rejected configuration, lost connections:
kubectl logs POD -n NAMESPACE -c istio-proxy | grep -i 'rejected\|xdsproxy\|StreamAggregatedResources'
kubectl logs -n istio-system deploy/istiod | grep -i 'error\|reject'"#,
    fix: "Restore the connection to istiod (port 15012, NetworkPolicy, istiod's own health) or \
        correct the configuration that the proxy rejects. An EnvoyFilter that names a route table \
        by hand is a common reason. Restart the proxy only once istiod is well.",
    fix_yaml: None,
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::RouteHostUnknown, Cause::ConfigPropagating, Cause::ClusterMissing],
    tell_apart: "If it stops by itself within seconds it was propagation. `route_host_unknown` can \
        hide the same trouble: check `istioctl proxy-status` there too.",
};

pub(super) static GATEWAY_WITHOUT_HTTP_ROUTES: Entry = Entry {
    title: "The gateway terminates TLS (or takes HTTP), and no HTTP route is bound to it",
    happened: "The gateway reads HTTP on this port, and no VirtualService gives it an `http` \
        route. istiod fills in a virtual host that answers 404 to everything. Usual reason: the \
        VirtualService has `tls` routes, which do nothing once the gateway has terminated TLS.",
    looks_like: "`404 NR route_not_found` for every host and path of the port, over HTTPS with a \
        good certificate. The virtual host is `blackhole:PORT`.",
    confirm: r#"# Shows blackhole:443 as the only virtual host:
istioctl proxy-config routes GATEWAY_POD.istio-system
# mode SIMPLE or MUTUAL on the Gateway, but tls: instead of http: in the VirtualService?
kubectl get gateways.networking.istio.io,virtualservice -A -o yaml | grep -n 'mode:\|  tls:\|  http:\|sniHosts'
kubectl logs -n istio-system deploy/istiod | grep 'no vhosts'"#,
    fix: "If the backend is to get the TLS untouched, switch the Gateway to `PASSTHROUGH` and keep \
        the `tls` routes. `istioctl analyze` doesn't find this.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: httpbin
spec:
  hosts:
  - "*.example.com"
  gateways:
  - istio-system/gateway
  http:
  - match:
    - uri:
        prefix: /
    route:
    - destination:
        host: httpbin.org
"#,
    ),
    section: Some(PageSection::GatewayTermination),
    confused_with: &[
        Cause::RouteHostUnknown,
        Cause::ConnectionReusedAcrossGateways,
        Cause::NoFilterChainForSni,
    ],
    tell_apart: "Here every host of the port gets 404. If some hosts work, it is one of the other \
        two 404s. With PASSTHROUGH there is no HTTP answer at all.",
};

pub(super) static CONNECTION_REUSED_ACROSS_GATEWAYS: Entry = Entry {
    title: "A browser reused a connection that belongs to another Gateway",
    happened: "Two Gateways on the same address share a certificate. The browser opened HTTP/2 to \
        the first host and, as HTTP/2 allows, sent requests for the second host over the same \
        connection. That connection belongs to the first Gateway, which has no route for the \
        second host.",
    looks_like: "`404 NR route_not_found`, HTTP/2, with an SNI that differs from the host. In \
        browsers only, after visiting the other host first; a reload in a private window works, \
        and so does curl.",
    confirm: r#"# The second host over a connection of its own: 200
curl -s -o /dev/null -w '%{http_code}\n' https://service2.test.com/
# ... and over a connection opened for the first, as the browser does it: 404
curl -s -o /dev/null -w '%{http_code}\n' -H 'Host: service2.test.com' https://service1.test.com/
# Gateways with the same selector, port and credentialName:
kubectl get gateways.networking.istio.io -A -o custom-columns='NS:.metadata.namespace,NAME:.metadata.name,HOSTS:.spec.servers[*].hosts,CRED:.spec.servers[*].tls.credentialName'"#,
    fix: "The alternative is one certificate per host, without names in common.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata:
  name: gw
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 443
      name: https
      protocol: HTTPS
    hosts:
    - "*.test.com"
    tls:
      mode: SIMPLE
      credentialName: test-com-wildcard
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: vs1
spec:
  hosts:
  - service1.test.com
  gateways:
  - gw
  http:
  - route:
    - destination:
        host: service1.default.svc.cluster.local
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: vs2
spec:
  hosts:
  - service2.test.com
  gateways:
  - gw
  http:
  - route:
    - destination:
        host: service2.default.svc.cluster.local
"#,
    ),
    section: Some(PageSection::SharedCertificate),
    confused_with: &[Cause::RouteHostUnknown, Cause::GatewayWithoutHttpRoutes],
    tell_apart: "The SNI in the access log isn't the host of the request, and it works on a new \
        connection. A client that sets the wrong Host on its first request looks the same: then a \
        new connection doesn't help.",
};

pub(super) static CLUSTER_MISSING: Entry = Entry {
    title: "The route points to a cluster that doesn't exist",
    happened: "A route matched and its destination is unknown to the proxy: the subset is in no \
        DestinationRule, the host or the port doesn't exist, or the service isn't exported or \
        visible to this proxy.",
    looks_like: "`503 NC cluster_not_found` (`500` for a Gateway API route with a bad backend). \
        The route name is there; the cluster's is not, so the VirtualService is the lead.",
    confirm: r#"istioctl analyze -n NAMESPACE
# Destinations of the VirtualService that meshwhy names:
kubectl get virtualservice NAME -n NAMESPACE -o yaml | grep -A4 destination
# Is there a cluster for host, port and subset?
istioctl proxy-config clusters POD.NAMESPACE --fqdn HOST
kubectl get destinationrule -A -o custom-columns='NS:.metadata.namespace,NAME:.metadata.name,HOST:.spec.host,SUBSETS:.spec.subsets[*].name'"#,
    fix: "Short names resolve in the namespace of the VirtualService: write the full name. Look at \
        `exportTo` and at Sidecar `egress.hosts`. When you add both, apply the DestinationRule \
        first.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: helloworld
spec:
  host: helloworld.default.svc.cluster.local
  subsets:
  - name: v1
    labels:
      version: v1
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::NoEndpoints, Cause::ConfigPropagating],
    tell_apart: "`NC`: the subset isn't defined. `UH`: it is defined and no pod has its labels. \
        Gone by itself after seconds: propagation.",
};

pub(super) static EGRESS_BLOCKED: Entry = Entry {
    title: "The mesh lets no traffic out to this host",
    happened: "The mesh runs with `outboundTrafficPolicy: REGISTRY_ONLY`, and the destination is \
        in no Service and no ServiceEntry that this proxy can see.",
    looks_like: "HTTP: `502 direct_response`, route `block_all`. TLS and TCP: the connection is \
        reset; `0 UH`, cluster `BlackHoleCluster`. An HTTPS client reports `SSL_ERROR_SYSCALL` or \
        `Connection reset by peer`.",
    confirm: r#"kubectl get configmap istio -n istio-system -o yaml | grep -A2 outboundTrafficPolicy
kubectl get sidecar -A -o yaml | grep -n 'outboundTrafficPolicy\|egress'
kubectl get serviceentry -A | grep HOST
istioctl proxy-config clusters POD.NAMESPACE --fqdn HOST"#,
    fix: "One ServiceEntry per protocol and port; put it into the namespace of the clients, or \
        export it. To allow everything out, set the mode to `ALLOW_ANY`, for the mesh or in a \
        Sidecar.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata:
  name: httpbin
spec:
  hosts:
  - httpbin.org
  location: MESH_EXTERNAL
  ports:
  - number: 80
    name: http
    protocol: HTTP
  - number: 443
    name: https
    protocol: HTTPS
  resolution: DNS
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::TlsOnPlaintextPort, Cause::Http10Client, Cause::NoEndpoints],
    tell_apart: "If the host has a ServiceEntry and is blocked all the same, its bytes don't fit \
        the declared protocol: TLS or HTTP/1.0 on a port declared as HTTP falls through to \
        `BlackHoleCluster`. On that chain (`PassthroughFilterChain`) this is `possible` at the most, \
        and `envoyfilter-black-hole.yaml` tells the cases apart. `UH` on any other cluster is \
        `no_endpoints`.",
};

pub(super) static ROUTE_WITHOUT_BACKEND: Entry = Entry {
    title: "A rule of the Gateway API has no valid backend",
    happened: "The HTTPRoute's (or GRPCRoute's) rule that took the request leads nowhere: it has no \
        `backendRefs`, or all of them have weight 0, don't exist, or are in another namespace \
        without a ReferenceGrant. The Gateway API demands a 500 then, and the control plane writes \
        it as a direct response.",
    looks_like: "`500 direct_response`, flag `-`, no upstream; gRPC clients get `200` and \
        `grpc-status` 2. The route is called `NAMESPACE.NAME.RULE` (Istio) or \
        `httproute/NAMESPACE/NAME/rule/...` (Envoy Gateway). Istio answers `500 NC \
        cluster_not_found` where a backend is named that doesn't exist: that is `cluster_missing`.",
    confirm: r#"# ResolvedRefs must be True; BackendNotFound, RefNotPermitted, InvalidKind say what is wrong:
kubectl get httproute,grpcroute -A -o yaml | grep -n 'type: ResolvedRefs' -B6
kubectl get httproute NAME -n NAMESPACE -o yaml | grep -n 'backendRefs:' -A8
kubectl get referencegrant -A
istioctl proxy-config routes POD.NAMESPACE -o json | grep -n '"directResponse"' -B12"#,
    fix: "`weight: 0` on every backend of a rule is a rule without backend. A ReferenceGrant lies in \
        the namespace of the Service.",
    fix_yaml: Some(
        r#"apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: helloworld
spec:
  parentRefs:
  - name: gateway
    namespace: istio-system
  hostnames:
  - helloworld.example.com
  rules:
  - backendRefs:
    - name: helloworld
      port: 5000
"#,
    ),
    section: None,
    confused_with: &[Cause::ClusterMissing, Cause::ConfiguredErrorReply, Cause::NoEndpoints],
    tell_apart: "`cluster_not_found` is a backend that is named and unknown to the proxy, `UH` a \
        Service without ready pods. A VirtualService's own `directResponse` has the VirtualService \
        as resource.",
};
