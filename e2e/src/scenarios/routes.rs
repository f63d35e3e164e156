//! Routes and clusters.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::client::http2::Ask;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{cluster, direct, empty_cluster, http2, istio_config, route, vhost, with};
use crate::harness::peers::Server;
use crate::scenarios::common::{ASK, TLS, backend};
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

/// Two gateways on one port with one wildcard certificate, chosen by server name, or one for both.
fn gateways(one_for_both: bool) -> Proxy {
    let host = |name: &str| vhost(&format!("{name}:443"), &[name], vec![direct("/", 200, name)]);
    let chain = |names: &[&str], hosts: Vec<Value>| {
        Listener::http("gateway", json!(hosts))
            .tls("wildcard")
            .chain(json!({"filter_chain_match": {"server_names": names}}))
    };
    let (one, two) = ("service1.test.com", "service2.test.com");
    let listener = if one_for_both {
        chain(&["*.test.com"], vec![host(one), host(two)])
    } else {
        chain(&[one], vec![host(one)]).and(chain(&[two], vec![host(two)]))
    };
    Proxy::new([listener.tls_inspector()], [])
}

/// One HTTP/2 connection, as a browser keeps it: the second request reuses it. curl compares the certificate
/// only in its own way, so the other host is asked for by its authority.
const BROWSER: &[&str] = &[
    "-k",
    "--http2",
    "--connect-to",
    "service1.test.com:443:127.0.0.1:{listener:gateway}",
    "https://service1.test.com/",
    "--next",
    "-k",
    "-sS",
    "-o",
    "/dev/null",
    "-w",
    "%{http_code}",
    "--http2",
    "--connect-to",
    "service1.test.com:443:127.0.0.1:{listener:gateway}",
    "-H",
    "Host: service2.test.com",
    "https://service1.test.com/",
];

fn terminating(virtual_hosts: Value) -> Proxy {
    let listener = Listener::http("gateway", virtual_hosts).tls("server").tls_inspector();
    Proxy::new([listener], [backend()])
}

const HTTPS: &[&str] =
    &["-k", "--connect-to", "api.example.com:443:127.0.0.1:{listener:gateway}", "https://api.example.com/"];

pub(super) fn table() -> Vec<Scenario> {
    [unmatched(), configured(), gateway_api(), gateway(), clusters(), egress(), connect()]
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

/// Direct responses of a VirtualService, as istiod writes them.
fn configured() -> Vec<Scenario> {
    let answering = |status| {
        let route = with(direct("/", status, "closed"), istio_config("virtual-service", "default", "closed"));
        http(json!([vhost("shop.example:80", &["*"], vec![route])]))
    };
    let asked = |name, about, status: u16| {
        Scenario::new(name, about, answering(status)).server("backend", OK).curl(ASK).gets(status)
    };
    let by_virtual_service = |scenario: Scenario| {
        scenario
            .logs(Log::Http, &[("flags", "-"), ("details", "direct_response")])
            .names(Cause::ConfiguredErrorReply, Certain)
            .blames("VirtualService/default/closed")
    };
    let silent =
        |scenario: Scenario| scenario.logs(Log::Http, &[("flags", "-"), ("details", "direct_response")]);
    vec![
        by_virtual_service(asked("routes/direct_503", "a VirtualService answers 503: maintenance", 503)),
        by_virtual_service(asked("routes/direct_500", "a VirtualService answers 500", 500)),
        by_virtual_service(asked("routes/direct_502", "a VirtualService answers 502", 502)),
        by_virtual_service(
            Scenario::new("routes/direct_503_http2", "the same for HTTP/2", answering(503))
                .server("backend", OK)
                .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:http}/"])
                .gets(503),
        ),
        by_virtual_service(
            Scenario::new("routes/direct_503_grpc", "for gRPC it comes with status 200", answering(503))
                .server("backend", OK)
                .client(Client::Http2("http", Ask::Grpc))
                .says("grpc-status: 14"),
        ),
        silent(asked("routes/direct_200", "healthy: a VirtualService answers 200", 200)),
        silent(asked("routes/direct_404", "healthy: a path that is closed on purpose", 404)),
        silent(asked("routes/direct_429", "healthy: whatever else is configured", 429)),
    ]
}

