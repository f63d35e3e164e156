//! Getting a connection to an endpoint.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static NO_ENDPOINTS: Entry = Entry {
    title: "The cluster has no endpoints",
    happened: "The proxy knows the service, and istiod has sent it no endpoint: no pod is ready, \
        the selector matches none, or no pod carries the labels of the subset.",
    looks_like: "`503 UH no_healthy_upstream`, body `no healthy upstream`. TCP: `0 UH`, connection \
        closed.",
    confirm: r#"# Empty for the cluster in question?
istioctl proxy-config endpoints POD.NAMESPACE --cluster 'outbound|PORT|SUBSET|HOST'
# Ready pods? Does the selector match?
kubectl get pods -n NAMESPACE --show-labels
kubectl get service SERVICE -n NAMESPACE -o jsonpath='{.spec.selector}'
kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE
kubectl get destinationrule -n NAMESPACE -o yaml | grep -A6 subsets"#,
    fix: "Scale up, or find out why the pods aren't ready. Make the Service's selector and the \
        subset's `labels` equal to labels that the pods have. A ServiceEntry with `resolution: \
        STATIC` needs `endpoints` or a `workloadSelector`. A DNS name that resolves to nothing \
        ends here too.",
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
      version: v1 # kubectl get pods -l app=helloworld,version=v1 must list a ready pod
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[
        Cause::NoHealthyEndpoints,
        Cause::ClusterMissing,
        Cause::EgressBlocked,
        Cause::UpstreamDnsFailure,
    ],
    tell_apart: "All `UH` look alike in the log. The number of endpoints tells: 0 here, more than \
        0 in `no_healthy_endpoints`. Cluster `BlackHoleCluster` is blocked egress. `NC` is an \
        undefined subset.",
};

pub(super) static NO_HEALTHY_ENDPOINTS: Entry = Entry {
    title: "All endpoints are unhealthy or ejected",
    happened: "There are endpoints, and the proxy uses none of them: outlier detection ejected \
        them for their errors, or health checks fail.",
    looks_like: "`503 UH no_healthy_upstream`, usually a while after `5xx` or `UF` to the same \
        cluster.",
    confirm: r#"# STATUS and OUTLIER CHECK columns: UNHEALTHY, FAILED
istioctl proxy-config endpoints POD.NAMESPACE --cluster 'outbound|PORT||HOST'
kubectl exec POD -n NAMESPACE -c istio-proxy -- pilot-agent request GET clusters | grep 'HOST.*health_flags'
# What the endpoints answered before they were ejected:
kubectl logs POD -n NAMESPACE -c istio-proxy | grep HOST | tail -50"#,
    fix: "The errors that they were ejected for are in the log before the `UH`. If the ejection is \
        too eager for a small service, keep part of it in rotation with `maxEjectionPercent` and \
        `minHealthPercent`.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: helloworld
spec:
  host: helloworld.default.svc.cluster.local
  trafficPolicy:
    outlierDetection:
      consecutive5xxErrors: 5
      interval: 10s
      baseEjectionTime: 30s
      maxEjectionPercent: 50
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::NoEndpoints, Cause::CircuitBreakerOverflow],
    tell_apart: "More than 0 endpoints in `istioctl proxy-config endpoints`. Circuit breaking by \
        limits is `UO`; ejection is `UH`.",
};

pub(super) static UPSTREAM_REFUSED: Entry = Entry {
    title: "The upstream refused the connection",
    happened: "The endpoint's host answered and nothing listens on the port: the application isn't \
        up yet, listens on another port, or only on 127.0.0.1.",
    looks_like: "`503 UF` (`URX,UF` after retries) \
        `upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}`; \
        older Envoys: `_111`. With a sidecar on the server it shows there, on `inbound|PORT||`.",
    confirm: r#"# On which address and port does the application listen?
kubectl exec POD -n NAMESPACE -c istio-proxy -- ss -ltnp
kubectl get service SERVICE -n NAMESPACE -o jsonpath='{.spec.ports}'
kubectl get pods -n NAMESPACE -l app=APP   # restarts? not ready?
# By the pod's address, as the proxy does it:
kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -sv http://POD_IP:TARGET_PORT/"#,
    fix: "Let it listen on `0.0.0.0` or `::`. Since Istio 1.10 the sidecar connects to the pod's \
        address, so 127.0.0.1 isn't reached. During rollouts, add a readiness probe, and \
        `holdApplicationUntilProxyStarts` if it is the client that starts too early.",
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
    targetPort: 8080 # where the container listens
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[
        Cause::UpstreamUnreachable,
        Cause::UpstreamConnectTimeout,
        Cause::DestinationRuleTlsConflict,
    ],
    tell_apart: "Refused means that a live host said no. Silence is `upstream_connect_timeout`, \
        \"no route\" is `upstream_unreachable`. `UF` with a TLS error is one of the upstream TLS \
        causes.",
};

