//! Requests and connections of a form that this proxy isn't configured for.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static PROXY_PROTOCOL_UNEXPECTED: Entry = Entry {
    title: "A PROXY protocol header arrives where nobody takes it",
    happened: "A load balancer in front sends a PROXY header (version 1 or 2) before the client's \
        bytes, and the listener has no filter that reads it: the HTTP parser sees a broken request, \
        a TLS port plaintext, a server behind a TCP port bytes that aren't its protocol.",
    looks_like: "`400 DPE http1.codec_error` for every request through that load balancer, while \
        requests past it work. At a TLS port the handshake fails with `WRONG_VERSION_NUMBER`: there \
        it is `plaintext_on_tls_port`, for nobody sees the bytes.",
    confirm: r#"# The same request with and without the header:
curl -sS -o /dev/null -w '%{http_code}\n' http://GATEWAY_IP/
curl -sS -o /dev/null -w '%{http_code}\n' --haproxy-protocol http://GATEWAY_IP/
# Whether the listener reads it:
istioctl proxy-config listeners GATEWAY_POD.istio-system -o json | grep -n 'proxy_protocol'
# Whether the load balancer sends it (AWS):
kubectl get service -n istio-system -o yaml | grep -n 'proxy-protocol'"#,
    fix: "Both sides must agree. A listener that demands the header refuses clients that come \
        without one, such as health checks within the cluster.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: proxy-protocol
  namespace: istio-system
spec:
  workloadSelector:
    labels:
      istio: ingressgateway
  configPatches:
  - applyTo: LISTENER_FILTER
    patch:
      operation: INSERT_FIRST
      value:
        name: envoy.filters.listener.proxy_protocol
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::NotHttpOnHttpPort, Cause::InvalidHttpRequest, Cause::PlaintextOnTlsPort],
    tell_apart: "The first bytes tell: `PROXY `, or the twelve bytes of version 2.",
};

pub(super) static PROXY_PROTOCOL_MISSING: Entry = Entry {
    title: "The listener demands the PROXY protocol and gets none",
    happened: "The listener's proxy_protocol filter waits for a header and got other bytes: the load \
        balancer in front doesn't send it, or the client came past the load balancer (a health \
        check, a call from within the cluster). Envoy closes the connection before any filter chain \
        is chosen.",
    looks_like: "The client's connection is closed or reset without a byte. The listener's access \
        log has a line without flags and details, the same as for a client that leaves without a byte, \
        as TCP health checks do. So no role names it: Envoy's counters do.",
    confirm: r#"# Grows with each such connection:
istioctl experimental envoy-stats GATEWAY_POD.istio-system | grep -i 'proxy_proto.*\(error\|disallowed\|not_found\)'
istioctl proxy-config listeners GATEWAY_POD.istio-system -o json | grep -n 'proxy_protocol' -A6
curl -sS -o /dev/null -w '%{http_code}\n' --haproxy-protocol http://GATEWAY_IP/"#,
    fix: "`allow_requests_without_proxy_protocol: true` takes both, where everybody who can reach the \
        port may be trusted with the addresses in the header.",
    fix_yaml: None,
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::NoFilterChainForSni, Cause::DownstreamTlsFailed],
    tell_apart: "No filter chain was looked for, so there is no `NR`, and no handshake, so there is no \
        failure of TLS.",
};

pub(super) static REQUEST_TOO_LARGE: Entry = Entry {
    title: "The request is too large for this proxy",
    happened: "Its headers are larger or more than the connection manager takes (60 KB and 100 by \
        default), or a filter that reads the whole body (buffer, ext_authz with a body, ext_proc, \
        Lua, the gRPC transcoder) has a smaller limit.",
    looks_like: "`431 DPE` with `http1.headers_too_large` or `http1.too_many_headers`; HTTP/2 \
        streams are reset, and only an access logger on the connection manager sees \
        `http2.too_many_headers` and the like. Bodies: `413 request_payload_too_large`, flag `-`.",
    confirm: r#"istioctl proxy-config listeners POD.NAMESPACE -o json | grep -n 'maxRequestHeadersKb\|maxHeadersCount\|maxRequestBytes\|perConnectionBufferLimitBytes'
kubectl get envoyfilter -A -o yaml | grep -n 'max_request_headers_kb\|max_headers_count\|max_request_bytes\|per_connection_buffer_limit'
# How large the headers are: cookies and tokens grow.
curl -sv -o /dev/null http://HOST/ 2>&1 | grep '^>' | wc -c"#,
    fix: "The next proxy and the application have limits, too. Cookies that pile up are cured at \
        the application that sets them.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: large-headers
  namespace: istio-system
spec:
  workloadSelector:
    labels:
      istio: ingressgateway
  configPatches:
  - applyTo: NETWORK_FILTER
    match:
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
    confused_with: &[Cause::InvalidHttpRequest, Cause::FilterRejected],
    tell_apart: "A `413` or `431` with `via_upstream` is the application's own.",
};

pub(super) static UPGRADE_REFUSED: Entry = Entry {
    title: "This proxy doesn't allow the upgrade",
    happened: "The client asked for a websocket or another upgrade, and neither the connection \
        manager nor the route has it in its `upgrade_configs`, or the route turns it off. Istio \
        allows websockets on all HTTP ports, and nothing else.",
    looks_like: "`403 upgrade_failed`, flag `-`, no upstream.",
    confirm: r#"istioctl proxy-config listeners POD.NAMESPACE -o json | grep -n 'upgradeConfigs' -A4
istioctl proxy-config routes POD.NAMESPACE -o json | grep -n 'upgradeConfigs' -A5
kubectl get envoyfilter -A -o yaml | grep -n 'upgrade' -B8"#,
    fix: "`Upgrade: h2c` is no upgrade to Envoy: the request passes in HTTP/1.1.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: upgrades
spec:
  configPatches:
  - applyTo: NETWORK_FILTER
    match:
      listener:
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
    patch:
      operation: MERGE
      value:
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          upgrade_configs:
          - upgrade_type: spdy/3.1
"#,
    ),
    section: None,
    confused_with: &[Cause::AuthorizationPolicyDenied, Cause::ConnectToNonProxyPort],
    tell_apart: "A `403` with `via_upstream` is the application's: it takes no websockets there. \
        `rbac_...` is an AuthorizationPolicy.",
};
