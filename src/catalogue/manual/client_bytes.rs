//! The client's bytes.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static TLS_ON_PLAINTEXT_PORT: Entry = Entry {
    title: "HTTPS sent to a port declared as HTTP",
    happened: "The client opened a TLS handshake on a port that Istio was told carries plain HTTP. \
        The proxy reads the handshake as an HTTP request, and it is none. Where a sidecar has a \
        passthrough chain for the port (ALLOW_ANY), the bytes get through, and every route rule \
        for the host is bypassed without a word.",
    looks_like: "The client: `curl: (35) ... wrong version number`. Sidecar or gateway that parses \
        the port: `400 DPE http1.codec_error`, no method, no path. Server sidecar: `0 NR \
        filter_chain_not_found` with the client's SNI. REGISTRY_ONLY: connection reset, `0 UH` to \
        `BlackHoleCluster`. ALLOW_ANY: no error; the log shows `PassthroughCluster`.",
    confirm: r#"# TLS fails, plain HTTP to the same port works:
curl -v https://HOST:PORT/
curl -v http://HOST:PORT/
# What Istio thinks the port speaks (look at the chain's transport and application protocols):
istioctl proxy-config listeners POD.NAMESPACE --port PORT -o yaml
kubectl get serviceentry,service -A -o yaml | grep -B2 -A4 'port: PORT\|number: PORT'"#,
    fix: "If clients are meant to use TLS, declare the port as HTTPS: by `protocol` in a \
        ServiceEntry or Gateway, by the name `https-...` or `appProtocol: https` in a Service. The \
        sidecar then forwards TLS by SNI and needs no certificate. If the mesh is meant to do TLS, \
        let the client send `http://` and originate TLS with a DestinationRule.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata:
  name: httpbin
spec:
  hosts:
  - httpbin.org
  ports:
  - number: 443
    name: https
    protocol: HTTPS
  resolution: DNS
"#,
    ),
    section: Some(PageSection::HttpsToHttpPort),
    confused_with: &[Cause::NotHttpOnHttpPort, Cause::DoubleTls, Cause::InvalidHttpRequest],
    tell_apart: "`http1.codec_error` is the same for TLS, SSH, Redis and garbage. Only the first \
        bytes tell: `16 03` is TLS. They need meshwhy's `connection` role; without it nobody can \
        say more than: no HTTP. In double TLS the client sees the same error, but the proxy has a \
        TLS connection to the upstream.",
};

pub(super) static PLAINTEXT_ON_TLS_PORT: Entry = Entry {
    title: "Plain HTTP sent to a TLS port",
    happened: "The client sent plain text to a port where this proxy expects a TLS handshake. The \
        handshake fails on the first byte. No HTTP request ever exists, so no HTTP log line does \
        either.",
    looks_like: "The client: `curl: (52) Empty reply from server` or a reset. Istio's default log: \
        nothing at a gateway (the handshake failure carries no flag), or `0 NR \
        filter_chain_not_found` without SNI. A listener log shows `HTTP_REQUEST` or \
        `WRONG_VERSION_NUMBER` as the transport failure reason.",
    confirm: r#"# https works where http does not:
curl -v  http://HOST:PORT/
curl -vk https://HOST:PORT/
# Prints a certificate: the port is a TLS port
openssl s_client -connect HOST:PORT -servername HOST </dev/null | grep -A1 'BEGIN\|subject'
istioctl proxy-config listeners POD.NAMESPACE --port PORT"#,
    fix: "If people type the host without a scheme, give the gateway a port 80 server that \
        redirects to HTTPS.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata:
  name: gateway
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 80
      name: http
      protocol: HTTP
    hosts:
    - "httpbin.example.com"
    tls:
      httpsRedirect: true
  - port:
      number: 443
      name: https
      protocol: HTTPS
    hosts:
    - "httpbin.example.com"
    tls:
      mode: SIMPLE
      credentialName: httpbin-credential
"#,
    ),
    section: Some(PageSection::TlsMistakes),
    confused_with: &[Cause::PlaintextToStrictMtls, Cause::DownstreamTlsFailed],
    tell_apart: "At a server sidecar the port takes mutual TLS from the mesh, and the cause is \
        called `plaintext_to_strict_mtls`. Any other reason than `HTTP_REQUEST` or \
        `WRONG_VERSION_NUMBER` means that the client did speak TLS.",
};

