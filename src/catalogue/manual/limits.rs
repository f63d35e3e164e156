//! Time-outs, overload, and clients that leave.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static CLIENT_DISCONNECTED: Entry = Entry {
    title: "The client left before the response was complete",
    happened: "The client closed the connection or reset the stream: its own timeout, a cancelled \
        call, a closed browser tab, a load balancer in front that gave up. Before an answer began \
        this is certain. In the middle of one it is likely where more was promised \
        (`content-length`), and possible where no length was: readers stop when they have had \
        enough. Event streams, gRPC streams with messages, websockets and tunnels end so, and are \
        no failures.",
    looks_like: "`0 DC downstream_remote_disconnect`; after the headers `200 DC`. HTTP/2: `0 DR \
        http2.remote_reset`. The client reports its own timeout.",
    confirm: r#"# Do the durations cluster at a round value? That is the client's timeout.
kubectl logs POD -n NAMESPACE -c istio-proxy | grep ' DC \| DR ' | tail -20
# How long does the upstream take?
kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -so /dev/null -w '%{time_total}\n' http://POD_IP:TARGET_PORT/PATH"#,
    fix: "A few are normal. Many at one duration: raise the client's or load balancer's timeout, \
        or make the upstream faster. Set the VirtualService's `timeout` below the client's, and \
        the answer is a clear `504` instead of silence.",
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
    timeout: 8s # clients give up after 10 s
"#,
    ),
    section: None,
    confused_with: &[Cause::UpstreamTimeout, Cause::NotHttpOnHttpPort, Cause::UpstreamReset],
    tell_apart: "`D` stands for downstream, `U` for upstream. A binary protocol on an HTTP port \
        also ends as `0 DC` without method and path: there the first bytes are no HTTP.",
};

pub(super) static PROXY_CLOSED_CONNECTION: Entry = Entry {
    title: "This proxy closed the connection",
    happened: "The proxy itself ended the client's connection while a request was under way: a \
        configuration push replaced the filter chain or removed the listener, and the time for \
        draining was over, or the client's HTTP/2 answered no PING.",
    looks_like: "`0 DC downstream_local_disconnect(filter_chain_is_being_removed)`; after the \
        headers `200 DC`. The flag is the one of a client that leaves; the details tell.",
    confirm: r#"kubectl logs POD -n NAMESPACE -c istio-proxy | grep downstream_local_disconnect
# Which listeners were replaced, and how often?
kubectl exec POD -n NAMESPACE -c istio-proxy -- pilot-agent request GET stats | grep 'listener_manager.*\(modified\|removed\|in_place_updated\)'"#,
    fix: "Every change of PeerAuthentication, EnvoyFilter, WasmPlugin or of the ports behind a \
        listener replaces filter chains. Long requests survive it for the drain duration (45 s).",
    fix_yaml: Some(
        r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: helloworld
spec:
  template:
    metadata:
      annotations:
        proxy.istio.io/config: |
          drainDuration: 300s
"#,
    ),
    section: None,
    confused_with: &[Cause::ClientDisconnected, Cause::IdleTimeout, Cause::MaxDurationReached],
    tell_apart: "`downstream_remote_disconnect` is the client, `downstream_local_disconnect` this \
        proxy.",
};

pub(super) static IDLE_TIMEOUT: Entry = Entry {
    title: "An idle timeout ran out",
    happened: "Nothing moved on a stream or TCP connection for as long as the proxy waits. Long \
        polls, server-sent events, quiet gRPC streams and pooled database connections meet it.",
    looks_like: "`504 SI stream_idle_timeout` (`408 SI` while the request was still incomplete), \
        `upstream_per_try_idle_timeout`. TCP: the connection closes after exactly the timeout (1 h \
        by default), `tcp_session_idle_timeout`.",
    confirm: r#"istioctl proxy-config listeners POD.NAMESPACE -o yaml | grep -n -i 'idleTimeout'
istioctl proxy-config routes POD.NAMESPACE -o yaml | grep -n -i 'idleTimeout'
kubectl get envoyfilter -A -o yaml | grep -n idle_timeout
kubectl logs POD -n NAMESPACE -c istio-proxy | grep ' SI \|idle_timeout'"#,
    fix: "What keeps a stream alive: comments in event streams, gRPC keep-alive, TCP keep-alive. \
        The timeout for TCP services is in the DestinationRule.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: database
spec:
  host: database.default.svc.cluster.local
  trafficPolicy:
    connectionPool:
      tcp:
        idleTimeout: 4h
        tcpKeepalive:
          time: 600s
          interval: 75s
"#,
    ),
    section: None,
    confused_with: &[Cause::UpstreamTimeout, Cause::MaxDurationReached, Cause::ClientDisconnected],
    tell_apart: "`SI`: nothing moved. `UT`: the whole request took too long. `UMSDR` or `DT`: an \
        upper limit, however busy it was.",
};

