//! Certificates, names of TLS, PROXY headers and first bytes.

use anyhow::Result;
use serde_json::{Value, json};

use super::asks::get;
use super::{Case, Where, listener, to};
use crate::harness::client::client_hello;
use crate::harness::envoy::config::Listener;
use crate::harness::envoy::parts::{all_to, cluster, demanding_certificate, originate_tls, trusting, with};
use crate::harness::peers::{Habit, Server};
use crate::harness::pki::Pki;
use crate::harness::tools;

/// The names in the certificates: as SANs they look like what Envoy and BoringSSL write.
const NAMES: [&str; 3] = [
    "spiffe://s3cr3tmark/system_library",
    "s3cr3tmark.delayed_connect_error:_111",
    "s3cr3tmark|1:SSL routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end",
];

/// `secret`: a client and server with these names, whose time is not over, and `secret-expired`,
/// whose time is; both of `ca`. `secret-other`: the same of an authority that nobody trusts, and
/// that has such a name, too.
pub(super) fn certificates(pki: &Pki) -> Result<()> {
    pki.named("secret", &NAMES)
}

pub(super) fn cases() -> Vec<Case> {
    [downstream(), upstream(), first_bytes()].into_iter().flatten().collect()
}

fn downstream() -> Vec<Case> {
    let demanding = |name| listener(name).tls_with("server", demanding_certificate("ca"));
    let matching = |name| {
        listener(name).tls_with(
            "server",
            with(
                demanding_certificate("ca"),
                json!({"common_tls_context": {"validation_context": {
            "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "good.example"}}]}}}),
            ),
        )
    };
    vec![
        Case::new(
            "client-san",
            matching("client-san"),
            |at| handshake(at, "secret"),
            "CERTIFICATE_VERIFY_FAILED",
        ),
        Case::new(
            "client-expired",
            demanding("client-expired"),
            |at| handshake(at, "secret-expired"),
            "CERTIFICATE_VERIFY_FAILED",
        ),
        Case::new(
            "client-issuer",
            demanding("client-issuer"),
            |at| handshake(at, "secret-other"),
            "CERTIFICATE_VERIFY_FAILED",
        ),
        Case::new(
            "alpn",
            demanding("alpn"),
            |at| at.exchange(client_hello(b"known.example", b"s3cr3tmark")).map(drop),
            "",
        ),
        Case::new("plain-to-tls", demanding("plain-to-tls"), get, "HTTP_REQUEST"),
    ]
}

/// Shows this certificate.
fn handshake(at: &Where<'_>, certificate: &str) -> Result<()> {
    let openssl = tools::program("openssl", "openssl")?;
    let arguments = format!(
        "s_client -cert {{pki}}/{certificate}.pem -key {{pki}}/{certificate}.key -connect 127.0.0.1:{}",
        at.port
    );
    let mut command = std::process::Command::new(openssl);
    command.args(at.places.fill(&arguments).split(' ')).stdin(std::process::Stdio::null()).output()?;
    Ok(())
}

fn upstream() -> Vec<Case> {
    let serving = |certificate: &str| {
        let block = format!(
            "listen 127.0.0.1:{{port}} ssl; ssl_certificate {{pki}}/{certificate}.pem; ssl_certificate_key {{pki}}/{certificate}.key;"
        );
        Server::Nginx(block.leak())
    };
    let matching = json!({"common_tls_context": {"validation_context": {
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "good.example"}}]}}});
    let checked = |name, certificate, context: Value| {
        let cluster = with(cluster(name, name), originate_tls(with(trusting("ca"), context)));
        Case::new(name, to(name, all_to(name)), get, "CERTIFICATE_VERIFY_FAILED").server_at(
            name,
            serving(certificate),
            cluster,
        )
    };
    let tcp =
        with(cluster("server-san-tcp", "server-san"), originate_tls(with(trusting("ca"), matching.clone())));
    let mut by_tcp = Case::new(
        "server-san-tcp",
        Listener::tcp("server-san-tcp", "server-san-tcp"),
        get,
        "CERTIFICATE_VERIFY_FAILED",
    );
    by_tcp.clusters.push(tcp);
    vec![
        checked("server-san", "secret", matching),
        checked("server-expired", "secret-expired", json!({})),
        checked("server-issuer", "secret-other", json!({})),
        by_tcp,
    ]
}

fn first_bytes() -> Vec<Case> {
    let proxy_protocol = json!({"listener_filters": [{"name": "proxy", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
        "rules": [{"tlv_type": 225, "on_tlv_present": {"metadata_namespace": "m", "key": "s3cr3tmark"}}],
        "pass_through_tlvs": {"match_type": "INCLUDE_ALL"},
    }}]});
    // The preface, SETTINGS, GOAWAY with debug data, and what is no frame.
    const GOAWAY: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x12\x07\0\0\0\0\0\0\0\0\0\0\0\0\x02s3cr3tmark\0\0\x0a\x05\0\0\0\0\x03s3cr3tmark";
    vec![
        Case::new(
            "proxy-tlv",
            to("proxy-tlv", super::filters::nowhere()).patch(proxy_protocol),
            |at| {
                at.exchange([proxy_header(at.port), at.request("GET", "/", "", "").into_bytes()].concat())
                    .map(drop)
            },
            "route_not_found",
        ),
        Case::new(
            "proxy-unexpected",
            listener("proxy-unexpected"),
            |at| {
                at.exchange([proxy_header(at.port), at.request("GET", "/", "", "").into_bytes()].concat())
                    .map(drop)
            },
            "http1.codec_error",
        ),
        Case::new("client-goaway", listener("client-goaway"), |at| at.exchange(GOAWAY).map(drop), ""),
        Case::new(
            "no-http",
            listener("no-http"),
            |at| at.exchange("s3cr3tmark s3cr3tmark\r\n\r\n").map(drop),
            "http1.codec_error",
        ),
        Case::new(
            "http10",
            listener("http10"),
            |at| at.exchange("GET /s3cr3tmark HTTP/1.0\r\nhost: s3cr3tmark\r\n\r\n").map(drop),
            "low_version",
        ),
        Case::new(
            "tls-to-plain",
            listener("tls-to-plain"),
            |at| at.exchange(client_hello(b"known.example", b"s3cr3tmark")).map(drop),
            "http1.codec_error",
        ),
        Case::new(
            "tcp",
            Listener::tcp("tcp", "tcp-greets"),
            |at| at.exchange("s3cr3tmark\r\n").map(drop),
            "",
        )
        .server("tcp-greets", Server::Made(Habit::AnswerAndReset(b"s3cr3tmark\r\n"))),
    ]
}

/// PROXY, version 2: IPv4, 12 bytes of addresses with this port, and a value of the application's
/// own.
fn proxy_header(port: u16) -> Vec<u8> {
    let addresses = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x19\x7f\0\0\x01\x7f\0\0\x01\0\x01";
    [&addresses[..], &port.to_be_bytes(), b"\xe1\0\x0as3cr3tmark"].concat()
}
