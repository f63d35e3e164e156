//! TLS inside TLS that is meant, and so is no double TLS.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Possible;
use serde_json::json;

use super::{inspected, outer_terminator, rule, tls};
use crate::harness::client::Client;
use crate::harness::envoy::config::Roles;
use crate::harness::envoy::parts::{istio_mtls_endpoint, trusting};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK_TLS_OVER_TCP, TLS, tcp};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    vec![
        Scenario::new("upstream_tls/https_over_istio_mtls", "an application's HTTPS inside Istio's mutual TLS is meant", {
            tcp(istio_mtls_endpoint(tls(json!({}))))
        })
        .server("backend", Server::Program("socat", "socat", &[
            "OPENSSL-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,verify=0,cert={pki}/server.pem,key={pki}/server.key", "EXEC:cat",
        ]))
        .curl(ASK_TLS_OVER_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new(
            "upstream_tls/tls_in_tls_tunnel",
            "a tunnel: the server really speaks TLS inside the TLS",
            tcp(rule(tls(trusting("ca")), "tunnel")),
        )
        .server("inner", TLS)
        .server("backend", outer_terminator())
        .curl(ASK_TLS_OVER_TCP)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new(
            "upstream_tls/tls_in_tls_tunnel_by_access_log",
            "the access logger alone can't tell a tunnel that works from double TLS: a lead",
            inspected(tls(trusting("ca")), Roles::access_log_only()),
        )
        .server("inner", TLS)
        .server("backend", outer_terminator())
        .curl(ASK_TLS_OVER_TCP)
        .gets(200)
        .logs(Log::Listener, &[("sni", "httpbin.org"), ("flags", "-")])
        .names(Cause::DoubleTls, Possible),
        Scenario::new(
            "upstream_tls/tls_in_tls_tunnel_refused",
            "the tunnel's inner server refuses the inner TLS by an alert: still a tunnel",
            tcp(rule(tls(trusting("ca")), "tunnel")),
        )
        .server("inner", Server::Nginx("listen 127.0.0.1:{port} ssl; ssl_reject_handshake on;"))
        .server("backend", outer_terminator())
        .curl(ASK_TLS_OVER_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new(
            "upstream_tls/starttls_tcp",
            "a client that begins in plaintext and turns to TLS later",
            tcp(rule(tls(trusting("ca")), "originate-tls")),
        )
        .server("inner", Server::Made(Habit::GreetFirst(b"220 mail.example ESMTP ready\r\n")))
        .server("backend", outer_terminator())
        .client(Client::Raw("tcp", b"EHLO me\r\nSTARTTLS\r\n"))
        .logs(Log::Tcp, &[("flags", "-")]),
    ]
}
