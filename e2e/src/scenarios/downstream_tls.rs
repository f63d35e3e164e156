//! TLS between the client and this proxy: only the listener's access log ever shows it.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_by, all_to, demanding_certificate, direct};
use crate::scenarios::common::{ASK_WITH_CERTIFICATE, PLAIN, TLS, backend};
use crate::scenarios::scenario::{Log, Scenario};

const ASK: &[&str] = &["-k", "https://127.0.0.1:{listener:http}/"];

fn terminating(context: Value) -> Proxy {
    let hosts = all_by(direct("/", 200, "ok"));
    Proxy::new([Listener::http("http", hosts).tls_with("server", context)], [])
}

/// The client has to show a certificate of `ca`.
fn mutual() -> Proxy {
    terminating(demanding_certificate("ca"))
}

fn only_tls13() -> Proxy {
    terminating(json!({"common_tls_context": {"tls_params": {"tls_minimum_protocol_version": "TLSv1_3"}}}))
}

pub(super) fn table() -> Vec<Scenario> {
    [certificates(), handshakes(), chains()].into_iter().flatten().collect()
}

fn failed(scenario: Scenario, failure: &'static str, cause: Cause) -> Scenario {
    scenario
        .logs(Log::Listener, &[("flags", "-"), ("details", "-"), ("downstream_failure", failure)])
        .names(cause, Certain)
}

fn certificates() -> Vec<Scenario> {
    const FOREIGN: &[&str] = &[
        "-k",
        "--cert",
        "{pki}/other-client.pem",
        "--key",
        "{pki}/other-client.key",
        "https://127.0.0.1:{listener:http}/",
    ];
    vec![
        failed(
            Scenario::new("downstream_tls/no_certificate", "the client shows no certificate", mutual())
                .curl(ASK)
                // Sometimes it has not read the alert yet when it writes.
                .gets_nothing("curl: ("),
            "TLS_error:|268435648:SSL_routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE*",
            Cause::ClientCertificateMissing,
        ),
        failed(
            Scenario::new(
                "downstream_tls/no_certificate_access_log_alone",
                "the same with the access logger alone",
                mutual().roles(Roles::access_log_only()),
            )
            .curl(ASK)
            .gets_nothing("curl: ("),
            "TLS_error:|268435648:*",
            Cause::ClientCertificateMissing,
        ),
        failed(
            Scenario::new(
                "downstream_tls/foreign_certificate",
                "a certificate by an authority that the proxy doesn't trust",
                mutual(),
            )
            .curl(FOREIGN)
            .gets_nothing("curl: ("),
            "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED*",
            Cause::ClientCertificateRejected,
        ),
        failed(
            Scenario::new("downstream_tls/expired_certificate", "a certificate whose time is over", mutual())
                .curl(&[
                    "-k",
                    "--cert",
                    "{pki}/expired.pem",
                    "--key",
                    "{pki}/expired.key",
                    "https://127.0.0.1:{listener:http}/",
                ])
                .gets_nothing("curl: ("),
            "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED*",
            Cause::ClientCertificateRejected,
        ),
        Scenario::new("downstream_tls/right_certificate", "fixed: a certificate of that authority", mutual())
            .curl(ASK_WITH_CERTIFICATE)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

/// A client that asks, gets its answer, and resets the connection.
const RESETS: &str = "
import os, socket, ssl, struct, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
stream = context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))))
stream.sendall(b'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')
print(stream.recv(4096).decode())
stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
os.close(stream.detach())
";

fn handshakes() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "downstream_tls/reset",
            "healthy: a client that got its answer ends with a reset, and nothing failed",
            terminating(json!({})),
        )
        .client(Client::Program("python3", "python3", &["-c", RESETS, "{listener:http}"], ""))
        .gets(200)
        .logs(
            Log::Listener,
            &[("flags", "-"), ("downstream_failure", "TLS_error:|33554536:system_library:OPENSSL_internal*")],
        ),
        failed(
            Scenario::new(
                "downstream_tls/distrusted_tls12",
                "the client doesn't trust the proxy's certificate, and says so in an alert",
                terminating(json!({})),
            )
            .curl(&["--tls-max", "1.2", "https://127.0.0.1:{listener:http}/"])
            .gets_nothing("unable to get local issuer certificate"),
            "TLS_error:|*",
            Cause::DownstreamTlsFailed,
        ),
        failed(
            Scenario::new(
                "downstream_tls/distrusted_tls13",
                "the same in TLS 1.3, in which the alert comes encrypted",
                terminating(json!({})),
            )
            .curl(&["https://127.0.0.1:{listener:http}/"])
            .gets_nothing("unable to get local issuer certificate"),
            "TLS_error:|*",
            Cause::DownstreamTlsFailed,
        ),
        failed(
            Scenario::new(
                "downstream_tls/old_version",
                "a client of TLS 1.2 at a port of TLS 1.3",
                only_tls13(),
            )
            .curl(&["-k", "--tls-max", "1.2", "https://127.0.0.1:{listener:http}/"])
            .gets_nothing("alert"),
            "TLS_error:|268435696:SSL_routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL*",
            Cause::DownstreamTlsFailed,
        ),
        failed(
            Scenario::new(
                "downstream_tls/no_common_cipher",
                "no cipher that both know",
                terminating(json!({})),
            )
            .client(Client::OpensslClient(
                &["-tls1_2", "-cipher", "AES128-SHA256", "-connect", "127.0.0.1:{listener:http}"],
                "",
            ))
            .says("alert"),
            "TLS_error:|*",
            Cause::DownstreamTlsFailed,
        ),
    ]
}

fn chains() -> Vec<Scenario> {
    // A gateway in PASSTHROUGH mode with a VirtualService of `http` routes: no chain is made for its host.
    let passthrough = || {
        let chain = json!({"filter_chain_match": {"server_names": ["another.example.com"]}});
        Proxy::new([Listener::tcp("http", "backend").chain(chain).tls_inspector()], [backend()])
    };
    let page = "Gateway to virtual service TLS mismatch";
    const HTTPBIN: &[&str] = &[
        "-k",
        "--connect-to",
        "httpbin.example.com:443:127.0.0.1:{listener:http}",
        "https://httpbin.example.com/",
    ];
    vec![
        Scenario::new(
            "downstream_tls/passthrough_with_http_routes",
            "the gateway passes TLS through, the VirtualService has `http` routes: no chain for its host",
            passthrough(),
        )
        .page(page)
        .server("backend", TLS)
        .curl(HTTPBIN)
        .gets_nothing("")
        .logs(
            Log::Listener,
            &[("flags", "NR"), ("details", "filter_chain_not_found"), ("sni", "httpbin.example.com")],
        )
        .names(Cause::NoFilterChainForSni, Likely),
        Scenario::new(
            "downstream_tls/passthrough_with_tls_routes",
            "fixed: `tls` routes with its server name",
            {
                let chain = json!({"filter_chain_match": {"server_names": ["httpbin.example.com"]}});
                Proxy::new([Listener::tcp("http", "backend").chain(chain).tls_inspector()], [backend()])
            },
        )
        .page(page)
        .server("backend", TLS)
        .curl(HTTPBIN)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-"), ("sni", "httpbin.example.com")]),
        Scenario::new(
            "downstream_tls/fixed_by_terminating",
            "fixed in the other way: the gateway terminates TLS",
            Proxy::new([Listener::http("http", all_to("backend")).tls("server")], [backend()]),
        )
        .page(page)
        .server("backend", PLAIN)
        .curl(HTTPBIN)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}
