//! The same scenario under other circumstances: an older Envoy, no meshwhy, every success looked at.

use super::Scenario;
use crate::harness::envoy::config::Roles;

impl Scenario {
    /// Whether Envoy 1.`minor` can play it.
    pub fn plays_on(&self, minor: u32) -> bool {
        minor >= self.since
    }

    /// As it goes on Envoy 1.`minor`.
    #[must_use]
    pub fn on(mut self, minor: u32) -> Self {
        let older = std::mem::take(&mut self.older);
        older.into_iter().filter(|(below, _)| minor < *below).fold(self, |same, (_, differs)| differs(same))
    }

    /// The same without meshwhy, where that makes a difference: the client must get the same and Envoy log the
    /// same, for a role never changes, delays or rejects traffic.
    #[must_use]
    pub fn without_meshwhy(mut self) -> Option<Self> {
        let about_meshwhy = !self.envoy_says.is_empty() || !self.proxy.has_meshwhy();
        self.proxy = self.proxy.roles(Roles::none());
        self.diagnosis = None;
        self.observed = Vec::new();
        self.bare = true;
        // What only its response header says.
        self.client_says = self.client_says.filter(|says| !says.contains("meshwhy"));
        (!about_meshwhy).then_some(self)
    }

    /// The same with every success looked at, where it is healthy: still no failure, and nothing to observe.
    #[must_use]
    pub fn observing(mut self) -> Option<Self> {
        let healthy = self.diagnosis.is_none() && self.observed.is_empty() && !self.undecided;
        let plain = healthy && self.proxy.has_all_roles() && self.envoy_says.is_empty();
        self.proxy = self.proxy.roles(Roles::observing());
        plain.then_some(self)
    }
}
