//! Routes and clusters.

mod gateway;
mod replies;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{cluster, direct, empty_cluster, http2, istio_config, route, vhost, with};
use crate::harness::peers::Server;
use crate::scenarios::common::backend;
use crate::scenarios::scenario::{Log, Scenario};

const OK: Server =
    Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; } location /missing { return 404; }");
const NOT_FOUND: &[(&str, &str)] = &[("code", "404"), ("flags", "NR"), ("details", "route_not_found")];

fn http(virtual_hosts: Value) -> Proxy {
    Proxy::new([Listener::http("http", virtual_hosts)], [backend()])
}

fn reviews() -> Proxy {
    http(json!([vhost(
        "reviews:80",
        &["reviews.example"],
        vec![route("/api", "backend"), direct("/closed", 503, "closed")]
    )]))
}

pub(super) fn table() -> Vec<Scenario> {
    [
        unmatched(),
        replies::configured(),
        replies::gateway_api(),
        gateway::gateway(),
        clusters(),
        egress(),
        connect(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn unmatched() -> Vec<Scenario> {
    vec![
        Scenario::new("routes/unknown_host", "a host that no virtual host serves", reviews())
            .page("Requests are rejected by Envoy")
            .server("backend", OK)
            .curl(&["-H", "Host: ratings.example", "http://127.0.0.1:{listener:http}/api"])
            .gets(404)
            .logs(Log::Http, NOT_FOUND)
            .names(Cause::RouteHostUnknown, Likely),
        Scenario::new("routes/no_rule_matches", "the host is known, the path is not", reviews())
            .server("backend", OK)
            .curl(&["-H", "Host: reviews.example", "http://127.0.0.1:{listener:http}/other"])
            .gets(404)
            .logs(Log::Http, NOT_FOUND)
            .names(Cause::RouteNoMatch, Certain)
            .because(&["virtual_host=reviews:80"]),
        Scenario::new("routes/no_route_table", "a route table that never came looks like an unknown host (1.40)", {
            let scoped = json!({
                "route_config": null,
                "scoped_routes": {
                    "name": "scopes",
                    "scope_key_builder": {"fragments": [{"header_value_extractor": {"name": "x-scope", "index": 0, "element_separator": ";"}}]},
                    "rds_config_source": {"initial_fetch_timeout": "0.1s", "api_config_source": {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}]}},
                    "scoped_rds": {"scoped_rds_config_source": {"initial_fetch_timeout": "0.1s", "resource_api_version": "V3", "api_config_source": {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}]}}},
                },
            });
            Proxy::new([Listener::http("http", json!([])).filter(scoped)], [with(cluster("control", "control"), http2())])
        })
        .server("control", Server::Nobody)
        .curl(&["-H", "x-scope: unknown", "http://127.0.0.1:{listener:http}/"])
        .gets(404)
        .logs(Log::Http, &[("code", "404"), ("flags", "NR"), ("details", "route_not_found")])
        .names(Cause::RouteHostUnknown, Likely),
        Scenario::new("routes/hostile_path", "a path and headers that try to break out, and a secret", reviews())
            .server("backend", OK)
            .client(Client::Raw(
                "http",
                b"GET /other?token=SECRET123\";.;cause=.=x;.;%0a%22\\x HTTP/1.1\r\nHost: unknown.example:8080\r\n\
                  X-Token: SECRET123\r\nCookie: SECRET123\r\nUser-Agent: \";.;\xe9\r\nConnection: close\r\n\r\n",
            ))
            .gets(404)
            .logs(Log::Http, NOT_FOUND)
            .names(Cause::RouteHostUnknown, Likely)
            .never_shows("SECRET123"),
        Scenario::new("routes/hostile_host", "a Host header that is none", reviews())
            .server("backend", OK)
            .client(Client::Raw("http", b"GET / HTTP/1.1\r\nHost: SECRET123\";.;cause=.=x;.;\xe9'\r\nConnection: close\r\n\r\n"))
            .gets(400)
            .logs(Log::Http, &[("code", "400"), ("details", "http.invalid_authority")])
            .names(Cause::InvalidHttpRequest, Certain)
            .never_shows("SECRET123"),
        Scenario::new("routes/applications_404", "the application's own 404 is its business", reviews())
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 404 no; }"))
            .curl(&["-H", "Host: reviews.example", "http://127.0.0.1:{listener:http}/api"])
            .gets(404)
            .logs(Log::Http, &[("code", "404"), ("flags", "-"), ("details", "via_upstream")]),
        Scenario::new("routes/configured_answer", "a direct response of a plain route", reviews())
            .server("backend", OK)
            .curl(&["-H", "Host: reviews.example", "http://127.0.0.1:{listener:http}/closed"])
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("details", "direct_response")])
            .names(Cause::ConfiguredErrorReply, Certain),
    ]
}

