//! TLS between this proxy and the upstream.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static DESTINATION_RULE_TLS_CONFLICT: Entry = Entry {
    title: "Plain text sent to a workload that accepts only mutual TLS",
    happened: "The server's policy is STRICT, and this client's proxy sent plain text because its \
        DestinationRule says so: `tls.mode: DISABLE`, or no `tls` block where automatic mutual TLS \
        is off. The server's proxy closed the connection.",
    looks_like: "`503 UC upstream_reset_before_response_started{connection_termination}` from the \
        moment the DestinationRule is applied. The server's log: `\"- - -\" 0 NR \
        filter_chain_not_found` without SNI.",
    confirm: r#"# Both sides' mode in one view:
istioctl x describe pod SERVER_POD -n NAMESPACE
kubectl get destinationrule -A -o yaml | grep -n 'host:\|tls:\|mode:'
kubectl get peerauthentication -A
kubectl get configmap istio -n istio-system -o yaml | grep enableAutoMtls
# No output: the proxy sends plain text
istioctl proxy-config clusters CLIENT_POD.NAMESPACE --fqdn HOST -o yaml | grep -A8 'transportSocket'"#,
    fix: "Remove the `tls` block, and automatic mutual TLS (on by default) picks the right mode \
        for each endpoint. Where it is off, every DestinationRule for a mesh service must say \
        `ISTIO_MUTUAL`. Mind rules for a subset or a port: they replace the general one.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: helloworld
spec:
  host: helloworld.default.svc.cluster.local
  trafficPolicy:
    tls:
      mode: ISTIO_MUTUAL
"#,
    ),
    section: Some(PageSection::DestinationRule503),
    confused_with: &[
        Cause::UpstreamClosedConnection,
        Cause::UpstreamExpectsTls,
        Cause::PlaintextToStrictMtls,
        Cause::UpstreamSpeaksPlaintext,
    ],
    tell_apart: "`503 UC` has many causes. It is this one where the endpoint is in the mesh \
        (`tlsMode: istio`), the connection to it had no TLS and every request fails. An upstream \
        that crashes fails now and then. The opposite mistake, TLS to a plaintext server, is `UF` \
        with `WRONG_VERSION_NUMBER`.",
};

pub(super) static UPSTREAM_EXPECTS_TLS: Entry = Entry {
    title: "Plain text sent to an upstream that expects TLS",
    happened: "The upstream, outside the mesh or speaking TLS itself, got plain HTTP on its TLS \
        port: the port is declared as HTTP and nothing originates TLS, or the client sent \
        `http://` to an HTTPS port.",
    looks_like: "`503 UC ...{connection_termination}`, or a `400` `via_upstream` with a telling \
        body: nginx \"The plain HTTP request was sent to HTTPS port\", Go \"Client sent an HTTP \
        request to an HTTPS server\".",
    confirm: r#"# Does the upstream speak TLS?
openssl s_client -connect HOST:PORT -servername HOST </dev/null | head -5
# Is TLS originated for it?
kubectl get destinationrule -A -o yaml | grep -A12 'host: HOST'
istioctl proxy-config clusters POD.NAMESPACE --fqdn HOST -o yaml | grep -A6 'transportSocket'"#,
    fix: "Either the proxy does TLS: port declared as HTTP, DestinationRule with `mode: SIMPLE`, \
        client sends `http://`. Or the client does: port declared as HTTPS, no DestinationRule for \
        TLS, client sends `https://`.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata:
  name: httpbin
spec:
  hosts:
  - httpbin.org
  ports:
  - number: 80
    name: http
    protocol: HTTP
    targetPort: 443
  resolution: DNS
---
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: originate-tls
spec:
  host: httpbin.org
  trafficPolicy:
    tls:
      mode: SIMPLE
      sni: httpbin.org
"#,
    ),
    section: Some(PageSection::TlsMistakes),
    confused_with: &[
        Cause::DestinationRuleTlsConflict,
        Cause::UpstreamClosedConnection,
        Cause::ApplicationError,
    ],
    tell_apart: "A mesh workload with a sidecar and STRICT is `destination_rule_tls_conflict`. A \
        `400` with one of the two bodies above is proof.",
};

