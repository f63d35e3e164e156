//! A DestinationRule that contradicts the mutual TLS of the workload.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Likely, Possible};
use serde_json::json;

use super::{MUTUAL_ONLY, rule, tls};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{
    all_by, demanding_certificate, direct, istio_mtls_endpoint, originate_tls, presenting, trusting, with,
};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, ASK_TCP, CLOSED_EARLY, PLAIN, backend, http, tcp};
use crate::scenarios::scenario::{Log, Scenario};

/// Istio's page about it.
const PAGE: &str = "503 errors after setting destination rule";

/// A sidecar under STRICT: every chain takes TLS only, so plaintext finds none.
fn strict() -> Server {
    let listener = Listener::http("inbound", all_by(direct("/", 200, "ok")))
        .tls_with("server", demanding_certificate("ca"))
        .chain(json!({"filter_chain_match": {"transport_protocol": "tls"}}))
        .tls_inspector()
        .direction("INBOUND");
    Server::envoy(Proxy::new([listener], []))
}

pub(super) fn table() -> Vec<Scenario> {
    [made(), strict_sidecar()].into_iter().flatten().collect()
}

fn made() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "upstream_tls/destination_rule_disables_mtls",
            "a DestinationRule turns TLS off, and the workload takes mutual TLS only",
            http(rule(istio_mtls_endpoint(backend()), "reviews")),
        )
        .page(PAGE)
        .server("backend", Server::Made(Habit::CloseAfterRequest))
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, CLOSED_EARLY)
        .names(Cause::DestinationRuleTlsConflict, Likely)
        .because(&["endpoint_takes_istio_mtls=true"])
        .blames("DestinationRule/default/reviews"),
        Scenario::new(
            "upstream_tls/destination_rule_with_mtls",
            "fixed: the DestinationRule's mode is mutual TLS",
            http(rule(istio_mtls_endpoint(tls(with(trusting("ca"), presenting("client")))), "reviews")),
        )
        .page(PAGE)
        .server("backend", MUTUAL_ONLY)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new(
            "upstream_tls/closed_by_a_plaintext_application",
            "the same end, but the endpoint never said that it takes mutual TLS",
            http(rule(backend(), "reviews")),
        )
        .server("backend", Server::Made(Habit::CloseAfterRequest))
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UC")])
        .names(Cause::UpstreamClosedConnection, Likely),
    ]
}

fn strict_sidecar() -> Vec<Scenario> {
    let mutual = || originate_tls(with(trusting("ca"), presenting("client")));
    vec![
        Scenario::new(
            "upstream_tls/strict_sidecar",
            "plaintext to a sidecar that takes mutual TLS only",
            http(rule(istio_mtls_endpoint(backend()), "reviews")),
        )
        .page(PAGE)
        .server("backend", strict())
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, CLOSED_EARLY)
        .names(Cause::DestinationRuleTlsConflict, Likely)
        .because(&["endpoint_takes_istio_mtls=true"])
        .blames("DestinationRule/default/reviews"),
        Scenario::new(
            "upstream_tls/strict_sidecar_with_mtls",
            "fixed: the DestinationRule's mode is ISTIO_MUTUAL",
            http(rule(istio_mtls_endpoint(with(backend(), mutual())), "reviews")),
        )
        .page(PAGE)
        .server("backend", strict())
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new(
            "upstream_tls/strict_sidecar_tcp",
            "on a TCP chain the same end is a reset: a lead",
            tcp(rule(istio_mtls_endpoint(backend()), "reviews")),
        )
        .server("backend", strict())
        .curl(ASK_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "UR")])
        .names(Cause::DestinationRuleTlsConflict, Possible)
        .blames("DestinationRule/default/reviews")
        .before(38, |same| same.logs(Log::Tcp, &[("flags", "-")]).names_nothing()),
        Scenario::new(
            "upstream_tls/permissive_sidecar",
            "the endpoint takes mutual TLS and plaintext: the DestinationRule does no harm",
            http(rule(istio_mtls_endpoint(backend()), "reviews")),
        )
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}
