//! TLS to a server that speaks plaintext.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::json;

use super::{rule, tls};
use crate::harness::client::Client;
use crate::harness::envoy::parts::istio_mtls_endpoint;
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, PLAIN, http, tcp};
use crate::scenarios::scenario::{Log, Scenario};

const REDIS: Server = Server::Program(
    "redis-server",
    "redis-server",
    &["--port", "{port}", "--bind", "127.0.0.1", "--save", ""],
);

pub(super) fn table() -> Vec<Scenario> {
    [over_http(), over_tcp()].into_iter().flatten().collect()
}

fn over_http() -> Vec<Scenario> {
    let expect = |scenario: Scenario| {
        scenario
            .curl(ASK)
            .gets(503)
            .logs(
                Log::Http,
                &[
                    ("flags", "UF"),
                    (
                        "details",
                        "upstream_reset_before_response_started{remote_connection_failure|TLS_error*",
                    ),
                ],
            )
            .names(Cause::UpstreamSpeaksPlaintext, Certain)
            .because(&["upstream_tls_reason=WRONG_VERSION_NUMBER"])
    };
    vec![
        expect(Scenario::new(
            "upstream_tls/tls_to_plain_nginx",
            "a DestinationRule originates TLS to a plaintext server",
            http(rule(tls(json!({})), "originate")),
        ))
        .server("backend", PLAIN)
        .blames("DestinationRule/default/originate"),
        expect(Scenario::new(
            "upstream_tls/tls_to_smtp",
            "TLS to a server that greets first",
            http(tls(json!({}))),
        ))
        .server("backend", Server::Made(Habit::GreetFirst(b"220 mail.example ESMTP ready\r\n"))),
        Scenario::new(
            "upstream_tls/auto_mtls_to_plaintext",
            "the endpoint says that it takes mutual TLS, and does not (PeerAuthentication DISABLE): the rule can turn it off",
            http(rule(istio_mtls_endpoint(tls(json!({}))), "reviews")),
        )
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamSpeaksPlaintext, Certain)
        .blames("DestinationRule/default/reviews"),
        Scenario::new(
            "upstream_tls/tls_to_redis",
            "TLS to a plaintext Redis, which waits for the rest of what is no command",
            http(tls(json!({}))),
        )
        .server("backend", REDIS)
        .curl(ASK)
        .gets(503)
        .logs(
            Log::Http,
            &[("flags", "UF"), ("details", "upstream_reset_before_response_started{connection_timeout}")],
        )
        .names(Cause::UpstreamConnectTimeout, Likely),
    ]
}

fn over_tcp() -> Vec<Scenario> {
    let tcp_to = |name, about| {
        Scenario::new(name, about, tcp(rule(tls(json!({})), "originate")))
            .client(Client::Raw("tcp", b"PING\r\n"))
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names(Cause::UpstreamSpeaksPlaintext, Certain)
            .because(&["upstream_tls_reason=WRONG_VERSION_NUMBER"])
            .blames("DestinationRule/default/originate")
    };
    vec![
        tcp_to("upstream_tls/tls_to_plain_nginx_tcp", "TLS to a plaintext server on a TCP chain")
            .server("backend", PLAIN),
        tcp_to("upstream_tls/tls_to_ssh_tcp", "TLS to an SSH server, which greets first")
            .server("backend", Server::Made(Habit::GreetFirst(b"SSH-2.0-OpenSSH_9.6\r\n"))),
        Scenario::new(
            "upstream_tls/tls_to_redis_tcp",
            "on a TCP chain that leaves no reason, as a connect time-out does",
            tcp(tls(json!({}))),
        )
        .server("backend", REDIS)
        .client(Client::Raw("tcp", b"PING\r\n"))
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamConnectTimeout, Possible),
    ]
}
