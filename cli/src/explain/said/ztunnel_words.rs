//! What ztunnel's words mean: the error of a connection, word for word.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Certain, Likely, Possible};

/// The policy that `explicitly denied by: NAMESPACE/NAME` names, or what istiod made it of.
pub(super) fn denied_by(error: &str) -> Option<String> {
    let (_, policy) = error.split_once("denied by: ")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let (namespace, name) = policy.split_once('/')?;
    let is_plain = policy.len() < 256 && namespace.bytes().chain(name.bytes()).all(plain);
    // Of the mesh's own PeerAuthentication the name isn't known.
    (is_plain && name != "istio_converted_static_strict").then(|| match name.strip_prefix(CONVERTED) {
        Some(name) => format!("PeerAuthentication/{namespace}/{name}"),
        None => format!("AuthorizationPolicy/{policy}"),
    })
}

/// How istiod calls the policy that it makes of a PeerAuthentication, before that one's name.
const CONVERTED: &str = "converted_peer_authentication_";

/// What ztunnel's words mean (`proxy::Error`; Istio 1.22 to 1.28).
pub(super) fn cause(error: &str, inbound: bool, no_identity: bool) -> (Cause, Confidence, &'static [Cause]) {
    let has = |words: &str| error.contains(words);
    match () {
        // What istiod makes of a PeerAuthentication that is STRICT: only who comes without mutual TLS is denied by it.
        // The second is made of a PeerAuthentication with a selector or ports.
        () if has("istio_converted_static_strict") || has(CONVERTED) => {
            (Cause::PlaintextToStrictMtls, Likely, &[])
        }
        () if has("policy rejection: ") => (Cause::AuthorizationPolicyDenied, Certain, &[]),
        // Older ones don't name the policy.
        () if has("policy rejection") && no_identity => {
            (Cause::PlaintextToStrictMtls, Possible, &[Cause::AuthorizationPolicyDenied])
        }
        () if has("policy rejection") => {
            (Cause::AuthorizationPolicyDenied, Possible, &[Cause::PlaintextToStrictMtls])
        }
        () if has("policy change") => (Cause::AuthorizationPolicyDenied, Likely, &[]),
        // The destination's ztunnel refused the tunnel, and names the policy in its own log.
        () if has("http status: 401") => (Cause::AuthorizationPolicyDenied, Likely, &[]),
        () if has("http status: ") => (Cause::UpstreamProxyError, Possible, &[]),
        () if has("NetworkPolicy is blocking") => (Cause::UpstreamConnectTimeout, Likely, &[]),
        () if has("(os error 111)") => (Cause::UpstreamRefused, Certain, &[]),
        () if has("(os error 113)") || has("(os error 101)") => (Cause::UpstreamUnreachable, Likely, &[]),
        () if has("(os error 110)") || has("deadline has elapsed") => {
            (Cause::UpstreamConnectTimeout, Likely, &[])
        }
        () if has("(os error 104)") => (Cause::UpstreamReset, Possible, &[Cause::ClientDisconnected]),
        () if has("(os error 32)") || has("broken pipe") => {
            (Cause::UpstreamClosedConnection, Possible, &[Cause::ClientDisconnected])
        }
        () if has("client disconnected") => (Cause::ClientDisconnected, Likely, &[]),
        () if has("destination disconnected") => (Cause::UpstreamClosedConnection, Likely, &[]),
        () if has("no healthy upstream") => (Cause::NoEndpoints, Possible, &[Cause::NoHealthyEndpoints]),
        () if error.starts_with("dns") || has("addresses were resolved") => {
            (Cause::UpstreamDnsFailure, Likely, &[])
        }
        () if has("unknown waypoint") || has("no valid routing destination") => {
            (Cause::ClusterMissing, Possible, &[])
        }
        () if has("streams maxed out") => (Cause::CircuitBreakerOverflow, Possible, &[]),
        () if has("InvalidContentType") && inbound => {
            (Cause::PlaintextOnTlsPort, Likely, &[Cause::DownstreamTlsFailed])
        }
        () if (has("NoCertificatesPresented") || has("sent no certificates")) && inbound => {
            (Cause::ClientCertificateMissing, Likely, &[])
        }
        () if is_distrusted(error) && inbound => {
            (Cause::ClientCertificateRejected, Likely, &[Cause::DownstreamTlsFailed])
        }
        () if has("tls ") && inbound => (Cause::DownstreamTlsFailed, Possible, &[]),
        () if is_distrusted(error) => (Cause::UpstreamCertificateRejected, Likely, &[]),
        () if has("fatal alert") => {
            (Cause::UpstreamRejectedClientCertificate, Possible, &[Cause::UpstreamTlsFailed])
        }
        () if has("tls ") => (Cause::UpstreamTlsFailed, Possible, &[]),
        () if has("identity error") => (Cause::ProxyCertificateMissing, Possible, &[]),
        () if has("http2 handshake failed") || has("h2 failed") || has("GoAway(") => {
            (Cause::UpstreamProtocolError, Possible, &[Cause::UpstreamClosedConnection])
        }
        () if has("drain") => (Cause::ProxyClosedConnection, Likely, &[]),
        () => (Cause::Unclassified, Possible, &[]),
    }
}

/// Whether the other side's certificate was refused, as rustls prints it or shows its parts.
fn is_distrusted(error: &str) -> bool {
    ["invalid peer certificate", "identity verification error", "InvalidCertificate("]
        .iter()
        .any(|words| error.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_the_clients_or_the_upstreams() {
        for (error, inbound, outbound) in [
            (
                "tls handshake error: Custom { kind: InvalidData, error: InvalidCertificate(Expired) }",
                Cause::ClientCertificateRejected,
                Cause::UpstreamCertificateRejected,
            ),
            (
                "tls handshake error: invalid peer certificate: UnknownIssuer",
                Cause::ClientCertificateRejected,
                Cause::UpstreamCertificateRejected,
            ),
            (
                "tls handshake error: Custom { kind: InvalidData, error: InvalidMessage(InvalidContentType) }",
                Cause::PlaintextOnTlsPort,
                Cause::UpstreamTlsFailed,
            ),
            (
                "tls handshake error: Custom { kind: InvalidData, error: NoCertificatesPresented }",
                Cause::ClientCertificateMissing,
                Cause::UpstreamTlsFailed,
            ),
            (
                "tls handshake error: Custom { kind: UnexpectedEof, error: \"tls handshake eof\" }",
                Cause::DownstreamTlsFailed,
                Cause::UpstreamTlsFailed,
            ),
        ] {
            assert_eq!(cause(error, true, false).0, inbound, "{error}");
            assert_eq!(cause(error, false, false).0, outbound, "{error}");
        }
    }
}