pub(super) static UPSTREAM_SPEAKS_PLAINTEXT: Entry = Entry {
    title: "TLS sent to an upstream that speaks plain text",
    happened: "A DestinationRule makes the proxy speak TLS (`ISTIO_MUTUAL`, `SIMPLE`, `MUTUAL`), \
        and the endpoint answers in plain text: it has no sidecar, its port is excluded from \
        interception, or it is a plain HTTP server.",
    looks_like: "`503 UF` (`URX,UF`) with `TLS_error:...WRONG_VERSION_NUMBER`. A server that just \
        waits: a connect timeout.",
    confirm: r#"# Does the endpoint have a sidecar?
istioctl x describe pod SERVER_POD -n NAMESPACE
kubectl get destinationrule -A -o yaml | grep -n 'host:\|mode:'
# "istio" on pods that take mutual TLS, nothing on the others:
kubectl get pod SERVER_POD -n NAMESPACE -o jsonpath='{.metadata.labels.security\.istio\.io/tlsMode}'
kubectl get pod SERVER_POD -n NAMESPACE -o yaml | grep excludeInboundPorts"#,
    fix: "Remove the `tls` block: automatic mutual TLS uses plain text for endpoints without \
        sidecar. Or put the server into the mesh. For a port that is always plain, disable it for \
        that port only.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: legacy
spec:
  host: legacy.default.svc.cluster.local
  trafficPolicy:
    portLevelSettings:
    - port:
        number: 80
      tls:
        mode: DISABLE
"#,
    ),
    section: Some(PageSection::DestinationRule503),
    confused_with: &[
        Cause::DestinationRuleTlsConflict,
        Cause::UpstreamTlsFailed,
        Cause::UpstreamConnectTimeout,
    ],
    tell_apart: "`WRONG_VERSION_NUMBER` towards the upstream means that it answered in plain text. \
        The same words on the client's side of the proxy mean `plaintext_on_tls_port`.",
};

pub(super) static UPSTREAM_CERTIFICATE_REJECTED: Entry = Entry {
    title: "The proxy rejected the upstream's certificate",
    happened: "The upstream's certificate failed verification here: a CA that isn't trusted, \
        expired, a name that isn't in `subjectAltNames` or isn't the host, or, in the mesh, \
        another trust domain or root.",
    looks_like: "`503 UF` (`URX,UF`) with `TLS_error:...CERTIFICATE_VERIFY_FAILED`, often with \
        `verify cert failed: ...` behind it.",
    confirm: r#"# Names, issuer and dates of what the upstream presents:
openssl s_client -connect HOST:PORT -servername HOST -showcerts </dev/null | openssl x509 -noout -subject -issuer -dates -ext subjectAltName
# What the proxy verifies against:
istioctl proxy-config clusters POD.NAMESPACE --fqdn HOST -o yaml | grep -A25 validationContext
# In the mesh: one root on both sides?
istioctl proxy-config rootca-compare CLIENT_POD.NAMESPACE SERVER_POD.NAMESPACE"#,
    fix: "Expired: renew it at the upstream. Private CA: `caCertificates` or `credentialName`. \
        Another name: `subjectAltNames` and `sni`. In the mesh: finish the CA rotation, or add \
        `trustDomainAliases`. Don't reach for `insecureSkipVerify`.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: originate-tls
spec:
  host: partner.example.com
  trafficPolicy:
    tls:
      mode: SIMPLE
      sni: partner.example.com
      subjectAltNames:
      - partner.example.com
      caCertificates: /etc/partner/ca.pem # mounted into the proxy, or use credentialName
"#,
    ),
    section: Some(PageSection::TlsMistakes),
    confused_with: &[Cause::DoubleTls, Cause::UpstreamTlsFailed, Cause::ClientCertificateRejected],
    tell_apart: "If the client speaks TLS itself on that port, the DestinationRule makes it double \
        TLS, and the certificate is only the first thing to go wrong. An alert from the upstream \
        (`ALERT_UNKNOWN_CA`) means that it rejected ours.",
};

pub(super) static UPSTREAM_REQUIRES_CLIENT_CERTIFICATE: Entry = Entry {
    title: "The upstream demands a client certificate",
    happened: "The upstream wants mutual TLS, and the proxy presented no certificate, or one that \
        it doesn't accept.",
    looks_like: "TLS 1.2: `503 UF` with `HANDSHAKE_FAILURE` in the TLS error. TLS 1.3: an alert \
        such as `CERTIFICATE_REQUIRED`, or only `503 UC ...{connection_termination}`, because the \
        upstream objects after the handshake.",
    confirm: r#"# "Acceptable client certificate CA names" in the output: it asks for one
openssl s_client -connect HOST:PORT -servername HOST </dev/null
openssl s_client -connect HOST:PORT -servername HOST -cert client.pem -key client.key </dev/null
kubectl get destinationrule -A -o yaml | grep -A12 'host: HOST'
istioctl proxy-config secret POD.NAMESPACE"#,
    fix: "`ISTIO_MUTUAL` presents the mesh's own certificate, which only mesh workloads accept.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: originate-mtls
spec:
  host: partner.example.com
  workloadSelector: # credentialName works in a sidecar only with a selector
    matchLabels:
      app: frontend
  trafficPolicy:
    tls:
      mode: MUTUAL
      credentialName: partner-client-credential
      sni: partner.example.com
"#,
    ),
    section: Some(PageSection::TlsMistakes),
    confused_with: &[
        Cause::UpstreamTlsFailed,
        Cause::UpstreamClosedConnection,
        Cause::ClientCertificateMissing,
    ],
    tell_apart: "With TLS 1.3 the log alone can't tell it from an upstream that closed the \
        connection. `openssl s_client` with and without certificate can.",
};

