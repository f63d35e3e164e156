//! Every cause that meshwhy can name.
//!
//! A cause is a file of facts (its [`Definition`]) and a manual page beside it, in the folder of its
//! group. The list below is the only one: ids, groups, tables and documents are derived from it. The
//! rules that name a cause are in [`crate::diagnosis`].

mod definition;
#[cfg(not(target_arch = "wasm32"))]
pub mod manual;
#[cfg(not(target_arch = "wasm32"))]
pub mod markdown;
mod page_section;
#[cfg(test)]
mod tests;

pub use definition::{Definition, LogShape, Place, Sender, Side, Softness};
pub use page_section::PageSection;

use crate::evidence::Direction;

/// Declares groups and causes. A cause's module is its id, and the name of its two files.
macro_rules! causes {
    ($($(#[$doc:meta])* $group:ident, $folder:ident, $chapter:literal { $($variant:ident => $id:ident,)* })*) => {
        $(mod $folder { $(pub mod $id;)* })*

        /// The groups, in the order of `docs/reference.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Group { $($(#[$doc])* $group,)* }

        impl Group {
            /// The title of its chapter in the documents.
            pub const fn chapter(self) -> &'static str {
                match self { $(Self::$group => $chapter,)* }
            }
        }

        /// A cause of failure. Its id never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the manual pages say what each cause is")]
        pub enum Cause { $($($variant,)*)* }

        impl Cause {
            /// Every cause, in the order of `docs/reference.md`.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// The stable id: the value of the `cause` label and of `meshwhy.cause`.
            pub const fn id(self) -> &'static str {
                match self { $($(Self::$variant => stringify!($id),)*)* }
            }

            /// The group it belongs to.
            pub const fn group(self) -> Group {
                match self { $($(Self::$variant => Group::$group,)*)* }
            }

            /// All its facts.
            #[cfg(not(target_arch = "wasm32"))]
            pub const fn definition(self) -> &'static Definition {
                match self { $($(Self::$variant => &$folder::$id::DEFINITION,)*)* }
            }

            /// Its manual page, as it was written.
            #[cfg(not(target_arch = "wasm32"))]
            const fn page(self) -> &'static str {
                match self {
                    $($(Self::$variant => include_str!(concat!(stringify!($folder), "/", stringify!($id), ".md")),)*)*
                }
            }
        }

        // What the module needs: a `match` for each fact keeps all the others out of it.
        fact! { [$($($variant $folder $id,)*)*] pub side: Side }
        fact! { [$($($variant $folder $id,)*)*] sender: Sender }
        fact! { [$($($variant $folder $id,)*)*] pub fix: &'static str }
        fact! { [$($($variant $folder $id,)*)*] pub named_fixes: &'static [&'static str] }
        fact! { [$($($variant $folder $id,)*)*] pub ends_by_itself: bool }
    };
}

macro_rules! fact {
    ([$($variant:ident $folder:ident $id:ident,)*] $visible:vis $fact:ident: $type:ty) => {
        impl Cause {
            #[doc = concat!("See [`Definition::", stringify!($fact), "`].")]
            $visible const fn $fact(self) -> $type {
                match self { $(Self::$variant => $folder::$id::DEFINITION.$fact,)* }
            }
        }
    };
}

