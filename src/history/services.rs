//! What is known of the services behind the routes.

use super::Bounded;
use crate::evidence::{ClusterName, Evidence, KnownRule, Resource};

/// A VirtualService that was seen to lead from a virtual host to a service.
#[derive(Debug)]
pub(super) struct Rule {
    virtual_host: String,
    /// Port and host of the cluster.
    service: (String, String),
    resource: Resource,
}

/// The versions of a service's workloads that answered, where no subset was chosen.
#[derive(Debug)]
pub(super) struct Versions {
    service: (String, String),
    looks: u32,
    /// The last two, and when each was seen last.
    seen: [(String, u32); 2],
}

/// Two versions this many looks apart are there at the same time; in a rolling update the old one is gone by then.
const RECENT: u32 = 10;

/// The VirtualService that leads to the same service from another virtual host. One host's routes all come from
/// its VirtualService, or all from the service (istiod 1.31), so the host itself can't tell.
pub(super) fn known_rule(rules: &mut Bounded<Rule>, e: &Evidence) -> Option<KnownRule> {
    let service = service(e.upstream.cluster.as_ref()?)?;
    let virtual_host = e.route.virtual_host.as_deref()?;
    if let Some(resource) = &e.route.resource {
        let same = |rule: &Rule| rule.virtual_host == virtual_host && rule.service == service;
        if let Some(rule) = rules.find(same) {
            rule.resource.clone_from(resource);
        } else {
            let virtual_host = virtual_host.to_owned();
            rules.push(Rule { virtual_host, service, resource: resource.clone() });
        }
        return None;
    }
    // Its VirtualService is gone.
    rules.items().retain(|rule| rule.virtual_host != virtual_host);
    let rule = rules.find(|rule| rule.service == service)?;
    Some(KnownRule { virtual_host: rule.virtual_host.clone(), resource: rule.resource.clone() })
}

/// Two versions that answered lately.
pub(super) fn versions(all: &mut Bounded<Versions>, e: &Evidence) -> Option<[String; 2]> {
    let service = service(e.upstream.cluster.as_ref()?)?;
    let version = e.upstream.version.clone()?;
    let Some(known) = all.find(|known| known.service == service) else {
        all.push(Versions { service, looks: 0, seen: [(version, 0), (String::new(), 0)] });
        return None;
    };
    known.looks = known.looks.saturating_add(1);
    let [last, before] = &mut known.seen;
    if last.0 != version {
        core::mem::swap(last, before);
        if last.0 != version {
            last.0 = version;
        }
    }
    last.1 = known.looks;
    let both = !before.0.is_empty() && known.looks.saturating_sub(before.1) <= RECENT;
    both.then(|| {
        let mut names = [last.0.clone(), before.0.clone()];
        names.sort();
        names
    })
}

fn service(cluster: &ClusterName) -> Option<(String, String)> {
    Some((cluster.port()?.to_owned(), cluster.host()?.to_owned()))
}
