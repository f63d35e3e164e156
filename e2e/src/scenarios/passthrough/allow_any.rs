//! ALLOW_ANY: what no service claims, and what the chain of an HTTP port does not match, passes through.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::json;

use super::{FINE, HTTPS, catch_all, http_port, https_port, inspectors, scenario};
use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Roles};
use crate::harness::envoy::parts::{route, vhost};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{PLAIN, TLS};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    [unknown(), fallen_through()].into_iter().flatten().collect()
}

/// Destinations that no service or ServiceEntry claims.
fn unknown() -> Vec<Scenario> {
    let routed = |cluster: &str, name: &str| {
        let mut route = route("/", cluster);
        route["name"] = json!(name);
        json!([vhost(name, &["*"], vec![route])])
    };
    let outbound = |hosts| Listener::http("port", hosts).direction("OUTBOUND");
    let asks: &[&str] = &["-H", "Host: undeclared.example", "http://127.0.0.1:{listener:port}/"];
    vec![
        scenario(
            "passthrough/http_to_an_unknown_host",
            "ALLOW_ANY lets it through",
            outbound(routed("PassthroughCluster", "allow_any")),
            PLAIN,
        )
        .curl(asks)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("route", "allow_any")])
        .observes(
            Cause::TrafficBypassesMesh,
            Certain,
            1,
            &["cluster=PassthroughCluster; route=allow_any"],
        ),
        scenario(
            "passthrough/http_by_dynamic_dns",
            "the newer mode of the same",
            outbound(routed("AllowAnyDynamicDNSCluster", "allow_any_dynamic_dns")),
            PLAIN,
        )
        .curl(asks)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")])
        .observes(Cause::TrafficBypassesMesh, Certain, 1, &["cluster=AllowAnyDynamicDNSCluster"]),
        scenario(
            "passthrough/tls_to_an_unknown_host",
            "TLS where no service has the port",
            catch_all("PassthroughCluster"),
            TLS,
        )
        .curl(HTTPS)
        .gets(200)
        .logs(Log::Tcp, FINE)
        .observes(
            Cause::TrafficBypassesMesh,
            Certain,
            1,
            &["filter_chain=virtualOutbound-catchall-tcp", "sni=httpbin.org"],
        ),
        scenario(
            "passthrough/tls_to_an_undeclared_name",
            "others have declared this port as HTTPS",
            https_port("PassthroughCluster"),
            TLS,
        )
        .curl(HTTPS)
        .gets(200)
        .logs(Log::Tcp, FINE)
        .observes(
            Cause::TrafficBypassesMesh,
            Certain,
            1,
            &["first_bytes=tls_client_hello; sni=httpbin.org"],
        ),
        scenario(
            "passthrough/inbound_port_in_no_service",
            "the workload's port is in no Service",
            Listener::http("port", routed("InboundPassthroughCluster", "default")).direction("INBOUND"),
            PLAIN,
        )
        .curl(asks)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")])
        .direction("inbound")
        .observes(Cause::TrafficBypassesMesh, Certain, 1, &["cluster=InboundPassthroughCluster"]),
        scenario(
            "passthrough/inbound_tcp_in_no_service",
            "the same for bytes that are no HTTP",
            {
                Listener::tcp("port", "InboundPassthroughCluster")
                    .chain(json!({"name": "virtualInbound"}))
                    .direction("INBOUND")
            },
            Server::Made(Habit::Echo),
        )
        .client(Client::Raw("port", b"hello\n"))
        .logs(Log::Tcp, &[("flags", "-")])
        .direction("inbound")
        .observes(Cause::TrafficBypassesMesh, Certain, 1, &["cluster=InboundPassthroughCluster"]),
        scenario(
            "passthrough/not_looked_at",
            "the same with observations turned off",
            outbound(routed("PassthroughCluster", "allow_any")),
            PLAIN,
        )
        .curl(asks)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")])
        .with_roles(Roles { http: Some(json!({"observe_every": 0, "log": "all"})), ..Roles::none() }),
    ]
}

/// The HTTP port's chain doesn't match, and it works all the same.
fn fallen_through() -> Vec<Scenario> {
    let http = || http_port("PassthroughCluster", inspectors(&["http_inspector"]));
    vec![
        scenario("passthrough/tls_on_an_http_port", "the same to an unknown host", http(), TLS)
            .page("Sending HTTPS to an HTTP port")
            .curl(HTTPS)
            .gets(200)
            .logs(Log::Tcp, FINE)
            .observes(
                Cause::TlsOnPlaintextPort,
                Likely,
                1,
                &["filter_chain=PassthroughFilterChain; first_bytes=tls_client_hello", "sni=httpbin.org"],
            ),
        scenario("passthrough/http10_on_an_http_port", "an HTTP/1.0 client", http(), PLAIN)
            .page("Envoy won't connect to my HTTP/1.0 service")
            .curl(&["-0", "http://127.0.0.1:{listener:port}/"])
            .gets(200)
            .logs(Log::Tcp, FINE)
            .observes(Cause::Http10Client, Likely, 1, &["request_version=HTTP/1.0"]),
        scenario(
            "passthrough/redis_on_an_http_port",
            "another protocol altogether",
            http(),
            Server::Made(Habit::AnswerAndKeep(b"+PONG\r\n")),
        )
        .client(Client::Raw("port", b"*1\r\n$4\r\nPING\r\n"))
        .says("+PONG")
        .logs(Log::Tcp, FINE)
        .observes(Cause::NotHttpOnHttpPort, Likely, 1, &["first_bytes=redis"]),
        scenario(
            "passthrough/unknown_bytes_on_an_http_port",
            "bytes that say nothing",
            http(),
            Server::Made(Habit::Echo),
        )
        .client(Client::Raw(
            "port",
            b"\x81\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10",
        ))
        .logs(Log::Tcp, FINE)
        .observes(Cause::TrafficBypassesMesh, Certain, 1, &["first_bytes=binary"]),
        scenario("passthrough/http11_on_an_http_port", "what the port is for", http(), PLAIN)
            .curl(&["http://127.0.0.1:{listener:port}/"])
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}