/// Routes of the Gateway API: as istiod writes them (1.31), and Envoy Gateway.
fn gateway_api() -> Vec<Scenario> {
    let by_istiod = |name: &str, route: Value| {
        let path = "/apis/networking.istio.io/v1/namespaces/istio-system/virtual-service/\
                    istio-system~gw~istio-autogenerated-k8s-gateway~http~a.example.com";
        let metadata = json!({"filter_metadata": {"istio": {"config": path}}});
        with(route, json!({"name": name, "metadata": metadata}))
    };
    let proxy = |route: Value| http(json!([vhost("a.example.com:80", &["*"], vec![route])]));
    let asked = |name, about, route| Scenario::new(name, about, proxy(route)).server("backend", OK).curl(ASK);
    let without_backend = |scenario: Scenario| {
        scenario
            .logs(Log::Http, &[("flags", "-"), ("details", "direct_response")])
            .names(Cause::RouteWithoutBackend, Likely)
    };
    let missing = || by_istiod("default.missing.0", direct("/", 500, ""));
    let envoy_gateways = with(direct("/", 500, ""), json!({"name": "httproute/shop/cart/rule/1/match/0/*"}));
    let redirect = json!({"match": {"prefix": "/"}, "redirect": {"https_redirect": true}});
    vec![
        without_backend(
            asked("routes/no_backend", "an HTTPRoute whose rule has no backend, or all of weight 0", missing())
                .gets(500),
        )
        .blames("HTTPRoute/default/missing"),
        without_backend(
            asked("routes/no_backend_http2", "the same for HTTP/2", missing())
                .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:http}/"])
                .gets(500),
        )
        .blames("HTTPRoute/default/missing"),
        // An HTTPRoute and a GRPCRoute have the same names.
        without_backend(
            Scenario::new("routes/no_backend_grpc", "the same for gRPC: status 200", proxy(missing()))
                .server("backend", OK)
                .client(Client::Http2("http", Ask::Grpc))
                .says("grpc-status: 2"),
        ),
        without_backend(
            asked("routes/no_backend_of_a_named_rule", "a rule with a name of its own: the Gateway is known", {
                by_istiod("checkout", direct("/", 500, ""))
            })
            .gets(500),
        )
        .blames("Gateway/istio-system/gw"),
        without_backend(
            asked("routes/no_backend_of_envoy_gateway", "Envoy Gateway's routes say it by their names", envoy_gateways)
                .gets(500),
        )
        .blames("HTTPRoute/shop/cart"),
        asked("routes/backend_unknown", "an HTTPRoute's backend that istiod names and has no cluster for", {
            let route = json!({"match": {"prefix": "/"}, "route": {"cluster": "outbound|80||none.default.svc.cluster.local",
                "cluster_not_found_response_code": "INTERNAL_SERVER_ERROR"}});
            by_istiod("default.missing.0", route)
        })
        .gets(500)
        .logs(Log::Http, &[("code", "500"), ("flags", "NC"), ("details", "cluster_not_found")])
        .names(Cause::ClusterMissing, Certain)
        .blames("HTTPRoute/default/missing"),
        asked("routes/gateway_api_redirect", "healthy: an HTTPRoute redirects to HTTPS", by_istiod("default.to-https.0", redirect))
            .gets(301)
            .logs(Log::Http, &[("details", "direct_response")]),
        asked("routes/gateway_api_backend", "healthy: an HTTPRoute with a backend", by_istiod("default.shop.0", route("/", "backend")))
            .gets(200)
            .logs(Log::Http, &[("code", "200")]),
    ]
}

fn gateway() -> Vec<Scenario> {
    let termination = "Gateway with TLS termination";
    let passthrough = "Gateway with TLS passthrough";
    let reuse = "404 errors occur when multiple gateways configured with same TLS certificate";
    let passed = |name: &str| {
        Listener::tcp("gateway", "backend")
            .chain(json!({"filter_chain_match": {"server_names": [name]}}))
            .tls_inspector()
    };
    vec![
        Scenario::new(
            "routes/gateway_terminates_without_http_routes",
            "TLS terminated, only `tls` routes",
            terminating(json!([{"name": "blackhole:443", "domains": ["*"]}])),
        )
        .page(termination)
        .server("backend", OK)
        .curl(HTTPS)
        .gets(404)
        .logs(Log::Http, NOT_FOUND)
        .names(Cause::GatewayWithoutHttpRoutes, Certain)
        .because(&["virtual_host=blackhole:443"]),
        Scenario::new(
            "routes/gateway_port_without_routes",
            "a port in plaintext without any usable route: no VirtualService, or its delegate doesn't exist",
            http(json!([{"name": "blackhole:80", "domains": ["*"]}])),
        )
        .server("backend", OK)
        .curl(&["http://127.0.0.1:{listener:http}/"])
        .gets(404)
        .logs(Log::Http, NOT_FOUND)
        .names(Cause::GatewayWithoutHttpRoutes, Likely)
        .because(&["virtual_host=blackhole:80"]),
        Scenario::new("routes/gateway_terminates_with_http_routes", "fixed: `http` routes", {
            terminating(json!([vhost("*.example.com:443", &["*.example.com"], vec![route("/", "backend")])]))
        })
        .page(termination)
        .server("backend", OK)
        .curl(HTTPS)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new(
            "routes/gateway_passes_through_without_tls_routes",
            "TLS passed through, `http` routes",
            Proxy::new([passed("other.example.com")], [backend()]),
        )
        .page(passthrough)
        .server("backend", TLS)
        .curl(HTTPS)
        .gets_nothing("")
        .logs(
            Log::Listener,
            &[("flags", "NR"), ("details", "filter_chain_not_found"), ("sni", "api.example.com")],
        )
        .names(Cause::NoFilterChainForSni, Likely),
        Scenario::new(
            "routes/gateway_passes_through_with_tls_routes",
            "fixed: a `tls` route for the host",
            Proxy::new([passed("api.example.com")], [backend()]),
        )
        .page(passthrough)
        .server("backend", TLS)
        .curl(HTTPS)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("routes/connection_reused", "two gateways, one certificate", gateways(false))
            .page(reuse)
            .curl(BROWSER)
            .gets(404)
            .logs(Log::Http, NOT_FOUND)
            .names(Cause::ConnectionReusedAcrossGateways, Likely)
            .because(&["protocol=HTTP/2", "sni=service1.test.com", "certificate_covers_authority=true"]),
        Scenario::new(
            "routes/one_gateway_for_both",
            "fixed: one gateway with the wildcard host",
            gateways(true),
        )
        .page(reuse)
        .curl(BROWSER)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new(
            "routes/wrong_host_over_tls",
            "a host that the certificate doesn't cover is just unknown",
            gateways(false),
        )
        .curl(&[
            "-k",
            "--connect-to",
            "service1.test.com:443:127.0.0.1:{listener:gateway}",
            "-H",
            "Host: elsewhere.org",
            "https://service1.test.com/",
        ])
        .gets(404)
        .logs(Log::Http, NOT_FOUND)
        .names(Cause::RouteHostUnknown, Likely),
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