pub(super) static UPSTREAM_TLS_FAILED: Entry = Entry {
    title: "The TLS handshake with the upstream failed",
    happened: "Proxy and upstream found no TLS version or cipher in common, the upstream doesn't \
        know the SNI, or the proxy's own secret hasn't arrived.",
    looks_like: "`503 UF` (`URX,UF`) with `TLS_error:...`: `UNSUPPORTED_PROTOCOL`, \
        `TLSV1_ALERT_PROTOCOL_VERSION`, `TLSV1_UNRECOGNIZED_NAME`, `NO_SHARED_CIPHER`, \
        `Secret_is_not_supplied_by_SDS`.",
    confirm: r#"openssl s_client -connect HOST:PORT -servername HOST -tls1_2 </dev/null | grep 'Protocol\|Cipher'
openssl s_client -connect HOST:PORT </dev/null      # without SNI
istioctl proxy-config secret POD.NAMESPACE          # every row ACTIVE and valid?
istioctl proxy-config clusters POD.NAMESPACE --fqdn HOST -o yaml | grep -A20 UpstreamTlsContext"#,
    fix: "Unrecognised name: set `sni`. Protocol version or cipher: bring the upstream to TLS 1.2 \
        or later. Secret not supplied: the file or secret that the DestinationRule names must \
        exist where the proxy runs, and RBAC must let it be read.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: originate-tls
spec:
  host: partner.example.com
  trafficPolicy:
    tls:
      mode: SIMPLE
      sni: partner.example.com
"#,
    ),
    section: Some(PageSection::TlsMistakes),
    confused_with: &[
        Cause::UpstreamCertificateRejected,
        Cause::UpstreamSpeaksPlaintext,
        Cause::UpstreamRequiresClientCertificate,
    ],
    tell_apart: "This is the general case. `CERTIFICATE_VERIFY_FAILED`, `WRONG_VERSION_NUMBER` and \
        `HANDSHAKE_FAILURE` or `CERTIFICATE_REQUIRED` have names of their own.",
};

pub(super) static DOUBLE_TLS: Entry = Entry {
    title: "TLS inside TLS",
    happened: "The client sent HTTPS, and a DestinationRule made the proxy wrap it in TLS once \
        more. The upstream takes off one layer and finds a TLS handshake where it expects HTTP.",
    looks_like: "The client: `curl: (35) ... wrong version number`. The log: a TCP line (`\"- - \
        -\"`) with the SNI, flag `-` and no details at all. With an upstream certificate that the \
        proxy doesn't trust: `0 UF,URX` `CERTIFICATE_VERIFY_FAILED`.",
    confirm: r#"# Works as plain HTTP to the same port, fails as HTTPS:
curl -v http://HOST:443/
curl -v https://HOST/
# Port declared HTTPS or TLS, and a DestinationRule with mode SIMPLE or MUTUAL for the same host?
kubectl get serviceentry,destinationrule -A -o yaml | grep -n 'host: HOST\|- HOST\|protocol:\|mode:'
istioctl proxy-config clusters POD.NAMESPACE --fqdn HOST -o yaml | grep UpstreamTlsContext"#,
    fix: "Let one side do TLS. For origination by the proxy, declare the port as HTTP and let the \
        client send `http://`; with `targetPort` it keeps to port 80. Otherwise delete the \
        DestinationRule.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata:
  name: httpbin
spec:
  hosts:
  - httpbin.org
  ports:
  - number: 80
    name: http
    protocol: HTTP
    targetPort: 443
  resolution: DNS
"#,
    ),
    section: Some(PageSection::DoubleTls),
    confused_with: &[Cause::TlsOnPlaintextPort, Cause::UpstreamCertificateRejected],
    tell_apart: "The client sees the same in `tls_on_plaintext_port`; there the proxy has no TLS \
        towards the upstream. Between two sidecars, mutual TLS around the application's own TLS is \
        normal and works.",
};