pub(super) static HTTP10_CLIENT: Entry = Entry {
    title: "The client speaks HTTP/1.0",
    happened: "The client sent an HTTP/1.0 request. Istio's proxies take HTTP/1.1 and HTTP/2 \
        unless told otherwise. The usual client is nginx, whose `proxy_pass` has sent HTTP/1.0 by \
        default for most of its life; `ab` and old health checkers do too. On an outbound HTTP \
        port the sidecar's own chain doesn't match HTTP/1.0 at all: the bytes go to the \
        passthrough chain as TCP, around every route rule.",
    looks_like: "The client: `426 Upgrade Required`. The log: `\"GET / HTTP/1.0\" 426 - \
        low_version` (newer Envoys: `DPE`). On sidecar outbound ports no 426: `PassthroughCluster` \
        with `UF,URX` after 10 s towards a Service, success towards the internet, `UH` with \
        REGISTRY_ONLY.",
    confirm: r#"# 426, and 200 without the -0:
curl -0 -v http://HOST:PORT/
curl    -v http://HOST:PORT/
kubectl logs POD -n NAMESPACE -c istio-proxy | grep 'low_version'
# Is it nginx? The upstream block needs proxy_http_version 1.1:
kubectl exec NGINX_POD -- nginx -T | grep -n 'proxy_pass\|proxy_http_version'"#,
    fix: "In nginx set `proxy_http_version 1.1;` and `proxy_set_header Connection \"\";` beside \
        every `proxy_pass`. If the client can't be changed, accept HTTP/1.0: `PILOT_HTTP10` on \
        istiod for all proxies (Helm value below), or the annotation `proxy.istio.io/config` with \
        `proxyMetadata: {ISTIO_META_HTTP10: \"1\"}` on the pods concerned. That goes on both ends: \
        the client's sidecar and the server's.",
    fix_yaml: Some(
        r#"# Helm values of the istiod chart
pilot:
  env:
    PILOT_HTTP10: "true"
"#,
    ),
    section: Some(PageSection::Http10Service),
    confused_with: &[Cause::Http10Upstream, Cause::TrafficBypassesMesh],
    tell_apart: "426 is always about the request. An upstream that answers in HTTP/1.0 causes no \
        426. If only the passthrough cluster shows, the first line of the request tells (role \
        `connection`).",
};

pub(super) static NOT_HTTP_ON_HTTP_PORT: Entry = Entry {
    title: "Something other than HTTP on a port declared as HTTP",
    happened: "The first bytes on a port declared as HTTP are no HTTP: a database protocol, SSH, \
        SMTP, MQTT, a PROXY protocol header from a load balancer, or garbage from a port scanner. \
        Clients that wait for the server to speak first (MySQL) just hang.",
    looks_like: "`400 DPE http1.codec_error` without method and path; or, for binary protocols \
        that send no line feed (MySQL, MongoDB, AMQP), `0 DC downstream_remote_disconnect` once \
        the client gives up.",
    confirm: r#"# The port's name or appProtocol says http; what is it really?
kubectl get service SERVICE -n NAMESPACE -o jsonpath='{.spec.ports}'
istioctl proxy-config listeners POD.NAMESPACE --port PORT
# The bytes themselves (needs tcpdump in a debug container):
kubectl debug POD -n NAMESPACE -it --image=nicolaka/netshoot -- tcpdump -i any -A -c 20 port PORT"#,
    fix: "`appProtocol: tcp` (or `mysql`, `mongo`, `redis`, `tls`), or a port name with that \
        prefix. For a load balancer that sends PROXY protocol, turn it off there, or turn it on at \
        the gateway (`proxyProtocol` in the gateway's `gatewayTopology`). If the sender is a \
        scanner, nothing is broken.",
    fix_yaml: Some(
        r#"apiVersion: v1
kind: Service
metadata:
  name: cache
spec:
  selector:
    app: cache
  ports:
  - name: redis
    port: 6379
    appProtocol: redis
"#,
    ),
    section: Some(PageSection::HttpsToHttpPort),
    confused_with: &[Cause::TlsOnPlaintextPort, Cause::InvalidHttpRequest],
    tell_apart: "The first bytes decide. Without them (no `connection` role) `http1.codec_error` \
        alone can't tell TLS from Redis, and the confidence is lower. A readable method and path \
        in the log means that it was HTTP.",
};

