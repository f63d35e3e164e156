//! Reaching the upstream.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::{Client, Places, Seen, status_in};
use crate::envoy::config::{Listener, Proxy, Roles, loopback};
use crate::envoy::parts::{
    all_to, cluster, cluster_at, direct, empty_cluster, istio_config, route, vhost, with,
};
use crate::peers::process::wait_for;
use crate::peers::{Habit, Server};
use crate::scenario::{Log, Scenario};

const ASK: &[&str] = &["http://127.0.0.1:{listener:http}/"];
const ASK_TCP: &[&str] = &["http://127.0.0.1:{listener:tcp}/"];
const OK: Server = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }");
/// Takes its time with every answer.
const SLOW: Server = Server::Program(
    "python3",
    "python3",
    &[
        "-c",
        "import http.server, time\n\
         class Slow(http.server.BaseHTTPRequestHandler):\n\
         \x20 protocol_version = 'HTTP/1.1'\n\
         \x20 def do_GET(self):\n\
         \x20   time.sleep(1.2)\n\
         \x20   self.send_response(200)\n\
         \x20   self.send_header('content-length', '0')\n\
         \x20   self.end_headers()\n\
         http.server.ThreadingHTTPServer(('127.0.0.1', {port}), Slow).serve_forever()\n",
    ],
);

fn http(cluster: Value) -> Proxy {
    Proxy::new([Listener::http("http", all_to("backend"))], [cluster])
}

fn tcp(cluster: Value) -> Proxy {
    Proxy::new([Listener::tcp("tcp", "backend")], [cluster])
}

/// A cluster whose name is looked up, and never found.
fn unresolvable() -> Value {
    let mut cluster =
        cluster_at("backend", json!({"socket_address": {"address": "nowhere.invalid", "port_value": 80}}));
    cluster["type"] = json!("STRICT_DNS");
    cluster
}

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

/// The DestinationRule `default/limits` allows nothing of this kind.
fn limited(threshold: &str) -> Value {
    let rule = istio_config("destination-rule", "default", "limits");
    with(
        with(cluster("backend", "backend"), rule),
        json!({"circuit_breakers": {"thresholds": [{threshold: 0}]}}),
    )
}

fn unhealthy() -> Value {
    with(
        cluster("backend", "backend"),
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
        cluster("backend", "backend"),
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
    let mut cluster = unhealthy();
    let second = cluster_at("backend", loopback("{server:well}"));
    let endpoint = second["load_assignment"]["endpoints"][0]["lb_endpoints"][0].clone();
    if let Some(endpoints) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"].as_array_mut() {
        endpoints.push(endpoint);
    }
    cluster
}

/// A subset that none of the endpoints belongs to, as after a change of labels.
fn empty_subset() -> Proxy {
    let subsets = json!({"lb_subset_config": {"fallback_policy": "NO_FALLBACK", "subset_selectors": [{"keys": ["version"]}]}});
    let chosen = json!({"route": {"cluster": "backend", "metadata_match": {"filter_metadata": {"envoy.lb": {"version": "v2"}}}}});
    let routes = json!([vhost("all", &["*"], vec![with(json!({"match": {"prefix": "/"}}), chosen)])]);
    Proxy::new([Listener::http("http", routes)], [with(cluster("backend", "backend"), subsets)])
}

/// A server that is asked for more than its DestinationRule allows.
fn one_at_a_time(cluster_patch: Value) -> Value {
    let rule = istio_config("destination-rule", "default", "limits");
    with(with(cluster("backend", "backend"), rule), cluster_patch)
}

pub(super) fn table() -> Vec<Scenario> {
    base().into_iter().chain(more()).collect()
}

