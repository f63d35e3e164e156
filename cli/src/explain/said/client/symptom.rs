//! How a request or a connection failed for its client, and what is behind that most often.

use meshwhy::causes::Cause;

/// What the client saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symptom {
    /// The name had no address.
    NoName,
    /// Nobody was listening.
    Refused,
    /// Whoever stands in front knows of nobody who could answer.
    NoHealthy,
    /// No path to the address.
    NoRoute,
    /// Not even a connection came to be.
    NoConnection,
    /// No answer came for as long as the client waited.
    NoAnswer,
    /// It was reset before an answer.
    Reset,
    /// It was closed in order before an answer.
    Closed,
    /// The same of a new connection, as of curl and browsers.
    Empty,
    /// The same of a connection that was kept for later.
    ClosedIdle,
    /// The same of what isn't HTTP.
    Dropped,
    /// A connection of a pool was no longer one.
    Pooled,
    /// The server didn't begin to speak.
    NoGreeting,
    /// TLS was begun, and the connection closed or reset.
    ClosedInTls,
    /// TLS was begun, and nothing came back.
    SilentInTls,
    /// TLS was begun, and what came back is none.
    NoTls,
    /// TLS was not begun, and the server wants it.
    WantsTls,
    /// The server wants a certificate.
    WantsCertificate,
    /// The server refuses the client's.
    RefusesCertificate,
    /// The client refuses the server's.
    Distrusts,
    /// The server has no certificate for the name.
    NoSuchName,
    /// No version or cipher in common, or the server says no more.
    NoAgreement,
    /// HTTP/2 was begun, and what came back is none.
    NoHttp2,
    /// The answer breaks HTTP.
    BadAnswer,
    /// A server could make no request of what came.
    NotARequest,
    /// One stream of HTTP/2 was reset.
    StreamReset,
    /// The server takes no more requests on this connection.
    SaysGoodbye,
    /// Something else was spoken, and HTTP came back.
    SpeaksHttp,
    /// Something else was spoken, and something else came back.
    WantsOtherProtocol,
    /// Envoy's answer to HTTP/1.0, and hardly anybody else's.
    TooOld,
    /// A WebSocket was not to be had.
    NoUpgrade,
    /// The application itself says that it isn't well.
    Unwell,
    /// gRPC's server doesn't know the method, or an answer of 404 came.
    NotServed,
    /// Whoever called went away.
    Left,
    /// A process may open no more files or sockets.
    NoDescriptors,
    /// Whoever stands in front takes no more.
    Overloaded,
    /// Configuration was refused.
    NotTaken,
    /// A connection that was made for another host was used.
    ReusedElsewhere,
    /// A proxy of the mesh says that its policy let nobody in.
    Denied,
    /// The same, for want of mutual TLS.
    WantsIdentity,
    /// Whoever counts for a proxy says that it was too often.
    Limited,
}

/// What else is known of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// Most probably within the cluster, asking for a service of it.
    Within,
    /// The same, asking for a host outside.
    Outwards,
    /// On somebody's desk: it asks a gateway.
    Outside,
    /// A proxy's agent that asks istiod.
    Agent,
    /// The API server, of which no proxy is in the way.
    Webhook,
    /// The kubelet or an agent that asks a proxy itself.
    AtProxy,
}

