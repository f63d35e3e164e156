//! TLS with the client, as the listener's access log sees it: no filter ever ran.

use super::Verdict;
use crate::causes::Cause;
use crate::evidence::{Detail, Direction, Evidence, Fact, Layer, TransportFailure};

const FAILURE: &[Fact] = &[Fact::DownstreamFailure, Fact::Details, Fact::Sni, Fact::FilterChain];

pub(super) fn rule(e: &Evidence) -> Option<Verdict> {
    if e.layer != Layer::Listener {
        return None;
    }
    if e.details.detail() == Detail::FilterChainNotFound {
        return Some(no_chain(e));
    }
    // A note is no failure: it is there on plaintext that works, too.
    let failure = e.downstream.transport_failure.as_ref().filter(|reason| !reason.is_inspectors_note())?;
    Some(handshake(failure, e.downstream.tls_version.is_some()))
}

/// The handshake on a chain that terminates TLS.
fn handshake(failure: &TransportFailure, agreed: bool) -> Verdict {
    if failure.is_no_secret() {
        return Verdict::certain(Cause::ProxyCertificateMissing, FAILURE);
    }
    match failure.tls_reason().unwrap_or_default() {
        // The second is CONNECT, as to a proxy.
        "HTTP_REQUEST" | "HTTPS_PROXY_REQUEST" => Verdict::certain(Cause::PlaintextOnTlsPort, FAILURE),
        // Bytes that are no TLS record: plaintext of some protocol, most likely.
        "WRONG_VERSION_NUMBER" => Verdict::likely(Cause::PlaintextOnTlsPort, FAILURE),
        // This proxy's own errors: no client and no filter can word them.
        "PEER_DID_NOT_RETURN_A_CERTIFICATE" => Verdict::certain(Cause::ClientCertificateMissing, FAILURE),
        "CERTIFICATE_VERIFY_FAILED" => Verdict::certain(Cause::ClientCertificateRejected, FAILURE),
        // Look-alike before a version is agreed: bytes of another protocol that begin like a record.
        "BAD_PACKET_LENGTH" | "PACKET_LENGTH_TOO_LONG" | "UNEXPECTED_RECORD" if !agreed => {
            Verdict::likely(Cause::DownstreamTlsFailed, FAILURE)
        }
        _ => Verdict::certain(Cause::DownstreamTlsFailed, FAILURE),
    }
}

/// No filter chain takes this connection: its server name, or the lack of TLS, says why.
fn no_chain(e: &Evidence) -> Verdict {
    // The TLS inspector's note says that the bytes were no ClientHello. Without a note it was TLS, or there is no
    // inspector and the chains differ in something else.
    let noted = e.downstream.transport_failure.as_ref().filter(|reason| reason.is_inspectors_note());
    let Some(note) = noted else {
        return match (&e.downstream.sni, e.direction) {
            // A sidecar's inbound chains match no server names: under PERMISSIVE those of a port for HTTP take plaintext and
            // Istio's own mutual TLS, so this is an application's TLS. Under STRICT it gets into a handshake.
            (Some(_), Direction::Inbound) if !e.downstream.is_mesh_tls() => {
                Verdict::likely(Cause::TlsOnPlaintextPort, FAILURE)
            }
            (Some(_), _) => Verdict::likely(Cause::NoFilterChainForSni, FAILURE),
            // A client that waits for the server to speak first sends nothing that the inspector could judge.
            (None, Direction::Inbound) => Verdict::possible(Cause::PlaintextToStrictMtls, FAILURE),
            (None, _) => Verdict::possible(Cause::NoFilterChainForSni, FAILURE),
        };
    };
    let plain_http = match note.tls_reason() {
        Some("HTTP_REQUEST" | "HTTPS_PROXY_REQUEST") => true,
        Some("WRONG_VERSION_NUMBER") => false,
        // A TLS record, but no ClientHello that can be read: its server name is none, or it is broken (1.40).
        _ => return Verdict::likely(Cause::DownstreamTlsFailed, FAILURE),
    };
    match (e.direction, plain_http) {
        // At a sidecar's inbound listener that is STRICT mutual TLS.
        (Direction::Inbound, true) => Verdict::likely(Cause::PlaintextToStrictMtls, FAILURE),
        (Direction::Inbound, false) => Verdict::possible(Cause::PlaintextToStrictMtls, FAILURE),
        (_, true) => Verdict::certain(Cause::PlaintextOnTlsPort, FAILURE),
        (_, false) => Verdict::likely(Cause::PlaintextOnTlsPort, FAILURE),
    }
}
