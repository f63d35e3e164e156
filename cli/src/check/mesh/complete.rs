//! Whether what was given is all there is.

use super::Mesh;
use crate::check::resource::Resource;

/// Of which kinds all there are is known.
#[derive(Debug, Default)]
pub(super) struct Complete {
    everything: bool,
    gateways: bool,
    virtual_services: bool,
    destination_rules: bool,
    services: bool,
    pub(super) peer_authentications: bool,
}

impl Mesh {
    /// Whether these are all the Gateways there are.
    pub fn has_all_gateways(&self) -> bool {
        self.complete.gateways
    }

    /// Whether these are all the VirtualServices there are.
    pub fn has_all_virtual_services(&self) -> bool {
        self.complete.virtual_services
    }

    /// Whether these are all the DestinationRules there are.
    pub fn has_all_destination_rules(&self) -> bool {
        self.complete.destination_rules
    }

    /// Whether these are all the Services and ServiceEntries there are.
    pub fn has_all_services(&self) -> bool {
        self.complete.services
    }

    /// Whether nothing else exists.
    pub fn has_everything(&self) -> bool {
        self.complete.everything
    }
}

impl Complete {
    /// What a running cluster printed as one list with the service of its own API server was
    /// printed for all namespaces; the kinds in it are those that were asked for, beside `all_of`.
    pub(super) fn of(resources: &[Resource], everything: bool, all_of: &[(&str, &str)]) -> Self {
        let dump = resources.iter().find(|resource| {
            let origin = &resource.origin;
            resource.dumped
                && origin.kind == "Service"
                && origin.namespace == "default"
                && origin.name == "kubernetes"
        });
        let has = |group: &str, kind: &str| {
            everything
                || all_of.contains(&(group, kind))
                || dump.is_some_and(|dump| {
                    resources.iter().any(|resource| {
                        resource.dumped
                            && resource.origin.file == dump.origin.file
                            && resource.group == group
                            && resource.origin.kind == kind
                    })
                })
        };
        Self {
            everything,
            gateways: has("networking.istio.io", "Gateway"),
            virtual_services: has("networking.istio.io", "VirtualService"),
            destination_rules: has("networking.istio.io", "DestinationRule"),
            services: has("", "Service") && has("networking.istio.io", "ServiceEntry"),
            peer_authentications: has("security.istio.io", "PeerAuthentication"),
        }
    }
}
