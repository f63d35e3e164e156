//! Cluster names, as istiod makes them.

/// The direction in the names of a waypoint's clusters (1.31).
const AT_WAYPOINT: &str = "inbound-vip";

/// A cluster's name. Istio's are `direction|port|subset|host`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ClusterName(String);

impl ClusterName {
    /// Takes the name; an empty one is none.
    pub fn new(name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        (!name.is_empty()).then_some(Self(name))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Istio's cluster for hosts outside the registry that may not be reached.
    pub fn is_black_hole(&self) -> bool {
        self.0 == "BlackHoleCluster"
    }

    /// Istio's clusters for traffic that no service or route claims.
    pub fn is_passthrough(&self) -> bool {
        // Older versions have one for each address family: `InboundPassthroughClusterIpv4`.
        matches!(self.0.as_str(), "PassthroughCluster" | "AllowAnyDynamicDNSCluster")
            || self.0.starts_with("InboundPassthroughCluster")
    }

    /// Whether it is a service's cluster, by Istio's name.
    pub fn is_service(&self) -> bool {
        let service = matches!(self.direction(), Some("outbound" | AT_WAYPOINT)) && self.host().is_some();
        service || (self.direction() == Some("inbound") && self.port().is_some())
    }

    /// Whether it is a waypoint's, for a service.
    pub fn is_waypoints(&self) -> bool {
        self.direction() == Some(AT_WAYPOINT)
    }

    /// Whether istiod made it: for a service, or for what no service claims.
    pub fn is_istios(&self) -> bool {
        self.parts().is_some() || self.is_passthrough() || self.is_black_hole()
    }

    /// The service's host in one of Istio's names.
    pub fn host(&self) -> Option<&str> {
        self.parts().and_then(|[_, _, _, host]| named(host))
    }

    /// The service's port in one of Istio's names.
    pub fn port(&self) -> Option<&str> {
        self.parts().and_then(|[_, port, ..]| named(port))
    }

    /// The subset in one of Istio's names.
    pub fn subset(&self) -> Option<&str> {
        let [direction, _, subset, _] = self.parts()?;
        // A waypoint has the protocol there, and a subset behind it: `http/v1`.
        let subset = if direction == AT_WAYPOINT { subset.split_once('/')?.1 } else { subset };
        named(subset)
    }

    fn direction(&self) -> Option<&str> {
        self.parts().map(|[direction, ..]| direction)
    }

    /// The parts of one of Istio's names.
    fn parts(&self) -> Option<[&str; 4]> {
        let mut parts = self.0.split('|');
        let four = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        parts.next().is_none().then_some(four)
    }
}

/// A part, unless it is empty.
fn named(part: &str) -> Option<&str> {
    Some(part).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::ClusterName;

    #[test]
    fn istios_names_are_taken_apart() {
        let name = ClusterName::new("outbound|80|v1|reviews.default.svc.cluster.local").unwrap();
        assert_eq!(name.subset(), Some("v1"));
        assert_eq!(name.host(), Some("reviews.default.svc.cluster.local"));
        let inbound = ClusterName::new("inbound|8080||").unwrap();
        assert_eq!((inbound.subset(), inbound.host()), (None, None));
        assert!(name.is_service() && inbound.is_service());
        assert!(!ClusterName::new("backend").unwrap().is_service());
        let waypoint = |subset: &str| {
            ClusterName::new(format!("inbound-vip|80|{subset}|reviews.default.svc.cluster.local")).unwrap()
        };
        assert!(waypoint("http").is_service() && waypoint("http").subset().is_none());
        assert_eq!(waypoint("http/v1").subset(), Some("v1"));
        assert!(ClusterName::new("InboundPassthroughClusterIpv4").unwrap().is_passthrough());
        assert_eq!(ClusterName::new("backend").unwrap().host(), None);
        assert_eq!(ClusterName::new(""), None);
        let longer = ClusterName::new("outbound|80|v1|a|b").unwrap();
        assert!(!longer.is_service() && longer.subset().is_none());
    }
}
