//! Istio's page "Traffic Management Problems", section by section.

/// A section of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PageSection {
    /// "Requests are rejected by Envoy".
    RequestsRejected,
    /// "Route rules don't seem to affect traffic flow".
    RouteRulesNoEffect,
    /// "503 errors after setting destination rule".
    DestinationRule503,
    /// "Route rules have no effect on ingress gateway requests".
    GatewayRouteRules,
    /// "Envoy is crashing under load".
    EnvoyCrashing,
    /// "Envoy won't connect to my HTTP/1.0 service".
    Http10Service,
    /// "TLS configuration mistakes".
    TlsMistakes,
    /// "Sending HTTPS to an HTTP port".
    HttpsToHttpPort,
    /// "Gateway to virtual service TLS mismatch".
    GatewayMismatch,
    /// "Gateway with TLS termination".
    GatewayTermination,
    /// "Gateway with TLS passthrough".
    GatewayPassthrough,
    /// "Double TLS (TLS origination for a TLS request)".
    DoubleTls,
    /// "404 errors occur when multiple gateways configured with same TLS certificate".
    SharedCertificate,
}

impl PageSection {
    /// Where the page is.
    pub const PAGE: &'static str = "https://istio.io/latest/docs/ops/common-problems/network-issues/";

    /// Every section, in the order of the page.
    pub const ALL: &'static [Self] = &[
        Self::RequestsRejected,
        Self::RouteRulesNoEffect,
        Self::DestinationRule503,
        Self::GatewayRouteRules,
        Self::EnvoyCrashing,
        Self::Http10Service,
        Self::TlsMistakes,
        Self::HttpsToHttpPort,
        Self::GatewayMismatch,
        Self::GatewayTermination,
        Self::GatewayPassthrough,
        Self::DoubleTls,
        Self::SharedCertificate,
    ];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::RequestsRejected => "Requests are rejected by Envoy",
            Self::RouteRulesNoEffect => "Route rules don't seem to affect traffic flow",
            Self::DestinationRule503 => "503 errors after setting destination rule",
            Self::GatewayRouteRules => "Route rules have no effect on ingress gateway requests",
            Self::EnvoyCrashing => "Envoy is crashing under load",
            Self::Http10Service => "Envoy won't connect to my HTTP/1.0 service",
            Self::TlsMistakes => "TLS configuration mistakes",
            Self::HttpsToHttpPort => "Sending HTTPS to an HTTP port",
            Self::GatewayMismatch => "Gateway to virtual service TLS mismatch",
            Self::GatewayTermination => "Gateway with TLS termination",
            Self::GatewayPassthrough => "Gateway with TLS passthrough",
            Self::DoubleTls => "Double TLS (TLS origination for a TLS request)",
            Self::SharedCertificate => {
                "404 errors occur when multiple gateways configured with same TLS certificate"
            }
        }
    }

    /// The fragment that leads to it.
    pub const fn anchor(self) -> &'static str {
        match self {
            Self::RequestsRejected => "requests-are-rejected-by-envoy",
            Self::RouteRulesNoEffect => "route-rules-dont-seem-to-affect-traffic-flow",
            Self::DestinationRule503 => "503-errors-after-setting-destination-rule",
            Self::GatewayRouteRules => "route-rules-have-no-effect-on-ingress-gateway-requests",
            Self::EnvoyCrashing => "envoy-is-crashing-under-load",
            Self::Http10Service => "envoy-wont-connect-to-my-http10-service",
            Self::TlsMistakes => "tls-configuration-mistakes",
            Self::HttpsToHttpPort => "sending-https-to-an-http-port",
            Self::GatewayMismatch => "gateway-mismatch",
            Self::GatewayTermination => "gateway-with-tls-termination",
            Self::GatewayPassthrough => "gateway-with-tls-passthrough",
            Self::DoubleTls => "double-tls",
            Self::SharedCertificate => {
                "404-errors-occur-when-multiple-gateways-configured-with-same-tls-certificate"
            }
        }
    }

    /// The section that it is a part of.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::HttpsToHttpPort | Self::GatewayMismatch | Self::DoubleTls | Self::SharedCertificate => {
                Some(Self::TlsMistakes)
            }
            Self::GatewayTermination | Self::GatewayPassthrough => Some(Self::GatewayMismatch),
            Self::RequestsRejected
            | Self::RouteRulesNoEffect
            | Self::DestinationRule503
            | Self::GatewayRouteRules
            | Self::EnvoyCrashing
            | Self::Http10Service
            | Self::TlsMistakes => None,
        }
    }

    /// Its address.
    pub fn url(self) -> String {
        format!("{}#{}", Self::PAGE, self.anchor())
    }
}
