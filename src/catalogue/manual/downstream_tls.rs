//! TLS between the client and this proxy.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static CLIENT_CERTIFICATE_MISSING: Entry = Entry {
    title: "The client presented no certificate",
    happened: "The port demands mutual TLS, and the client finished its part of the handshake \
        without a certificate. The proxy closed the connection.",
    looks_like: "The client: `alert certificate required` (TLS 1.3) or `handshake failure` (TLS \
        1.2). No line in Istio's default log. A listener log shows \
        `PEER_DID_NOT_RETURN_A_CERTIFICATE`.",
    confirm: r#"# Fails without, works with a certificate:
openssl s_client -connect HOST:443 -servername HOST </dev/null
openssl s_client -connect HOST:443 -servername HOST -cert client.pem -key client.key </dev/null
# What the port demands:
istioctl proxy-config listeners POD.NAMESPACE --port 443 -o yaml | grep -i requireClientCertificate"#,
    fix: "It must come from the CA in the gateway's secret. If not every client has one, use \
        `SIMPLE`, or `OPTIONAL_MUTUAL`, which verifies a certificate only where there is one.",
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
    confused_with: &[
        Cause::ClientCertificateRejected,
        Cause::PlaintextToStrictMtls,
        Cause::UpstreamRequiresClientCertificate,
    ],
    tell_apart: "Missing is `PEER_DID_NOT_RETURN_A_CERTIFICATE`, rejected is \
        `CERTIFICATE_VERIFY_FAILED`. If it is the upstream that demands the certificate, the \
        failure is on the other side of the proxy.",
};

pub(super) static CLIENT_CERTIFICATE_REJECTED: Entry = Entry {
    title: "The client's certificate was rejected",
    happened: "The client presented a certificate that this proxy doesn't accept: signed by \
        another CA, expired, not yet valid, revoked, or with a name that isn't allowed.",
    looks_like: "The client: `alert unknown ca`, `certificate expired` or `bad certificate`. No \
        line in Istio's default log. A listener log shows `CERTIFICATE_VERIFY_FAILED`, often with \
        the reason behind it.",
    confirm: r#"# Issuer, names and dates of the client's certificate:
openssl x509 -in client.pem -noout -issuer -subject -dates -ext subjectAltName
# Does the gateway's CA verify it?
kubectl get secret httpbin-credential -n istio-system -o jsonpath='{.data.ca\.crt}' | base64 -d > ca.pem
openssl verify -CAfile ca.pem client.pem
# Inside the mesh: are the workloads' certificates valid and from one root?
istioctl proxy-config secret POD.NAMESPACE"#,
    fix: "The client's CA belongs into `ca.crt` of the gateway's secret (or into a secret named \
        `CREDENTIAL-cacert`). Between sidecars, two roots are the usual reason: a rotated CA that \
        has not reached both, or two clusters without a common root.",
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
      number: 443
      name: https
      protocol: HTTPS
    hosts:
    - "httpbin.example.com"
    tls:
      mode: MUTUAL
      # The secret holds tls.crt, tls.key and, for the clients, ca.crt.
      credentialName: httpbin-credential
"#,
    ),
    section: Some(PageSection::TlsMistakes),
    confused_with: &[
        Cause::ClientCertificateMissing,
        Cause::DownstreamTlsFailed,
        Cause::UpstreamCertificateRejected,
    ],
    tell_apart: "Here this proxy distrusts the client. If the client distrusts this proxy, it \
        sends an alert (`SSLV3_ALERT_BAD_CERTIFICATE`, `TLSV1_ALERT_UNKNOWN_CA`), and the cause is \
        `downstream_tls_failed`.",
};

pub(super) static DOWNSTREAM_TLS_FAILED: Entry = Entry {
    title: "The TLS handshake with the client failed",
    happened: "Client and proxy started a handshake and didn't agree: no TLS version or cipher in \
        common, the client distrusts the certificate it got, or the proxy has no certificate yet \
        because its secret never arrived.",
    looks_like: "The client: a TLS alert or a certificate error. No line in Istio's default log. A \
        listener log shows `UNSUPPORTED_PROTOCOL`, `NO_SHARED_CIPHER`, \
        `SSLV3_ALERT_BAD_CERTIFICATE`, `TLSV1_ALERT_UNKNOWN_CA` or `Secret is not supplied by \
        SDS`.",
    confirm: r#"openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -subject -issuer -dates
openssl s_client -connect HOST:443 -servername HOST -tls1_2 </dev/null
# A secret that says false or WARMING never arrived: wrong name, or wrong namespace
istioctl proxy-config secret GATEWAY_POD.istio-system
kubectl get secret CREDENTIAL -n GATEWAY_NAMESPACE"#,
    fix: "An alert about a certificate: the gateway's certificate is expired, for another host, \
        from a private CA, or lacks the intermediate; renew `credentialName`. \
        `UNSUPPORTED_PROTOCOL`: the client is older than TLS 1.2; update it, or lower \
        `minProtocolVersion`. A missing secret: it must be in the namespace of the gateway's pods.",
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
      number: 443
      name: https
      protocol: HTTPS
    hosts:
    - "httpbin.example.com"
    tls:
      mode: SIMPLE
      credentialName: httpbin-credential
      minProtocolVersion: TLSV1_2
"#,
    ),
    section: Some(PageSection::TlsMistakes),
    confused_with: &[Cause::ClientCertificateRejected, Cause::PlaintextOnTlsPort, Cause::UpstreamTlsFailed],
    tell_apart: "An alert is what the other side said: the client complains. \
        `CERTIFICATE_VERIFY_FAILED` is what this proxy said. `HTTP_REQUEST` means that there was \
        no handshake at all.",
};