/// The cause that is the most probable, and the others.
pub(super) fn causes(symptom: Symptom, place: Where) -> (Cause, &'static [Cause]) {
    match symptom {
        Symptom::Reset | Symptom::Closed | Symptom::ClosedInTls if place == Where::Webhook => {
            (Cause::UpstreamClosedConnection, &[Cause::UpstreamUnreachable, Cause::UpstreamTlsFailed])
        }
        // A firewall between the control plane and the nodes, for the most part.
        Symptom::NoAnswer if place == Where::Webhook => {
            (Cause::UpstreamConnectTimeout, &[Cause::UpstreamUnreachable, Cause::UpstreamTimeout])
        }
        // No policy of the mesh's holds for a host outside of it.
        Symptom::Reset if place == Where::Outwards => {
            (Cause::EgressBlocked, &[Cause::UpstreamClosedConnection, Cause::UpstreamClosedIdleConnection])
        }
        // Nothing but the network stands between the agent and istiod.
        Symptom::Reset | Symptom::Closed if place == Where::Agent => {
            (Cause::UpstreamClosedConnection, &[Cause::UpstreamUnreachable, Cause::UpstreamRefused])
        }
        Symptom::Distrusts if place == Where::Agent => {
            (Cause::UpstreamCertificateRejected, &[Cause::ProxyCertificateMissing])
        }
        // It listens as soon as it has its configuration.
        Symptom::Refused | Symptom::NoAnswer | Symptom::NoConnection if place == Where::AtProxy => {
            (Cause::UpstreamRefused, &[Cause::RouteTableMissing, Cause::ProxyCertificateMissing])
        }
        Symptom::NoName => (Cause::UpstreamDnsFailure, &[]),
        // Of a proxy in between nobody says anything.
        Symptom::Refused => (Cause::UpstreamRefused, &[Cause::NoEndpoints]),
        Symptom::NoHealthy => (Cause::NoHealthyEndpoints, &[Cause::NoEndpoints]),
        Symptom::NoRoute => (Cause::UpstreamUnreachable, &[Cause::UpstreamRefused]),
        Symptom::NoConnection => {
            (Cause::UpstreamConnectTimeout, &[Cause::UpstreamUnreachable, Cause::UpstreamTimeout])
        }
        Symptom::NoAnswer => {
            (Cause::UpstreamTimeout, &[Cause::UpstreamConnectTimeout, Cause::UpstreamUnreachable])
        }
        // Envoy leaves the bytes that it has no chain for unread, so the kernel resets.
        Symptom::Reset => {
            (Cause::PlaintextToStrictMtls, &[Cause::EgressBlocked, Cause::UpstreamClosedConnection])
        }
        Symptom::Closed => (
            Cause::UpstreamClosedConnection,
            &[
                Cause::UpstreamClosedIdleConnection,
                Cause::ProxyClosedConnection,
                Cause::PlaintextToStrictMtls,
            ],
        ),
        // Envoy closes in order what is no handshake on a port of TLS.
        Symptom::Empty => (
            Cause::UpstreamClosedConnection,
            &[Cause::PlaintextOnTlsPort, Cause::PlaintextToStrictMtls, Cause::UpstreamRefused],
        ),
        Symptom::ClosedIdle => (
            Cause::UpstreamClosedIdleConnection,
            &[Cause::ProxyClosedConnection, Cause::IdleTimeout, Cause::UpstreamClosedConnection],
        ),
        // A sidecar takes every connection, and closes what it can't pass on.
        Symptom::Dropped => (
            Cause::UpstreamClosedConnection,
            &[Cause::PlaintextToStrictMtls, Cause::UpstreamRefused, Cause::NoEndpoints],
        ),
        Symptom::Pooled => {
            (Cause::IdleTimeout, &[Cause::ProxyClosedConnection, Cause::UpstreamClosedConnection])
        }
        Symptom::NoGreeting => (
            Cause::NotHttpOnHttpPort,
            &[Cause::UpstreamClosedConnection, Cause::PlaintextToStrictMtls, Cause::UpstreamRefused],
        ),
        Symptom::ClosedInTls => match place {
            // A name outside of the cluster is one that the mesh may not know.
            Where::Outwards => (Cause::EgressBlocked, &[Cause::NoFilterChainForSni, Cause::UpstreamRefused]),
            Where::Outside => {
                (Cause::NoFilterChainForSni, &[Cause::ProxyCertificateMissing, Cause::DownstreamTlsFailed])
            }
            Where::Within | Where::AtProxy | Where::Webhook => {
                (Cause::NoFilterChainForSni, &[Cause::PlaintextToStrictMtls, Cause::EgressBlocked])
            }
            Where::Agent => {
                (Cause::UpstreamTlsFailed, &[Cause::UpstreamClosedConnection, Cause::UpstreamUnreachable])
            }
        },
        Symptom::SilentInTls => {
            (Cause::UpstreamConnectTimeout, &[Cause::UpstreamUnreachable, Cause::TlsOnPlaintextPort])
        }
        Symptom::NoTls => (
            Cause::TlsOnPlaintextPort,
            &[Cause::UpstreamSpeaksPlaintext, Cause::UpstreamExpectsTls, Cause::DoubleTls],
        ),
        Symptom::WantsTls => (Cause::UpstreamExpectsTls, &[Cause::PlaintextOnTlsPort]),
        Symptom::WantsCertificate => {
            (Cause::ClientCertificateMissing, &[Cause::UpstreamRequiresClientCertificate])
        }
        Symptom::RefusesCertificate => {
            (Cause::ClientCertificateRejected, &[Cause::UpstreamRejectedClientCertificate])
        }
        Symptom::Distrusts => (Cause::DownstreamTlsFailed, &[Cause::UpstreamCertificateRejected]),
        Symptom::NoSuchName => (Cause::UpstreamRequiresSni, &[Cause::NoFilterChainForSni]),
        Symptom::NoAgreement => {
            (Cause::DownstreamTlsFailed, &[Cause::ClientCertificateMissing, Cause::UpstreamTlsFailed])
        }
        Symptom::NoHttp2 => (Cause::Http2ToHttp1Upstream, &[Cause::UpstreamProtocolError]),
        Symptom::BadAnswer => {
            (Cause::UpstreamProtocolError, &[Cause::Http2ToHttp1Upstream, Cause::UpstreamExpectsTls])
        }
        // The first bytes would tell, and no server shows them.
        Symptom::NotARequest => {
            (Cause::InvalidHttpRequest, &[Cause::TlsOnPlaintextPort, Cause::NotHttpOnHttpPort])
        }
        Symptom::StreamReset => {
            (Cause::UpstreamReset, &[Cause::UpstreamProtocolError, Cause::MaxDurationReached])
        }
        Symptom::SaysGoodbye => {
            (Cause::ProxyClosedConnection, &[Cause::UpstreamClosedConnection, Cause::MaxDurationReached])
        }
        Symptom::SpeaksHttp => (Cause::NotHttpOnHttpPort, &[]),
        Symptom::WantsOtherProtocol => {
            (Cause::NotHttpOnHttpPort, &[Cause::TlsOnPlaintextPort, Cause::UpstreamExpectsTls])
        }
        Symptom::TooOld => (Cause::Http10Client, &[Cause::Http10Upstream]),
        Symptom::NoUpgrade => {
            (Cause::UpgradeRefused, &[Cause::RouteNoMatch, Cause::UpstreamClosedConnection])
        }
        Symptom::Unwell => (Cause::ApplicationError, &[]),
        Symptom::NotServed => (Cause::ApplicationError, &[Cause::RouteNoMatch, Cause::RouteHostUnknown]),
        Symptom::NoDescriptors => (Cause::FileDescriptorsExhausted, &[]),
        Symptom::ReusedElsewhere => {
            (Cause::ConnectionReusedAcrossGateways, &[Cause::RouteHostUnknown, Cause::RouteNoMatch])
        }
        Symptom::NotTaken => {
            (Cause::VirtualServiceNotApplied, &[Cause::ConfigPropagating, Cause::RouteTableMissing])
        }
        Symptom::Overloaded => {
            (Cause::CircuitBreakerOverflow, &[Cause::ProxyOverloaded, Cause::UpstreamTimeout])
        }
        Symptom::Limited => (Cause::RateLimited, &[]),
        Symptom::Denied => (Cause::AuthorizationPolicyDenied, &[Cause::PlaintextToStrictMtls]),
        Symptom::WantsIdentity => (
            Cause::PlaintextToStrictMtls,
            &[Cause::ClientCertificateMissing, Cause::AuthorizationPolicyDenied],
        ),
        Symptom::Left => (Cause::ClientDisconnected, &[Cause::UpstreamTimeout]),
    }
}
