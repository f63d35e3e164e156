//! Seen on traffic that works: nothing fails, and yet it isn't what was meant.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static VIRTUAL_SERVICE_NOT_APPLIED: Entry = Entry {
    title: "No VirtualService applied to the request",
    happened: "The request was routed by Istio's default route although rules were expected: the \
        VirtualService has another host, another gateway, isn't exported here, or the port isn't \
        HTTP for Istio.",
    looks_like: "`200`. The route name is `default` instead of the rule's.",
    confirm: r#"istioctl x describe pod SERVER_POD -n NAMESPACE
# VIRTUAL SERVICE column empty for the host?
istioctl proxy-config routes CLIENT_POD.NAMESPACE --name PORT
kubectl get virtualservice NAME -n NAMESPACE -o yaml | grep -n -A4 'hosts:\|gateways:\|exportTo:'
istioctl analyze -n NAMESPACE"#,
    fix: "`hosts` must hold the name that clients use; short names mean the VirtualService's own \
        namespace. Calls inside the mesh need `mesh` in `gateways`, or no `gateways` at all. Name \
        the Service port `http...`.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: helloworld
spec:
  hosts:
  - helloworld.default.svc.cluster.local
  http:
  - name: to-v1 # a name shows in the access log
    route:
    - destination:
        host: helloworld.default.svc.cluster.local
        subset: v1
"#,
    ),
    section: Some(PageSection::RouteRulesNoEffect),
    confused_with: &[
        Cause::GatewayIgnoresMeshRoutes,
        Cause::HttpTreatedAsTcp,
        Cause::TrafficBypassesMesh,
        Cause::ConfigPropagating,
    ],
    tell_apart: "At a gateway: `gateway_ignores_mesh_routes`. A TCP log line: \
        `http_treated_as_tcp`. Cluster `PassthroughCluster`: `traffic_bypasses_mesh`. Gone after \
        seconds: propagation. A service that has no VirtualService at all is fine as it is, and so \
        nothing is said of it. One proxy knows only the VirtualServices that it follows: this is \
        named where one leads to the same service from another host (`rule_for` in the evidence), \
        and is `possible` at the most, because both may be meant. One that applies nowhere in this \
        proxy (wrong host, `exportTo`) is unknown to it: that takes `istioctl`.",
};

pub(super) static GATEWAY_IGNORES_MESH_ROUTES: Entry = Entry {
    title: "The gateway doesn't follow the service's own VirtualService",
    happened: "At the gateway, the VirtualService bound to the gateway decides, by the outside \
        host. The service's VirtualService (subsets, weights) is for calls inside the mesh and \
        isn't looked at.",
    looks_like: "`200`, spread over all versions. At the gateway the cluster has no subset: \
        `outbound|PORT||HOST`.",
    confirm: r#"# The gateway's route has no subset, the sidecars' has:
istioctl proxy-config routes GATEWAY_POD.istio-system -o yaml | grep 'cluster:'
istioctl proxy-config routes CLIENT_POD.NAMESPACE --name PORT -o yaml | grep 'cluster:'
kubectl get virtualservice -A -o custom-columns='NS:.metadata.namespace,NAME:.metadata.name,HOSTS:.spec.hosts,GATEWAYS:.spec.gateways'"#,
    fix: "Or make one VirtualService for both, with `mesh` in `gateways`; it can't use `*` as host \
        then.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: myapp
spec:
  hosts:
  - myapp.com # cannot use "*" here since this is being combined with the mesh services
  - helloworld.default.svc.cluster.local
  gateways:
  - mesh # applies internally as well as externally
  - myapp-gateway
  http:
  - match:
    - uri:
        prefix: /hello
      gateways:
      - myapp-gateway # restricts this rule to apply only to ingress gateway
    route:
    - destination:
        host: helloworld.default.svc.cluster.local
        subset: v1
  - match:
    - gateways:
      - mesh # applies to all services inside the mesh
    route:
    - destination:
        host: helloworld.default.svc.cluster.local
        subset: v1
"#,
    ),
    section: Some(PageSection::GatewayRouteRules),
    confused_with: &[Cause::VirtualServiceNotApplied, Cause::WeightsNotSettled],
    tell_apart: "Only traffic through the gateway goes astray; calls from inside the mesh follow \
        the rules. A gateway never sees the mesh's own rules, so this is `possible` at the most: its \
        route leads to the service as a whole, several versions answered (`versions` in the \
        evidence), and the service has a DestinationRule. A canary that is meant to be spread looks \
        the same.",
};

