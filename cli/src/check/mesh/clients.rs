//! The DestinationRule that the clients of a service go by.

use super::Mesh;
use crate::check::host;
use crate::check::model::{DestinationRule, Service};

impl Mesh {
    /// The rules that decide, for clients in their own namespace at least, how to reach a service.
    pub fn rules_for<'mesh>(
        &'mesh self,
        service: &'mesh Service,
    ) -> impl Iterator<Item = &'mesh DestinationRule> {
        self.destination_rules.iter().filter(move |rule| self.governs(rule, service))
    }

    /// The most specific host wins among the rules of a namespace; one in the mesh's root namespace
    /// stands behind those of the service's.
    fn governs(&self, rule: &DestinationRule, service: &Service) -> bool {
        let home = rule.origin.namespace.as_str();
        let covering = |namespace: &str| {
            self.destination_rules
                .iter()
                .filter(|other| {
                    other.origin.namespace == namespace && host::covers(&other.host, service.name())
                })
                .map(|other| host::specificity(&other.host))
                .max()
        };
        let behind = home == self.config.root_namespace && home != service.origin.namespace;
        host::covers(&rule.host, service.name())
            && !rule.export_to.is_nobody()
            && covering(home) == Some(host::specificity(&rule.host))
            && !(behind && covering(&service.origin.namespace).is_some())
            && self.is_visible(service, if behind { &service.origin.namespace } else { home })
    }

    /// Whether another rule of the same namespace has the same host: Istio merges them.
    pub fn is_merged(&self, rule: &DestinationRule) -> bool {
        let same = |other: &&DestinationRule| {
            other.host == rule.host && other.origin.namespace == rule.origin.namespace
        };
        self.destination_rules.iter().filter(same).count() > 1
    }

    /// Whether no Sidecar keeps a service from the clients of a namespace.
    pub fn is_visible(&self, service: &Service, client: &str) -> bool {
        let of = |namespace: &str| self.sidecars.iter().find(|sidecar| sidecar.namespace == namespace);
        let sidecar = of(client).or_else(|| of(&self.config.root_namespace));
        sidecar.is_none_or(|sidecar| sidecar.knows(service.name(), &service.origin.namespace, client))
    }
}
