//! The pods behind a service, and the mutual TLS that they ask for.

use super::Mesh;
use crate::check::model::{
    Injection, Labels, MtlsMode, PeerAuthentication, Port, Service, ServiceKind, Workload, selects,
};

/// A policy that holds for a workload.
#[derive(Debug, Clone, Copy)]
pub struct Enforced<'mesh> {
    /// What it says.
    pub mode: MtlsMode,
    /// Which it is.
    pub policy: &'mesh PeerAuthentication,
    /// Whether no other policy could say otherwise.
    pub settled: bool,
}

/// Pods behind a service: as given, or as far as the service's selector shows.
#[derive(Debug, Clone, Copy)]
pub struct Backend<'mesh> {
    /// The namespace.
    pub namespace: &'mesh str,
    /// Labels they have for sure.
    pub labels: &'mesh Labels,
    /// What makes them, if that was given.
    pub workload: Option<&'mesh Workload>,
}

impl Mesh {
    /// The pods behind a service, or behind a subset of it.
    pub fn backends<'mesh>(
        &'mesh self,
        service: &'mesh Service,
        subset: Option<&Labels>,
    ) -> Vec<Backend<'mesh>> {
        let namespace = service.origin.namespace.as_str();
        if service.selector.is_empty() || service.kind == ServiceKind::Entry {
            return Vec::new();
        }
        let selected = self
            .pods_behind(service)
            .filter(|workload| subset.is_none_or(|subset| selects(subset, &workload.labels)));
        let backend = |workload: &'mesh Workload| Backend {
            namespace,
            labels: &workload.labels,
            workload: Some(workload),
        };
        let known: Vec<_> = selected.map(backend).collect();
        if known.is_empty() {
            vec![Backend { namespace, labels: &service.selector, workload: None }]
        } else {
            known
        }
    }

    /// Whether pods have a sidecar.
    pub fn injection(&self, backend: &Backend<'_>) -> Injection {
        let namespace = || self.injection.get(backend.namespace).copied().unwrap_or(Injection::Unknown);
        match backend.workload.map_or(Injection::Unknown, |workload| workload.injection) {
            Injection::Unknown => namespace(),
            // A disabled namespace beats what its pods ask for.
            Injection::Yes if namespace() == Injection::No => Injection::No,
            own => own,
        }
    }

    /// Whether the sidecars' listeners follow from the services, as they do by default.
    pub fn listens_by_default(&self, backend: &Backend<'_>) -> bool {
        !self.own_listeners.contains(backend.namespace)
    }

    /// The policy for a service's port in its pods; `None` where several could be meant.
    pub fn enforced(&self, backend: &Backend<'_>, port: &Port) -> Option<Enforced<'_>> {
        let number = port.number_in(backend.workload);
        let of = |namespace: &str| {
            let places = self.index.policies.of(namespace).iter();
            places.filter_map(|place| self.peer_authentications.get(*place))
        };
        let here = || of(backend.namespace);
        let for_pods = |policy: &&PeerAuthentication| policy.selector.is_some();
        // Labels that are not known could still make a policy's selector fit.
        let could_fit = |policy: &&PeerAuthentication| {
            let contradicted =
                policy.selector.iter().flatten().any(|(key, value)| match backend.labels.get(key) {
                    Some(own) => own != value,
                    None => backend.workload.is_some(),
                });
            !contradicted
        };
        let candidates: Vec<_> = match backend.workload {
            Some(_) => self.policies_for(backend.namespace, backend.labels),
            None => here().filter(for_pods).collect(),
        };
        let mut own = candidates.into_iter().filter(could_fit);
        if let Some(policy) = own.next() {
            let fits = policy.selector.as_ref().is_some_and(|selector| selects(selector, backend.labels));
            if !fits || own.next().is_some() {
                return None;
            }
            match policy.mode(number)? {
                MtlsMode::Unset => {}
                mode => return Some(Enforced { mode, policy, settled: true }),
            }
        }
        let in_namespace = |namespace| -> Vec<_> {
            self.general_policies(namespace).filter(|policy| policy.mode != MtlsMode::Unset).collect()
        };
        let mut general = in_namespace(backend.namespace);
        if general.is_empty() {
            general = in_namespace(&self.config.root_namespace);
        }
        let policy = *general.first()?;
        // Of several the oldest holds, which YAML doesn't show.
        if general.iter().any(|other| other.mode != policy.mode) {
            return None;
        }
        Some(Enforced { mode: policy.mode, policy, settled: self.complete.peer_authentications })
    }
}
