//! Cluster names, as istiod makes them.

use core::cell::OnceCell;

use super::text::Text;

/// A cluster's name. Istio's are `direction|port|subset|host`.
#[derive(Debug, Clone)]
pub struct ClusterName {
    name: Text,
    /// Where the three bars of Istio's form are: looked for when a rule asks, and then once, for every rule asks for the parts.
    bars: OnceCell<Option<[usize; 3]>>,
}

impl PartialEq for ClusterName {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ClusterName {}

impl ClusterName {
    /// Takes the name; an empty one is none.
    pub fn new(name: impl Into<String>) -> Option<Self> {
        let name = Text::from(name.into());
        (!name.is_empty()).then_some(Self { bars: OnceCell::new(), name })
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Istio's cluster for hosts outside the registry that may not be reached.
    pub fn is_black_hole(&self) -> bool {
        &*self.name == "BlackHoleCluster"
    }

    /// Istio's clusters for traffic that no service or route claims.
    pub fn is_passthrough(&self) -> bool {
        // Older versions have one for each address family: `InboundPassthroughClusterIpv4`.
        matches!(&*self.name, "PassthroughCluster" | "AllowAnyDynamicDNSCluster")
            || self.name.starts_with("InboundPassthroughCluster")
    }

    /// Whether it is a service's cluster, by Istio's name.
    pub fn is_service(&self) -> bool {
        let service = self.part(0) == Some("outbound") && self.host().is_some();
        service || (self.part(0) == Some("inbound") && self.port().is_some())
    }

    /// Whether istiod made it: for a service, or for what no service claims.
    pub fn is_istios(&self) -> bool {
        self.bars().is_some() || self.is_passthrough() || self.is_black_hole()
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

    fn bars(&self) -> Option<[usize; 3]> {
        *self.bars.get_or_init(|| bars(&self.name))
    }

    fn part(&self, index: usize) -> Option<&str> {
        let bars = self.bars()?;
        let begins = match index.checked_sub(1) {
            Some(before) => bars.get(before)?.checked_add(1)?,
            None => 0,
        };
        let ends = bars.get(index).copied().unwrap_or(self.name.len());
        self.name.get(begins..ends).filter(|part| !part.is_empty())
    }
}

fn bars(name: &str) -> Option<[usize; 3]> {
    let mut found = name.bytes().enumerate().filter(|(_, byte)| *byte == b'|').map(|(at, _)| at);
    let bars = [found.next()?, found.next()?, found.next()?];
    found.next().is_none().then_some(bars)
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
        let longer = ClusterName::new("outbound|80|v1|a|b").unwrap();
        assert!(!longer.is_service() && longer.subset().is_none());
    }
}
