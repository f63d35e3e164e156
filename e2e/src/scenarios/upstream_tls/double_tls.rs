//! Double TLS: the proxy originates TLS for a client that speaks TLS itself.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::json;

use super::{CADDY, inspected, outer_terminator, rule, tls};
use crate::harness::envoy::config::Roles;
use crate::harness::envoy::parts::{http2, trusting, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, ASK_TCP, ASK_TLS_OVER_TCP, TLS, backend, http, tcp};
use crate::scenarios::scenario::{Log, Scenario};

/// HTTPS through a TCP proxy to a server that leaves the client waiting.
const ASK_BRIEFLY: &[&str] =
    &["-k", "-m", "2", "--connect-to", "httpbin.org:443:127.0.0.1:{listener:tcp}", "https://httpbin.org/"];

pub(super) fn table() -> Vec<Scenario> {
    [double(), to_other_servers(), once()].into_iter().flatten().collect()
}

fn double() -> Vec<Scenario> {
    let page = "Double TLS (TLS origination for a TLS request)";
    vec![
        Scenario::new(
            "upstream_tls/double_tls",
            "https:// where TLS is originated",
            tcp(rule(tls(json!({})), "originate-tls")),
        )
        .page(page)
        .server("backend", TLS)
        .curl(ASK_TLS_OVER_TCP)
        .gets_nothing("wrong version number")
        .logs(Log::Tcp, &[("flags", "-")])
        .names(Cause::DoubleTls, Certain)
        .because(&[
            "first_bytes=tls_client_hello",
            "sni=httpbin.org",
            "upstream_tls=TLSv1.",
            "upstream_first_bytes=http1",
        ])
        .blames("DestinationRule/default/originate-tls"),
        Scenario::new(
            "upstream_tls/double_tls_fixed",
            "fixed: the port is HTTP and the application sends plain HTTP",
            http(rule(tls(trusting("ca")), "originate-tls")),
        )
        .page(page)
        .server("backend", TLS)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new(
            "upstream_tls/double_tls_untrusted",
            "the certificate isn't trusted either: the root is the double TLS",
            inspected(rule(tls(trusting("other-ca")), "originate-tls"), Roles::all()),
        )
        .server("backend", TLS)
        .curl(ASK_TLS_OVER_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "UF,URX"), ("sni", "httpbin.org")])
        .names(Cause::DoubleTls, Likely)
        .blames("DestinationRule/default/originate-tls"),
        Scenario::new(
            "upstream_tls/double_tls_by_access_log",
            "the access logger alone, behind a TLS inspector",
            inspected(tls(json!({})), Roles::access_log_only()),
        )
        .server("backend", TLS)
        .curl(ASK_TLS_OVER_TCP)
        .gets_nothing("")
        .logs(Log::Listener, &[("sni", "httpbin.org")])
        .names(Cause::DoubleTls, Possible),
    ]
}

fn to_other_servers() -> Vec<Scenario> {
    let asks = |name, about, server: Server| {
        Scenario::new(name, about, tcp(rule(tls(trusting("ca")), "originate-tls")))
            .server("backend", server)
            .curl(ASK_TLS_OVER_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "-")])
    };
    vec![
        asks("upstream_tls/double_tls_caddy", "double TLS to Caddy (Go)", CADDY)
            .names(Cause::DoubleTls, Certain)
            .blames("DestinationRule/default/originate-tls"),
        asks(
            "upstream_tls/double_tls_openssl",
            "double TLS to a server that says nothing to the inner ClientHello",
            Server::Openssl(&["-quiet"]),
        )
        .curl(ASK_BRIEFLY)
        .names(Cause::DoubleTls, Likely)
        .blames("DestinationRule/default/originate-tls"),
        asks(
            "upstream_tls/double_tls_redis",
            "double TLS to Redis, which closes on what is no command",
            Server::Program(
                "redis-server",
                "redis-server",
                &[
                    "--port",
                    "0",
                    "--tls-port",
                    "{port}",
                    "--bind",
                    "127.0.0.1",
                    "--save",
                    "",
                    "--tls-cert-file",
                    "{pki}/server.pem",
                    "--tls-key-file",
                    "{pki}/server.key",
                    "--tls-ca-cert-file",
                    "{pki}/ca.pem",
                    "--tls-auth-clients",
                    "no",
                ],
            ),
        )
        .curl(ASK_BRIEFLY)
        .names(Cause::DoubleTls, Likely)
        .blames("DestinationRule/default/originate-tls"),
        Scenario::new(
            "upstream_tls/double_tls_to_smtp",
            "TLS from the client in TLS to a server whose inside greets in plaintext",
            tcp(rule(tls(trusting("ca")), "originate-tls")),
        )
        .server("inner", Server::Made(Habit::GreetFirst(b"220 mail.example ESMTP ready\r\n")))
        .server("backend", outer_terminator())
        .curl(ASK_BRIEFLY)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "-")])
        .names(Cause::DoubleTls, Certain)
        .blames("DestinationRule/default/originate-tls"),
    ]
}

/// Once is as it should be.
fn once() -> Vec<Scenario> {
    vec![
        Scenario::new("upstream_tls/tls_passed_through", "TLS passed through untouched", tcp(backend()))
            .server("backend", TLS)
            .curl(ASK_TLS_OVER_TCP)
            .gets(200)
            .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new(
            "upstream_tls/plain_client_tcp",
            "TLS origination on a TCP chain for a client that speaks plaintext, as meant",
            tcp(rule(tls(trusting("ca")), "originate-tls")),
        )
        .server("backend", TLS)
        .curl(ASK_TCP)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("upstream_tls/http2_over_tls", "HTTP/2 to an upstream over TLS", http(with(tls(trusting("ca")), http2())))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port} ssl http2; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }"))
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("upstream_protocol", "HTTP/2")]),
    ]
}
