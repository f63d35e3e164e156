//! The manual: of each cause, what happened, how to be sure, and how to put it right.
//!
//! One file per chapter. Texts are Markdown; commands are shell, with `#` lines that say what to
//! look for. Words in capitals (`POD`, `HOST`) are for the reader to fill in.

mod answer;
mod certificates;
mod client_bytes;
mod downstream_tls;
mod filters;
mod limits;
mod mixer;
mod page;
mod policy;
mod reaching;
mod requests;
mod routes;
mod soft;
mod unknown;
mod upstream_tls;

pub use page::PageSection;

use super::Cause;

/// What the manual says of one cause.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// A headline.
    pub title: &'static str,
    /// What went wrong, and why the proxy did what it did.
    pub happened: &'static str,
    /// What the client gets and what Envoy's default access log shows.
    pub looks_like: &'static str,
    /// Commands that prove it, with comments on what to look for.
    pub confirm: &'static str,
    /// What to know when changing it. [`Cause::fix`] comes first, in one sentence.
    pub fix: &'static str,
    /// The change as YAML, to apply or to merge.
    pub fix_yaml: Option<&'static str>,
    /// The section of Istio's page on traffic management problems.
    pub section: Option<PageSection>,
    /// Causes that look the same from outside.
    pub confused_with: &'static [Cause],
    /// How to tell it from those; empty if there are none.
    pub tell_apart: &'static str,
}

