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

/// What to do where a proxy doesn't reach its control plane: that is no Service of anybody's.
pub(super) fn fix_of_istiod(finding: &Finding, line: &Line<'_>) -> Option<&'static str> {
    const REACHING: &[Cause] = &[
        Cause::UpstreamRefused,
        Cause::UpstreamConnectTimeout,
        Cause::UpstreamUnreachable,
        Cause::UpstreamClosedConnection,
        Cause::UpstreamDnsFailure,
        Cause::NoEndpoints,
        Cause::NoHealthyEndpoints,
    ];
    (line.get(Column::Cluster) == Some("xds-grpc") && REACHING.contains(&finding.cause)).then_some(
        "Look whether istiod runs and whether this pod reaches it (Service istiod in istio-system, port 15012, NetworkPolicy): until it does, \
         this proxy keeps the configuration it has.",
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::{Reader, Reading};

    #[test]
    fn a_control_plane_that_is_gone_is_no_service() {
        for reason in [
            "no healthy upstream",
            "upstream connect error or disconnect/reset before headers. reset reason: connection failure, transport failure reason: delayed connect error: Connection refused",
        ] {
            let line = format!(
                "2026-03-01T10:00:00.000000Z\twarning\tenvoy config\tStreamAggregatedResources gRPC config stream to xds-grpc closed since 62s ago: 14, {reason}"
            );
            let reading = Reader::new(Vec::new()).read(line.as_bytes());
            let Reading::Lead(_, finding, _) = reading else { panic!("{line}: {reading:?}") };
            assert!(finding.fix().is_some_and(|fix| fix.contains("whether istiod runs")), "{finding:?}");
            assert!(finding.would_tell.is_empty(), "{finding:?}");
        }
    }

    #[test]
    fn a_destination_rule_is_none_of_others() {
        let read = |cluster: &str| {
            let line = format!(
                r#"[2026-03-01T08:00:00.123Z] "GET / HTTP/1.1" 503 UC upstream_reset_before_response_started{{connection_termination}} - "-" 0 95 1 - "-" "curl/8" "94de6761-681b-482d-89ce-e349a541d8e9" "a" "10.0.0.1:80" {cluster} 10.0.0.9:40000 10.96.0.1:80 10.0.0.9:50000 - -"#
            );
            match Reader::new(Vec::new()).read(line.as_bytes()) {
                Reading::Failed(_, finding) => *finding,
                other => panic!("{line}: {other:?}"),
            }
        };
        let others = read("httproute/shop/cart/rule/0");
        assert!(!others.alternatives.contains(&Cause::DestinationRuleTlsConflict), "{others:?}");
        assert!(!others.would_tell.iter().any(|column| column.contains("tlsMode")), "{others:?}");
        let istios = read("outbound|80||a.b.svc.cluster.local");
        assert!(istios.alternatives.contains(&Cause::DestinationRuleTlsConflict), "{istios:?}");
    }
}