causes! {
    /// What the client sent first.
    ClientBytes, client_bytes, "The client's bytes" {
        TlsOnPlaintextPort => tls_on_plaintext_port,
        PlaintextOnTlsPort => plaintext_on_tls_port,
        Http10Client => http10_client,
        NotHttpOnHttpPort => not_http_on_http_port,
        HttpsUrlOnPlaintextPort => https_url_on_plaintext_port,
        InvalidHttpRequest => invalid_http_request,
        ProxyProtocolUnexpected => proxy_protocol_unexpected,
        ProxyProtocolMissing => proxy_protocol_missing,
        RequestTooLarge => request_too_large,
        UpgradeRefused => upgrade_refused,
        ConnectToNonProxyPort => connect_to_non_proxy_port,
    }

    /// TLS between the client and this proxy.
    DownstreamTls, downstream_tls, "Downstream TLS" {
        ClientCertificateMissing => client_certificate_missing,
        ClientCertificateRejected => client_certificate_rejected,
        DownstreamTlsFailed => downstream_tls_failed,
        PlaintextToStrictMtls => plaintext_to_strict_mtls,
        NoFilterChainForSni => no_filter_chain_for_sni,
    }

    /// Finding a route and a cluster.
    Routes, routes, "Routes" {
        RouteHostUnknown => route_host_unknown,
        RouteNoMatch => route_no_match,
        RouteTableMissing => route_table_missing,
        GatewayWithoutHttpRoutes => gateway_without_http_routes,
        ConnectionReusedAcrossGateways => connection_reused_across_gateways,
        ClusterMissing => cluster_missing,
        EgressBlocked => egress_blocked,
        RouteWithoutBackend => route_without_backend,
    }

    /// Getting a connection to an endpoint.
    Reaching, reaching, "Reaching the upstream" {
        NoEndpoints => no_endpoints,
        NoHealthyEndpoints => no_healthy_endpoints,
        UpstreamRefused => upstream_refused,
        UpstreamUnreachable => upstream_unreachable,
        UpstreamConnectTimeout => upstream_connect_timeout,
        UpstreamDnsFailure => upstream_dns_failure,
        CircuitBreakerOverflow => circuit_breaker_overflow,
        FileDescriptorsExhausted => file_descriptors_exhausted,
    }

    /// TLS between this proxy and the upstream.
    UpstreamTls, upstream_tls, "Upstream TLS" {
        DestinationRuleTlsConflict => destination_rule_tls_conflict,
        UpstreamExpectsTls => upstream_expects_tls,
        UpstreamSpeaksPlaintext => upstream_speaks_plaintext,
        UpstreamCertificateRejected => upstream_certificate_rejected,
        UpstreamRequiresClientCertificate => upstream_requires_client_certificate,
        ProxyCertificateMissing => proxy_certificate_missing,
        UpstreamRejectedClientCertificate => upstream_rejected_client_certificate,
        UpstreamRequiresSni => upstream_requires_sni,
        UpstreamTlsFailed => upstream_tls_failed,
        DoubleTls => double_tls,
    }

    /// What the upstream responded, or failed to.
    Answer, answer, "The upstream's answer" {
        Http10Upstream => http10_upstream,
        Http2ToHttp1Upstream => http2_to_http1_upstream,
        UpstreamProtocolError => upstream_protocol_error,
        UpstreamTimeout => upstream_timeout,
        UpstreamReset => upstream_reset,
        UpstreamClosedConnection => upstream_closed_connection,
        UpstreamClosedIdleConnection => upstream_closed_idle_connection,
        UpstreamProxyError => upstream_proxy_error,
        ApplicationError => application_error,
    }

    /// A policy or filter refused it.
    Policy, policy, "Policy" {
        AuthorizationPolicyDenied => authorization_policy_denied,
        JwtRejected => jwt_rejected,
        ExtAuthzDenied => ext_authz_denied,
        ExtAuthzUnavailable => ext_authz_unavailable,
        RateLimited => rate_limited,
        RateLimitServiceUnavailable => rate_limit_service_unavailable,
        FaultInjected => fault_injected,
        ConfiguredErrorReply => configured_error_reply,
        FilterRejected => filter_rejected,
        MixerUnavailable => mixer_unavailable,
        MixerUnauthenticated => mixer_unauthenticated,
        MixerPermissionDenied => mixer_permission_denied,
        MixerResourceExhausted => mixer_resource_exhausted,
        MixerInternal => mixer_internal,
    }

    /// Time-outs, overload, and clients that leave.
    Limits, limits, "Limits and the client leaving" {
        ClientDisconnected => client_disconnected,
        ProxyClosedConnection => proxy_closed_connection,
        IdleTimeout => idle_timeout,
        MaxDurationReached => max_duration_reached,
        ProxyOverloaded => proxy_overloaded,
        LocalHealthCheckFailed => local_health_check_failed,
        FilterConfigMissing => filter_config_missing,
    }

    /// Seen on traffic that works.
    Soft, soft, "Soft: seen on traffic that works" {
        VirtualServiceNotApplied => virtual_service_not_applied,
        GatewayIgnoresMeshRoutes => gateway_ignores_mesh_routes,
        HttpTreatedAsTcp => http_treated_as_tcp,
        TrafficBypassesMesh => traffic_bypasses_mesh,
        WeightsNotSettled => weights_not_settled,
        ConfigPropagating => config_propagating,
        SucceededAfterRetries => succeeded_after_retries,
        DelayInjected => delay_injected,
    }

    /// No rule knows it.
    Unknown, unknown, "None of these" {
        Unclassified => unclassified,
    }
}

impl Cause {
    /// Who has to act where traffic goes this way.
    ///
    /// Strangers reach gateways: what anyone can send there says nothing of the mesh, for a port scan
    /// looks the same as a port that is declared wrongly.
    pub const fn side_at(self, direction: Direction) -> Side {
        match (direction, self.sender()) {
            (Direction::Gateway, Sender::Anyone) => Side::Downstream,
            _ => self.side(),
        }
    }

    /// The cause with this id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.id() == id)
    }

    /// Whether this one holds for every failure that `special` is the cause of, only less specific.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn is_broader_than(self, special: Self) -> bool {
        match self {
            Self::Unclassified => special != Self::Unclassified,
            _ => special.definition().special_case_of.contains(&self),
        }
    }
}
