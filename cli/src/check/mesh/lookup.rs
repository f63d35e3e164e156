//! The questions that rules ask most, answered from an index.

use std::collections::{HashMap, HashSet};

use super::Mesh;
use super::index::{Hosts, Labelled, Places, selected};
use crate::check::host;
use crate::check::model::{
    DestinationRule, Gateway, Labels, PeerAuthentication, Service, VirtualService, Workload,
};

/// Places in the lists of a mesh.
#[derive(Debug, Default)]
pub(super) struct Index {
    services: Hosts,
    services_by_name: Places<String>,
    /// By namespace, and what the labels of a service's first pod are.
    services_by_pod: HashMap<String, Labelled>,
    services_by_namespace: Places<String>,
    services_by_selector: Labelled,
    allowing: Places<String>,
    rules: Hosts,
    /// How many rules a namespace has for a host.
    merged: HashMap<(String, String), usize>,
    virtual_services: Places<String>,
    virtual_services_by_name: Places<String>,
    virtual_services_by_gateway: Places<String>,
    gateways: Places<String>,
    gateways_by_name: Places<String>,
    served: Hosts,
    workloads: Labelled,
    workloads_by_namespace: Places<String>,
    /// Of a namespace, and by the first label of their selector.
    pub(super) policies: Places<String>,
    general_policies: Places<String>,
    policies_by_label: Places<(String, String, String)>,
    pub(super) sidecars: Places<String>,
    /// Host of a destination of `http` and `tcp` rules, and its port.
    plain: HashMap<String, Vec<Option<u16>>>,
    /// Host and subset of all destinations.
    subsets: HashSet<(String, String)>,
}

impl Mesh {
    pub(super) fn index(&mut self) {
        let mut index = Index::default();
        for (place, workload) in self.workloads.iter().enumerate() {
            index.workloads.add(&workload.labels, place);
            index.workloads_by_namespace.add(workload.origin.namespace.clone(), place);
        }
        for (place, rule) in self.destination_rules.iter().enumerate() {
            index.rules.add(&rule.host, place);
            *index.merged.entry((rule.origin.namespace.clone(), rule.host.clone())).or_default() += 1;
        }
        for (place, gateway) in self.gateways.iter().enumerate() {
            index.gateways.add(gateway.name(), place);
            index.gateways_by_name.add(gateway.origin.name.clone(), place);
            for (_, host) in gateway.servers.iter().flat_map(|server| &server.hosts) {
                index.served.add(host, place);
            }
        }
        for (place, rules) in self.virtual_services.iter().enumerate() {
            index.virtual_services_by_name.add(rules.origin.name.clone(), place);
            for host in &rules.hosts {
                index.virtual_services.add(host.full.clone(), place);
            }
            for gateway in &rules.gateways {
                index.virtual_services_by_gateway.add(gateway.name.clone(), place);
            }
            let tcp = rules.tcp.iter().flat_map(|route| &route.destinations);
            for destination in rules.http.iter().flat_map(|route| &route.destinations).chain(tcp) {
                index.plain.entry(destination.host.clone()).or_default().push(destination.port);
            }
            for destination in rules.destinations() {
                let subset = destination.subset.clone().map(|subset| (destination.host.clone(), subset));
                index.subsets.extend(subset);
            }
        }
        for (place, policy) in self.peer_authentications.iter().enumerate() {
            let namespace = &policy.origin.namespace;
            index.policies.add(namespace.clone(), place);
            if policy.selector.is_none() {
                index.general_policies.add(namespace.clone(), place);
            }
            if let Some((key, value)) = policy.selector.iter().flatten().next() {
                index.policies_by_label.add((namespace.clone(), key.clone(), value.clone()), place);
            }
        }
        for (place, policy) in self.authorization_policies.iter().enumerate() {
            if policy.action == "ALLOW" {
                index.allowing.add(policy.origin.namespace.clone(), place);
            }
        }
        for (place, sidecar) in self.sidecars.iter().enumerate() {
            index.sidecars.add(sidecar.namespace.clone(), place);
        }
        self.index_services(&mut index);
        self.index = index;
    }

    fn index_services(&self, index: &mut Index) {
        for (place, service) in self.services.iter().enumerate() {
            for host in &service.hosts {
                index.services.add(host, place);
            }
            index.services_by_selector.add(&service.selector, place);
            index.services_by_name.add(service.origin.name.clone(), place);
            index.services_by_namespace.add(service.origin.namespace.clone(), place);
            let pods = selected(&self.workloads, &index.workloads, &service.selector, |pod| &pod.labels);
            let first = pods.into_iter().find(|pod| pod.origin.namespace == service.origin.namespace);
            let labels = first.map_or(&service.selector, |pod| &pod.labels);
            index.services_by_pod.entry(service.origin.namespace.clone()).or_default().add(labels, place);
        }
    }

    /// The Gateway that a VirtualService names as `namespace/name`.
    pub fn gateway(&self, name: &str) -> Option<&Gateway> {
        self.gateways.get(*self.index.gateways.of(name).first()?)
    }

    /// The Gateways of this name in any namespace.
    pub fn gateways_called(&self, name: &str) -> impl Iterator<Item = &Gateway> {
        self.index.gateways_by_name.of(name).iter().filter_map(|place| self.gateways.get(*place))
    }

    /// The Gateways with a server for this host, by its name or a pattern.
    pub fn gateways_serving(&self, host: &str) -> impl Iterator<Item = &Gateway> {
        self.index.served.covering(host).into_iter().filter_map(|place| self.gateways.get(place))
    }

