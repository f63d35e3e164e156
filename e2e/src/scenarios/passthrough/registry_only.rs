//! REGISTRY_ONLY: closed before a byte is read.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use super::{HTTPS, catch_all, http_port, https_port, inspectors, scenario};
use crate::harness::client::Client;
use crate::scenarios::common::PLAIN;
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    let bare = || http_port("BlackHoleCluster", inspectors(&["http_inspector"]));
    let inspected = || http_port("BlackHoleCluster", inspectors(&["tls_inspector", "http_inspector"]));
    let marked =
        || http_port("BlackHoleCluster", inspectors(&["mark_http", "tls_inspector", "http_inspector"]));
    let black_hole: &[(&str, &str)] = &[("flags", "UH"), ("cluster", "BlackHoleCluster")];
    let fails = |name, about, listener, client: Client| {
        scenario(name, about, listener, PLAIN).client(client).gets_nothing("").logs(Log::Tcp, black_hole)
    };
    let http10 = || Client::Curl(&["-0", "http://127.0.0.1:{listener:port}/"]);
    vec![
        fails("passthrough/blocked_tls_unseen", "nobody saw that it is TLS", bare(), Client::Curl(HTTPS))
            .names(Cause::EgressBlocked, Possible),
        fails(
            "passthrough/blocked_tls",
            "the server name is no proof: an HTTPS port looks the same",
            inspected(),
            Client::Curl(HTTPS),
        )
        .names(Cause::EgressBlocked, Possible)
        .because(&["sni=httpbin.org"]),
        fails(
            "passthrough/blocked_undeclared_name",
            "that HTTPS port",
            https_port("BlackHoleCluster"),
            Client::Curl(HTTPS),
        )
        .names(Cause::EgressBlocked, Possible)
        .because(&["sni=httpbin.org"]),
        fails("passthrough/blocked_http10_unseen", "nobody saw that it is HTTP/1.0", bare(), http10())
            .names(Cause::EgressBlocked, Possible),
        fails(
            "passthrough/blocked_http10",
            "plaintext HTTP that is neither HTTP/1.1 nor HTTP/2",
            inspected(),
            http10(),
        )
        .names(Cause::Http10Client, Possible)
        .because(&["tls_failure=HTTP_REQUEST"]),
        fails(
            "passthrough/blocked_tls_marked",
            "TLS to an HTTP port, unknown host",
            marked(),
            Client::Curl(HTTPS),
        )
        .page("Sending HTTPS to an HTTP port")
        .names(Cause::TlsOnPlaintextPort, Likely)
        .because(&["sni=httpbin.org", "listener=http"])
        .since(38),
        fails("passthrough/blocked_http10_marked", "HTTP/1.0 to an unknown host", marked(), http10())
            .page("Envoy won't connect to my HTTP/1.0 service")
            .names(Cause::Http10Client, Likely)
            .because(&["tls_failure=HTTP_REQUEST", "listener=http"])
            .since(38),
        fails(
            "passthrough/blocked_ssh_marked",
            "the same for another protocol",
            marked(),
            Client::Raw("port", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
        )
        .names(Cause::NotHttpOnHttpPort, Likely)
        .because(&["listener=http"])
        .since(38),
        fails(
            "passthrough/blocked_tls_on_a_shared_port",
            "one service has the port for HTTP, another for HTTPS",
            http_port(
                "BlackHoleCluster",
                inspectors(&["tls_inspector", "mark_tls", "mark_http", "http_inspector"]),
            ),
            Client::Curl(HTTPS),
        )
        .names(Cause::EgressBlocked, Possible)
        .because(&["sni=httpbin.org", "listener=tls"])
        .since(38),
        fails(
            "passthrough/blocked_by_the_catch_all",
            "a port that no service has",
            catch_all("BlackHoleCluster"),
            Client::Curl(HTTPS),
        )
        .names(Cause::EgressBlocked, Certain),
    ]
}
