//! What the module itself says of a cause: who has to act, what to change, and whether it may be
//! seen on traffic that works.

use super::{Cause, Side};

/// Whether a cause may show on traffic that works all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Softness {
    /// Only ever the cause of a failure.
    Never,
    /// The cause of a failure, or an observation where the bytes got through all the same.
    Also,
    /// Only ever an observation.
    Only,
}

impl Cause {
    /// Who has to act within the mesh; see [`Self::side_at`] for gateways.
    pub const fn side(self) -> Side {
        match self {
            // The client is what most often does as it was told; the port's declaration is wrong.
            Self::TlsOnPlaintextPort | Self::NotHttpOnHttpPort => Side::Mesh,
            // What the listener and the connection manager take is set here, whatever is in front of them.
            Self::ProxyProtocolUnexpected | Self::ProxyProtocolMissing | Self::UpgradeRefused => Side::Mesh,
            Self::PlaintextOnTlsPort
            | Self::Http10Client
            | Self::HttpsUrlOnPlaintextPort
            | Self::InvalidHttpRequest
            | Self::RequestTooLarge
            | Self::ConnectToNonProxyPort => Side::Downstream,

            // Seen from this proxy the client ended or spoiled the handshake. Where the gateway's
            // own certificate is at fault, the manual says so.
            Self::ClientCertificateMissing | Self::ClientCertificateRejected | Self::DownstreamTlsFailed => {
                Side::Downstream
            }
            // The client can't present a mesh certificate by itself: a sidecar or a policy can.
            Self::PlaintextToStrictMtls | Self::NoFilterChainForSni => Side::Mesh,

            Self::RouteHostUnknown
            | Self::RouteNoMatch
            | Self::RouteTableMissing
            | Self::GatewayWithoutHttpRoutes
            | Self::ConnectionReusedAcrossGateways
            | Self::ClusterMissing
            | Self::EgressBlocked
            | Self::RouteWithoutBackend => Side::Mesh,

            // Kubernetes gave istiod no ready pod: scaled to zero, not ready, a wrong selector.
            // (A subset whose labels match nothing looks the same, and is the rarer case.)
            Self::NoEndpoints => Side::Platform,
            // The endpoints are there; their own failures got them ejected or marked unhealthy.
            Self::NoHealthyEndpoints => Side::Upstream,
            // Only a host that is alive refuses: the application doesn't listen there.
            Self::UpstreamRefused => Side::Upstream,
            Self::UpstreamUnreachable
            | Self::UpstreamConnectTimeout
            | Self::UpstreamDnsFailure
            | Self::FileDescriptorsExhausted => Side::Platform,
            // The limit that was hit is a setting, whoever made the load.
            Self::CircuitBreakerOverflow => Side::Mesh,

            Self::DestinationRuleTlsConflict
            | Self::UpstreamExpectsTls
            | Self::UpstreamSpeaksPlaintext
            | Self::UpstreamRequiresClientCertificate
            | Self::UpstreamRejectedClientCertificate
            | Self::UpstreamRequiresSni
            | Self::ProxyCertificateMissing
            | Self::DoubleTls => Side::Mesh,
            // What to trust (CA, names, SNI) is set here; an expired certificate is the rarer case.
            Self::UpstreamCertificateRejected => Side::Mesh,
            // A proxy offers TLS 1.2 and 1.3 with common ciphers: the odd one out is the upstream.
            Self::UpstreamTlsFailed => Side::Upstream,

            // The declared protocol (http2, grpc) is wrong, not the server.
            Self::Http2ToHttp1Upstream => Side::Mesh,
            Self::Http10Upstream
            | Self::UpstreamProtocolError
            | Self::UpstreamTimeout
            | Self::UpstreamReset
            | Self::UpstreamClosedConnection
            | Self::UpstreamClosedIdleConnection
            | Self::UpstreamProxyError
            | Self::ApplicationError => Side::Upstream,

            // A named Istio rule decides, so its owner is who can tell right from wrong.
            Self::AuthorizationPolicyDenied | Self::MixerPermissionDenied => Side::Mesh,
            // The caller's credentials, or its appetite.
            Self::JwtRejected
            | Self::ExtAuthzDenied
            | Self::RateLimited
            | Self::MixerUnauthenticated
            | Self::MixerResourceExhausted => Side::Downstream,
            // Services that the mesh leans on, not the one that the request was for.
            Self::ExtAuthzUnavailable
            | Self::RateLimitServiceUnavailable
            | Self::MixerUnavailable
            | Self::MixerInternal => Side::Platform,
            // Whoever configured the filter; what the filter is there for may be the client's or a service's fault.
            Self::FaultInjected | Self::ConfiguredErrorReply | Self::FilterRejected => Side::Mesh,

            Self::ClientDisconnected => Side::Downstream,
            // A timer of the proxy ran out, or its configuration changed; both ends may be as they should.
            Self::ProxyClosedConnection | Self::IdleTimeout | Self::MaxDurationReached => Side::Mesh,
            // Out of memory, or drained on purpose: the pod, not its configuration.
            Self::ProxyOverloaded | Self::LocalHealthCheckFailed => Side::Platform,
            Self::FilterConfigMissing => Side::Mesh,

            Self::VirtualServiceNotApplied
            | Self::GatewayIgnoresMeshRoutes
            | Self::HttpTreatedAsTcp
            | Self::TrafficBypassesMesh
            | Self::WeightsNotSettled
            | Self::ConfigPropagating
            // Whoever configured the fault.
            | Self::DelayInjected => Side::Mesh,
            // An endpoint failed: the proxy asked another one, or again.
            Self::SucceededAfterRetries => Side::Upstream,

            // Envoy reported it and no rule knows it: whoever runs the proxies looks first.
            Self::Unclassified => Side::Mesh,
        }
    }

