//! Sidecars: which hosts the proxies of a namespace know at all.

use super::texts;
use crate::check::host::overlap;
use crate::check::resource::Resource;

/// A Sidecar for a whole namespace.
#[derive(Debug)]
pub struct Sidecar {
    /// Its namespace.
    pub namespace: String,
    egress: Vec<(String, String)>,
}

impl Sidecar {
    /// Reads it. One for some pods only, or one without `egress`, narrows nothing that a rule
    /// could rely on.
    pub fn new(resource: &Resource) -> Option<Self> {
        let spec = resource.spec();
        if spec.get("workloadSelector").is_some() || spec.list("egress").is_empty() {
            return None;
        }
        let hosts = spec.list("egress").iter().flat_map(|listener| texts(listener, "hosts"));
        let egress = hosts.filter_map(|host| {
            let (namespace, name) = host.split_once('/')?;
            Some((namespace.to_owned(), name.to_ascii_lowercase()))
        });
        Some(Self { namespace: resource.origin.namespace.clone(), egress: egress.collect() })
    }

    /// Whether a host that is declared in a namespace is known to clients in another.
    pub fn knows(&self, host: &str, declared_in: &str, client: &str) -> bool {
        self.egress.iter().any(|(namespace, name)| {
            let in_namespace = match namespace.as_str() {
                "*" => true,
                "." => declared_in == client,
                "~" => false,
                other => declared_in == other,
            };
            in_namespace && overlap(name, host)
        })
    }
}
