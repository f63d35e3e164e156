//! Reaching the upstream.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::{Client, Places, Seen, status_in};
use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::parts::{
    all_to, cluster, cluster_at, direct, empty_cluster, istio_config, route, vhost, with,
};
use crate::peers::process::wait_for;
use crate::peers::{Habit, Server};
use crate::scenario::{Log, Scenario};

const ASK: &[&str] = &["http://127.0.0.1:{listener:http}/"];
const ASK_TCP: &[&str] = &["http://127.0.0.1:{listener:tcp}/"];
const OK: Server = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }");

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

/// An address that the kernel refuses to send to: a class E one, never routed.
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
                "timeout": "0.2s", "interval": "0.1s", "unhealthy_threshold": 1, "healthy_threshold": 1,
                "http_health_check": {"path": "/healthz"},
            }],
        }),
    )
}

pub(super) fn table() -> Vec<Scenario> {
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
