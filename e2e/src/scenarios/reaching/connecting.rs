//! Endpoints that take no connection.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_by, all_to, and_endpoint, cluster, cluster_at, istio_config, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, ASK_TCP, PLAIN, SIDECAR, http, tcp};
use crate::scenarios::scenario::{Log, Scenario};

/// An address that the kernel never sends TCP to: the broadcast one.
fn unroutable() -> Value {
    cluster_at("backend", json!({"socket_address": {"address": "255.255.255.255", "port_value": 80}}))
}

fn dynamic_forward_proxy() -> Proxy {
    let cache = json!({"name": "cache", "dns_lookup_family": "V4_ONLY"});
    let kind = "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig";
    let cluster = json!({
        "name": "backend",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
            "dns_cache_config": cache,
        }},
    });
    let listener = Listener::http("http", all_to("backend")).http_filter(
        "dynamic_forward_proxy",
        kind,
        json!({"dns_cache_config": cache}),
    );
    Proxy::new([listener], [cluster])
}

pub(super) fn table() -> Vec<Scenario> {
    [refused(), retried(), unreachable()].into_iter().flatten().collect()
}

fn refused() -> Vec<Scenario> {
    vec![
        Scenario::new("reaching/refused", "nobody listens on the port", http(cluster("backend", "nobody")))
            .page("Requests are rejected by Envoy")
            .server("nobody", Server::Nobody)
            .curl(ASK)
            .gets(503)
            .logs(
                Log::Http,
                &[
                    ("flags", "UF"),
                    ("details", "upstream_reset_before_response_started{remote_connection_failure*"),
                ],
            )
            .names(Cause::UpstreamRefused, Certain)
            .because(&["connect_error=refused", "endpoint=127.0.0.1:"]),
        Scenario::new("reaching/refused_tcp", "the same on a TCP chain", tcp(cluster("backend", "nobody")))
            .server("nobody", Server::Nobody)
            .curl(ASK_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names(Cause::UpstreamRefused, Certain)
            .because(&["connect_error=refused"]),
        Scenario::new("reaching/refused_inbound", "the application of a sidecar does not listen", {
            let listener = Listener::http("http", all_to("backend")).direction("INBOUND");
            Proxy::new([listener], [cluster("backend", "nobody")]).node(SIDECAR)
        })
        .server("nobody", Server::Nobody)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamRefused, Certain)
        .direction("inbound"),
        Scenario::new(
            "reaching/refused_by_access_log",
            "the access logger alone, at a connection manager",
            http(cluster("backend", "nobody")).roles(Roles::access_log_only()),
        )
        .server("nobody", Server::Nobody)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamRefused, Certain)
        .only_counted(),
        Scenario::new(
            "reaching/refused_tcp_by_access_log",
            "the access logger alone, at a listener of a TCP proxy",
            tcp(cluster("backend", "nobody")).roles(Roles::access_log_only()),
        )
        .server("nobody", Server::Nobody)
        .curl(ASK_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamRefused, Certain)
        .only_counted(),
        Scenario::new(
            "reaching/refused_with_destination_rule",
            "a DestinationRule is there, but it is not why nobody listens",
            {
                http(with(
                    cluster("backend", "nobody"),
                    istio_config("destination-rule", "default", "reviews"),
                ))
            },
        )
        .server("nobody", Server::Nobody)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamRefused, Certain),
    ]
}

fn retried() -> Vec<Scenario> {
    vec![
        Scenario::new("reaching/refused_after_retries", "all three attempts are refused, counted once", {
            let retries = json!({"route": {"cluster": "backend", "retry_policy": {"retry_on": "connect-failure", "num_retries": 2}}});
            let route = with(json!({"match": {"prefix": "/"}}), retries);
            Proxy::new([Listener::http("http", all_by(route))], [cluster("backend", "nobody")])
        })
        .server("nobody", Server::Nobody)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "URX,UF")])
        .names(Cause::UpstreamRefused, Certain)
        .because(&["attempts=3"]),
        Scenario::new("reaching/refused_once", "the second attempt finds an endpoint: no failure", {
            let retries = json!({"route": {"cluster": "backend", "retry_policy": {
                "retry_on": "connect-failure", "num_retries": 5,
                "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}],
                "host_selection_retry_max_attempts": 10,
            }}});
            let two = and_endpoint(cluster("backend", "nobody"), "well");
            let route = with(json!({"match": {"prefix": "/"}}), retries);
            Proxy::new([Listener::http("http", all_by(route))], [two])
        })
        .server("nobody", Server::Nobody)
        .server("well", PLAIN)
        .client(Client::CurlTimes(4, ASK))
        .with_roles(Roles::http_only())
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

fn unreachable() -> Vec<Scenario> {
    vec![
        Scenario::new("reaching/unreachable", "the network has no way there", http(unroutable()))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names(Cause::UpstreamUnreachable, Certain)
            .because(&["connect_error=unreachable"]),
        Scenario::new(
            "reaching/unreachable_tcp",
            "the network has no way there, on a TCP chain",
            tcp(unroutable()),
        )
        .curl(ASK_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamUnreachable, Certain)
        .because(&["connect_error=unreachable"]),
        Scenario::new(
            "reaching/connect_timeout",
            "a listening socket whose queue is full",
            http(cluster("backend", "full")),
        )
        .server("full", Server::Made(Habit::FullQueue))
        .curl(ASK)
        .gets(503)
        .logs(
            Log::Http,
            &[("flags", "UF"), ("details", "upstream_reset_before_response_started{connection_timeout}")],
        )
        .names(Cause::UpstreamConnectTimeout, Likely),
        Scenario::new(
            "reaching/connect_timeout_tcp",
            "the same on a TCP chain",
            tcp(cluster("backend", "full")),
        )
        .server("full", Server::Made(Habit::FullQueue))
        .curl(ASK_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamConnectTimeout, Possible),
        Scenario::new(
            "reaching/dns_failure",
            "a dynamic forward proxy asked for a name that doesn't exist",
            dynamic_forward_proxy(),
        )
        .curl(&["-H", "Host: nowhere.invalid", "http://127.0.0.1:{listener:http}/"])
        .gets(503)
        .logs(Log::Http, &[("flags", "DF"), ("details", "dns_resolution_failure*")])
        .names(Cause::UpstreamDnsFailure, Certain),
    ]
}