pub(super) static HTTP_TREATED_AS_TCP: Entry = Entry {
    title: "HTTP traffic handled as TCP",
    happened: "The bytes are HTTP, and the proxy forwards them as TCP, because the Service port is \
        declared as TCP (its name begins with `tcp`, or `appProtocol` says so). Routes, retries, \
        HTTP metrics and path policies don't apply.",
    looks_like: "It works. The log has TCP lines, `\"- - -\" 0 -`, one for each connection.",
    confirm: r#"kubectl get service SERVICE -n NAMESPACE -o jsonpath='{range .spec.ports[*]}{.name}{" "}{.appProtocol}{" "}{.port}{"\n"}{end}'
# TCP proxy or HTTP connection manager?
istioctl proxy-config listeners POD.NAMESPACE --port PORT
istioctl x describe pod SERVER_POD -n NAMESPACE
istioctl analyze -n NAMESPACE"#,
    fix: "`appProtocol` wins over the name. HTTP/2 and gRPC are `http2` and `grpc`.",
    fix_yaml: Some(
        r#"apiVersion: v1
kind: Service
metadata:
  name: helloworld
spec:
  selector:
    app: helloworld
  ports:
  - name: http
    port: 5000
    appProtocol: http
"#,
    ),
    section: Some(PageSection::RouteRulesNoEffect),
    confused_with: &[Cause::VirtualServiceNotApplied, Cause::TrafficBypassesMesh, Cause::Http10Client],
    tell_apart: "The cluster is the service's own (`outbound|PORT||HOST`), only the chain is TCP. \
        HTTP/1.0 on a port without declared protocol goes as TCP too: the first line tells \
        (`request_version` in the evidence). It takes the `connection` role on TCP chains.",
};

pub(super) static TRAFFIC_BYPASSES_MESH: Entry = Entry {
    title: "The traffic passes through without any rule",
    happened: "The proxy doesn't know the destination and passes the bytes on as they are: a host \
        without ServiceEntry, a pod called by its address, or, inbound, a port that is in no \
        Service.",
    looks_like: "It works. The cluster is `PassthroughCluster` (route `allow_any`) or \
        `InboundPassthroughCluster`.",
    confirm: r#"kubectl logs POD -n NAMESPACE -c istio-proxy | grep 'PassthroughCluster'
# Is the host, or the port, declared?
istioctl proxy-config clusters POD.NAMESPACE --fqdn HOST
kubectl get service,serviceentry -A -o wide | grep HOST
istioctl x describe pod POD -n NAMESPACE"#,
    fix: "A ServiceEntry is for a host outside, the port in the Service for a workload inside. Let \
        clients call the Service's name rather than pod addresses.",
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
  resolution: DNS
"#,
    ),
    section: Some(PageSection::RouteRulesNoEffect),
    confused_with: &[Cause::TlsOnPlaintextPort, Cause::Http10Client, Cause::VirtualServiceNotApplied],
    tell_apart: "If the host is declared and still passes through, its bytes don't fit the \
        declared protocol: TLS or HTTP/1.0 on an HTTP port. Where the first bytes show that, it is \
        named instead of this.",
};

pub(super) static WEIGHTS_NOT_SETTLED: Entry = Entry {
    title: "Too few requests to judge a weighted route",
    happened: "A route with weights spreads requests at random. Up to 100 requests may be needed \
        before the split shows.",
    looks_like: "`200`; with a 90/10 split, ten requests may all go to one version.",
    confirm: r#"# The weights that the proxy has:
istioctl proxy-config routes POD.NAMESPACE --name PORT -o yaml | grep -A14 weightedClusters
# Count over a few hundred requests:
for i in $(seq 300); do curl -s -o /dev/null -w '%{http_code}\n' http://HOST/; done | sort | uniq -c
kubectl exec POD -n NAMESPACE -c istio-proxy -- pilot-agent request GET clusters | grep 'HOST.*rq_total'"#,
    fix: "If the split is still wrong: sticky sessions (`consistentHash`) or another \
        VirtualService for the host.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: helloworld
spec:
  hosts:
  - helloworld.default.svc.cluster.local
  http:
  - route:
    - destination:
        host: helloworld.default.svc.cluster.local
        subset: v1
      weight: 90
    - destination:
        host: helloworld.default.svc.cluster.local
        subset: v2
      weight: 10
"#,
    ),
    section: Some(PageSection::RouteRulesNoEffect),
    confused_with: &[
        Cause::VirtualServiceNotApplied,
        Cause::ConfigPropagating,
        Cause::GatewayIgnoresMeshRoutes,
    ],
    tell_apart: "The route carries the VirtualService's name and has weights; only the sample is \
        small. A proxy can't read the weights: it says this of a route that has a name \
        (`http[].name`) and led to two clusters or more, as long as fewer than 100 requests were seen \
        and one cluster got clearly more than an even share. With `observe_every` N each look stands \
        for N requests, so above 50 it is never said. Beyond 100 requests nothing is said at all.",
};

