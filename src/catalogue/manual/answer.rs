//! The upstream's answer.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static HTTP10_UPSTREAM: Entry = Entry {
    title: "The upstream answers in HTTP/1.0",
    happened: "The upstream answers in HTTP/1.0: no keep-alive, no chunking, the end of the body \
        marked by closing the connection. Today's Envoy reads that, at the price of a new \
        connection for each request; a body cut short can't be told from a complete one.",
    looks_like: "Mostly nothing: `200`, `Connection: close`, neither `Content-Length` nor \
        `Transfer-Encoding`. Under load `503 UC` on connections that close. Envoy's attributes \
        don't carry the version of the answer.",
    confirm: r#"# First line HTTP/1.0?
kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -sv http://POD_IP:TARGET_PORT/ 2>&1 | grep '^< '
# One connection per request: cx_total grows with rq_total
kubectl exec POD -n NAMESPACE -c istio-proxy -- pilot-agent request GET clusters | grep 'HOST.*\(cx\|rq\)_total'"#,
    fix: "Upgrade the server, or turn on HTTP/1.1 in it (Python's `http.server`: `protocol_version \
        = 'HTTP/1.1'`). If an nginx stands in between, set `proxy_http_version 1.1;` and \
        `proxy_set_header Connection \"\";` towards its backend: its default has long been 1.0.",
    fix_yaml: None,
    section: Some(PageSection::Http10Service),
    confused_with: &[Cause::Http10Client, Cause::UpstreamClosedConnection],
    tell_apart: "`426` is about the client's request, never about the upstream. An HTTP/1.1 \
        upstream that sends `Connection: close` without a length looks the same to the proxy, so \
        nothing is said then. Without that header it is `possible`: an HTTP/2 server looks the same. \
        On TCP the `connection` role sees the first line of the answer: that is certain.",
};

pub(super) static HTTP2_TO_HTTP1_UPSTREAM: Entry = Entry {
    title: "HTTP/2 sent to an upstream that speaks HTTP/1.1",
    happened: "The port is declared as `http2` or `grpc`, or a DestinationRule upgrades to HTTP/2, \
        and the server knows only HTTP/1.1.",
    looks_like: "`502 UPE upstream_reset_before_response_started{protocol_error}`, upstream \
        protocol HTTP/2. No attribute of Envoy's tells a filter the upstream's protocol, so meshwhy \
        says `upstream_protocol_error`; `%UPSTREAM_PROTOCOL%` in the access log decides.",
    confirm: r#"# HTTP/2 without TLS fails, HTTP/1.1 works:
kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -sv --http2-prior-knowledge http://POD_IP:TARGET_PORT/
kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -sv --http1.1 http://POD_IP:TARGET_PORT/
kubectl get service SERVICE -n NAMESPACE -o jsonpath='{.spec.ports}'
kubectl get destinationrule -A -o yaml | grep -B12 h2UpgradePolicy"#,
    fix: "Name the port `http` (or set `appProtocol: http`), and remove `h2UpgradePolicy: \
        UPGRADE`. If the server is meant to speak gRPC, turn on HTTP/2 without TLS (h2c) in it.",
    fix_yaml: Some(
        r#"apiVersion: v1
kind: Service
metadata:
  name: helloworld
spec:
  selector:
    app: helloworld
  ports:
  - name: http # not http2, not grpc
    port: 5000
    appProtocol: http
"#,
    ),
    section: None,
    confused_with: &[Cause::UpstreamProtocolError, Cause::UpstreamReset],
    tell_apart: "`protocol_error` at once on every request, with upstream protocol HTTP/2, is \
        this. Now and then, or in the middle of a body, it is `upstream_protocol_error`.",
};

pub(super) static UPSTREAM_PROTOCOL_ERROR: Entry = Entry {
    title: "The upstream's answer breaks HTTP",
    happened: "Envoy couldn't parse the answer: an invalid header, two different lengths, a bad \
        chunk, headers too large, or bytes that are no HTTP. Envoy is stricter than most clients. \
        Or the two speak different versions of HTTP: gRPC to a port that is declared `http` goes \
        out as HTTP/1.1, which a gRPC server can't read.",
    looks_like: "`502 UPE upstream_reset_before_response_started{protocol_error}`, for gRPC `200` \
        with `grpc-status: 14`; in the middle of a body `200 UPE`, and the client sees it cut off.",
    confirm: r#"# The raw answer:
kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -sv --raw http://POD_IP:TARGET_PORT/PATH -o /dev/null
# What the codec objects to (back to warning afterwards):
istioctl proxy-config log POD.NAMESPACE --level http:debug,client:debug"#,
    fix: "Correct the application: one `Content-Length` or chunked, never both; no duplicate \
        `Transfer-Encoding` (frameworks that copy headers from a backend's answer do that); no \
        control characters in header values. A port for gRPC is named `grpc` (or has \
        `appProtocol: grpc`).",
    fix_yaml: None,
    section: None,
    confused_with: &[Cause::Http2ToHttp1Upstream, Cause::UpstreamClosedConnection],
    tell_apart: "Upstream protocol HTTP/2 and every request failing points to the declared port. A \
        crash in the middle of a chunked body also shows as `200 UPE`: look at the upstream's log. \
        Where the body had a length, meshwhy compares, and says `upstream_closed_connection`.",
};

