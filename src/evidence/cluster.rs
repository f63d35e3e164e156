//! Cluster names, as istiod makes them.

use crate::prelude::*;

/// A cluster's name. Istio's are `direction|port|subset|host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName(String);

impl ClusterName {
    /// Takes the name; an empty one is none.
    pub fn new(name: &str) -> Option<Self> {
        (!name.is_empty()).then(|| Self(name.to_owned()))
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
        let service = self.part(0) == Some("outbound") && self.host().is_some();
        service || (self.part(0) == Some("inbound") && self.port().is_some())
    }

    /// The service's host in one of Istio's names.
    pub fn host(&self) -> Option<&str> {
        self.part(3)
    }

    /// The service's port in one of Istio's names.
    pub fn port(&self) -> Option<&str> {
        self.part(1)
    }

    /// The subset in one of Istio's names.
    pub fn subset(&self) -> Option<&str> {
        self.part(2)
    }

    fn part(&self, index: usize) -> Option<&str> {
        let parts: Vec<&str> = self.0.split('|').collect();
        (parts.len() == 4).then(|| parts.get(index).copied()).flatten().filter(|p| !p.is_empty())
    }
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
        assert!(ClusterName::new("InboundPassthroughClusterIpv4").unwrap().is_passthrough());
        assert_eq!(ClusterName::new("backend").unwrap().host(), None);
        assert_eq!(ClusterName::new(""), None);
    }
}