pub(super) static UPSTREAM_UNREACHABLE: Entry = Entry {
    title: "The network has no path to the upstream",
    happened: "The connect failed at once, but not by a refusal: no route to the host, network \
        unreachable, or the address is gone.",
    looks_like: "`503 UF` `upstream_reset_before_response_started{remote_connection_failure|...}` \
        with `No_route_to_host` (`113`) or `Network_is_unreachable` (`101`).",
    confirm: r#"# The address that failed is in the log's upstream host field:
kubectl get pods,nodes -A -o wide | grep UPSTREAM_IP
kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -sv --connect-timeout 3 http://UPSTREAM_IP:PORT/
kubectl get networkpolicy -n NAMESPACE
# An IPv6 address on an IPv4-only node?
istioctl proxy-config endpoints POD.NAMESPACE --cluster 'outbound|PORT||HOST'"#,
    fix: "Look at routes between nodes, clusters or networks, firewalls that reject, a node that \
        is down, IPv6 answers where there is only IPv4. For several networks, check the east-west \
        gateway and `topology.istio.io/network`.",
    fix_yaml: None,
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::UpstreamRefused, Cause::UpstreamConnectTimeout],
    tell_apart: "The connect error decides: 111 refused, 113 or 101 unreachable, none at all a \
        timeout.",
};

pub(super) static UPSTREAM_CONNECT_TIMEOUT: Entry = Entry {
    title: "The upstream didn't answer the connect",
    happened: "The proxy sent the connect and got nothing back until `connectTimeout` (10 s by \
        default) ran out. A NetworkPolicy or firewall drops the packets, or the address is dead. A \
        server that accepts and then waits silently in a TLS handshake looks the same.",
    looks_like: "`503 UF` (`URX,UF`) `upstream_reset_before_response_started{connection_timeout}`, \
        duration a multiple of 10 s.",
    confirm: r#"kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -sv --connect-timeout 3 http://UPSTREAM_IP:PORT/
kubectl get networkpolicy -A
# Is the endpoint still a pod?
kubectl get pods -A -o wide | grep UPSTREAM_IP
# If the TCP connect works, is it the TLS handshake that hangs?
kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -skv --connect-timeout 3 https://UPSTREAM_IP:PORT/"#,
    fix: "Open the path for the sidecar (NetworkPolicies see the pod's address and the real port), \
        or remove the dead address. If TCP connects and TLS hangs, the upstream is a plaintext \
        server: see `upstream_speaks_plaintext`. Raise `connectTimeout` only for peers that really \
        are far away.",
    fix_yaml: Some(
        r#"apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow-frontend
spec:
  podSelector:
    matchLabels:
      app: helloworld
  ingress:
  - from:
    - podSelector:
        matchLabels:
          app: frontend
    ports:
    - port: 8080 # the container's port
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::UpstreamUnreachable, Cause::UpstreamTimeout, Cause::UpstreamSpeaksPlaintext],
    tell_apart: "`503 UF` here: no connection. `504 UT`: connected, and no answer in time.",
};