pub(super) static UPSTREAM_TIMEOUT: Entry = Entry {
    title: "The upstream took too long",
    happened: "The request reached the upstream, and the timeout of the route or of a try ran out \
        before the answer. Istio sets no timeout on a route by itself: someone configured it.",
    looks_like: "`504 UT response_timeout`, body `upstream request timeout`. Per try: `504 URX,UT \
        upstream_per_try_timeout`. Older Envoys: `upstream_response_timeout`.",
    confirm: r#"# The duration in the log equals the timeout:
kubectl logs POD -n NAMESPACE -c istio-proxy | grep ' UT \|URX,UT'
kubectl get virtualservice -A -o yaml | grep -n 'timeout\|perTryTimeout'
# How long does it take without one?
kubectl exec POD -n NAMESPACE -c istio-proxy -- curl -so /dev/null -w '%{time_total}\n' http://POD_IP:TARGET_PORT/PATH"#,
    fix: "All tries together share `timeout`, so `perTryTimeout` times the attempts has to fit in \
        it. Clients can lower it by `x-envoy-upstream-rq-timeout-ms`.",
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
    timeout: 30s
    retries:
      attempts: 2
      perTryTimeout: 10s
"#,
    ),
    section: None,
    confused_with: &[
        Cause::UpstreamConnectTimeout,
        Cause::IdleTimeout,
        Cause::ApplicationError,
        Cause::ClientDisconnected,
    ],
    tell_apart: "A `504` with `via_upstream` is the application's own. `SI` is an idle timeout, \
        `503 UF` a connect timeout. If the client gives up first, it is `DC`.",
};

pub(super) static UPSTREAM_RESET: Entry = Entry {
    title: "The upstream reset the stream",
    happened: "The upstream refused or reset this one HTTP/2 stream. The connection lives on. A \
        gRPC server at its limit of concurrent streams, or in shutdown, does that.",
    looks_like: "`503 UR upstream_reset_before_response_started{remote_reset}`; refused streams \
        are retried: `503 URX,UR ...{remote_refused_stream_reset}`.",
    confirm: r#"kubectl logs POD -n NAMESPACE -c istio-proxy | grep ' UR \|URX,UR'
kubectl logs SERVER_POD -n NAMESPACE --tail=100"#,
    fix: "Look in the server's log at that time. Raise its limit of concurrent streams, or spread \
        the load. Shut down gracefully: GOAWAY first, then drain. Retry what is safe to retry.",
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
    retries:
      attempts: 3
      retryOn: refused-stream,reset-before-request,unavailable
"#,
    ),
    section: None,
    confused_with: &[
        Cause::UpstreamClosedConnection,
        Cause::ClientDisconnected,
        Cause::UpstreamProtocolError,
    ],
    tell_apart: "`UR` is one stream, `UC` a whole connection. A TCP reset by an HTTP/1.1 upstream \
        is `UC` too. `DR` is the client's reset.",
};

pub(super) static UPSTREAM_CLOSED_CONNECTION: Entry = Entry {
    title: "The upstream closed the connection before it had answered in full",
    happened: "The connection ended while the proxy waited for the answer. Two usual reasons: the \
        upstream's keep-alive timeout is shorter than the proxy's, so that a request meets a \
        closing connection; or the process crashed or was stopped.",
    looks_like: "`503 UC upstream_reset_before_response_started{connection_termination}`, body \
        `upstream connect error or disconnect/reset before headers`. A few per thousand: \
        keep-alive. In bursts: restarts. In the middle of a body: `200 UPE \
        upstream_reset_after_response_started{protocol_error}`, fewer bytes than `content-length`.",
    confirm: r#"# Restarts, OOM kills, rollouts at that time?
kubectl get pods -n NAMESPACE -l app=APP
kubectl describe pod SERVER_POD -n NAMESPACE | grep -A6 'Last State'
kubectl logs SERVER_POD -n NAMESPACE --previous --tail=50
# Spread evenly, or in bursts?
kubectl logs POD -n NAMESPACE -c istio-proxy | grep ' UC ' | cut -c2-17 | uniq -c"#,
    fix: "Let the proxy close idle connections first: `idleTimeout` below the server's keep-alive \
        (Node.js 5 s, gunicorn 2 s, Tomcat 20 s by default). For rollouts: a `preStop` sleep and a \
        graceful shutdown. Retries hide the rest for requests that are safe to repeat.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: helloworld
spec:
  host: helloworld.default.svc.cluster.local
  trafficPolicy:
    connectionPool:
      http:
        idleTimeout: 3s
"#,
    ),
    section: None,
    confused_with: &[
        Cause::DestinationRuleTlsConflict,
        Cause::UpstreamExpectsTls,
        Cause::UpstreamRequiresClientCertificate,
        Cause::UpstreamReset,
    ],
    tell_apart: "Every request fails: think of TLS, the three causes named first. Some do: this \
        one. `101 UC` is a websocket that the server ended, which is no failure.",
};

