//! TLS to a port that speaks plaintext.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Possible};

use super::{CODEC_ERROR, HTTPBIN, listener, plain, tls_port};
use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::scenarios::common::{TLS, backend};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    let page = "Sending HTTPS to an HTTP port";

    vec![
        Scenario::new("client_bytes/https_to_http_port", "curl https:// to an HTTP port", plain())
            .page(page)
            .curl(HTTPBIN)
            .gets_nothing("wrong version number")
            .logs(Log::Http, CODEC_ERROR)
            .names(Cause::TlsOnPlaintextPort, Certain)
            .because(&["details=http1.codec_error", "first_bytes=tls_client_hello", "sni=httpbin.org"]),
        Scenario::new(
            "client_bytes/https_to_https_port",
            "fixed: the port is declared HTTPS, TLS passes through",
            Proxy::new([Listener::tcp("http", "backend").tls_inspector()], [backend()]),
        )
        .page(page)
        .server("backend", TLS)
        .curl(HTTPBIN)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-"), ("sni", "httpbin.org")]),
        Scenario::new("client_bytes/hostile_sni", "a server name that tries to break out", plain())
            .client(Client::OpensslClient(
                &["-servername", "a\";.;cause=.=x;.;\\\n%41", "-connect", "127.0.0.1:{listener:http}"],
                "",
            ))
            .logs(Log::Http, CODEC_ERROR)
            .names(Cause::TlsOnPlaintextPort, Certain)
            .because(&["sni=a??.?cause?.?x?.????41"]),
        Scenario::new("client_bytes/tls12_without_sni", "an old client without a server name", plain())
            .client(Client::OpensslClient(
                &["-tls1_2", "-noservername", "-connect", "127.0.0.1:{listener:http}"],
                "",
            ))
            .says("wrong version number")
            .logs(Log::Http, CODEC_ERROR)
            .names(Cause::TlsOnPlaintextPort, Certain),
        Scenario::new(
            "client_bytes/https_seen_by_a_tls_inspector",
            "the HTTP role alone, behind a TLS inspector: the SNI proves it",
            Proxy::new([listener().tls_inspector()], []).roles(Roles::http_only()),
        )
        .curl(HTTPBIN)
        .gets_nothing("wrong version number")
        .logs(Log::Http, CODEC_ERROR)
        .names(Cause::TlsOnPlaintextPort, Certain)
        .because(&["sni=httpbin.org"]),
        Scenario::new(
            "client_bytes/https_seen_by_nobody",
            "the HTTP role alone: nobody saw the bytes",
            plain().roles(Roles::http_only()),
        )
        .curl(HTTPBIN)
        .gets_nothing("wrong version number")
        .logs(Log::Http, CODEC_ERROR)
        .names(Cause::InvalidHttpRequest, Possible),
        Scenario::new(
            "client_bytes/tls_inside_tls",
            "the client wraps TLS into the TLS that this proxy terminates",
            tls_port(),
        )
        .client(Client::Program(
            "sh",
            "dash",
            &[
                "-c",
                "head -c 517 \"$0\" | openssl s_client -quiet -connect 127.0.0.1:{listener:http}",
                concat!(env!("CARGO_MANIFEST_DIR"), "/../src/wire/testdata/curl-tls13.bin"),
            ],
            "",
        ))
        .logs(Log::Http, CODEC_ERROR)
        .names(Cause::DoubleTls, Certain)
        .because(&["first_bytes=tls_client_hello", "tls_version=TLSv1.3"]),
    ]
}