fn more() -> Vec<Scenario> {
    let page = "Requests are rejected by Envoy";
    vec![
        Scenario::new("reaching/endpoints_added", "fixed: the cluster has an endpoint", http(cluster("backend", "backend")))
            .page(page)
            .server("backend", OK)
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new("reaching/name_without_answer_tcp", "STRICT_DNS without an answer on a TCP chain", tcp(unresolvable()))
            .curl(ASK_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UH")])
            .names("no_endpoints", "likely"),
        Scenario::new("reaching/empty_subset", "a subset that selects none of the endpoints", empty_subset())
            .server("backend", OK)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UH"), ("details", "no_healthy_upstream")])
            .names("no_healthy_endpoints", "likely"),
        Scenario::new("reaching/ejected", "outlier detection takes the only endpoint out before the retry", {
            let retries = json!({"route": {"cluster": "backend", "retry_policy": {
                "retry_on": "5xx", "num_retries": 1, "retry_back_off": {"base_interval": "0.6s", "max_interval": "0.6s"},
            }}});
            let route = with(json!({"match": {"prefix": "/"}}), retries);
            Proxy::new([Listener::http("http", json!([vhost("all", &["*"], vec![route])]))], [ejected_at_once()])
        })
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 500; }"))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UH"), ("details", "no_healthy_upstream")])
            .names("no_healthy_endpoints", "likely")
            .because(&["endpoints=1"]),
        Scenario::new("reaching/all_unhealthy_tcp", "the only endpoint fails its health check, on a TCP chain", tcp(unhealthy()))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; } location /healthz { return 500; }"))
            .client(Client::Custom(after_a_health_check))
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UH")])
            .names("no_healthy_endpoints", "likely")
            .because(&["endpoints=1"]),
        Scenario::new("reaching/one_of_two_healthy", "one endpoint is out, the other serves", http(half_healthy()))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; } location /healthz { return 500; }"))
            .server("well", OK)
            .client(Client::Custom(after_a_health_check_http))
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new("reaching/refused_with_destination_rule", "a DestinationRule is there, but it is not why nobody listens", {
            http(with(cluster("backend", "nobody"), istio_config("destination-rule", "default", "reviews")))
        })
        .server("nobody", Server::Nobody)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names("upstream_refused", "certain"),
        Scenario::new("reaching/refused_once", "the second attempt finds an endpoint: no failure", {
            let retries = json!({"route": {"cluster": "backend", "retry_policy": {
                "retry_on": "connect-failure", "num_retries": 5,
                "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}],
                "host_selection_retry_max_attempts": 10,
            }}});
            let mut two = cluster("backend", "nobody");
            let second = cluster("backend", "well");
            let endpoint = second["load_assignment"]["endpoints"][0]["lb_endpoints"][0].clone();
            if let Some(endpoints) = two["load_assignment"]["endpoints"][0]["lb_endpoints"].as_array_mut() {
                endpoints.push(endpoint);
            }
            let route = with(json!({"match": {"prefix": "/"}}), retries);
            Proxy::new([Listener::http("http", json!([vhost("all", &["*"], vec![route])]))], [two])
        })
        .server("nobody", Server::Nobody)
        .server("well", OK)
        .client(Client::CurlTimes(4, ASK))
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new("reaching/unreachable_tcp", "the network has no way there, on a TCP chain", tcp(unroutable()))
            .curl(ASK_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names("upstream_unreachable", "certain")
            .because(&["connect_error=unreachable"]),
        Scenario::new("reaching/circuit_breaker_one_connection", "a second request while the only connection is busy", {
            http(one_at_a_time(json!({"circuit_breakers": {"thresholds": [{"max_connections": 1, "max_pending_requests": 1}]}})))
        })
        .page(page)
        .server("backend", SLOW)
        .client(Client::Custom(three_one_after_the_other))
        .gets(503)
        .logs(Log::Http, &[("flags", "UO")])
        .names("circuit_breaker_overflow", "certain")
        .blames("DestinationRule/default/limits"),
        Scenario::new("reaching/circuit_breaker_without_rule", "Envoy's own default limits: no DestinationRule to blame", {
            http(with(cluster("backend", "backend"), json!({"circuit_breakers": {"thresholds": [{"max_requests": 0}]}})))
        })
        .server("backend", OK)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UO")])
        .names("circuit_breaker_overflow", "certain"),
        Scenario::new("reaching/circuit_breaker_retries", "the upstream's own error, and no room for a retry", {
            let retries = json!({"route": {"cluster": "backend", "retry_policy": {"retry_on": "5xx", "num_retries": 2}}});
            let route = with(json!({"match": {"prefix": "/"}}), retries);
            let backend = one_at_a_time(json!({"circuit_breakers": {"thresholds": [{"max_retries": 0}]}}));
            Proxy::new([Listener::http("http", json!([vhost("all", &["*"], vec![route])]))], [backend])
        })
        .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 500; }"))
        .curl(ASK)
        .gets(500)
        .logs(Log::Http, &[("code", "500"), ("flags", "UO"), ("details", "via_upstream")])
        .names("circuit_breaker_overflow", "likely")
        .because(&["limit=max_retries"])
        .blames("DestinationRule/default/limits"),
    ]
}