pub(super) static PLAINTEXT_TO_STRICT_MTLS: Entry = Entry {
    title: "Plain text to a workload that takes only mutual TLS",
    happened: "The server's PeerAuthentication is STRICT and the client sent plain text: it has no \
        sidecar, its port is excluded from interception, or a DestinationRule turned TLS off. No \
        filter chain takes plain text, so the server's proxy closed the connection.",
    looks_like: "The client without sidecar: `curl: (56) Recv failure: Connection reset by peer`. \
        A client with sidecar: `503 UC \
        upstream_reset_before_response_started{connection_termination}`. The server's log: `\"- - \
        -\" 0 NR filter_chain_not_found` with no SNI.",
    confirm: r#"# Is the client in the mesh?
istioctl x describe pod CLIENT_POD -n NAMESPACE
# Which policy makes it STRICT? Mesh-wide ones are in istio-system:
kubectl get peerauthentication -A
# Does a DestinationRule turn TLS off?
kubectl get destinationrule -A -o yaml | grep -n 'host:\|mode:'
kubectl logs SERVER_POD -n NAMESPACE -c istio-proxy | grep filter_chain_not_found"#,
    fix: "Where the client can't be in the mesh (a scraper, a legacy job), make just that port \
        PERMISSIVE. If the client has a sidecar, look for a DestinationRule with `tls.mode: \
        DISABLE`.",
    fix_yaml: Some(
        r#"apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata:
  name: reviews
spec:
  selector:
    matchLabels:
      app: reviews
  mtls:
    mode: STRICT
  portLevelMtls:
    9090: # the container's port, not the Service's
      mode: PERMISSIVE
"#,
    ),
    section: Some(PageSection::DestinationRule503),
    confused_with: &[
        Cause::DestinationRuleTlsConflict,
        Cause::NoFilterChainForSni,
        Cause::UpstreamClosedConnection,
    ],
    tell_apart: "This is the server's view; the client's sidecar names the same failure \
        `destination_rule_tls_conflict`. With an SNI in the log the client did speak TLS.",
};

pub(super) static NO_FILTER_CHAIN_FOR_SNI: Entry = Entry {
    title: "No filter chain for the requested host name",
    happened: "The client's TLS hello asked for a host (SNI) that no chain of this listener \
        serves. Usual reasons: the host is missing from the Gateway's servers; a PASSTHROUGH \
        gateway whose VirtualService has `http` instead of `tls` routes; a client that connects by \
        IP address and sends no SNI.",
    looks_like: "The client: `unexpected eof`, `SSL_ERROR_SYSCALL` or a reset, before any \
        certificate. The log: `\"- - -\" 0 NR filter_chain_not_found` with the SNI. Note: a \
        PASSTHROUGH server with no `tls` route at all makes no listener, nor does one that \
        terminates protocol TLS (not HTTPS) with no `tcp` route: the connection is refused and no \
        proxy logs anything.",
    confirm: r#"# Which names does the port serve?
istioctl proxy-config listeners GATEWAY_POD.istio-system --port 443
# A name that is served, and the one that is not:
openssl s_client -connect GATEWAY_IP:443 -servername HOST </dev/null
# PASSTHROUGH needs spec.tls, not spec.http:
kubectl get gateways.networking.istio.io,virtualservice -A -o yaml | grep -n 'mode: PASSTHROUGH\|  tls:\|  http:\|sniHosts'"#,
    fix: "Behind PASSTHROUGH, route by `tls` with `sniHosts`; or terminate TLS (`mode: SIMPLE` \
        with a `credentialName`) and keep the `http` routes. Clients must connect by name.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: virtual-service
spec:
  gateways:
  - gateway
  hosts:
  - httpbin.example.com
  tls:
  - match:
    - sniHosts: ["httpbin.example.com"]
    route:
    - destination:
        host: httpbin.org
"#,
    ),
    section: Some(PageSection::GatewayPassthrough),
    confused_with: &[Cause::PlaintextToStrictMtls, Cause::TlsOnPlaintextPort, Cause::RouteHostUnknown],
    tell_apart: "All share `filter_chain_not_found` or a missing host. No SNI: plain text. SNI at \
        a server sidecar's HTTP port, not beginning with `outbound_.`: TLS to a plaintext port. A \
        `404` with a path: TLS went well, the route is missing.",
};
