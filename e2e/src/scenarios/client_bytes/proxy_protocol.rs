//! The PROXY protocol where nobody takes it, and where it lacks.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::json;

use super::{CODEC_ERROR, listener, plain, tls_port};
use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::backend;
use crate::scenarios::scenario::{Log, Scenario};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x12\x34\0\x50GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn taking(listener: Listener) -> Listener {
    let kind = "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
    listener.patch(json!({"listener_filters": [{"name": "proxy_protocol", "typed_config": {"@type": kind}}]}))
}

pub(super) fn table() -> Vec<Scenario> {
    [unexpected(), missing()].into_iter().flatten().collect()
}

fn unexpected() -> Vec<Scenario> {
    let refused = |name, about, client, evidence: &'static [&'static str]| {
        Scenario::new(name, about, plain())
            .client(client)
            .logs(Log::Http, CODEC_ERROR)
            .names(Cause::ProxyProtocolUnexpected, Certain)
            .because(evidence)
    };
    let tcp = |server: Server| {
        move |name, about, bytes| {
            Scenario::new(name, about, Proxy::new([Listener::tcp("tcp", "backend")], [backend()]))
                .server("backend", server.clone())
                .client(Client::Raw("tcp", bytes))
        }
    };
    vec![
        refused(
            "client_bytes/proxy_protocol",
            "a load balancer that sends a PROXY header first",
            Client::Curl(&["--haproxy-protocol", "http://127.0.0.1:{listener:http}/"]),
            &["first_bytes=proxy_protocol_v1"],
        ),
        refused(
            "client_bytes/proxy_protocol_unknown",
            "a health check's PROXY UNKNOWN",
            Client::Raw("http", b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            &["first_bytes=proxy_protocol_v1"],
        ),
        refused(
            "client_bytes/proxy_protocol_v2",
            "the same in binary",
            Client::Raw("http", V2),
            &["first_bytes=proxy_protocol_v2"],
        ),
        Scenario::new(
            "client_bytes/proxy_protocol_to_tls",
            "at a TLS port it is plaintext: nobody sees which",
            tls_port(),
        )
        .client(Client::Curl(&["--haproxy-protocol", "-k", "https://127.0.0.1:{listener:http}/"]))
        .logs(Log::Listener, &[("flags", "-")])
        .names(Cause::PlaintextOnTlsPort, Likely),
        Scenario::new("client_bytes/proxy_protocol_v2_to_tls", "the same in binary", tls_port())
            .client(Client::Raw("http", V2))
            .logs(Log::Listener, &[("flags", "-")])
            .names(Cause::PlaintextOnTlsPort, Likely),
        tcp(Server::Made(Habit::ResetAfterRequest))(
            "client_bytes/proxy_protocol_to_tcp",
            "the server behind a TCP port resets it",
            V1,
        )
        .logs(Log::Tcp, &[("flags", "UR")])
        .names(Cause::ProxyProtocolUnexpected, Possible)
        .before(38, |same| same.logs(Log::Tcp, &[("flags", "-")]).names_nothing()),
        tcp(Server::Made(Habit::Echo))(
            "client_bytes/proxy_protocol_through_tcp",
            "healthy: it is for the server",
            V1,
        )
        .says("PROXY TCP4")
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new(
            "client_bytes/proxy_protocol_taken",
            "healthy: a listener that takes it",
            Proxy::new([taking(listener())], []),
        )
        .client(Client::Curl(&["--haproxy-protocol", "http://127.0.0.1:{listener:http}/"]))
        .gets(200)
        .logs(Log::Http, &[("code", "200")]),
    ]
}

/// A listener that demands it closes without a flag, a reason or details, before a filter chain is chosen: the same line as of
/// a client that leaves without a byte, as TCP health checks do (1.36, 1.40).
fn missing() -> Vec<Scenario> {
    let asked = |name, about, bytes| {
        Scenario::new(name, about, Proxy::new([taking(listener())], []))
            .client(Client::Raw("http", bytes))
            .logs(Log::Listener, &[("flags", "-"), ("downstream_failure", "-")])
    };
    vec![
        asked(
            "client_bytes/no_proxy_protocol",
            "a listener demands it, and gets none: nothing tells",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        asked("client_bytes/no_bytes_to_proxy_protocol", "healthy: a health check by TCP", b""),
    ]
}
