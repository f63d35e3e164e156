//! What is known of the services behind the routes.

use super::Bounded;
use crate::evidence::{Evidence, Past, Resource};

/// Port and host of a service.
type Service = (String, String);

/// A VirtualService that was seen to lead from a virtual host to a service.
#[derive(Debug)]
pub(super) struct Rule {
    service: Service,
    virtual_host: String,
    resource: Resource,
}

/// The versions of a service's workloads that answered, where no subset was chosen.
#[derive(Debug)]
pub(super) struct Versions {
    service: Service,
    /// The last one.
    last: String,
    /// The one before it, and how many samples ago it was seen.
    before: String,
    ago: u32,
}

/// Two versions at most this many samples apart run at the same time; after a rolling update the
/// old one is gone.
const RECENT: u32 = 10;

/// The VirtualService that leads to the same service from another virtual host. One host's routes
/// all come from its VirtualService, or all from the service (istiod 1.31), so the same host shows
/// nothing.
pub(super) fn known_rule(rules: &mut Bounded<Rule>, e: &Evidence, past: &mut Past) {
    let (Some(service), Some(virtual_host)) = (service(e), &e.route.virtual_host) else { return };
    let Some(resource) = &e.route.resource else {
        // If it had one, that is gone.
        rules.retain(|rule| rule.virtual_host != *virtual_host);
        if let Some(rule) = rules.find(|rule| rule.service == service) {
            past.rule = Some(rule.resource.clone());
            past.rule_for = Some(rule.virtual_host.clone());
        }
        return;
    };
    // With the Gateway API a route of one Service leads to others, which are asked by their own names as well: none is passed by.
    if e.route.gateway_api {
        return;
    }
    if rules.find(|rule| rule.service == service && rule.virtual_host == *virtual_host).is_none() {
        rules.push(Rule { service, virtual_host: virtual_host.clone(), resource: resource.clone() });
    }
}

/// Two versions that responded recently.
pub(super) fn versions(all: &mut Bounded<Versions>, e: &Evidence) -> Option<String> {
    let service = service(e)?;
    let version = e.upstream.version.clone()?;
    let Some(known) = all.find(|known| known.service == service) else {
        all.push(Versions { service, last: version, before: String::new(), ago: RECENT });
        return None;
    };
    known.ago = known.ago.saturating_add(1);
    if known.last != version {
        known.before = std::mem::replace(&mut known.last, version);
        known.ago = 1;
    }
    (known.ago <= RECENT && !known.before.is_empty()).then(|| {
        let (one, other) = (&known.last, &known.before);
        let (first, second) = if one < other { (one, other) } else { (other, one) };
        format!("{first},{second}")
    })
}

fn service(e: &Evidence) -> Option<Service> {
    let cluster = e.upstream.cluster.as_ref()?;
    Some((cluster.port()?.to_owned(), cluster.host()?.to_owned()))
}
