//! Soft causes of HTTP traffic: it works, and yet isn't what was meant.

use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::{Value, json};

use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_to, cluster, http2, istio_config, route, vhost, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, PLAIN, PLAIN_HTTP2, SIDECAR};
use crate::scenarios::scenario::{Log, Scenario};

const FINE: &[(&str, &str)] = &[("flags", "-"), ("details", "via_upstream")];

fn sidecar(virtual_hosts: Value, direction: &str, clusters: Vec<Value>) -> Proxy {
    let listener = Listener::http("http", virtual_hosts).direction(direction);
    Proxy::new([listener], clusters).node(SIDECAR).roles(Roles::observing())
}

pub(super) fn table() -> Vec<Scenario> {
    [http10(), rules(), gateways(), weights(), propagation(), retries(), delays()]
        .into_iter()
        .flatten()
        .collect()
}

/// No attribute shows the version of an answer (1.40); the headers are all there is.
fn http10() -> Vec<Scenario> {
    let inbound = || sidecar(all_to("inbound|8080||"), "INBOUND", vec![cluster("inbound|8080||", "backend")]);
    let answered = |name, about, answer| {
        Scenario::new(name, about, inbound())
            .page("Envoy won't connect to my HTTP/1.0 service")
            .direction("inbound")
            .server("backend", Server::Made(Habit::Answer(answer)))
            .curl(ASK)
            .logs(Log::Http, FINE)
    };
    vec![
        answered(
            "soft/http10_answer",
            "HTTP/1.1, and a body without an end",
            b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nok",
        )
        .gets(200)
        .observes(
            Cause::Http10Upstream,
            Possible,
            1,
            &["unframed_body=true; code=200; protocol=HTTP/1.1"],
        ),
        Scenario::new("soft/http10_server", "Python's own server", inbound())
            .direction("inbound")
            .server(
                "backend",
                Server::Program(
                    "python3",
                    "python3",
                    &["-m", "http.server", "--bind", "127.0.0.1", "{port}"],
                ),
            )
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, FINE),
        answered(
            "soft/http11_close",
            "an HTTP/1.1 answer that announces its end",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
        )
        .gets(200),
        answered("soft/http11_length", "with a length", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .gets(200),
        answered(
            "soft/http11_chunks",
            "in chunks",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        )
        .gets(200),
        answered("soft/no_body", "an answer that has no body", b"HTTP/1.1 204 No Content\r\n\r\n").gets(204),
        answered(
            "soft/length_required",
            "HTTP/1.0 knows no chunks",
            b"HTTP/1.0 411 Length Required\r\nContent-Length: 0\r\n\r\n",
        )
        .curl(&["-H", "Transfer-Encoding: chunked", "-d", "x", "http://127.0.0.1:{listener:http}/"])
        .gets(411)
        .observes(Cause::Http10Upstream, Possible, 1, &["code=411"]),
        Scenario::new("soft/http2_to_http2", "HTTP/2 needs no length", {
            let to = with(cluster("outbound|80||a.default.svc", "backend"), http2());
            sidecar(all_to("outbound|80||a.default.svc"), "OUTBOUND", vec![to])
        })
        .direction("outbound")
        .server("backend", PLAIN_HTTP2)
        .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Http, FINE),
        Scenario::new("soft/head", "a HEAD's answer has no body", inbound())
            .direction("inbound")
            .server("backend", PLAIN)
            .client(Client::Curl(&["-I", "http://127.0.0.1:{listener:http}/"]))
            .gets(200)
            .logs(Log::Http, FINE),
    ]
}

const REVIEWS: &str = "reviews.default.svc.cluster.local";
const WHOLE: &str = "outbound|80||reviews.default.svc.cluster.local";
const V1: &str = "outbound|80|v1|reviews.default.svc.cluster.local";
const V2: &str = "outbound|80|v2|reviews.default.svc.cluster.local";

