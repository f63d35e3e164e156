//! Proxies that aren't Istio's: Envoy Gateway, Contour, Emissary, Consul, one's own.

use meshwhy::causes::Cause;
use meshwhy::report::{LONGEST_FACT, escape};

use crate::explain::{Column, Finding, Line};

/// Whether a cluster of this name is one that Istio makes.
fn is_istios(cluster: &str) -> bool {
    // Those of its proxies that are no services.
    const OWN: [&str; 5] = ["xds-grpc", "sds-grpc", "prometheus_stats", "agent", "zipkin"];
    cluster.contains(['|', '<', '*'])
        || cluster.ends_with("Cluster")
        || cluster.contains("ClusterIpv")
        || OWN.contains(&cluster)
}

/// Whether a cluster of this name is one that another control plane makes: `httproute/shop/cart/rule/0` (Envoy Gateway),
/// `shop/cart/80/da39a3ee5e` (Contour), `cluster_cart_shop_80` (Emissary), `cart.default.dc1.internal.ID.consul`. Anybody may name one `backend`.
pub(in crate::explain) fn is_anothers(cluster: &str) -> bool {
    !is_istios(cluster)
        && (cluster.contains('/') || cluster.starts_with("cluster_") || cluster.ends_with(".consul"))
}

/// What to change where the cluster's name says that there is no Istio: fixes of causes speak of its resources.
pub(super) fn fix(finding: &Finding, line: &Line<'_>) -> Option<String> {
    let name = line.get(Column::Cluster)?;
    (!is_istios(name) && finding.advice.is_none()).then_some(())?;
    let name = escape(name, LONGEST_FACT);
    let by_gateway = name.starts_with("httproute/") || name.starts_with("grpcroute/");
    Some(match finding.cause {
        Cause::UpstreamTimeout if by_gateway => {
            format!(
                "Make the backend of {name} answer sooner, or raise the timeout in its HTTPRoute or BackendTrafficPolicy."
            )
        }
        Cause::UpstreamTimeout => format!("Make {name} answer sooner, or raise the timeout of its route."),
        Cause::CircuitBreakerOverflow => {
            format!("Raise the limits of the circuit breaker of {name}, or give it more capacity.")
        }
        Cause::NoEndpoints => format!(
            "Give {name} an endpoint: what finds them (a Service's selector, DNS, a list) has none that is ready."
        ),
        _ => return None,
    })
}
