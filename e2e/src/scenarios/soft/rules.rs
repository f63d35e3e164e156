//! VirtualServices that a proxy doesn't follow, and weights.

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Possible;
use serde_json::{Value, json};

use super::{FINE, REVIEWS, V1, V2, WHOLE, get, host, istio_route, sidecar};
use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{cluster, istio_config, vhost, with};
use crate::scenarios::common::{ASK, PLAIN};
use crate::scenarios::scenario::{Log, Scenario};

/// What one proxy knows of VirtualServices: those that it follows.
pub(super) fn rules() -> Vec<Scenario> {
    let clusters = || {
        vec![cluster(WHOLE, "backend"), cluster(V1, "backend"), cluster("outbound|80||other.svc", "backend")]
    };
    let hosts = || {
        json!([
            host(REVIEWS, istio_route("default", WHOLE, None)),
            host("reviews.example", istio_route("to-v1", V1, Some("reviews"))),
            host("other.svc", istio_route("default", "outbound|80||other.svc", None)),
        ])
    };
    let asked = |name, about, asks| {
        Scenario::new(name, about, sidecar(hosts(), "OUTBOUND", clusters()))
            .page("Route rules don't seem to affect traffic flow")
            .direction("outbound")
            .server("backend", PLAIN)
            .curl(asks)
            .gets(200)
            .logs(Log::Http, FINE)
    };
    vec![
        asked("soft/rule_for_another_host", "the VirtualService's host is not the one that is called", &[
            "--connect-to", "::127.0.0.1:{listener:http}", "http://reviews.example/", "http://reviews.default.svc.cluster.local/",
        ])
        .observes(Cause::VirtualServiceNotApplied, Possible, 1, &["route=default; virtual_host=reviews.default.svc.cluster.local:80; rule_for=reviews.example:80"])
        .of_resource("VirtualService/default/reviews"),
        asked("soft/rule_is_followed", "the host that the VirtualService names", &[
            "--connect-to", "::127.0.0.1:{listener:http}", "http://reviews.example/", "http://reviews.example/",
        ]),
        asked("soft/no_rule_at_all", "a service without a VirtualService is fine as it is", &[
            "--connect-to", "::127.0.0.1:{listener:http}", "http://reviews.default.svc.cluster.local/", "http://reviews.default.svc.cluster.local/",
        ]),
        asked("soft/rule_for_another_service", "another service's VirtualService says nothing", &[
            "--connect-to", "::127.0.0.1:{listener:http}", "http://reviews.example/", "http://other.svc/",
        ]),
        Scenario::new("soft/inbound_has_no_rules", "at the server's side no VirtualService applies, ever", {
            let inbound = json!([vhost("inbound|http|80", &["*"], vec![istio_route("default", "inbound|8080||", None)])]);
            sidecar(inbound, "INBOUND", vec![cluster("inbound|8080||", "backend")])
        })
        .direction("inbound")
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, FINE),
    ]
}

/// Endpoints of these versions, taking turns.
fn versions(cluster_name: &str, versions: &[&str], rule: bool) -> Value {
    let endpoints: Vec<Value> = versions
        .iter()
        .map(|version| {
            json!({
                "endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": format!("{{server:{version}}}")}}},
                "metadata": {"filter_metadata": {"istio": {"workload": format!("reviews-{version};default;reviews;{version};Kubernetes")}}},
            })
        })
        .collect();
    let cluster = with(
        cluster(cluster_name, "v1"),
        json!({"load_assignment": {"endpoints": [{"lb_endpoints": endpoints}]}}),
    );
    if rule { with(cluster, istio_config("destination-rule", "default", "reviews")) } else { cluster }
}