/// The first has the connection, the second waits for it, the third finds no room.
fn three_one_after_the_other(places: &Places) -> Result<Seen> {
    let apart = Duration::from_millis(300);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| Client::Curl(ASK).run(places));
            std::thread::sleep(apart);
        }
        Client::Curl(ASK).run(places)
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

fn base() -> Vec<Scenario> {
    vec![
        Scenario::new("reaching/no_endpoints", "a cluster without endpoints", http(empty_cluster("backend")))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "UH"), ("details", "no_healthy_upstream")])
            .names("no_endpoints", "likely")
            .because(&["endpoints=0", "cluster=backend"]),
        Scenario::new("reaching/no_endpoints_tcp", "the same on a TCP chain", tcp(empty_cluster("backend")))
            .curl(ASK_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UH")])
            .names("no_endpoints", "likely")
            .because(&["endpoints=0"]),
        Scenario::new("reaching/name_without_answer", "STRICT_DNS without an answer looks like no endpoints", http(unresolvable()))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UH")])
            .names("no_endpoints", "likely"),
        Scenario::new("reaching/all_unhealthy", "the only endpoint fails its health check", http(unhealthy()))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; } location /healthz { return 500; }"))
            .client(Client::Custom(until_unhealthy))
            .gets(503)
            .logs(Log::Http, &[("flags", "UH"), ("details", "no_healthy_upstream")])
            .names("no_healthy_endpoints", "likely")
            .because(&["endpoints=1"]),
        Scenario::new("reaching/refused", "nobody listens on the port", http(cluster("backend", "nobody")))
            .page("Requests are rejected by Envoy")
            .server("nobody", Server::Nobody)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF"), ("details", "upstream_reset_before_response_started{remote_connection_failure*")])
            .names("upstream_refused", "certain")
            .because(&["connect_error=refused", "endpoint=127.0.0.1:"]),
        Scenario::new("reaching/refused_inbound", "the application of a sidecar does not listen", {
            let listener = Listener::http("http", all_to("backend")).direction("INBOUND");
            Proxy::new([listener], [cluster("backend", "nobody")]).node("sidecar~10.0.0.1~app.default~default.svc.cluster.local")
        })
        .server("nobody", Server::Nobody)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names("upstream_refused", "certain")
        .direction("inbound"),
        Scenario::new("reaching/refused_after_retries", "all three attempts are refused, counted once", {
            let retries = json!({"route": {"cluster": "backend", "retry_policy": {"retry_on": "connect-failure", "num_retries": 2}}});
            let route = with(json!({"match": {"prefix": "/"}}), retries);
            Proxy::new([Listener::http("http", json!([vhost("all", &["*"], vec![route])]))], [cluster("backend", "nobody")])
        })
        .server("nobody", Server::Nobody)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "URX,UF")])
        .names("upstream_refused", "certain")
        .because(&["attempts=3"]),
        Scenario::new("reaching/refused_tcp", "the same on a TCP chain", tcp(cluster("backend", "nobody")))
            .server("nobody", Server::Nobody)
            .curl(ASK_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names("upstream_refused", "certain")
            .because(&["connect_error=refused"]),
        Scenario::new("reaching/refused_by_access_log", "the access logger alone, at a connection manager", http(cluster("backend", "nobody")).roles(Roles::access_log_only()))
            .server("nobody", Server::Nobody)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names("upstream_refused", "certain")
            .only_counted(),
        Scenario::new("reaching/refused_tcp_by_access_log", "the access logger alone, at a listener of a TCP proxy", tcp(cluster("backend", "nobody")).roles(Roles::access_log_only()))
            .server("nobody", Server::Nobody)
            .curl(ASK_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names("upstream_refused", "certain")
            .only_counted(),
        Scenario::new("reaching/unreachable", "the network has no way there", http(unroutable()))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names("upstream_unreachable", "certain")
            .because(&["connect_error=unreachable"]),
        Scenario::new("reaching/connect_timeout", "a listening socket whose queue is full", http(cluster("backend", "full")))
            .server("full", Server::Made(Habit::FullQueue))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF"), ("details", "upstream_reset_before_response_started{connection_timeout}")])
            .names("upstream_connect_timeout", "likely"),
        Scenario::new("reaching/connect_timeout_tcp", "the same on a TCP chain", tcp(cluster("backend", "full")))
            .server("full", Server::Made(Habit::FullQueue))
            .curl(ASK_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names("upstream_connect_timeout", "possible"),
        Scenario::new("reaching/dns_failure", "a dynamic forward proxy asked for a name that doesn't exist", dynamic_forward_proxy())
            .curl(&["-H", "Host: nowhere.invalid", "http://127.0.0.1:{listener:http}/"])
            .gets(503)
            .logs(Log::Http, &[("flags", "DF"), ("details", "dns_resolution_failure*")])
            .names("upstream_dns_failure", "certain"),
        Scenario::new("reaching/circuit_breaker_pending", "no request may wait for a connection", http(limited("max_pending_requests")))
            .page("Requests are rejected by Envoy")
            .server("backend", OK)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UO"), ("details", "upstream_reset_before_response_started{overflow}")])
            .names("circuit_breaker_overflow", "certain")
            .blames("DestinationRule/default/limits"),
        Scenario::new("reaching/circuit_breaker_requests", "no request may be under way", http(limited("max_requests")))
            .server("backend", OK)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UO")])
            .names("circuit_breaker_overflow", "certain")
            .blames("DestinationRule/default/limits"),
        Scenario::new("reaching/circuit_breaker_tcp", "no connection may be open", tcp(limited("max_connections")))
            .server("backend", OK)
            .curl(ASK_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UO")])
            .names("circuit_breaker_overflow", "certain")
            .blames("DestinationRule/default/limits"),
        Scenario::new("reaching/circuit_breaker_wide_enough", "the same limits, but above the load", {
            let rule = istio_config("destination-rule", "default", "limits");
            http(with(with(cluster("backend", "backend"), rule), json!({"circuit_breakers": {"thresholds": [{"max_requests": 10}]}})))
        })
        .page("Requests are rejected by Envoy")
            .server("backend", OK)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new("reaching/no_file_descriptors", "`ulimit -n` is used up by idle clients", {
            let routes = json!([vhost("all", &["*"], vec![direct("/held", 200, "ok"), route("/", "backend")])]);
            Proxy::new([Listener::http("http", routes)], [cluster("backend", "backend")]).ulimit(&["-n", "90"])
        })
        .page("Envoy is crashing under load")
        .server("backend", OK)
        .client(Client::Custom(use_up_descriptors))
        .gets(503)
        .logs(Log::Http, &[("flags", "UF"), ("details", "upstream_reset_before_response_started{local_connection_failure|socket_creation_failure*")])
        .names("file_descriptors_exhausted", "likely"),
        Scenario::new("reaching/enough_file_descriptors", "fixed: a higher `ulimit -n` under the same idle clients", {
            let routes = json!([vhost("all", &["*"], vec![direct("/held", 200, "ok"), route("/", "backend")])]);
            Proxy::new([Listener::http("http", routes)], [cluster("backend", "backend")]).ulimit(&["-n", "1024"])
        })
        .page("Envoy is crashing under load")
        .server("backend", OK)
        .client(Client::Custom(use_up_descriptors))
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

/// Holds idle connections until Envoy takes no more, then asks on one that it took before.
fn use_up_descriptors(places: &Places) -> Result<Seen> {
    let address = ("127.0.0.1", places.listener("http")?);
    let mut first = TcpStream::connect(address)?;
    first.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut ask = |path: &str| -> Result<String> {
        first.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())?;
        let mut buffer = [0; 4096];
        let read = first.read(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..read]).into_owned())
    };
    // Envoy must have taken it before the others come; this path has no route and needs no upstream.
    let _ = ask("/held")?;
    let _others: Vec<TcpStream> = (0..100).filter_map(|_| TcpStream::connect(address).ok()).collect();
    std::thread::sleep(Duration::from_millis(300));
    let text = ask("/")?;
    Ok(Seen { status: status_in(&text), exit: 0, text })
}