    /// The DestinationRules whose host means this one, too.
    pub fn rules_covering(&self, host: &str) -> impl Iterator<Item = &DestinationRule> + use<'_> {
        self.index.rules.covering(host).into_iter().filter_map(|place| self.destination_rules.get(place))
    }

    /// How many DestinationRules of the same namespace have the same host.
    pub fn rules_like(&self, rule: &DestinationRule) -> usize {
        let key = (rule.origin.namespace.clone(), rule.host.clone());
        self.index.merged.get(&key).copied().unwrap_or_default()
    }

    /// The VirtualServices with exactly this host.
    pub fn virtual_services_for(&self, host: &str) -> impl Iterator<Item = &VirtualService> {
        self.index.virtual_services.of(host).iter().filter_map(|place| self.virtual_services.get(*place))
    }

    /// The VirtualServices of this name in any namespace.
    pub fn virtual_services_called(&self, name: &str) -> impl Iterator<Item = &VirtualService> + Clone {
        self.index
            .virtual_services_by_name
            .of(name)
            .iter()
            .filter_map(|place| self.virtual_services.get(*place))
    }

    /// The Services of this name in any namespace.
    pub fn services_called(&self, name: &str) -> impl Iterator<Item = &Service> {
        self.index.services_by_name.of(name).iter().filter_map(|place| self.services.get(*place))
    }

    /// The services of a namespace; with a selector, those whose pods may have its labels.
    pub fn services_in(&self, namespace: &str, selector: Option<&Labels>) -> impl Iterator<Item = &Service> {
        let all = self.index.services_by_namespace.of(namespace);
        let of_pods = |selector| self.index.services_by_pod.get(namespace)?.candidates(selector);
        let places = selector.map_or(all, |selector| of_pods(selector).unwrap_or(all));
        places.iter().filter_map(|place| self.services.get(*place))
    }

    /// The Kubernetes services whose own selector has all that this one asks for.
    pub fn services_selecting(&self, selector: &Labels) -> Vec<&Service> {
        selected(&self.services, &self.index.services_by_selector, selector, |service| &service.selector)
    }

    /// The PeerAuthentications of a namespace for pods that have these labels, and no others.
    pub fn policies_for(&self, namespace: &str, labels: &Labels) -> Vec<&PeerAuthentication> {
        let of = |(key, value): (&String, &String)| {
            self.index.policies_by_label.of(&(namespace.to_owned(), key.clone(), value.clone()))
        };
        let mut places: Vec<usize> = labels.iter().flat_map(of).copied().collect();
        places.sort_unstable();
        places.iter().filter_map(|place| self.peer_authentications.get(*place)).collect()
    }

    /// The PeerAuthentications for all pods of a namespace.
    pub fn general_policies(&self, namespace: &str) -> impl Iterator<Item = &PeerAuthentication> {
        let places = self.index.general_policies.of(namespace).iter();
        places.filter_map(|place| self.peer_authentications.get(*place))
    }

    /// How many AuthorizationPolicies of a namespace allow something.
    pub fn allowing_policies(&self, namespace: &str) -> usize {
        self.index.allowing.of(namespace).len()
    }

    /// Whether a rule sends to a subset of a host.
    pub fn is_sent_to(&self, host: &str, subset: &str) -> bool {
        self.index.subsets.contains(&(host.to_owned(), subset.to_owned()))
    }

    /// The pods of a namespace.
    pub fn workloads_in(&self, namespace: &str) -> impl Iterator<Item = &Workload> + Clone {
        self.index.workloads_by_namespace.of(namespace).iter().filter_map(|place| self.workloads.get(*place))
    }

    /// The pods behind a service, as far as they were given.
    pub fn pods_behind<'mesh>(&'mesh self, service: &'mesh Service) -> impl Iterator<Item = &'mesh Workload> {
        let selected = self.workloads_with(&service.selector).into_iter();
        selected.filter(|workload| workload.origin.namespace == service.origin.namespace)
    }

    /// The pods with the labels of a selector, in any namespace.
    pub fn workloads_with(&self, selector: &Labels) -> Vec<&Workload> {
        selected(&self.workloads, &self.index.workloads, selector, |workload| &workload.labels)
    }

    /// The VirtualServices that are bound to a Gateway.
    pub fn bound_to<'mesh>(
        &'mesh self,
        gateway: &Gateway,
    ) -> impl Iterator<Item = &'mesh VirtualService> + use<'mesh> {
        let name = gateway.name();
        let places = self.index.virtual_services_by_gateway.of(&name);
        places.iter().filter_map(|place| self.virtual_services.get(*place))
    }

    /// The services with a host.
    pub fn services_named(&self, name: &str) -> impl Iterator<Item = &Service> + use<'_> {
        self.index.services.covering(name).into_iter().filter_map(|place| self.services.get(place))
    }

    /// Whether a rule for HTTP or TCP sends what has been decrypted, or was never encrypted, to a port.
    pub fn is_routed_to(&self, service: &Service, port: u16) -> bool {
        let only_port = service.ports.len() == 1;
        let meant = |number: &Option<u16>| number.map_or(only_port || port == 443, |number| number == port);
        service.hosts.iter().any(|host| {
            if host.starts_with('*') {
                let mut plain = self.index.plain.iter().filter(|(name, _)| host::covers(host, name));
                plain.any(|(_, ports)| ports.iter().any(meant))
                    || self.routed_elsewhere.iter().any(|name| host::covers(host, name))
            } else {
                self.index.plain.get(host).is_some_and(|ports| ports.iter().any(meant))
                    || self.routed_elsewhere.contains(host)
            }
        })
    }
}