/// What a gateway sees of rules that are the mesh's own: nothing but their traces.
pub(super) fn gateways() -> Vec<Scenario> {
    let gateway = |name, about, to: &str, versions_cluster: Value| {
        let hosts = json!([vhost("myapp.com:80", &["*"], vec![istio_route("hello", to, Some("myapp"))])]);
        let listener = Listener::http("http", hosts).direction("OUTBOUND");
        let proxy = Proxy::new([listener], [versions_cluster])
            .node("router~10.0.0.1~gateway.istio-system~istio-system.svc.cluster.local")
            .roles(Roles::observing());
        Scenario::new(name, about, proxy)
            .page("Route rules have no effect on ingress gateway requests")
            .server("v1", PLAIN)
            .server("v2", PLAIN)
            .client(Client::CurlTimes(4, ASK))
            .gets(200)
            .logs(Log::Http, FINE)
    };
    vec![
        gateway(
            "soft/gateway_ignores_subsets",
            "the gateway spreads over all versions",
            WHOLE,
            versions(WHOLE, &["v1", "v2"], true),
        )
        .observes(
            Cause::GatewayIgnoresMeshRoutes,
            Possible,
            3,
            &["cluster=outbound|80||", "versions=v1,v2", "virtual_host=myapp.com:80"],
        )
        .of_resource("VirtualService/default/myapp"),
        gateway(
            "soft/gateway_with_subset",
            "the gateway's own rule names the subset",
            V1,
            versions(V1, &["v1"], true),
        ),
        gateway(
            "soft/gateway_to_one_version",
            "there is only one version",
            WHOLE,
            versions(WHOLE, &["v1"], true),
        ),
        gateway(
            "soft/gateway_without_subsets",
            "two versions, and nobody has defined subsets",
            WHOLE,
            versions(WHOLE, &["v1", "v2"], false),
        ),
    ]
}

/// The weights' random value comes from a header, so that every run is the same.
pub(super) fn weights() -> Vec<Scenario> {
    let weighted = |name: Option<&str>| {
        let split = json!({"header_name": "x-dice", "clusters": [{"name": V1, "weight": 90}, {"name": V2, "weight": 10}]});
        let mut route = istio_route(name.unwrap_or_default(), V1, Some("reviews"));
        route["route"] = json!({"weighted_clusters": split});
        sidecar(json!([host("*", route)]), "OUTBOUND", vec![cluster(V1, "backend"), cluster(V2, "backend")])
    };
    let asked = |name, about, route, ask| {
        Scenario::new(name, about, weighted(route))
            .page("Route rules don't seem to affect traffic flow")
            .direction("outbound")
            .server("backend", PLAIN)
            .client(Client::Custom(ask))
            .gets(200)
            .logs(Log::Http, FINE)
            .times(10)
    };
    vec![
        asked("soft/weights_after_ten", "nine of ten requests went to one version", Some("canary"), nine_and_one)
            .observes(Cause::WeightsNotSettled, Possible, 1, &["split=outbound|80|v1|reviews.default.svc.cluster.local:9,outbound|80|v2|reviews.default.svc.cluster.local:1; route=canary"])
            .of_resource("VirtualService/default/reviews"),
        asked("soft/weights_or_a_change", "the last one alone went elsewhere: the route may lead there now", Some("canary"), changed),
        asked("soft/weights_look_even", "as many here as there", Some("canary"), turns),
        asked("soft/weights_without_name", "routes without a name can't be told apart", None, nine_and_one),
    ]
}

fn nine_and_one(places: &Places) -> Result<Seen> {
    dice(places, &[1, 1, 1, 1, 1, 1, 1, 1, 95, 1])
}

fn changed(places: &Places) -> Result<Seen> {
    dice(places, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 95])
}

fn turns(places: &Places) -> Result<Seen> {
    dice(places, &[1, 95, 1, 95, 1, 95, 1, 95, 1, 95])
}

fn dice(places: &Places, values: &[u32]) -> Result<Seen> {
    let mut seen = Seen::default();
    for value in values {
        seen = get(places, "/", &[("x-dice", &value.to_string())])?;
    }
    Ok(seen)
}
