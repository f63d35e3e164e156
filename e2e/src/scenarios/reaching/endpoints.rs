//! Clusters without an endpoint to go to.

use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Likely;
use serde_json::{Value, json};

use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, and_endpoint, cluster_at, empty_cluster, vhost, with};
use crate::harness::peers::Server;
use crate::harness::process::wait_for;
use crate::scenarios::common::{ASK, ASK_TCP, PLAIN, backend, http, tcp};
use crate::scenarios::scenario::{Log, Scenario};

/// Fails its health checks.
const SICK: Server =
    Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; } location /healthz { return 500; }");

/// A cluster whose name is looked up, and never found.
fn unresolvable() -> Value {
    let mut cluster =
        cluster_at("backend", json!({"socket_address": {"address": "nowhere.invalid", "port_value": 80}}));
    cluster["type"] = json!("STRICT_DNS");
    cluster
}

fn unhealthy() -> Value {
    with(
        backend(),
        json!({
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            "health_checks": [{
                "timeout": "2s", "interval": "0.1s", "no_traffic_interval": "0.1s", "unhealthy_threshold": 1, "healthy_threshold": 1,
                "http_health_check": {"path": "/healthz"},
            }],
        }),
    )
}

/// The only endpoint is taken out after its first error.
fn ejected_at_once() -> Value {
    with(
        backend(),
        json!({
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            "outlier_detection": {
                "consecutive_5xx": 1, "interval": "0.1s", "base_ejection_time": "60s", "max_ejection_percent": 100,
            },
        }),
    )
}

/// Two endpoints, of which one fails its health check; with panicking left as it is.
fn half_healthy() -> Value {
    and_endpoint(unhealthy(), "well")
}

/// A subset that none of the endpoints belongs to, as after a change of labels.
fn empty_subset() -> Proxy {
    let subsets = json!({"lb_subset_config": {"fallback_policy": "NO_FALLBACK", "subset_selectors": [{"keys": ["version"]}]}});
    let chosen = json!({"route": {"cluster": "backend", "metadata_match": {"filter_metadata": {"envoy.lb": {"version": "v2"}}}}});
    let routes = json!([vhost("all", &["*"], vec![with(json!({"match": {"prefix": "/"}}), chosen)])]);
    Proxy::new([Listener::http("http", routes)], [with(backend(), subsets)])
}

pub(super) fn table() -> Vec<Scenario> {
    [none(), not_healthy()].into_iter().flatten().collect()
}

fn none() -> Vec<Scenario> {
    vec![
        Scenario::new("reaching/no_endpoints", "a cluster without endpoints", http(empty_cluster("backend")))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "UH"), ("details", "no_healthy_upstream")])
            .names(Cause::NoEndpoints, Likely)
            .because(&["endpoints=0", "cluster=backend"]),
        Scenario::new("reaching/no_endpoints_tcp", "the same on a TCP chain", tcp(empty_cluster("backend")))
            .curl(ASK_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UH")])
            .names(Cause::NoEndpoints, Likely)
            .because(&["endpoints=0"]),
        Scenario::new(
            "reaching/name_without_answer",
            "STRICT_DNS without an answer looks like no endpoints",
            http(unresolvable()),
        )
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UH")])
        .names(Cause::NoEndpoints, Likely),
        Scenario::new(
            "reaching/name_without_answer_tcp",
            "STRICT_DNS without an answer on a TCP chain",
            tcp(unresolvable()),
        )
        .curl(ASK_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "UH")])
        .names(Cause::NoEndpoints, Likely),
        Scenario::new("reaching/endpoints_added", "fixed: the cluster has an endpoint", http(backend()))
            .page("Requests are rejected by Envoy")
            .server("backend", PLAIN)
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

fn not_healthy() -> Vec<Scenario> {
    vec![
        Scenario::new("reaching/all_unhealthy", "the only endpoint fails its health check", http(unhealthy()))
            .server("backend", SICK)
            .client(Client::Custom(until_unhealthy))
            .gets(503)
            .logs(Log::Http, &[("flags", "UH"), ("details", "no_healthy_upstream")])
            .names(Cause::NoHealthyEndpoints, Likely)
            .because(&["endpoints=1"]),
        Scenario::new("reaching/all_unhealthy_tcp", "the only endpoint fails its health check, on a TCP chain", tcp(unhealthy()))
            .server("backend", SICK)
            .client(Client::Custom(after_a_health_check))
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UH")])
            .names(Cause::NoHealthyEndpoints, Likely)
            .because(&["endpoints=1"]),
        Scenario::new("reaching/empty_subset", "a subset that selects none of the endpoints", empty_subset())
            .server("backend", PLAIN)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UH"), ("details", "no_healthy_upstream")])
            .names(Cause::NoHealthyEndpoints, Likely),
        Scenario::new("reaching/ejected", "outlier detection takes the only endpoint out before the retry", {
            let retries = json!({"route": {"cluster": "backend", "retry_policy": {
                "retry_on": "5xx", "num_retries": 1, "retry_back_off": {"base_interval": "0.6s", "max_interval": "0.6s"},
            }}});
            let route = with(json!({"match": {"prefix": "/"}}), retries);
            Proxy::new([Listener::http("http", all_by(route))], [ejected_at_once()])
        })
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 500; }"))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UH"), ("details", "no_healthy_upstream")])
            .names(Cause::NoHealthyEndpoints, Likely)
            .because(&["endpoints=1"]),
        Scenario::new("reaching/one_of_two_healthy", "one endpoint is out, the other serves", http(half_healthy()))
            .server("backend", SICK)
            .server("well", PLAIN)
            .client(Client::Custom(after_a_health_check_http))
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

/// Asks until the health check has taken the endpoint out.
fn until_unhealthy(places: &Places) -> Result<Seen> {
    wait_for("the endpoint to be unhealthy", || {
        let seen = Client::Curl(ASK).run(places)?;
        Ok((seen.status == Some(503)).then_some(seen))
    })
}

/// Gives the health check time to have its say, then asks the TCP chain.
fn after_a_health_check(places: &Places) -> Result<Seen> {
    std::thread::sleep(Duration::from_millis(800));
    Client::Curl(ASK_TCP).run(places)
}

fn after_a_health_check_http(places: &Places) -> Result<Seen> {
    std::thread::sleep(Duration::from_millis(800));
    Client::CurlTimes(6, ASK).run(places)
}