pub(super) static APPLICATION_ERROR: Entry = Entry {
    title: "The application answered with an error",
    happened: "The upstream sent a 5xx itself, and the mesh passed it on. Nothing in the proxy \
        went wrong.",
    looks_like: "`5xx` with flag `-` and `via_upstream`. For gRPC `200` and `grpc-status` 2, 4, 12, 13, \
        14 or 15 (UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS); others, \
        such as NOT_FOUND, are answers to the caller.",
    confirm: r#"# via_upstream on the server's sidecar too? Then it is the application.
kubectl logs SERVER_POD -n NAMESPACE -c istio-proxy | grep via_upstream | grep '" 5'
kubectl logs SERVER_POD -n NAMESPACE --tail=100
# Past the mesh:
kubectl exec SERVER_POD -n NAMESPACE -c istio-proxy -- curl -sv http://127.0.0.1:TARGET_PORT/PATH"#,
    fix: "The error may come from a call that it made, and that call has a cause of its own in its \
        sidecar.",
    fix_yaml: None,
    section: None,
    confused_with: &[Cause::UpstreamTimeout, Cause::NoEndpoints, Cause::UpstreamClosedConnection],
    tell_apart: "`via_upstream` is an answer, every other detail is Envoy's own. At the client's \
        sidecar the server's sidecar is the upstream: if that one made the error itself (a flag in \
        its log), that cause counts.",
};

pub(super) static UPSTREAM_PROXY_ERROR: Entry = Entry {
    title: "The next proxy made this reply",
    happened: "The upstream of this proxy is another one: the server's sidecar, a gateway, a \
        waypoint. It could not serve the request, and answered with an error page of Envoy's. The \
        application behind it may never have been asked.",
    looks_like: "`503` (also `502`, `504`) with flag `-` and `via_upstream`, and the body is one of \
        Envoy's: `upstream connect error or disconnect/reset before headers`, `no healthy \
        upstream`, `upstream request timeout`. For gRPC the same words stand in `grpc-message`.",
    confirm: r#"# The same request id in the server's log, with the flags that say why:
kubectl logs SERVER_POD -n NAMESPACE -c istio-proxy | grep REQUEST_ID
# Or both logs at once:
meshwhy correlate client.log server.log"#,
    fix: "What the server's sidecar logs for the same request is the cause.",
    fix_yaml: None,
    section: None,
    confused_with: &[Cause::ApplicationError, Cause::UpstreamRefused, Cause::UpstreamClosedConnection],
    tell_apart: "An application that calls another service may pass such a page on as its own: \
        then its sidecar logs `via_upstream` for it.",
};

pub(super) static UPSTREAM_CLOSED_IDLE_CONNECTION: Entry = Entry {
    title: "The server was closing an idle connection as the request came",
    happened: "The proxy reused a keep-alive connection in the moment in which the server closed it, \
        because it had been idle for as long as the server allows (Node 5 s, gunicorn 2 s, uvicorn 5 \
        s, Tomcat 20 s, Go none). The request was never worked on. Sporadic, more of it where traffic \
        is thin and the network slow.",
    looks_like: "`503 UC upstream_reset_before_response_started{connection_termination}` after a few \
        milliseconds. The evidence has `pool_ready`: a connection that was there at once had been \
        used before.",
    confirm: r#"# Sporadic, short durations, no crash at that time:
kubectl logs POD -n NAMESPACE -c istio-proxy | grep ' 503 UC ' | tail
kubectl get pods -n NAMESPACE
# The server's keep-alive timeout: keepAliveTimeout (Node), --keep-alive (gunicorn), --timeout-keep-alive
# (uvicorn), keepAliveTimeout (Tomcat), keepalive_timeout (nginx). The proxy's own:
kubectl get destinationrule -A -o yaml | grep -n 'idleTimeout'"#,
    fix: "The side that opens connections has to give them up first. Raising the server's timeout \
        above the proxy's (an hour by default) does the same. Retries hide what is left: nothing was \
        worked on, so they are safe for any method.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: helloworld
spec:
  host: helloworld.default.svc.cluster.local
  trafficPolicy:
    connectionPool:
      http:
        idleTimeout: 3s # below the server's
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: helloworld
spec:
  hosts:
  - helloworld.default.svc.cluster.local
  http:
  - retries:
      attempts: 2
      retryOn: reset-before-request,connect-failure,refused-stream
    route:
    - destination:
        host: helloworld.default.svc.cluster.local
"#,
    ),
    section: None,
    confused_with: &[Cause::UpstreamClosedConnection, Cause::DestinationRuleTlsConflict],
    tell_apart: "On a new connection, or after the server had worked for a while, it is \
        `upstream_closed_connection`: a crash, or a protocol that doesn't fit. A server that crashes \
        at once on that very request looks the same: then it fails every time.",
};
