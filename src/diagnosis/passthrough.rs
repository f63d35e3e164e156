//! Connections that fell through an outbound listener's chains to Istio's default chain.

// Istio's sources (1.29, 1.31): that chain exists on listeners for all addresses whose chains are for HTTP (`http/1.1`
// and `h2c`, which leaves out HTTP/1.0), for server names of TLS, or both. Under ALLOW_ANY its connections work, under
// REGISTRY_ONLY they end in `BlackHoleCluster` before a byte is read.

use super::Verdict;
use crate::causes::Cause;
use crate::evidence::{ConnectError, Evidence, Fact, ListenerKind, TransportFailure};
use crate::wire::Protocol;

/// A connection that got through, by its bytes. The destination may be an undeclared host on a port
/// that an HTTP service has too, so none of these is certain.
pub(super) fn by_bytes(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[
        Fact::FilterChain,
        Fact::FirstBytes,
        Fact::RequestVersion,
        Fact::UpstreamFirstBytes,
        Fact::Sni,
        Fact::Listener,
        Fact::Cluster,
    ];
    e.fell_through().then_some(())?;
    let Some(first) = &e.downstream.first_bytes else {
        // In such protocols the server speaks first, or the client's inspection timed out.
        let server = e.upstream.first_bytes.as_ref().map(|first| first.protocol);
        let other =
            server.is_some_and(is_another_protocol) && e.downstream.listener != Some(ListenerKind::Tls);
        return other.then(|| Verdict::possible(Cause::NotHttpOnHttpPort, FACTS));
    };
    match first.protocol {
        Protocol::TlsClientHello | Protocol::SslV2 => {
            is_http_listener(e).then(|| Verdict::likely(Cause::TlsOnPlaintextPort, FACTS))
        }
        // HTTP/1.1 and HTTP/2 would have matched an HTTP listener's chain.
        Protocol::Http1 if e.client_speaks_http10() => Some(Verdict::likely(Cause::Http10Client, FACTS)),
        other if is_another_protocol(other) && e.downstream.listener != Some(ListenerKind::Tls) => {
            Some(Verdict::likely(Cause::NotHttpOnHttpPort, FACTS))
        }
        _ => None,
    }
}

/// The same where no bytes were seen: a TLS inspector, which an EnvoyFilter put there, read the
/// beginning.
pub(super) fn blocked(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] =
        &[Fact::Cluster, Fact::FilterChain, Fact::Sni, Fact::DownstreamFailure, Fact::Listener, Fact::Flags];
    e.fell_through().then_some(())?;
    let marked = e.downstream.listener == Some(ListenerKind::Http);
    if e.downstream.sni.is_some() && marked {
        return Some(Verdict::likely(Cause::TlsOnPlaintextPort, FACTS));
    }
    Some(match e.downstream.transport_failure.as_ref().map(|note| note.tls_reason()) {
        // Plaintext HTTP, and neither HTTP/1.1 nor HTTP/2. Where the chains are for TLS, any plaintext HTTP looks so.
        Some(Some("HTTP_REQUEST")) if marked => Verdict::likely(Cause::Http10Client, FACTS),
        Some(Some("HTTP_REQUEST")) if e.downstream.listener.is_none() => {
            Verdict::possible(Cause::Http10Client, FACTS)
        }
        Some(Some("WRONG_VERSION_NUMBER")) if marked => Verdict::likely(Cause::NotHttpOnHttpPort, FACTS),
        // A host that isn't declared, or bytes that don't fit the declaration: both end here, and look alike.
        _ => Verdict::possible(Cause::EgressBlocked, FACTS),
    })
}

/// The same where no upstream was reached. A ServiceEntry's own addresses are in no network but the
/// mesh's: what its port doesn't take goes there. The host may be unreachable as well: no
/// certainty.
pub(super) fn unreached(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[
        Fact::FilterChain,
        Fact::ConnectError,
        Fact::Sni,
        Fact::DownstreamFailure,
        Fact::Listener,
        Fact::Cluster,
        Fact::Endpoint,
    ];
    let error = e.upstream.transport_failure.as_ref().and_then(TransportFailure::connect_error);
    let cause = match error {
        Some(ConnectError::Unreachable) => Cause::UpstreamUnreachable,
        Some(ConnectError::TimedOut) => Cause::UpstreamConnectTimeout,
        None if e.upstream.transport_failure.is_none() => Cause::UpstreamConnectTimeout,
        _ => return None,
    };
    e.fell_through().then_some(())?;
    // The chains may be for other server names.
    let for_http = e.downstream.listener != Some(ListenerKind::Tls);
    let note = e.downstream.transport_failure.as_ref().and_then(|note| note.tls_reason());
    Some(match (e.downstream.sni.is_some(), note) {
        (true, _) if for_http => Verdict::possible(Cause::TlsOnPlaintextPort, FACTS),
        (false, Some("HTTP_REQUEST")) if for_http => Verdict::possible(Cause::Http10Client, FACTS),
        (false, Some(_)) if for_http => Verdict::possible(Cause::NotHttpOnHttpPort, FACTS),
        _ if error.is_some() => Verdict::likely(cause, FACTS),
        _ => Verdict::possible(cause, FACTS),
    })
}

/// Whether the listener's chains are for HTTP alone: it was marked so, or the ClientHello has a server name that the
/// proxy didn't read, so there is no TLS inspector, which chains for server names need.
fn is_http_listener(e: &Evidence) -> bool {
    let hello = e.downstream.first_bytes.as_ref().and_then(|first| first.tls.as_ref());
    let uninspected = hello.is_some_and(|hello| hello.sni.is_some()) && e.downstream.sni.is_none();
    match e.downstream.listener {
        Some(kind) => kind == ListenerKind::Http,
        None => uninspected,
    }
}

fn is_another_protocol(protocol: Protocol) -> bool {
    protocol.is_recognised() && !protocol.is_http() && !protocol.is_tls()
}
