//! Who can bring a cause about: what a stranger makes by himself is no fault of the mesh.

use super::{Cause, Side};
use crate::evidence::Direction;

impl Cause {
    /// Who has to act where traffic goes this way. Strangers reach gateways: what anyone can send there says nothing of
    /// the mesh, for a port scan looks the same as a port that is declared wrongly.
    pub const fn side_at(self, direction: Direction) -> Side {
        match direction {
            Direction::Gateway if self.anyone_can_send() => Side::Downstream,
            _ => self.side(),
        }
    }

    /// Whether a client that reaches the port brings it about alone, whatever is configured behind.
    pub const fn anyone_can_send(self) -> bool {
        match self {
            // Bytes: an SSH banner, a ClientHello, plaintext, a request line of any form.
            Self::TlsOnPlaintextPort
            | Self::PlaintextOnTlsPort
            | Self::Http10Client
            | Self::NotHttpOnHttpPort
            | Self::HttpsUrlOnPlaintextPort
            | Self::InvalidHttpRequest
            | Self::ProxyProtocolUnexpected
            | Self::ProxyProtocolMissing
            | Self::RequestTooLarge
            | Self::UpgradeRefused
            | Self::ConnectToNonProxyPort => true,
            // A handshake, with any certificate, version or server name.
            Self::ClientCertificateMissing
            | Self::ClientCertificateRejected
            | Self::DownstreamTlsFailed
            | Self::PlaintextToStrictMtls
            | Self::NoFilterChainForSni => true,
            // Any host and any path: `GET /zzz`.
            Self::RouteHostUnknown | Self::RouteNoMatch | Self::EgressBlocked => true,
            // True of the configuration whatever was sent. (A client that picks SNI and Host apart can imitate the last:
            // it is never certain, and no alert takes it.)
            Self::RouteTableMissing
            | Self::GatewayWithoutHttpRoutes
            | Self::ClusterMissing
            | Self::RouteWithoutBackend
            | Self::ConnectionReusedAcrossGateways => false,

            // A ClientHello where this proxy adds TLS to plaintext.
            Self::DoubleTls => true,
            // It takes an upstream. Load fills a limit that somebody set, and its owner has to know.
            Self::NoEndpoints
            | Self::NoHealthyEndpoints
            | Self::UpstreamRefused
            | Self::UpstreamUnreachable
            | Self::UpstreamConnectTimeout
            | Self::UpstreamDnsFailure
            | Self::CircuitBreakerOverflow
            | Self::FileDescriptorsExhausted
            | Self::DestinationRuleTlsConflict
            | Self::UpstreamExpectsTls
            | Self::UpstreamSpeaksPlaintext
            | Self::UpstreamCertificateRejected
            | Self::UpstreamRequiresClientCertificate
            | Self::UpstreamRejectedClientCertificate
            | Self::UpstreamRequiresSni
            | Self::ProxyCertificateMissing
            | Self::UpstreamTlsFailed
            | Self::Http10Upstream
            | Self::Http2ToHttp1Upstream
            | Self::UpstreamProtocolError
            | Self::UpstreamTimeout
            | Self::UpstreamReset
            | Self::UpstreamClosedConnection
            | Self::UpstreamClosedIdleConnection
            | Self::UpstreamProxyError
            | Self::ApplicationError => false,

            // A request that a policy is there to refuse.
            Self::AuthorizationPolicyDenied
            | Self::JwtRejected
            | Self::ExtAuthzDenied
            | Self::RateLimited
            | Self::FilterRejected
            | Self::MixerUnauthenticated
            | Self::MixerPermissionDenied
            | Self::MixerResourceExhausted => true,
            // A service that doesn't answer, or a fault that somebody configured.
            Self::ExtAuthzUnavailable
            | Self::RateLimitServiceUnavailable
            | Self::FaultInjected
            | Self::ConfiguredErrorReply
            | Self::MixerUnavailable
            | Self::MixerInternal => false,

            // A client that leaves, or sends half a request and waits.
            Self::ClientDisconnected | Self::IdleTimeout | Self::MaxDurationReached => true,
            // The proxy's own state.
            Self::ProxyClosedConnection
            | Self::ProxyOverloaded
            | Self::LocalHealthCheckFailed
            | Self::FilterConfigMissing => false,

            // Seen on traffic that works: a gateway's routes and clusters make it.
            Self::VirtualServiceNotApplied
            | Self::GatewayIgnoresMeshRoutes
            | Self::HttpTreatedAsTcp
            | Self::TrafficBypassesMesh
            | Self::WeightsNotSettled
            | Self::ConfigPropagating
            | Self::SucceededAfterRetries
            | Self::DelayInjected => false,

            // Nobody knows who made it; never more than a lead.
            Self::Unclassified => false,
        }
    }
}
