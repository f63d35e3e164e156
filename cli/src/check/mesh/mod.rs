//! All that was given, and the questions rules ask of it.

mod clients;
mod complete;
mod index;
mod lookup;
mod pods;

use std::collections::{HashMap, HashSet};

use self::complete::Complete;
use self::lookup::Index;
use super::host;
use super::model::{
    ApiGateway, ApiRoute, AuthorizationPolicy, DestinationRule, GROUP, Gateway, Injection, Labels,
    MeshConfig, PeerAuthentication, ReferenceGrant, Service, Sidecar, VirtualService, Workload, is_route,
    labels, namespace_injection,
};
use super::resource::Resource;
use super::yaml::Node;

pub use self::pods::{Backend, Enforced};

/// The resources by kind.
#[derive(Debug, Default)]
pub struct Mesh {
    /// Istio's Gateways; the Gateway API's are another kind.
    pub gateways: Vec<Gateway>,
    /// VirtualServices.
    pub virtual_services: Vec<VirtualService>,
    /// DestinationRules.
    pub destination_rules: Vec<DestinationRule>,
    /// Services and ServiceEntries.
    pub services: Vec<Service>,
    /// Pods and what makes them.
    pub workloads: Vec<Workload>,
    /// The Gateway API's Gateways.
    pub api_gateways: Vec<ApiGateway>,
    /// The Gateway API's routes.
    pub api_routes: Vec<ApiRoute>,
    /// ReferenceGrants.
    pub grants: Vec<ReferenceGrant>,
    /// The labels of the namespaces that were given.
    pub namespaces: HashMap<String, Labels>,
    /// The mesh's own configuration.
    pub config: MeshConfig,
    /// PeerAuthentications.
    pub peer_authentications: Vec<PeerAuthentication>,
    /// AuthorizationPolicies.
    pub authorization_policies: Vec<AuthorizationPolicy>,
    /// The namespaces that have a Secret of a name.
    pub secrets: HashMap<String, Vec<String>>,
    sidecars: Vec<Sidecar>,
    /// Namespaces with resources of which a controller may make pods.
    controlled: HashSet<String>,
    /// Namespaces whose pods themselves were given.
    with_pods: HashSet<String>,
    injection: HashMap<String, Injection>,
    /// Namespaces with Sidecars that say themselves where pods listen.
    own_listeners: HashSet<String>,
    /// Full names of services that a Gateway API route or an Ingress sends HTTP to.
    routed_elsewhere: HashSet<String>,
    /// `namespace/name` of the Gateway API's Gateways, which a VirtualService may name, too.
    other_gateways: HashSet<String>,
    complete: Complete,
    index: Index,
}

/// What a Gateway's name leads to.
#[derive(Debug, Clone, Copy)]
pub enum NamedGateway<'mesh> {
    /// This one.
    Given(&'mesh Gateway),
    /// Perhaps one that was not given.
    NotGiven,
    /// Nothing; another namespace may have one of that name.
    Missing {
        /// That one.
        namesake: Option<&'mesh Gateway>,
    },
}

impl Mesh {
    /// Sorts the resources. `complete`: there are no others; `all_of`: none of these kinds, by group and name.
    pub fn new(resources: &[Resource], complete: bool, all_of: &[(&str, &str)]) -> Self {
        let mut mesh = Self::default();
        for resource in resources {
            mesh.add(resource);
        }
        mesh.complete = Complete::of(resources, complete, all_of);
        mesh.index();
        mesh
    }

    fn add(&mut self, resource: &Resource) {
        match (resource.group.as_str(), resource.origin.kind.as_str()) {
            ("networking.istio.io", "Gateway") => self.gateways.push(Gateway::new(resource)),
            ("networking.istio.io", "VirtualService") => {
                self.virtual_services.push(VirtualService::new(resource))
            }
            ("networking.istio.io", "DestinationRule") => {
                self.destination_rules.push(DestinationRule::new(resource))
            }
            ("networking.istio.io", "ServiceEntry") => self.services.push(Service::entry(resource)),
            ("networking.istio.io", "Sidecar") => {
                if !resource.spec().list("ingress").is_empty() {
                    self.own_listeners.insert(resource.origin.namespace.clone());
                }
                self.sidecars.extend(Sidecar::new(resource));
            }
            ("security.istio.io", "PeerAuthentication") => {
                self.peer_authentications.push(PeerAuthentication::new(resource));
            }
            ("security.istio.io", "AuthorizationPolicy") => {
                self.authorization_policies.push(AuthorizationPolicy::new(resource));
            }
            ("", "Secret") | ("bitnami.com", "SealedSecret") => self.add_secret(resource, None),
            ("cert-manager.io", "Certificate") => {
                self.add_secret(resource, resource.spec().text("secretName"))
            }
            ("external-secrets.io", "ExternalSecret") => {
                let target = resource.spec().at(&["target", "name"]).and_then(Node::as_text);
                self.add_secret(resource, target);
            }
            ("", "Service") => self.services.push(Service::kubernetes(resource)),
            ("", "Namespace") => {
                let own = labels(resource.node.at(&["metadata", "labels"]));
                // Of one that is defined more than once nothing is known.
                if !resource.origin.redefined {
                    self.namespaces.insert(resource.origin.name.clone(), own);
                }
                self.injection.insert(resource.origin.name.clone(), namespace_injection(&resource.node));
            }
            (GROUP, kind) => self.add_gateway_api(resource, kind),
            ("networking.k8s.io", "Ingress") => self.add_backends(resource),
            ("install.istio.io", "IstioOperator") | ("", "ConfigMap") => {
                if let Some(config) = MeshConfig::new(resource) {
                    self.config = config;
                }
            }
            _ => {}
        }
        self.add_pods(resource);
    }