pub(super) static UPSTREAM_DNS_FAILURE: Entry = Entry {
    title: "The upstream's name can't be resolved",
    happened: "The cluster finds its endpoints by DNS, done by the proxy itself, and there was no \
        answer or none with an address.",
    looks_like: "`503 DF dns_resolution_failure` (dynamic forward proxy); for a ServiceEntry with \
        `resolution: DNS` just `503 UH`.",
    confirm: r#"# A DNS cluster without a line that has an address resolved to nothing:
kubectl exec POD -n NAMESPACE -c istio-proxy -- pilot-agent request GET clusters | grep 'HOST'
kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -sv http://HOST/ 2>&1 | grep -i resolv
kubectl get serviceentry -A | grep HOST
kubectl logs -n kube-system -l k8s-app=kube-dns --tail=50"#,
    fix: "A wildcard (`*.example.com`) can't be resolved: use `resolution: NONE` for it. Give a \
        name that exists only here an `endpoints` list. Otherwise repair CoreDNS or its upstream.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata:
  name: partner
spec:
  hosts:
  - partner.internal
  location: MESH_EXTERNAL
  ports:
  - number: 443
    name: https
    protocol: HTTPS
  resolution: DNS
  endpoints:
  - address: real-name.example.com # what DNS knows
"#,
    ),
    section: None,
    confused_with: &[Cause::NoEndpoints],
    tell_apart: "Without answer a DNS cluster is simply empty (`UH`, 0 endpoints). `resolution: \
        DNS` in the ServiceEntry and a name that `nslookup` doesn't resolve in the pod point here.",
};

pub(super) static CIRCUIT_BREAKER_OVERFLOW: Entry = Entry {
    title: "A circuit breaker's limit is reached",
    happened: "As many connections, pending requests, requests or retries are open to the cluster \
        as its DestinationRule allows. The proxy answered at once, without trying.",
    looks_like: "`503 UO upstream_reset_before_response_started{overflow}`, header \
        `x-envoy-overloaded: true`. TCP: `0 UO`.",
    confirm: r#"# Limits (max_...) and what is in use (cx_active, rq_active), side by side:
kubectl exec POD -n NAMESPACE -c istio-proxy -- pilot-agent request GET clusters | grep 'HOST.*\(max_\|_active\)'
kubectl get destinationrule -A -o yaml | grep -B12 -A14 connectionPool
istioctl proxy-config clusters POD.NAMESPACE --fqdn HOST -o yaml | grep -A12 circuitBreakers"#,
    fix: "Slow answers keep requests open, so a slow upstream hits limits that were enough before. \
        The limits hold for each client proxy, not for the service as a whole.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: helloworld
spec:
  host: helloworld.default.svc.cluster.local
  trafficPolicy:
    connectionPool:
      tcp:
        maxConnections: 1000
      http:
        http1MaxPendingRequests: 1000
        http2MaxRequests: 1000
        maxRetries: 100
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::NoHealthyEndpoints, Cause::ProxyOverloaded, Cause::RateLimited],
    tell_apart: "`UO` is this and nothing else. Outlier detection is `UH`, overload of the proxy \
        `OM` or `overload`, rate limits are 429.",
};

pub(super) static FILE_DESCRIPTORS_EXHAUSTED: Entry = Entry {
    title: "The proxy has no file descriptors left",
    happened: "Each connection takes a file descriptor. The proxy has used up its limit and can't \
        open a socket. Old Envoys crashed with `assert failure: fd_ != -1`; new ones fail the \
        request.",
    looks_like: "`503 UF \
        upstream_reset_before_response_started{local_connection_failure|socket_creation_failure}`. \
        New clients may not get in at all, which leaves no log line. Old Envoys: container \
        restarts.",
    confirm: r#"PROXY="kubectl exec POD -n NAMESPACE -c istio-proxy --"
# The limit, and how much of it is in use:
$PROXY sh -c 'for p in /proc/[0-9]*; do grep -q envoy $p/comm && grep "open files" $p/limits && ls $p/fd | wc -l; done'
kubectl logs POD -n NAMESPACE -c istio-proxy --previous | grep -i 'too many open files\|fd_ != -1'
$PROXY pilot-agent request GET stats | grep server.total_connections"#,
    fix: "The limit comes from the container runtime (`LimitNOFILE` of containerd, \
        `default-ulimits` of Docker); for a proxy on a VM from `ulimit -n` (Istio's page: 16384) \
        or systemd. Then look for what holds the connections: clients without keep-alive limits, \
        missing idle timeouts.",
    fix_yaml: None,
    section: Some(PageSection::EnvoyCrashing),
    confused_with: &[Cause::UpstreamUnreachable, Cause::ProxyOverloaded, Cause::CircuitBreakerOverflow],
    tell_apart: "`local_connection_failure` means that the fault is on this machine; the upstream \
        was never asked. All clusters of the proxy fail alike.",
};