fn clusters() -> Vec<Scenario> {
    let virtual_service = || {
        let route = with(
            route("/", "outbound|80|v3|reviews.default.svc.cluster.local"),
            istio_config("virtual-service", "default", "reviews"),
        );
        json!([vhost("reviews:80", &["*"], vec![route])])
    };
    vec![
        Scenario::new(
            "routes/cluster_missing",
            "a VirtualService points to a subset that no DestinationRule defines",
            http(virtual_service()),
        )
        .server("backend", OK)
        .curl(&["http://127.0.0.1:{listener:http}/"])
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "NC"), ("details", "cluster_not_found")])
        .names(Cause::ClusterMissing, Certain)
        .blames("VirtualService/default/reviews"),
        Scenario::new(
            "routes/cluster_missing_http_role_alone",
            "the HTTP role sees all of it",
            http(virtual_service()).roles(Roles::http_only()),
        )
        .server("backend", OK)
        .curl(&["http://127.0.0.1:{listener:http}/"])
        .gets(503)
        .logs(Log::Http, &[("flags", "NC")])
        .names(Cause::ClusterMissing, Certain)
        .blames("VirtualService/default/reviews"),
        Scenario::new(
            "routes/cluster_missing_tcp",
            "a TCP route to a cluster that doesn't exist",
            Proxy::new([Listener::tcp("tcp", "nowhere")], []),
        )
        .curl(&["http://127.0.0.1:{listener:tcp}/"])
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "NC")])
        .names(Cause::ClusterMissing, Certain),
    ]
}

fn egress() -> Vec<Scenario> {
    let outbound = |listener: Listener| listener.direction("OUTBOUND");
    let sidecar = "sidecar~10.0.0.1~app.default~default.svc.cluster.local";
    let with_name = |mut route: Value| {
        route["name"] = json!("block_all");
        route
    };
    vec![
        Scenario::new("routes/registry_only", "a host outside the registry under REGISTRY_ONLY", {
            let block = vhost("block_all", &["*"], vec![with_name(direct("/", 502, ""))]);
            Proxy::new([outbound(Listener::http("http", json!([block])))], []).node(sidecar)
        })
        .curl(&["-H", "Host: httpbin.org", "http://127.0.0.1:{listener:http}/"])
        .gets(502)
        .logs(Log::Http, &[("code", "502"), ("details", "direct_response"), ("route", "block_all")])
        .names(Cause::EgressBlocked, Certain)
        .direction("outbound"),
        Scenario::new("routes/registry_only_tcp", "the same for bytes that are no HTTP", {
            Proxy::new(
                [outbound(
                    Listener::tcp("tcp", "BlackHoleCluster")
                        .chain(json!({"name": "virtualOutbound-catchall-tcp"})),
                )],
                [empty_cluster("BlackHoleCluster")],
            )
            .node(sidecar)
        })
        .client(Client::Raw("tcp", b"hello\n"))
        .logs(Log::Tcp, &[("flags", "UH"), ("cluster", "BlackHoleCluster")])
        .names(Cause::EgressBlocked, Certain)
        .direction("outbound"),
    ]
}

/// CONNECT, as to a forward proxy.
fn connect() -> Vec<Scenario> {
    const CONNECT: &[u8] = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n";
    let blocked = direct("/", 502, "");
    let asked = |name, about, hosts: Value, roles: Roles| {
        Scenario::new(name, about, http(hosts).roles(roles))
            .server("backend", OK)
            .client(Client::Raw("http", CONNECT))
            .gets(404)
            .logs(Log::Http, NOT_FOUND)
    };
    let tunnels = json!({"match": {"connect_matcher": {}}, "route": {
        "cluster": "backend", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
    }});
    let mesh = || json!([vhost("reviews:80", &["reviews.example"], vec![route("/", "backend")])]);
    vec![
        asked(
            "routes/connect_to_service",
            "a port of the mesh is taken for a forward proxy",
            mesh(),
            Roles::all(),
        )
        .names(Cause::ConnectToNonProxyPort, Likely)
        .because(&["method=CONNECT"]),
        asked(
            "routes/connect_registry_only",
            "the same under REGISTRY_ONLY",
            json!([with(vhost("block_all", &["*"], vec![blocked]), json!({}))]),
            Roles::all(),
        )
        .names(Cause::ConnectToNonProxyPort, Certain)
        .because(&["method=CONNECT"]),
        asked(
            "routes/connect_allow_any",
            "the same under ALLOW_ANY",
            json!([vhost("allow_any", &["*"], vec![route("/", "backend")])]),
            Roles::all(),
        )
        .names(Cause::ConnectToNonProxyPort, Certain),
        asked(
            "routes/connect_seen_by_the_logger",
            "the access logger alone",
            mesh(),
            Roles::access_log_only(),
        )
        .names(Cause::ConnectToNonProxyPort, Likely)
        .only_counted(),
        asked(
            "routes/connect_to_other_host",
            "a forward proxy that serves other hosts looks the same: never certain",
            json!([vhost("proxy", &["b.example:443"], vec![tunnels])]),
            Roles::all(),
        )
        .names(Cause::ConnectToNonProxyPort, Likely),
    ]
}