    /// A Secret, or what its controller makes one of, perhaps by another name.
    fn add_secret(&mut self, resource: &Resource, name: Option<&str>) {
        let origin = &resource.origin;
        let name = name.unwrap_or(&origin.name).to_owned();
        self.secrets.entry(name).or_default().push(origin.namespace.clone());
    }

    /// The pods that a resource is or makes, as far as it says.
    fn add_pods(&mut self, resource: &Resource) {
        let origin = &resource.origin;
        let built_in = [".k8s.io", ".istio.io"].iter().any(|domain| resource.group.ends_with(domain));
        let custom = resource.group == "install.istio.io" || (resource.group.contains('.') && !built_in);
        match Workload::new(resource) {
            Some(workload) => self.workloads.push(workload),
            None if custom || resource.group == GROUP && origin.kind == "Gateway" => {
                self.controlled.insert(origin.namespace.clone());
            }
            None => {}
        }
        if origin.kind == "Pod" && resource.group.is_empty() {
            self.with_pods.insert(origin.namespace.clone());
        }
    }

    /// Whether a namespace has no other pods than those that are known: what a controller makes of custom resources is not known.
    pub fn has_all_pods(&self, namespace: &str) -> bool {
        self.has_everything() && (self.with_pods.contains(namespace) || !self.controlled.contains(namespace))
    }

    /// The same of all namespaces.
    pub fn has_all_pods_anywhere(&self) -> bool {
        self.has_everything() && self.controlled.is_subset(&self.with_pods)
    }

    fn add_gateway_api(&mut self, resource: &Resource, kind: &str) {
        self.add_backends(resource);
        match kind {
            "Gateway" => {
                let origin = &resource.origin;
                self.other_gateways.insert(format!("{}/{}", origin.namespace, origin.name));
                self.api_gateways.push(ApiGateway::new(resource));
            }
            "ReferenceGrant" => self.grants.push(ReferenceGrant::new(resource)),
            kind if is_route(kind) => self.api_routes.push(ApiRoute::new(resource)),
            _ => {}
        }
    }

    fn add_backends(&mut self, resource: &Resource) {
        let own = &resource.origin.namespace;
        let mut open = vec![resource.spec()];
        while let Some(node) = open.pop() {
            for reference in node.list("backendRefs") {
                let name = reference.text("name").unwrap_or_default();
                let service = host::service(name, reference.text("namespace").unwrap_or(own));
                self.routed_elsewhere.insert(if name.contains('.') { name.to_owned() } else { service });
            }
            if let Some(name) = node.at(&["service", "name"]).and_then(|name| name.as_text()) {
                self.routed_elsewhere.insert(host::service(name, own));
            }
            open.extend(node.items());
            open.extend(node.entries().iter().map(|entry| &entry.node));
        }
    }

    /// What a Gateway's name in a VirtualService leads to.
    pub fn named_gateway<'mesh>(&'mesh self, name: &str) -> NamedGateway<'mesh> {
        if let Some(gateway) = self.gateway(name) {
            return NamedGateway::Given(gateway);
        }
        let (_, short) = name.split_once('/').unwrap_or_default();
        let namesake = self.gateways_called(short).next();
        // What istiod itself makes of the Gateway API's Gateways is never given.
        let is_other = self.other_gateways.contains(name);
        if is_other
            || short.contains("istio-autogenerated")
            || (namesake.is_none() && !self.has_all_gateways())
        {
            return NamedGateway::NotGiven;
        }
        NamedGateway::Missing { namesake }
    }

    /// The Gateways that a VirtualService is bound to, as far as they were given.
    pub fn gateways_of<'mesh>(
        &'mesh self,
        service: &'mesh VirtualService,
    ) -> impl Iterator<Item = &'mesh Gateway> {
        service.gateways.iter().filter_map(|reference| self.gateway(&reference.name))
    }

    /// The pods that a Gateway configures, as far as they were given.
    pub fn pods_of<'mesh>(&'mesh self, gateway: &'mesh Gateway) -> impl Iterator<Item = &'mesh Workload> {
        self.workloads_with(&gateway.selector).into_iter()
    }
}