    /// What to change, in one sentence of plain ASCII that is safe in any log line.
    pub const fn fix(self) -> &'static str {
        match self {
            Self::TlsOnPlaintextPort => "Declare the port as HTTPS, or send plain HTTP to it.",
            Self::PlaintextOnTlsPort => {
                "Use https:// for this port in the client, or give plain HTTP a port of its own."
            }
            Self::Http10Client => {
                "Make the client send HTTP/1.1 (nginx: proxy_http_version 1.1), or set PILOT_HTTP10 on istiod."
            }
            Self::NotHttpOnHttpPort => {
                "Declare the port with the protocol really spoken on it, for example appProtocol tcp."
            }
            Self::HttpsUrlOnPlaintextPort => {
                "Send https URLs over TLS, or write http:// into the request line on this port."
            }
            Self::InvalidHttpRequest => {
                "Correct the request in the client: the details in the evidence name what Envoy refused."
            }
            Self::ProxyProtocolUnexpected => {
                "Turn the PROXY protocol off at the load balancer in front, or let the listener take it (proxy_protocol filter)."
            }
            Self::ProxyProtocolMissing => {
                "Turn the PROXY protocol on at the load balancer in front, or off at the listener (proxy_protocol filter)."
            }
            Self::RequestTooLarge => "Send a smaller request, or raise the limit that the details name.",
            Self::UpgradeRefused => {
                "Allow the upgrade in upgrade_configs of the connection manager or route, or don't ask for it."
            }
            Self::ConnectToNonProxyPort => {
                "Except this host from the client's proxy (NO_PROXY), or declare the forward proxy's port as TCP."
            }

            Self::ClientCertificateMissing => {
                "Have the client present a certificate (in a mesh: plaintext through its sidecar), or set the Gateway's tls mode to SIMPLE."
            }
            Self::ClientCertificateRejected => {
                "Give the client a valid certificate from a CA this proxy trusts, or add its CA to the gateway's secret."
            }
            Self::DownstreamTlsFailed => {
                "Make client and proxy agree on TLS version, cipher and trusted certificate, or create the missing secret: the evidence holds the error."
            }
            Self::PlaintextToStrictMtls => {
                "Give the client a sidecar, or set the server's PeerAuthentication to PERMISSIVE until it has one."
            }
            Self::NoFilterChainForSni => {
                "Add the requested host to a Gateway server and, for PASSTHROUGH, to a tls route of its VirtualService."
            }

            Self::RouteHostUnknown => {
                "Add the host to a VirtualService bound to this gateway, or to a Service or ServiceEntry on this port."
            }
            Self::RouteNoMatch => {
                "Add a rule that fits the request, or a last one without match, to the host's VirtualService."
            }
            Self::RouteTableMissing => {
                "Find out with istioctl proxy-status why istiod has not delivered this route table, and restore that."
            }
            Self::GatewayWithoutHttpRoutes => {
                "Bind a VirtualService with http routes to this gateway: tls routes do nothing where it terminates TLS."
            }
            Self::ConnectionReusedAcrossGateways => {
                "Merge the Gateways that share this certificate into one wildcard Gateway and bind all VirtualServices to it."
            }
            Self::ClusterMissing => {
                "Define what the route points to: the host, its port, and the subset in a DestinationRule."
            }
            Self::EgressBlocked => {
                "Add a ServiceEntry for the host, or set outboundTrafficPolicy to ALLOW_ANY."
            }

            Self::RouteWithoutBackend => {
                "Give the rule a backendRef to a Service and port that exist, with a weight above 0, and allow it by a ReferenceGrant."
            }

            Self::NoEndpoints => {
                "Make the Service's selector, and the labels of the subset if one is used, match a ready pod."
            }
            Self::NoHealthyEndpoints => {
                "Repair the endpoints: they exist, and all are unhealthy or ejected by outlier detection."
            }
            Self::UpstreamRefused => {
                "Start the application on the Service's target port, listening on the pod's address and not only on 127.0.0.1."
            }
            Self::UpstreamUnreachable => {
                "Restore the network path to the endpoint: routes, NetworkPolicy, firewall, or a stale address."
            }
            Self::UpstreamConnectTimeout => {
                "Check NetworkPolicy, firewalls and whether the address is alive: nothing answered the connect."
            }
            Self::UpstreamDnsFailure => {
                "Correct the host name in the ServiceEntry, or repair DNS: the proxy can't resolve it."
            }
            Self::CircuitBreakerOverflow => {
                "Raise the connectionPool limits in the DestinationRule, or give the upstream more capacity."
            }
            Self::FileDescriptorsExhausted => {
                "Raise the proxy's open file limit (ulimit -n), and look for connections that never close."
            }

            Self::DestinationRuleTlsConflict => {
                "Set trafficPolicy.tls.mode to ISTIO_MUTUAL in the DestinationRule, or remove its tls block."
            }
            Self::UpstreamExpectsTls => {
                "Originate TLS with a DestinationRule of tls mode SIMPLE, or send HTTPS to a port declared as HTTPS."
            }
            Self::UpstreamSpeaksPlaintext => {
                "Set tls mode DISABLE in the DestinationRule, or remove its tls block: the upstream speaks no TLS."
            }
            Self::UpstreamCertificateRejected => {
                "Make sni, subjectAltNames and caCertificates in the DestinationRule fit the certificate, or renew it."
            }
            Self::UpstreamRequiresClientCertificate => {
                "Set tls mode MUTUAL in the DestinationRule, with a client certificate that the upstream accepts."
            }
            Self::ProxyCertificateMissing => {
                "Make the secret available that this proxy's TLS needs (credentialName, istiod's CA): it was not supplied by SDS."
            }
            Self::UpstreamRejectedClientCertificate => {
                "Renew this proxy's client certificate, or have it signed by a CA that the upstream trusts."
            }
            Self::UpstreamRequiresSni => {
                "Set sni in the DestinationRule's tls block to a name that the upstream has a certificate for."
            }
            Self::UpstreamTlsFailed => {
                "Try the upstream with openssl s_client, and correct the version, cipher, SNI or secret that the error names."
            }
            Self::DoubleTls => {
                "Declare the port as HTTP and send plain HTTP to it, or remove the DestinationRule that originates TLS."
            }

            Self::Http10Upstream => "Make the upstream answer in HTTP/1.1 with keep-alive.",
            Self::Http2ToHttp1Upstream => {
                "Declare the port as http rather than http2 or grpc, or remove h2UpgradePolicy from the DestinationRule."
            }
            Self::UpstreamProtocolError => {
                "Declare the port with the protocol that the upstream speaks, or correct its response: it breaks that protocol."
            }
            Self::UpstreamTimeout => {
                "Make the upstream answer sooner, or raise the timeout in its VirtualService."
            }
            Self::UpstreamReset => "Find in the upstream's log why it reset the stream.",
            Self::UpstreamClosedConnection => {
                "Keep the upstream's idle connections open longer than the proxy does, and check whether it crashed."
            }
            Self::UpstreamClosedIdleConnection => {
                "Set idleTimeout in the DestinationRule below the server's keep-alive timeout, and retry on reset-before-request."
            }
            Self::UpstreamProxyError => {
                "Read the log of the proxy at the endpoint (sidecar, gateway): it made this reply, and its flags say why."
            }
            Self::ApplicationError => {
                "Read the application's log: it sent this error itself, and the mesh passed it on."
            }

            Self::AuthorizationPolicyDenied => {
                "Add an ALLOW rule for this caller, or narrow the DENY rule that the evidence names."
            }
            Self::JwtRejected => {
                "Send a valid, unexpired token with an issuer and audience that the RequestAuthentication accepts, or make its jwksUri reachable."
            }
            Self::ExtAuthzDenied => {
                "Send what the external authorization service asks for, or change its decision there."
            }
            Self::ExtAuthzUnavailable => {
                "Bring the external authorization service back: it gave no usable answer, and the check fails closed."
            }
            Self::RateLimited => "Send fewer requests, or raise the rate limit.",
            Self::RateLimitServiceUnavailable => {
                "Bring the rate limit service back: it answered no check, and the check fails closed."
            }
            Self::FaultInjected => {
                "Remove the fault block from the VirtualService once the experiment is over."
            }
            Self::ConfiguredErrorReply => {
                "Remove the direct response (directResponse of the VirtualService) once it isn't meant any more."
            }
            Self::FilterRejected => {
                "Look for the filter (WasmPlugin, EnvoyFilter) that made this reply, and in its rules and log for why."
            }
            Self::MixerUnavailable => {
                "Bring istio-policy back, or disable its policy checks: Mixer left Istio in 1.8."
            }
            Self::MixerUnauthenticated => {
                "Send valid credentials: Mixer's authentication rejected those of this request."
            }
            Self::MixerPermissionDenied => {
                "Allow this caller in Mixer's rules, or move them to an AuthorizationPolicy."
            }
            Self::MixerResourceExhausted => "Send fewer requests, or raise the quota in Mixer.",
            Self::MixerInternal => "Correct the Mixer adapter or rule that the log of istio-policy names.",

            Self::ClientDisconnected => {
                "Check the client's timeout and log: it left before the response was complete."
            }
            Self::ProxyClosedConnection => {
                "Let clients reconnect, or raise the drain duration: this proxy replaced or drained the listener."
            }
            Self::IdleTimeout => {
                "Send keep-alives on long quiet streams, or raise the idle timeout that ran out."
            }
            Self::MaxDurationReached => {
                "Raise the maximum duration that ran out, or make the request or connection shorter."
            }
            Self::ProxyOverloaded => {
                "Give the proxy more memory, or more replicas: its overload manager sheds load."
            }
            Self::LocalHealthCheckFailed => {
                "Take the draining proxy out of load balancing, or undo healthcheck/fail on its admin port."
            }
            Self::FilterConfigMissing => {
                "Make the WasmPlugin's module reachable for this proxy, or remove the WasmPlugin."
            }

            Self::VirtualServiceNotApplied => {
                "Check hosts, gateways and exportTo of the VirtualService: none applied to this request."
            }
            Self::GatewayIgnoresMeshRoutes => {
                "Put the subset into the VirtualService that is bound to the gateway: the mesh's own doesn't apply there."
            }
            Self::HttpTreatedAsTcp => {
                "Name the Service port http or http-NAME, or set its appProtocol to http."
            }
            Self::TrafficBypassesMesh => {
                "Declare the destination in a Service or ServiceEntry, so that rules apply to it."
            }
            Self::WeightsNotSettled => {
                "Wait for at least 100 requests before judging how a weighted route splits."
            }
            Self::SucceededAfterRetries => {
                "Find out why attempts fail: retries hide it, and each one costs time and load."
            }
            Self::DelayInjected => {
                "Remove the fault block from the VirtualService once the experiment is over: it delays requests."
            }
            Self::ConfigPropagating => {
                "Wait some seconds for istiod's push, and create subsets before the routes that use them."
            }

            Self::Unclassified => {
                "Look up the flags and details in the evidence, and report them so that a rule can be added."
            }
        }
    }

    /// Whether it may be seen on traffic that works.
    pub const fn soft(self) -> Softness {
        match self {
            // Istio's passthrough chain takes what an HTTP port's own chain doesn't match.
            Self::TlsOnPlaintextPort
            | Self::Http10Client
            | Self::NotHttpOnHttpPort
            // Envoy reads HTTP/1.0 answers; they cost a connection each.
            | Self::Http10Upstream => Softness::Also,

            Self::VirtualServiceNotApplied
            | Self::GatewayIgnoresMeshRoutes
            | Self::HttpTreatedAsTcp
            | Self::TrafficBypassesMesh
            | Self::WeightsNotSettled
            | Self::ConfigPropagating
            | Self::SucceededAfterRetries
            | Self::DelayInjected => Softness::Only,

            Self::PlaintextOnTlsPort
            | Self::HttpsUrlOnPlaintextPort
            | Self::InvalidHttpRequest
            | Self::ProxyProtocolUnexpected
            | Self::ProxyProtocolMissing
            | Self::RequestTooLarge
            | Self::UpgradeRefused
            | Self::ConnectToNonProxyPort
            | Self::ClientCertificateMissing
            | Self::ClientCertificateRejected
            | Self::DownstreamTlsFailed
            | Self::PlaintextToStrictMtls
            | Self::NoFilterChainForSni
            | Self::RouteHostUnknown
            | Self::RouteNoMatch
            | Self::RouteTableMissing
            | Self::GatewayWithoutHttpRoutes
            | Self::ConnectionReusedAcrossGateways
            | Self::ClusterMissing
            | Self::EgressBlocked
            | Self::RouteWithoutBackend
            | Self::NoEndpoints
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
            | Self::DoubleTls
            | Self::Http2ToHttp1Upstream
            | Self::UpstreamProtocolError
            | Self::UpstreamTimeout
            | Self::UpstreamReset
            | Self::UpstreamClosedConnection
            | Self::UpstreamClosedIdleConnection
            | Self::UpstreamProxyError
            | Self::ApplicationError
            | Self::AuthorizationPolicyDenied
            | Self::JwtRejected
            | Self::ExtAuthzDenied
            | Self::ExtAuthzUnavailable
            | Self::RateLimited
            | Self::RateLimitServiceUnavailable
            | Self::FaultInjected
            | Self::ConfiguredErrorReply
            | Self::FilterRejected
            | Self::MixerUnavailable
            | Self::MixerUnauthenticated
            | Self::MixerPermissionDenied
            | Self::MixerResourceExhausted
            | Self::MixerInternal
            | Self::ClientDisconnected
            | Self::ProxyClosedConnection
            | Self::IdleTimeout
            | Self::MaxDurationReached
            | Self::ProxyOverloaded
            | Self::LocalHealthCheckFailed
            | Self::FilterConfigMissing
            | Self::Unclassified => Softness::Never,
        }
    }

    /// Whether it is only ever seen on traffic that works: counted as an observation, never as a
    /// failure.
    pub const fn only_soft(self) -> bool {
        matches!(self.soft(), Softness::Only)
    }
}