pub(super) static MAX_DURATION_REACHED: Entry = Entry {
    title: "A maximum duration was reached",
    happened: "A stream or connection lived as long as it is allowed to, and the proxy ended it, \
        idle or not.",
    looks_like: "`504 max_duration_timeout` with flag `-`; `UMSDR \
        upstream_max_stream_duration_reached`; `DT duration_timeout` for a connection.",
    confirm: r#"istioctl proxy-config routes POD.NAMESPACE -o yaml | grep -n -i 'maxStreamDuration' -A3
istioctl proxy-config listeners POD.NAMESPACE -o yaml | grep -n -i 'maxConnectionDuration\|maxDownstreamConnectionDuration\|maxStreamDuration'
kubectl get destinationrule,envoyfilter -A -o yaml | grep -n -i 'max_*connection_*duration\|max_*stream_*duration'"#,
    fix: "A client that reconnects needs no change: a bounded connection life is often wanted, to \
        spread load after scaling.",
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
        maxConnectionDuration: 12h
"#,
    ),
    section: None,
    confused_with: &[Cause::IdleTimeout, Cause::UpstreamTimeout],
    tell_apart: "The duration in the log equals the limit, with data moving until the end.",
};

pub(super) static PROXY_OVERLOADED: Entry = Entry {
    title: "The proxy sheds load",
    happened: "The proxy's overload manager (memory, connections) or a drop policy refuses \
        requests to protect the rest.",
    looks_like: "`503 overload` (`OM`), `DO drop_overload`, `UDO unconditional_drop_overload`. The \
        client may get no answer at all.",
    confirm: r#"kubectl top pod POD -n NAMESPACE --containers
kubectl exec POD -n NAMESPACE -c istio-proxy -- pilot-agent request GET stats | grep 'server.memory_allocated\|server.total_connections'
kubectl describe pod POD -n NAMESPACE | grep -A8 'istio-proxy'"#,
    fix: "A sidecar that knows the whole mesh uses memory for it: restrict what it sees with a \
        Sidecar.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: Sidecar
metadata:
  name: default
spec:
  egress:
  - hosts:
    - "./*"
    - "istio-system/*"
"#,
    ),
    section: Some(PageSection::EnvoyCrashing),
    confused_with: &[Cause::CircuitBreakerOverflow, Cause::FileDescriptorsExhausted, Cause::RateLimited],
    tell_apart: "Overload is the proxy's own state and hits all services alike. `UO` is one \
        cluster's limit.",
};

pub(super) static LOCAL_HEALTH_CHECK_FAILED: Entry = Entry {
    title: "The proxy reports itself as unhealthy",
    happened: "The proxy's health check filter is in the failed state: someone called \
        `healthcheck/fail` on its admin port, or it is draining before shutdown.",
    looks_like: "`503 LH`. With Istio's own configuration it is rare: an EnvoyFilter or a custom \
        bootstrap brings it.",
    confirm: r#"kubectl exec POD -n NAMESPACE -c istio-proxy -- pilot-agent request GET server_info | grep state
kubectl get pod POD -n NAMESPACE -o jsonpath='{.metadata.deletionTimestamp}'
kubectl get envoyfilter -A -o yaml | grep -n health_check"#,
    fix: "If the pod is shutting down, take it out of load balancing sooner (readiness, \
        `preStop`). If it was failed by hand, `POST healthcheck/ok` on the admin port undoes it.",
    fix_yaml: None,
    section: None,
    confused_with: &[Cause::NoHealthyEndpoints, Cause::ProxyOverloaded],
    tell_apart: "`LH` is about this proxy; `UH` about the endpoints behind it.",
};

pub(super) static FILTER_CONFIG_MISSING: Entry = Entry {
    title: "A filter's configuration never arrived",
    happened: "A filter that is delivered on its own (ECDS: WasmPlugin, EnvoyFilter) wasn't there \
        when the request came: not fetched, not accepted, or istiod is out of reach.",
    looks_like: "`500 NFCF` with empty details.",
    confirm: r#"kubectl get wasmplugin -A
istioctl proxy-config ecds POD.NAMESPACE
kubectl logs POD -n NAMESPACE -c istio-proxy | grep -i 'wasm\|ecds\|rejected'
# Can the node reach the module?
kubectl get wasmplugin -A -o jsonpath='{range .items[*]}{.spec.url}{"\n"}{end}'"#,
    fix: "Check `url`, `sha256` and `imagePullSecret`. Choose `failStrategy: FAIL_OPEN` for \
        plugins that may be missing: without it, Istio's agent puts a filter that denies \
        everything in the place of a module that it can't fetch.",
    fix_yaml: Some(
        r#"apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata:
  name: meshwhy
  namespace: istio-system
spec:
  url: oci://registry.example.com/meshwhy:0.1.0
  failStrategy: FAIL_OPEN
"#,
    ),
    section: None,
    confused_with: &[Cause::ConfigPropagating, Cause::RouteTableMissing, Cause::AuthorizationPolicyDenied],
    tell_apart: "For a moment after a rollout it is propagation. A plugin replaced by the denying \
        filter answers `403` without naming a policy.",
};
