//! This proxy's own certificate, and the name that it asks for.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

const RULE: &str = r#"apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: partner
spec:
  host: api.partner.example
  trafficPolicy:
    tls:
      mode: MUTUAL
      credentialName: partner-client # a Secret in the namespace of the client's proxy
      sni: api.partner.example
"#;

pub(super) static PROXY_CERTIFICATE_MISSING: Entry = Entry {
    title: "This proxy has no certificate for its TLS",
    happened: "The proxy needs a certificate, a key or a CA for this TLS, and the secret hasn't come by \
        SDS: the Secret that `credentialName` names doesn't exist or may not be read, the agent can't \
        reach istiod, or istiod couldn't sign.",
    looks_like: "`503 UF`, `TLS error: Secret is not supplied by SDS` as the upstream's transport failure. \
        At a listener the handshake fails with the same words.",
    confirm: r#"# ACTIVE with a validity, or WARMING:
istioctl proxy-config secret POD.NAMESPACE
kubectl get secret -n NAMESPACE
kubectl logs POD -n NAMESPACE -c istio-proxy | grep -i 'sds\|secret\|citadel\|csr'
kubectl logs -n istio-system deploy/istiod | grep -i 'credential\|secret\|csr'"#,
    fix: "A gateway reads Secrets of its own namespace. In a sidecar `credentialName` works only with a \
        `workloadSelector` in the DestinationRule.",
    fix_yaml: Some(RULE),
    section: Some(PageSection::TlsMistakes),
    confused_with: &[Cause::UpstreamTlsFailed, Cause::UpstreamRequiresClientCertificate],
    tell_apart: "The words are Envoy's own, and nothing was sent yet: the upstream has no part in it.",
};

pub(super) static UPSTREAM_REJECTED_CLIENT_CERTIFICATE: Entry = Entry {
    title: "The upstream rejected this proxy's certificate",
    happened: "The proxy presented a client certificate, and the upstream ended the handshake with an alert \
        about it: expired, of an unknown CA, revoked, not for this purpose.",
    looks_like: "`503 UF` with `TLSV1_ALERT_UNKNOWN_CA`, `SSLV3_ALERT_CERTIFICATE_EXPIRED`, \
        `SSLV3_ALERT_BAD_CERTIFICATE` or the like in the upstream's transport failure; nginx answers `400` \
        with a page that says it. With TLS 1.3 the alert may come after the handshake's end, and then it is \
        `503 UC` without a word.",
    confirm: r#"# Validity and serial of what this proxy presents:
istioctl proxy-config secret POD.NAMESPACE
istioctl proxy-config secret POD.NAMESPACE -o json | grep -o '"inlineBytes": "[^"]*"' | head -1
# What the upstream accepts ("Acceptable client certificate CA names"):
openssl s_client -connect HOST:443 -servername HOST </dev/null 2>/dev/null | sed -n '/Acceptable/,/---/p'"#,
    fix: "Between workloads of two meshes both need each other's root. An expired workload certificate means \
        that the agent can't renew it: look at its log.",
    fix_yaml: Some(RULE),
    section: Some(PageSection::TlsMistakes),
    confused_with: &[Cause::UpstreamRequiresClientCertificate, Cause::UpstreamCertificateRejected],
    tell_apart: "`ALERT` is the peer's word about our certificate; `CERTIFICATE_VERIFY_FAILED` is our word about \
        the peer's. `CERTIFICATE_REQUIRED` and `HANDSHAKE_FAILURE` mean that none was presented. Go's servers \
        say `BAD_CERTIFICATE` of a missing one, too, with TLS 1.2: then this is `possible`.",
};

pub(super) static UPSTREAM_REQUIRES_SNI: Entry = Entry {
    title: "The upstream doesn't know the server name that the proxy asks for",
    happened: "The ClientHello has a server name (SNI) that the upstream has no certificate for, or none, and \
        the upstream refuses rather than present another.",
    looks_like: "`503 UF` with `TLSV1_ALERT_UNRECOGNIZED_NAME` in the upstream's transport failure.",
    confirm: r#"istioctl proxy-config cluster POD.NAMESPACE --fqdn HOST -o json | grep -n '"sni"'
openssl s_client -connect HOST:443 -servername HOST </dev/null 2>&1 | grep 'subject\|alert'
openssl s_client -connect HOST:443 -noservername </dev/null 2>&1 | grep 'subject\|alert'"#,
    fix: "With mode SIMPLE or MUTUAL Istio sends the DestinationRule's `sni`, and without it the request's host.",
    fix_yaml: Some(RULE),
    section: Some(PageSection::TlsMistakes),
    confused_with: &[Cause::UpstreamTlsFailed, Cause::UpstreamCertificateRejected],
    tell_apart: "A server that presents another certificate instead leads to `CERTIFICATE_VERIFY_FAILED`. Some say \
        no more than `HANDSHAKE_FAILURE` of a missing name: that is `upstream_tls_failed`.",
};
