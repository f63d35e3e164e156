//! Gateways: which hosts they serve, over which connections.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use super::{NOT_FOUND, OK, http};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{direct, route, vhost};
use crate::scenarios::common::{TLS, backend};
use crate::scenarios::scenario::{Log, Scenario};

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

pub(super) fn gateway() -> Vec<Scenario> {
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
