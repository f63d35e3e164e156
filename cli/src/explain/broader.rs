//! Which causes are said of a failure when nothing shows a more special one.

use meshwhy::causes::Cause;

/// Whether `general` is true of every failure that `special` is the cause of, only less telling.
pub fn is_broader(general: Cause, special: Cause) -> bool {
    let specials: &[Cause] = match general {
        Cause::Unclassified => return special != Cause::Unclassified,
        // The codec could not read it, whatever it was.
        Cause::InvalidHttpRequest => &[
            Cause::TlsOnPlaintextPort,
            Cause::NotHttpOnHttpPort,
            Cause::HttpsUrlOnPlaintextPort,
            Cause::ProxyProtocolUnexpected,
            Cause::Http10Client,
            Cause::DoubleTls,
        ],
        // It did leave, perhaps because nobody understood it.
        Cause::ClientDisconnected => &[Cause::TlsOnPlaintextPort, Cause::NotHttpOnHttpPort, Cause::DoubleTls],
        // It did close, perhaps because of what it was sent.
        Cause::UpstreamClosedConnection => &[
            Cause::UpstreamClosedIdleConnection,
            Cause::DestinationRuleTlsConflict,
            Cause::UpstreamExpectsTls,
            Cause::UpstreamRequiresClientCertificate,
            Cause::UpstreamTlsFailed,
            Cause::Http10Upstream,
            Cause::Http2ToHttp1Upstream,
        ],
        // It came from behind, perhaps from a proxy there.
        Cause::ApplicationError => &[Cause::UpstreamProxyError],
        // It was denied, perhaps in the place of a filter that isn't there.
        Cause::AuthorizationPolicyDenied => &[Cause::FilterConfigMissing],
        // Mixer's was a filter, too.
        Cause::FilterRejected => &[
            Cause::MixerUnavailable,
            Cause::MixerUnauthenticated,
            Cause::MixerPermissionDenied,
            Cause::MixerResourceExhausted,
            Cause::MixerInternal,
        ],
        // It has none, perhaps because its name doesn't resolve.
        Cause::NoEndpoints => &[Cause::UpstreamDnsFailure],
        // It was blocked, perhaps because it didn't fit what was declared.
        Cause::EgressBlocked => &[Cause::TlsOnPlaintextPort, Cause::NotHttpOnHttpPort, Cause::Http10Client],
        // Perhaps because of what it was sent.
        Cause::UpstreamReset => &[
            Cause::DestinationRuleTlsConflict,
            Cause::DoubleTls,
            Cause::TlsOnPlaintextPort,
            Cause::ProxyProtocolUnexpected,
        ],
        Cause::UpstreamProtocolError => &[Cause::Http10Upstream, Cause::Http2ToHttp1Upstream],
        Cause::UpstreamTlsFailed => &[
            Cause::UpstreamExpectsTls,
            Cause::UpstreamSpeaksPlaintext,
            Cause::UpstreamCertificateRejected,
            Cause::UpstreamRequiresClientCertificate,
            Cause::UpstreamRejectedClientCertificate,
            Cause::UpstreamRequiresSni,
            Cause::ProxyCertificateMissing,
            Cause::DestinationRuleTlsConflict,
            Cause::DoubleTls,
        ],
        Cause::DownstreamTlsFailed => {
            &[Cause::PlaintextOnTlsPort, Cause::ClientCertificateMissing, Cause::ClientCertificateRejected]
        }
        _ => &[],
    };
    specials.contains(&special)
}