/// A route as istiod makes it from a VirtualService, or, without one, from the service.
fn istio_route(name: &str, to: &str, virtual_service: Option<&str>) -> Value {
    let named = with(route("/", to), json!({"name": name}));
    match virtual_service {
        Some(service) => with(named, istio_config("virtual-service", "default", service)),
        None => named,
    }
}

/// One virtual host per service and port, as on a sidecar.
fn host(name: &str, route: Value) -> Value {
    vhost(&format!("{name}:80"), &[name, &format!("{name}:*")], vec![route])
}

/// What one proxy knows of VirtualServices: those that it follows.
fn rules() -> Vec<Scenario> {
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
fn gateways() -> Vec<Scenario> {
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
fn weights() -> Vec<Scenario> {
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
        asked("soft/weights_look_even", "as many here as there", Some("canary"), turns),
        asked("soft/weights_without_name", "routes without a name can't be told apart", None, nine_and_one),
    ]
}

fn nine_and_one(places: &Places) -> Result<Seen> {
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

fn get(places: &Places, path: &str, headers: &[(&str, &str)]) -> Result<Seen> {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut request = agent.get(format!("http://127.0.0.1:{}{path}", places.listener("http")?));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(Seen { status: Some(request.call()?.status().as_u16()), exit: 0, text: String::new() })
}

/// Configuration that comes late: Envoy's runtime stands in for the push.
fn propagation() -> Vec<Scenario> {
    let late = |missing: Option<Value>| {
        let pushed = json!({"match": {"runtime_fraction": {"default_value": {"numerator": 0}, "runtime_key": "pushed"}}});
        let mut routes = vec![with(istio_route("new", WHOLE, Some("reviews")), pushed)];
        routes.extend(missing);
        let hosts = json!([vhost("reviews:80", &["*"], routes)]);
        sidecar(hosts, "OUTBOUND", vec![cluster(WHOLE, "backend")])
            .patch(json!({"layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]}}))
    };
    let asked = |name, about, proxy, ask| {
        Scenario::new(name, about, proxy)
            .page("Route rules don't seem to affect traffic flow")
            .direction("outbound")
            .server("backend", PLAIN)
            .client(Client::Custom(ask))
            .gets(200)
    };
    let to_nowhere = || Some(istio_route("old", "outbound|80|v3|nowhere", Some("reviews")));
    vec![
        asked("soft/route_comes_late", "404 until the route arrives", late(None), until_pushed)
            .logs(Log::Http, &[("flags", "NR")])
            .names(Cause::RouteNoMatch, Certain)
            .times(2)
            .observes(
                Cause::ConfigPropagating,
                Possible,
                1,
                &["failed_for_seconds=0; route=new; virtual_host=reviews:80"],
            )
            .of_resource("VirtualService/default/reviews"),
        asked(
            "soft/cluster_comes_late",
            "503 until the subset's cluster arrives",
            late(to_nowhere()),
            until_pushed,
        )
        .logs(Log::Http, &[("flags", "NC")])
        .names(Cause::ClusterMissing, Certain)
        .blames("VirtualService/default/reviews")
        .times(2)
        .observes(Cause::ConfigPropagating, Possible, 1, &["failed_for_seconds=0; route=new"])
        .of_resource("VirtualService/default/reviews"),
        asked("soft/other_paths_never_existed", "what works now is another request", late(None), other_paths)
            .logs(Log::Http, &[("flags", "NR")])
            .names(Cause::RouteNoMatch, Certain)
            .times(2),
    ]
}

/// Two failures, the push, some seconds, three successes.
fn until_pushed(places: &Places) -> Result<Seen> {
    push_between(places, "/")
}

fn other_paths(places: &Places) -> Result<Seen> {
    push_between(places, "/.env")
}

fn push_between(places: &Places, path: &str) -> Result<Seen> {
    get(places, path, &[])?;
    get(places, path, &[])?;
    ureq::post(places.fill("http://{admin}/runtime_modify?pushed=100")).send_empty()?;
    get(places, "/", &[])?;
    std::thread::sleep(Duration::from_millis(3_200));
    get(places, "/", &[])?;
    get(places, "/", &[])
}

/// What retries hide. Envoy sends nginx the attempt's number.
fn retries() -> Vec<Scenario> {
    let asked = |name, about, block| {
        let policy = json!({"route": {"retry_policy": {"retry_on": "5xx", "num_retries": 2}}});
        let mut all = host("*", with(istio_route("canary", WHOLE, Some("reviews")), policy));
        all["include_request_attempt_count"] = true.into();
        Scenario::new(name, about, sidecar(json!([all]), "OUTBOUND", vec![cluster(WHOLE, "backend")]))
            .direction("outbound")
            .server("backend", Server::Nginx(block))
            .curl(ASK)
    };
    vec![
        asked("soft/second_try_succeeds", "the first attempt gets 503", FAILS_ONCE)
            .gets(200)
            .logs(Log::Http, FINE)
            .observes(
                Cause::SucceededAfterRetries,
                Likely,
                1,
                &[
                    "attempts=2; code=200; cluster=outbound|80||reviews",
                    "attempts at reviews.default.svc.cluster.local fail",
                ],
            ),
        asked("soft/third_try_succeeds", "two attempts get 503", FAILS_TWICE)
            .gets(200)
            .logs(Log::Http, FINE)
            .observes(Cause::SucceededAfterRetries, Likely, 1, &["attempts=3; code=200"]),
        asked("soft/first_try_succeeds", "a retry policy that has nothing to do", PLAIN_OK)
            .gets(200)
            .logs(Log::Http, FINE),
        asked("soft/second_try_finds_nothing", "the retry ends in the application's 404", NOT_FOUND_THEN)
            .gets(404)
            .logs(Log::Http, FINE),
    ]
}

const PLAIN_OK: &str = "listen 127.0.0.1:{port}; location / { return 200 ok; }";
const FAILS_ONCE: &str = "listen 127.0.0.1:{port}; location / { if ($http_x_envoy_attempt_count = 1) { return 503; } return 200 ok; }";
const FAILS_TWICE: &str = "listen 127.0.0.1:{port}; location / { if ($http_x_envoy_attempt_count = 3) { return 200 ok; } return 503; }";
const NOT_FOUND_THEN: &str = "listen 127.0.0.1:{port}; location / { if ($http_x_envoy_attempt_count = 1) { return 503; } return 404; }";

/// Faults of a VirtualService that delay alone.
fn delays() -> Vec<Scenario> {
    const FAULT: &str = "envoy.extensions.filters.http.fault.v3.HTTPFault";
    let asked = |name, about, percent: u32| {
        let fault = json!({
            "@type": format!("type.googleapis.com/{FAULT}"),
            "delay": {"fixed_delay": "0.1s", "percentage": {"numerator": percent}},
        });
        let own = json!({"typed_per_filter_config": {"envoy.filters.http.fault": fault}});
        let all = json!([host("*", with(istio_route("canary", WHOLE, Some("reviews")), own))]);
        let listener =
            Listener::http("http", all).direction("OUTBOUND").http_filter("fault", FAULT, json!({}));
        let proxy = Proxy::new([listener], [cluster(WHOLE, "backend")]).node(SIDECAR);
        Scenario::new(name, about, proxy.roles(Roles::observing()))
            .direction("outbound")
            .server("backend", PLAIN)
            .curl(ASK)
            .gets(200)
    };
    vec![
        asked("soft/delayed", "a VirtualService delays on purpose", 100)
            .logs(Log::Http, &[("flags", "DI"), ("details", "via_upstream")])
            .observes(
                Cause::DelayInjected,
                Certain,
                1,
                &["flags=DI; code=200", "Remove the fault block from VirtualService default/reviews"],
            )
            .of_resource("VirtualService/default/reviews"),
        asked("soft/not_delayed", "a fault that hits no request", 0).logs(Log::Http, FINE),
    ]
}
