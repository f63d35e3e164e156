//! The DestinationRule that the clients of a service go by.

use std::collections::HashMap;

use super::Mesh;
use crate::check::host;
use crate::check::model::{DestinationRule, Service};

/// How specific a rule's host is.
type Specificity = (bool, usize);

impl Mesh {
    /// The rules that decide, for clients in their own namespace at least, how to reach a service.
    pub fn rules_for<'mesh>(
        &'mesh self,
        service: &'mesh Service,
    ) -> impl Iterator<Item = &'mesh DestinationRule> {
        let candidates: Vec<_> = self.rules_covering(service.name()).collect();
        let mut best: HashMap<&str, Specificity> = HashMap::new();
        for rule in &candidates {
            let own = host::specificity(&rule.host);
            let known = best.entry(&rule.origin.namespace).or_insert(own);
            *known = (*known).max(own);
        }
        let governing = candidates.iter().filter(|rule| self.governs(rule, service, &best)).copied();
        governing.collect::<Vec<_>>().into_iter()
    }

    /// The most specific host wins among the rules of a namespace; one in the mesh's root namespace
    /// stands behind those of the service's.
    fn governs(&self, rule: &DestinationRule, service: &Service, best: &HashMap<&str, Specificity>) -> bool {
        let home = rule.origin.namespace.as_str();
        let behind = home == self.config.root_namespace && home != service.origin.namespace;
        !rule.export_to.is_nobody()
            && best.get(home) == Some(&host::specificity(&rule.host))
            && !(behind && best.contains_key(service.origin.namespace.as_str()))
            && self.is_visible(service, if behind { &service.origin.namespace } else { home })
    }

    /// Whether another rule of the same namespace has the same host: Istio merges them.
    pub fn is_merged(&self, rule: &DestinationRule) -> bool {
        self.rules_like(rule) > 1
    }

    /// Whether no Sidecar keeps a service from the clients of a namespace.
    pub fn is_visible(&self, service: &Service, client: &str) -> bool {
        let of = |namespace: &str| self.sidecars.get(*self.index.sidecars.of(namespace).first()?);
        let sidecar = of(client).or_else(|| of(&self.config.root_namespace));
        sidecar.is_none_or(|sidecar| sidecar.knows(service.name(), &service.origin.namespace, client))
    }
}