/// The manual's entry for a cause.
pub const fn entry(cause: Cause) -> &'static Entry {
    match cause {
        Cause::TlsOnPlaintextPort => &client_bytes::TLS_ON_PLAINTEXT_PORT,
        Cause::PlaintextOnTlsPort => &client_bytes::PLAINTEXT_ON_TLS_PORT,
        Cause::Http10Client => &client_bytes::HTTP10_CLIENT,
        Cause::NotHttpOnHttpPort => &client_bytes::NOT_HTTP_ON_HTTP_PORT,
        Cause::HttpsUrlOnPlaintextPort => &client_bytes::HTTPS_URL_ON_PLAINTEXT_PORT,
        Cause::InvalidHttpRequest => &client_bytes::INVALID_HTTP_REQUEST,
        Cause::ProxyProtocolUnexpected => &requests::PROXY_PROTOCOL_UNEXPECTED,
        Cause::ProxyProtocolMissing => &requests::PROXY_PROTOCOL_MISSING,
        Cause::RequestTooLarge => &requests::REQUEST_TOO_LARGE,
        Cause::UpgradeRefused => &requests::UPGRADE_REFUSED,
        Cause::ConnectToNonProxyPort => &client_bytes::CONNECT_TO_NON_PROXY_PORT,
        Cause::ClientCertificateMissing => &downstream_tls::CLIENT_CERTIFICATE_MISSING,
        Cause::ClientCertificateRejected => &downstream_tls::CLIENT_CERTIFICATE_REJECTED,
        Cause::DownstreamTlsFailed => &downstream_tls::DOWNSTREAM_TLS_FAILED,
        Cause::PlaintextToStrictMtls => &downstream_tls::PLAINTEXT_TO_STRICT_MTLS,
        Cause::NoFilterChainForSni => &downstream_tls::NO_FILTER_CHAIN_FOR_SNI,
        Cause::RouteHostUnknown => &routes::ROUTE_HOST_UNKNOWN,
        Cause::RouteNoMatch => &routes::ROUTE_NO_MATCH,
        Cause::RouteTableMissing => &routes::ROUTE_TABLE_MISSING,
        Cause::GatewayWithoutHttpRoutes => &routes::GATEWAY_WITHOUT_HTTP_ROUTES,
        Cause::ConnectionReusedAcrossGateways => &routes::CONNECTION_REUSED_ACROSS_GATEWAYS,
        Cause::ClusterMissing => &routes::CLUSTER_MISSING,
        Cause::EgressBlocked => &routes::EGRESS_BLOCKED,
        Cause::RouteWithoutBackend => &routes::ROUTE_WITHOUT_BACKEND,
        Cause::NoEndpoints => &reaching::NO_ENDPOINTS,
        Cause::NoHealthyEndpoints => &reaching::NO_HEALTHY_ENDPOINTS,
        Cause::UpstreamRefused => &reaching::UPSTREAM_REFUSED,
        Cause::UpstreamUnreachable => &reaching::UPSTREAM_UNREACHABLE,
        Cause::UpstreamConnectTimeout => &reaching::UPSTREAM_CONNECT_TIMEOUT,
        Cause::UpstreamDnsFailure => &reaching::UPSTREAM_DNS_FAILURE,
        Cause::CircuitBreakerOverflow => &reaching::CIRCUIT_BREAKER_OVERFLOW,
        Cause::FileDescriptorsExhausted => &reaching::FILE_DESCRIPTORS_EXHAUSTED,
        Cause::DestinationRuleTlsConflict => &upstream_tls::DESTINATION_RULE_TLS_CONFLICT,
        Cause::UpstreamExpectsTls => &upstream_tls::UPSTREAM_EXPECTS_TLS,
        Cause::UpstreamSpeaksPlaintext => &upstream_tls::UPSTREAM_SPEAKS_PLAINTEXT,
        Cause::UpstreamCertificateRejected => &upstream_tls::UPSTREAM_CERTIFICATE_REJECTED,
        Cause::UpstreamRequiresClientCertificate => &upstream_tls::UPSTREAM_REQUIRES_CLIENT_CERTIFICATE,
        Cause::ProxyCertificateMissing => &certificates::PROXY_CERTIFICATE_MISSING,
        Cause::UpstreamRejectedClientCertificate => &certificates::UPSTREAM_REJECTED_CLIENT_CERTIFICATE,
        Cause::UpstreamRequiresSni => &certificates::UPSTREAM_REQUIRES_SNI,
        Cause::UpstreamTlsFailed => &upstream_tls::UPSTREAM_TLS_FAILED,
        Cause::DoubleTls => &upstream_tls::DOUBLE_TLS,
        Cause::Http10Upstream => &answer::HTTP10_UPSTREAM,
        Cause::Http2ToHttp1Upstream => &answer::HTTP2_TO_HTTP1_UPSTREAM,
        Cause::UpstreamProtocolError => &answer::UPSTREAM_PROTOCOL_ERROR,
        Cause::UpstreamTimeout => &answer::UPSTREAM_TIMEOUT,
        Cause::UpstreamReset => &answer::UPSTREAM_RESET,
        Cause::UpstreamClosedConnection => &answer::UPSTREAM_CLOSED_CONNECTION,
        Cause::UpstreamClosedIdleConnection => &answer::UPSTREAM_CLOSED_IDLE_CONNECTION,
        Cause::UpstreamProxyError => &answer::UPSTREAM_PROXY_ERROR,
        Cause::ApplicationError => &answer::APPLICATION_ERROR,
        Cause::AuthorizationPolicyDenied => &policy::AUTHORIZATION_POLICY_DENIED,
        Cause::JwtRejected => &policy::JWT_REJECTED,
        Cause::ExtAuthzDenied => &policy::EXT_AUTHZ_DENIED,
        Cause::ExtAuthzUnavailable => &policy::EXT_AUTHZ_UNAVAILABLE,
        Cause::RateLimited => &policy::RATE_LIMITED,
        Cause::RateLimitServiceUnavailable => &policy::RATE_LIMIT_SERVICE_UNAVAILABLE,
        Cause::FaultInjected => &policy::FAULT_INJECTED,
        Cause::ConfiguredErrorReply => &policy::CONFIGURED_ERROR_REPLY,
        Cause::FilterRejected => &filters::FILTER_REJECTED,
        Cause::MixerUnavailable => &mixer::MIXER_UNAVAILABLE,
        Cause::MixerUnauthenticated => &mixer::MIXER_UNAUTHENTICATED,
        Cause::MixerPermissionDenied => &mixer::MIXER_PERMISSION_DENIED,
        Cause::MixerResourceExhausted => &mixer::MIXER_RESOURCE_EXHAUSTED,
        Cause::MixerInternal => &mixer::MIXER_INTERNAL,
        Cause::ClientDisconnected => &limits::CLIENT_DISCONNECTED,
        Cause::ProxyClosedConnection => &limits::PROXY_CLOSED_CONNECTION,
        Cause::IdleTimeout => &limits::IDLE_TIMEOUT,
        Cause::MaxDurationReached => &limits::MAX_DURATION_REACHED,
        Cause::ProxyOverloaded => &limits::PROXY_OVERLOADED,
        Cause::LocalHealthCheckFailed => &limits::LOCAL_HEALTH_CHECK_FAILED,
        Cause::FilterConfigMissing => &limits::FILTER_CONFIG_MISSING,
        Cause::VirtualServiceNotApplied => &soft::VIRTUAL_SERVICE_NOT_APPLIED,
        Cause::GatewayIgnoresMeshRoutes => &soft::GATEWAY_IGNORES_MESH_ROUTES,
        Cause::HttpTreatedAsTcp => &soft::HTTP_TREATED_AS_TCP,
        Cause::TrafficBypassesMesh => &soft::TRAFFIC_BYPASSES_MESH,
        Cause::WeightsNotSettled => &soft::WEIGHTS_NOT_SETTLED,
        Cause::ConfigPropagating => &soft::CONFIG_PROPAGATING,
        Cause::SucceededAfterRetries => &soft::SUCCEEDED_AFTER_RETRIES,
        Cause::DelayInjected => &soft::DELAY_INJECTED,
        Cause::Unclassified => &unknown::UNCLASSIFIED,
    }
}
