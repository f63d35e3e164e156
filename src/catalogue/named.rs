//! Fixes that name what to change, for where the proxy knows the names.

use super::Cause;

impl Cause {
    /// Fixes with names in them, the best first. One is reported if all its names are known, else
    /// [`Self::fix`] is. The names, in braces:
    ///
    /// - `resource`: what is responsible; `rule`: the DestinationRule; `route`: the VirtualService
    ///   or HTTPRoute behind the route;
    /// - `service`: the cluster's host within the mesh; `external`: one outside of it; `host`:
    ///   either; `port`, `subset`: the cluster's;
    /// - `endpoint`: the address of the endpoint that was chosen;
    /// - `virtual_host`: its name;
    /// - `sni`: the server name that a client asked for in TLS; `destination_port`: the port that
    ///   it asked for, at a sidecar that sends.
    pub const fn named_fixes(self) -> &'static [&'static str] {
        match self {
            Self::TlsOnPlaintextPort => {
                &["Declare port {destination_port} of {sni} as HTTPS, or send plain HTTP to it."]
            }
            Self::NotHttpOnHttpPort => &[
                "Declare port {destination_port} with the protocol really spoken on it, for example appProtocol tcp.",
            ],
            Self::NoFilterChainForSni => {
                &["Add {sni} to a Gateway server and, for PASSTHROUGH, to a tls route of its VirtualService."]
            }
            Self::RouteNoMatch => &[
                "Add a rule that fits the request, or a last one without match, to the VirtualService of {virtual_host}.",
            ],
            Self::ClusterMissing => &[
                "Define what {resource} points to: the host, its port, and the subset in a DestinationRule.",
            ],
            Self::RouteWithoutBackend => &[
                "Give the rule of {resource} a backendRef to a Service and port that exist, with a weight above 0, and allow it by a ReferenceGrant.",
            ],
            Self::EgressBlocked => {
                &["Add a ServiceEntry for {sni}, or set outboundTrafficPolicy to ALLOW_ANY."]
            }
            Self::NoEndpoints => &[
                "Make the labels of subset {subset}, and the selector of the Service {service}, match a ready pod.",
                "Make the selector of the Service {service} match a ready pod.",
                "Give the ServiceEntry of {external} an endpoint, or a name that DNS resolves to an address.",
            ],
            Self::NoHealthyEndpoints => &[
                "Repair the endpoints of {host}: they exist, and all are unhealthy or ejected by {rule}.",
                "Repair the endpoints of {host}: they exist, and all are unhealthy or ejected by outlier detection.",
            ],
            Self::UpstreamRefused => &[
                "Start the application of {service} on {endpoint}, listening on the pod's address and not only on 127.0.0.1, or correct the target port.",
                "Start what should listen on {endpoint}, on the pod's address and not only on 127.0.0.1, or correct the port.",
            ],
            Self::UpstreamUnreachable => &[
                "Restore the network path to {endpoint}: routes, NetworkPolicy, firewall, or a stale address.",
            ],
            Self::UpstreamConnectTimeout => &[
                "Check NetworkPolicy, firewalls and whether {endpoint} is alive: nothing answered the connect.",
            ],
            Self::UpstreamDnsFailure => &[
                "Correct the host name {host} in the ServiceEntry, or repair DNS: the proxy can't resolve it.",
            ],
            Self::CircuitBreakerOverflow => {
                &["Raise the connectionPool limits of {rule}, or give {host} more capacity."]
            }
            Self::DestinationRuleTlsConflict => {
                &["Set trafficPolicy.tls.mode of {rule} to ISTIO_MUTUAL, or remove its tls block."]
            }
            Self::UpstreamExpectsTls => &[
                "Originate TLS with a DestinationRule of tls mode SIMPLE for port {port} of {host}, or send HTTPS to a port declared as HTTPS.",
            ],
            Self::UpstreamSpeaksPlaintext => &[
                "Set trafficPolicy.tls.mode of {rule} to DISABLE, or remove its tls block: port {port} of {host} speaks no TLS.",
            ],
            Self::UpstreamCertificateRejected => &[
                "Make sni, subjectAltNames and caCertificates of {rule} fit the certificate of {host}, or renew it.",
            ],
            Self::UpstreamRequiresClientCertificate => &[
                "Set trafficPolicy.tls.mode of {rule} to MUTUAL, with a client certificate that {host} accepts.",
            ],
            Self::UpstreamTlsFailed => &[
                "Try port {port} of {host} with openssl s_client, and correct the version, cipher, SNI or secret that the error names.",
            ],
            Self::DoubleTls => &[
                "Declare port {port} of {host} as HTTP and send plain HTTP to it, or remove the tls block of {rule}.",
            ],
            Self::Http10Upstream => &["Make {host} answer in HTTP/1.1 with keep-alive."],
            Self::Http2ToHttp1Upstream => &[
                "Declare port {port} of {host} as http rather than http2 or grpc, or remove h2UpgradePolicy from its DestinationRule.",
            ],
            Self::UpstreamProtocolError => &[
                "Declare port {port} of {host} with the protocol that it speaks, or correct its response: it breaks that protocol.",
            ],
            Self::UpstreamTimeout => &[
                "Make {host} answer sooner, or raise the timeout in {route}.",
                "Make {host} answer sooner, or raise the timeout in its VirtualService.",
            ],
            Self::UpstreamReset => &["Find in the log of {host} why it reset the stream."],
            Self::UpstreamProxyError => &[
                "Read the log of the proxy at {endpoint} (sidecar, gateway): it made this reply, and its flags say why.",
            ],
            Self::ApplicationError => {
                &["Read the log of {host}: it sent this error itself, and the mesh passed it on."]
            }
            // Only DENY rules are named.
            Self::AuthorizationPolicyDenied => {
                &["Narrow the rule of {resource} that denies this request, or change the caller."]
            }
            Self::FaultInjected => &["Remove the fault block from {resource} once the experiment is over."],
            Self::ConfiguredErrorReply => {
                &["Remove the direct response of {resource} once it isn't meant any more."]
            }
            Self::VirtualServiceNotApplied => {
                &["Check hosts, gateways and exportTo of {resource}: it didn't apply to this request."]
            }
            Self::SucceededAfterRetries => {
                &["Find out why attempts at {host} fail: retries hide it, and each one costs time and load."]
            }
            Self::DelayInjected => {
                &["Remove the fault block from {route} once the experiment is over: it delays requests."]
            }
            Self::HttpTreatedAsTcp => &[
                "Name port {port} of the Service {service} http or http-NAME, or set its appProtocol to http.",
            ],
            _ => &[],
        }
    }
}
