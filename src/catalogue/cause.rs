//! The causes, their stable ids and the groups they belong to.

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The client of this proxy.
    Downstream,
    /// Istio's (or the proxy's) configuration.
    Mesh,
    /// The service behind this proxy.
    Upstream,
    /// The machine, network or Kubernetes underneath.
    Platform,
}

impl Side {
    /// The side with this id.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_id(id: &str) -> Option<Self> {
        [Self::Downstream, Self::Mesh, Self::Upstream, Self::Platform]
            .into_iter()
            .find(|side| side.id() == id)
    }

    /// The value of the `side` label and of `meshwhy.side`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Downstream => "downstream",
            Self::Mesh => "mesh",
            Self::Upstream => "upstream",
            Self::Platform => "platform",
        }
    }
}

/// The catalogue's chapters, in the order of `docs/reference.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// What the client sent first.
    ClientBytes,
    /// TLS between the client and this proxy.
    DownstreamTls,
    /// Finding a route and a cluster.
    Routes,
    /// Getting a connection to an endpoint.
    Reaching,
    /// TLS between this proxy and the upstream.
    UpstreamTls,
    /// What the upstream answered, or failed to.
    Answer,
    /// A policy said no.
    Policy,
    /// Time-outs, overload, and clients that leave.
    Limits,
    /// Seen on traffic that works.
    Soft,
    /// No rule knows it.
    Unknown,
}

/// Declares the causes once: variant, id, group.
macro_rules! causes {
    ($($variant:ident $id:literal $group:ident,)*) => {
        /// A cause of failure. Its id never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "`manual::entry` says what each cause is")]
        pub enum Cause { $($variant,)* }

        impl Cause {
            /// Every cause, in the order of `docs/reference.md`.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable id: the value of the `cause` label and of `meshwhy.cause`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// The chapter it belongs to.
            pub const fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group,)* }
            }

            /// The cause with this id.
            pub fn from_id(id: &str) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

causes! {
    TlsOnPlaintextPort "tls_on_plaintext_port" ClientBytes,
    PlaintextOnTlsPort "plaintext_on_tls_port" ClientBytes,
    Http10Client "http10_client" ClientBytes,
    NotHttpOnHttpPort "not_http_on_http_port" ClientBytes,
    HttpsUrlOnPlaintextPort "https_url_on_plaintext_port" ClientBytes,
    InvalidHttpRequest "invalid_http_request" ClientBytes,
    ProxyProtocolUnexpected "proxy_protocol_unexpected" ClientBytes,
    ProxyProtocolMissing "proxy_protocol_missing" ClientBytes,
    RequestTooLarge "request_too_large" ClientBytes,
    UpgradeRefused "upgrade_refused" ClientBytes,
    ConnectToNonProxyPort "connect_to_non_proxy_port" ClientBytes,

    ClientCertificateMissing "client_certificate_missing" DownstreamTls,
    ClientCertificateRejected "client_certificate_rejected" DownstreamTls,
    DownstreamTlsFailed "downstream_tls_failed" DownstreamTls,
    PlaintextToStrictMtls "plaintext_to_strict_mtls" DownstreamTls,
    NoFilterChainForSni "no_filter_chain_for_sni" DownstreamTls,

    RouteHostUnknown "route_host_unknown" Routes,
    RouteNoMatch "route_no_match" Routes,
    RouteTableMissing "route_table_missing" Routes,
    GatewayWithoutHttpRoutes "gateway_without_http_routes" Routes,
    ConnectionReusedAcrossGateways "connection_reused_across_gateways" Routes,
    ClusterMissing "cluster_missing" Routes,
    EgressBlocked "egress_blocked" Routes,
    RouteWithoutBackend "route_without_backend" Routes,

    NoEndpoints "no_endpoints" Reaching,
    NoHealthyEndpoints "no_healthy_endpoints" Reaching,
    UpstreamRefused "upstream_refused" Reaching,
    UpstreamUnreachable "upstream_unreachable" Reaching,
    UpstreamConnectTimeout "upstream_connect_timeout" Reaching,
    UpstreamDnsFailure "upstream_dns_failure" Reaching,
    CircuitBreakerOverflow "circuit_breaker_overflow" Reaching,
    FileDescriptorsExhausted "file_descriptors_exhausted" Reaching,

    DestinationRuleTlsConflict "destination_rule_tls_conflict" UpstreamTls,
    UpstreamExpectsTls "upstream_expects_tls" UpstreamTls,
    UpstreamSpeaksPlaintext "upstream_speaks_plaintext" UpstreamTls,
    UpstreamCertificateRejected "upstream_certificate_rejected" UpstreamTls,
    UpstreamRequiresClientCertificate "upstream_requires_client_certificate" UpstreamTls,
    ProxyCertificateMissing "proxy_certificate_missing" UpstreamTls,
    UpstreamRejectedClientCertificate "upstream_rejected_client_certificate" UpstreamTls,
    UpstreamRequiresSni "upstream_requires_sni" UpstreamTls,
    UpstreamTlsFailed "upstream_tls_failed" UpstreamTls,
    DoubleTls "double_tls" UpstreamTls,

    Http10Upstream "http10_upstream" Answer,
    Http2ToHttp1Upstream "http2_to_http1_upstream" Answer,
    UpstreamProtocolError "upstream_protocol_error" Answer,
    UpstreamTimeout "upstream_timeout" Answer,
    UpstreamReset "upstream_reset" Answer,
    UpstreamClosedConnection "upstream_closed_connection" Answer,
    UpstreamClosedIdleConnection "upstream_closed_idle_connection" Answer,
    UpstreamProxyError "upstream_proxy_error" Answer,
    ApplicationError "application_error" Answer,

    AuthorizationPolicyDenied "authorization_policy_denied" Policy,
    JwtRejected "jwt_rejected" Policy,
    ExtAuthzDenied "ext_authz_denied" Policy,
    ExtAuthzUnavailable "ext_authz_unavailable" Policy,
    RateLimited "rate_limited" Policy,
    RateLimitServiceUnavailable "rate_limit_service_unavailable" Policy,
    FaultInjected "fault_injected" Policy,
    ConfiguredErrorReply "configured_error_reply" Policy,
    FilterRejected "filter_rejected" Policy,
    MixerUnavailable "mixer_unavailable" Policy,
    MixerUnauthenticated "mixer_unauthenticated" Policy,
    MixerPermissionDenied "mixer_permission_denied" Policy,
    MixerResourceExhausted "mixer_resource_exhausted" Policy,
    MixerInternal "mixer_internal" Policy,

    ClientDisconnected "client_disconnected" Limits,
    ProxyClosedConnection "proxy_closed_connection" Limits,
    IdleTimeout "idle_timeout" Limits,
    MaxDurationReached "max_duration_reached" Limits,
    ProxyOverloaded "proxy_overloaded" Limits,
    LocalHealthCheckFailed "local_health_check_failed" Limits,
    FilterConfigMissing "filter_config_missing" Limits,

    VirtualServiceNotApplied "virtual_service_not_applied" Soft,
    GatewayIgnoresMeshRoutes "gateway_ignores_mesh_routes" Soft,
    HttpTreatedAsTcp "http_treated_as_tcp" Soft,
    TrafficBypassesMesh "traffic_bypasses_mesh" Soft,
    WeightsNotSettled "weights_not_settled" Soft,
    ConfigPropagating "config_propagating" Soft,
    SucceededAfterRetries "succeeded_after_retries" Soft,
    DelayInjected "delay_injected" Soft,

    Unclassified "unclassified" Unknown,
}