pub(super) static HTTPS_URL_ON_PLAINTEXT_PORT: Entry = Entry {
    title: "An https:// URL in a plain HTTP request",
    happened: "The client sent an absolute `https://` URL in the request line of an unencrypted \
        connection. That is how a client behaves that takes this proxy for a forward proxy, and \
        did not open a CONNECT tunnel first.",
    looks_like: "`400` with `http1.https_url_on_plaintext_connection`. Envoy 1.40's default \
        settings don't check for it: the request is then routed as usual.",
    confirm: r#"# Does the client have a proxy configured?
kubectl exec POD -n NAMESPACE -- env | grep -i _proxy
printf 'GET https://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n' | nc HOST 80 | head -1"#,
    fix: "Remove the client's proxy settings (`HTTPS_PROXY`, `https_proxy`): the sidecar \
        intercepts traffic without them. Let it open TLS to port 443, or ask for `http://` and let \
        the mesh originate TLS.",
    fix_yaml: None,
    section: None,
    confused_with: &[Cause::TlsOnPlaintextPort],
    tell_apart: "Here the connection is plain text and readable; only the URL says https.",
};

pub(super) static INVALID_HTTP_REQUEST: Entry = Entry {
    title: "The request breaks HTTP",
    happened: "It is HTTP, but Envoy refuses it: no Host header, headers too large or too many, a \
        bad Transfer-Encoding, both Content-Length and chunked, an invalid header name or value. Envoy is stricter than many servers, so a client \
        may work without a sidecar.",
    looks_like: "`400`, `431` or `501` with `DPE`, `IH` or `-`. The details name it: \
        `http1.headers_too_large`, `http1.invalid_characters`, `http1.invalid_transfer_encoding`, \
        `missing_host_header`, `http2.violation.of.messaging.rule`, ...",
    confirm: r#"kubectl logs POD -n NAMESPACE -c istio-proxy | grep ' DPE \|missing_host_header'
# Which header does the codec object to? (back to warning afterwards)
istioctl proxy-config log POD.NAMESPACE --level http:debug,http2:debug"#,
    fix: "For large headers (cookies, tokens) that are legitimate, raise the limit at the proxies \
        on the way; 60 KiB and 100 headers are Envoy's defaults.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: larger-request-headers
  namespace: istio-system
spec:
  workloadSelector:
    labels:
      istio: ingressgateway
  configPatches:
  - applyTo: NETWORK_FILTER
    match:
      context: GATEWAY
      listener:
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
    patch:
      operation: MERGE
      value:
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          max_request_headers_kb: 96
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::NotHttpOnHttpPort, Cause::TlsOnPlaintextPort, Cause::ApplicationError],
    tell_apart: "`via_upstream` means that the application itself refused. `http1.codec_error` \
        with first bytes that are no HTTP method is one of the other two.",
};

pub(super) static CONNECT_TO_NON_PROXY_PORT: Entry = Entry {
    title: "CONNECT to a port that is no forward proxy",
    happened: "The client sent `CONNECT host:port`, as to a forward proxy, and no route of this \
        port takes CONNECT. `HTTPS_PROXY` or a proxy setting names a service of the mesh or a \
        gateway, or the forward proxy itself stands behind a port that is declared as HTTP.",
    looks_like: "`404 NR route_not_found` with method `CONNECT`; under REGISTRY_ONLY `502 \
        direct_response`.",
    confirm: r#"kubectl logs POD -n NAMESPACE -c istio-proxy | grep '"CONNECT '
kubectl exec POD -n NAMESPACE -c APP -- env | grep -i _proxy
# Is the proxy's port declared as TCP?
istioctl proxy-config listeners POD.NAMESPACE --port PORT"#,
    fix: "A forward proxy in or outside of the mesh needs a port that is declared as TCP: the \
        sidecar then passes CONNECT on as it is.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: forward-proxy
spec:
  hosts:
  - proxy.example.com
  location: MESH_EXTERNAL
  resolution: DNS
  ports:
  - number: 3128
    name: tcp
    protocol: TCP
"#,
    ),
    section: None,
    confused_with: &[Cause::RouteHostUnknown, Cause::RouteNoMatch, Cause::EgressBlocked],
    tell_apart: "The method in the log is `CONNECT`.",
};
