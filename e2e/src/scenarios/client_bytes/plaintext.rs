//! Plaintext to a port that speaks TLS.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::json;

use super::{HTTPBIN, listener, sni_chains, sni_chains_of, tls_port};
use crate::harness::client::Client;
use crate::harness::envoy::config::Proxy;
use crate::scenarios::common::{ASK, SIDECAR};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    let at_listener = |scenario: Scenario, confidence, failure| {
        scenario
            .logs(Log::Listener, &[("flags", "-"), ("downstream_failure", failure)])
            .names(Cause::PlaintextOnTlsPort, confidence)
    };
    vec![
        at_listener(
            Scenario::new(
                "client_bytes/http_to_https_port",
                "curl http:// to a port that terminates TLS",
                tls_port(),
            )
            .curl(ASK)
            .gets_nothing(""),
            Certain,
            "TLS_error:|268435612*",
        ),
        at_listener(
            Scenario::new("client_bytes/ssh_to_https_port", "ssh to a port that terminates TLS", tls_port())
                .client(Client::Raw("http", b"SSH-2.0-OpenSSH_9.2\r\n")),
            Likely,
            "TLS_error:|268435703*",
        ),
        at_listener(
            Scenario::new(
                "client_bytes/connect_to_https_port",
                "CONNECT, as to a proxy, to the same",
                tls_port(),
            )
            .client(Client::Raw("http", b"CONNECT a.example:443 HTTP/1.1\r\n\r\n")),
            Certain,
            "TLS_error:|268435611*",
        ),
        Scenario::new(
            "client_bytes/broken_hello_to_sni_chains",
            "a ClientHello that breaks off: TLS all the same",
            sni_chains(),
        )
        .client(Client::Raw("http", b"\x16\x03\x01\0\x14\x01\0\0\x10\x03\x03ClientHelloEnd"))
        .logs(Log::Listener, &[("flags", "NR"), ("details", "filter_chain_not_found")])
        .names(Cause::DownstreamTlsFailed, Likely)
        .because(&["CLIENTHELLO_PARSE_FAILED"]),
        Scenario::new(
            "client_bytes/http_to_sni_chains",
            "plain HTTP to a gateway whose chains ask for server names",
            sni_chains(),
        )
        .curl(ASK)
        .gets_nothing("")
        .logs(
            Log::Listener,
            &[
                ("flags", "NR"),
                ("details", "filter_chain_not_found"),
                ("downstream_failure", "TLS_error|error:*"),
            ],
        )
        .names(Cause::PlaintextOnTlsPort, Certain),
        Scenario::new(
            "client_bytes/http_to_strict_mtls",
            "plain HTTP to a sidecar that takes mutual TLS only",
            sni_chains_of(listener().direction("INBOUND")).node(SIDECAR),
        )
        .curl(ASK)
        .gets_nothing("")
        .logs(Log::Listener, &[("flags", "NR"), ("details", "filter_chain_not_found")])
        .names(Cause::PlaintextToStrictMtls, Likely)
        .direction("inbound")
        // The direction can't be read there, so it may be any port with TLS.
        .before(38, |same| same.names(Cause::PlaintextOnTlsPort, Certain).direction("gateway")),
        Scenario::new(
            "client_bytes/waiting_for_strict_mtls",
            "a client that waits for the server's greeting, as of MySQL, at the same: the inspector gives up",
            {
                let patience = json!({
                    "listener_filters_timeout": "0.1s",
                    "continue_on_listener_filters_timeout": true,
                });
                sni_chains_of(listener().direction("INBOUND").patch(patience)).node(SIDECAR)
            },
        )
        .client(Client::Raw("http", b""))
        .logs(
            Log::Listener,
            &[("flags", "NR"), ("details", "filter_chain_not_found"), ("downstream_failure", "-")],
        )
        .names(Cause::PlaintextToStrictMtls, Possible)
        .direction("inbound")
        .before(38, |same| same.names(Cause::NoFilterChainForSni, Possible).direction("gateway")),
        Scenario::new("client_bytes/ssh_to_sni_chains", "ssh to the same", sni_chains())
            .client(Client::Raw("http", b"SSH-2.0-OpenSSH_9.2\r\n"))
            .logs(Log::Listener, &[("flags", "NR"), ("details", "filter_chain_not_found")])
            .names(Cause::PlaintextOnTlsPort, Likely),
        Scenario::new(
            "client_bytes/no_sni_to_sni_chains",
            "TLS without a server name to the same",
            sni_chains(),
        )
        .client(Client::OpensslClient(&["-noservername", "-connect", "127.0.0.1:{listener:http}"], ""))
        .logs(Log::Listener, &[("flags", "NR"), ("details", "filter_chain_not_found")])
        .names(Cause::NoFilterChainForSni, Possible),
        Scenario::new(
            "client_bytes/plaintext_behind_a_tls_inspector",
            "healthy: the inspector's note is no failure",
            Proxy::new([listener().tls_inspector()], []),
        )
        .curl(ASK)
        .gets(200)
        .logs(Log::Listener, &[("flags", "-"), ("downstream_failure", "TLS_error|error:*")])
        .before(37, |same| same.logs(Log::Listener, &[("flags", "-"), ("downstream_failure", "-")])),
        Scenario::new("client_bytes/https_to_terminating_port", "fixed: curl https:// to it", tls_port())
            .curl(HTTPBIN)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}
