//! The fix, with the names that the proxy knows.

use std::borrow::Cow;

use super::sanitize::{clean, escape};
use super::{LONGEST_FACT, LONGEST_VALUE};
use crate::diagnosis::Verdict;
use crate::evidence::{ClusterName, Direction, Evidence, Fact, Resource, is_mesh_name};
use crate::text;

/// What to change: for this evidence, with names, or in general.
pub(super) fn fix(verdict: &Verdict, e: &Evidence) -> Cow<'static, str> {
    if let Some(advice) = verdict.advice {
        return Cow::Borrowed(advice.fix);
    }
    let named = verdict.cause.named_fixes().iter().find_map(|fix| filled(fix, verdict, e));
    named.map_or(Cow::Borrowed(verdict.cause.fix()), |fix| Cow::Owned(clean(&fix, LONGEST_VALUE)))
}

/// With its names, if all are known.
fn filled(template: &str, verdict: &Verdict, e: &Evidence) -> Option<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, more)) = rest.split_once('{') {
        let (name, after) = more.split_once('}')?;
        out.push_str(before);
        out.push_str(&value(name, verdict, e)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn value(name: &str, verdict: &Verdict, e: &Evidence) -> Option<String> {
    let cluster = e.upstream.cluster.as_ref();
    let host = || cluster.and_then(ClusterName::host);
    // The mesh's services, by Kubernetes' names.
    let is_service = |host: &&str| text::contains(host, ".svc.");
    let text = |text: Option<&str>| text.map(|text| escape(text, LONGEST_FACT));
    match name {
        "resource" => spoken(verdict.resource.as_ref()?),
        "rule" => {
            let either = [verdict.resource.as_ref(), e.upstream.resource.as_ref()];
            spoken(either.into_iter().flatten().find(|r| r.path().starts_with("DestinationRule/"))?)
        }
        "gateway_route" => {
            let is_route = |kind: &&str| matches!(*kind, "HTTPRoute" | "GRPCRoute");
            let resource = verdict.resource.as_ref()?;
            resource.path().split('/').next().filter(is_route).and_then(|_| spoken(resource))
        }
        "backend" => spoken(verdict.resource.as_ref().filter(|r| r.path().starts_with("Service/"))?),
        "route" => spoken(e.route.resource.as_ref()?),
        "host" => text(host()),
        "service" => text(host().filter(is_service)),
        "external" => text(host().filter(|host| !is_service(host))),
        "port" => text(cluster.and_then(ClusterName::port)),
        "subset" => text(cluster.and_then(ClusterName::subset)),
        "endpoint" => text(e.upstream.address.as_deref()),
        "principal" => text(e.downstream.principal.as_deref()),
        // At a waypoint it isn't called after a host.
        "virtual_host" => text(e.route.virtual_host.as_deref().filter(|name| !name.starts_with("inbound|"))),
        // The mesh's own names are none that a client asked for.
        "sni" => Fact::Sni.value(e).filter(|sni| !is_mesh_name(sni)).map(|sni| escape(&sni, LONGEST_FACT)),
        // Elsewhere the proxy's port isn't the one that a Service or Gateway declares.
        "destination_port" if e.direction == Direction::Outbound => {
            e.downstream.port.map(|port| port.to_string())
        }
        _ => None,
    }
}

/// `DestinationRule default/books`.
fn spoken(resource: &Resource) -> Option<String> {
    let (kind, name) = resource.path().split_once('/')?;
    Some(format!("{kind} {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::Cause;
    use crate::diagnosis::Confidence;

    fn of(cause: Cause, resource: Option<Resource>, e: &Evidence) -> String {
        let verdict = Verdict { cause, confidence: Confidence::Likely, facts: &[], resource, advice: None };
        fix(&verdict, e).into_owned()
    }

    fn to(cluster: &str) -> Box<Evidence> {
        let mut e = Box::<Evidence>::default();
        e.direction = Direction::Outbound;
        e.upstream.cluster = ClusterName::new(cluster);
        e
    }

    #[test]
    fn the_fix_has_the_names_that_are_known() {
        let rule = || Resource::new("DestinationRule", "default", "books");
        let mut e = to("outbound|85||books.default.svc.cluster.local");
        assert_eq!(
            of(Cause::DestinationRuleTlsConflict, rule(), &e),
            "Set trafficPolicy.tls.mode of DestinationRule default/books to ISTIO_MUTUAL, or remove its tls block."
        );
        assert_eq!(
            of(Cause::DestinationRuleTlsConflict, None, &e),
            Cause::DestinationRuleTlsConflict.fix(),
            "nothing is known"
        );
        e.upstream.resource = rule();
        assert_eq!(
            of(Cause::NoHealthyEndpoints, None, &e),
            "Repair the endpoints of books.default.svc.cluster.local: they exist, and all are unhealthy or ejected by DestinationRule default/books."
        );
        for (cluster, expected) in [
            (
                "outbound|80|v1|a.b.svc.cluster.local",
                "Make the labels of subset v1, and the selector of the Service a.b.svc.cluster.local, match a ready pod.",
            ),
            (
                "outbound|80||a.b.svc.cluster.local",
                "Make the selector of the Service a.b.svc.cluster.local match a ready pod.",
            ),
            (
                "outbound|80||api.example.com",
                "Give the ServiceEntry of api.example.com an endpoint, or a name that DNS resolves to an address.",
            ),
            ("a_cluster_of_nobody", Cause::NoEndpoints.fix()),
        ] {
            assert_eq!(of(Cause::NoEndpoints, None, &to(cluster)), expected);
        }
    }

    #[test]
    fn a_port_is_named_where_it_is_the_declared_one() {
        let mut e = Evidence { direction: Direction::Outbound, ..Evidence::default() };
        e.downstream.sni = Some("httpbin.org".into());
        e.downstream.port = Some(443);
        let named = "Declare port 443 of httpbin.org as HTTPS, or send plain HTTP to it.";
        assert_eq!(of(Cause::TlsOnPlaintextPort, None, &e), named);
        e.direction = Direction::Gateway;
        assert_eq!(of(Cause::TlsOnPlaintextPort, None, &e), Cause::TlsOnPlaintextPort.fix());
        e.direction = Direction::Outbound;
        e.downstream.sni = Some("outbound_.80_._.a.b.svc.cluster.local".into());
        assert_eq!(of(Cause::TlsOnPlaintextPort, None, &e), Cause::TlsOnPlaintextPort.fix());
    }

    /// All names are known, each as long and as hostile as it can be.
    #[test]
    fn every_name_is_known_and_every_fix_is_bounded_and_plain() {
        let long = "a\";\\=\n".repeat(100);
        let mut e = to(&format!("outbound|80|{long}|{long}.svc.x"));
        e.upstream.address = Some(long.clone());
        e.upstream.resource = Resource::new("DestinationRule", &"n".repeat(63), &"r".repeat(253));
        e.route.virtual_host = Some(long.clone());
        e.route.resource = Resource::new("VirtualService", &"n".repeat(63), &"r".repeat(253));
        e.downstream.principal = Some(long.clone());
        (e.downstream.sni, e.downstream.port) = (Some(long), Some(u64::MAX));
        for cause in Cause::ALL {
            let resource = e.upstream.resource.clone();
            for template in cause.named_fixes() {
                let verdict = Verdict {
                    cause: *cause,
                    confidence: Confidence::Likely,
                    facts: &[],
                    resource: resource.clone(),
                    advice: None,
                };
                let unknown =
                    ["{external}", "{backend}", "{gateway_route}"].iter().any(|name| template.contains(name));
                let known = filled(template, &verdict, &e).is_some() || unknown;
                assert!(known && template.contains('{'), "{template}");
            }
            let fix = of(*cause, resource, &e);
            assert!(fix.len() <= LONGEST_VALUE && fix == clean(&fix, LONGEST_VALUE), "{fix}");
        }
    }
}