pub(super) static CONFIG_PROPAGATING: Entry = Entry {
    title: "The configuration is still on its way",
    happened: "Istio is eventually consistent. After a change the proxies get it one by one, over \
        seconds in a large mesh, and for a moment an old and a new rule live side by side.",
    looks_like: "`200` by the old rule; or a short burst of `503 NC`, `404 NR` or `503 UH` that \
        ends by itself.",
    confirm: r#"# Everything SYNCED?
istioctl proxy-status
kubectl get virtualservice,destinationrule -A --sort-by=.metadata.creationTimestamp | tail
# Push times:
kubectl get --raw /api/v1/namespaces/istio-system/services/istiod:15014/proxy/metrics | grep pilot_proxy_convergence_time"#,
    fix: "To change without errors, make before break: first the DestinationRule with the new \
        subset, then the VirtualService that uses it; remove in the opposite order. If it stays \
        STALE, look at istiod's load and the proxy's rejected updates.",
    fix_yaml: None,
    section: Some(PageSection::RouteRulesNoEffect),
    confused_with: &[Cause::ClusterMissing, Cause::RouteTableMissing, Cause::VirtualServiceNotApplied],
    tell_apart: "It ends by itself. What lasts longer than a minute with all proxies SYNCED has \
        another cause. It is named afterwards and once: the same request (method, host, path) failed \
        for want of a route or cluster, and works within 30 seconds of the first failure and at least \
        3 after the last. Somebody may have changed something just then, so it is `possible` at the \
        most. The failures themselves are counted as what they were.",
};

pub(super) static SUCCEEDED_AFTER_RETRIES: Entry = Entry {
    title: "It worked, but not at the first attempt",
    happened: "An attempt failed or took too long, and the retry policy tried again until one \
        succeeded. Istio retries twice by default. The client sees a slow success, the log `200`.",
    looks_like: "`200` and a high latency at times; `upstream_rq_retry_success` of the cluster grows.",
    confirm: r#"# Which cluster retries, and how often it helped:
istioctl proxy-config clusters deploy/CLIENT --fqdn HOST
kubectl exec deploy/CLIENT -c istio-proxy -- pilot-agent request GET stats | grep upstream_rq_retry
# How often a request was tried is in the access log with:
# %UPSTREAM_REQUEST_ATTEMPT_COUNT%"#,
    fix: "Look for what the attempts meet: an endpoint that refuses (a stale or crashed pod), one \
        that resets idle connections, a time-out per try that is too short. Outlier detection \
        takes an endpoint that keeps failing out of the load balancing.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews.default.svc.cluster.local
  trafficPolicy:
    outlierDetection:
      consecutiveGatewayErrors: 5
      interval: 5s
      baseEjectionTime: 30s
"#,
    ),
    section: None,
    confused_with: &[Cause::UpstreamTimeout, Cause::UpstreamRefused, Cause::DelayInjected],
    tell_apart: "More than one attempt, and the last one succeeded. Where all were used up the \
        request fails, with flag `URX` and the cause of the last failure. A hedged request \
        (an EnvoyFilter can ask for it) has several attempts, too, and none need have failed.",
};

pub(super) static DELAY_INJECTED: Entry = Entry {
    title: "A fault filter delays requests",
    happened: "A VirtualService's `fault.delay`, or Envoy's fault filter by other means, held the \
        request back on purpose. It may be left over from an experiment.",
    looks_like: "Flag `DI` on requests that succeed, slowly and by a constant time.",
    confirm: r#"kubectl get virtualservice -A -o yaml | grep -B2 -A6 'fault:'"#,
    fix: "Remove the `fault` block, or narrow it to the requests of the experiment.",
    fix_yaml: None,
    section: None,
    confused_with: &[Cause::FaultInjected, Cause::SucceededAfterRetries],
    tell_apart: "Envoy sets the flag in the fault filter alone. A fault that also aborts is \
        `fault_injected`.",
};
