//! What Envoy takes for no request: HTTP/1.0, other protocols, broken HTTP.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::json;

use super::{CODEC_ERROR, listener, plain};
use crate::harness::client::Client;
use crate::harness::envoy::config::{Proxy, Roles};
use crate::harness::peers::Server;
use crate::scenarios::common::{PLAIN, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    [http10(), other_protocols(), invalid()].into_iter().flatten().collect()
}

fn http10() -> Vec<Scenario> {
    let page = "Envoy won't connect to my HTTP/1.0 service";
    let too_old = |scenario: Scenario| {
        scenario
            .logs(Log::Http, &[("code", "426"), ("details", "low_version")])
            .names(Cause::Http10Client, Certain)
            .because(&["details=low_version", "request_version=HTTP/1.0"])
    };
    // The page's nginx, in front of the proxy.
    let asked = Client::Curl(&["http://127.0.0.1:{front}/http/"]);
    vec![
        too_old(
            Scenario::new(
                "client_bytes/nginx_with_http10",
                "nginx proxies with HTTP/1.0",
                plain(),
            )
            .page(page)
            .front(Server::Nginx(
                "listen 127.0.0.1:{port}; location /http/ { proxy_pass http://127.0.0.1:{listener:http}; }",
            ))
            .client(asked.clone())
            .gets(426),
        ),
        Scenario::new("client_bytes/nginx_with_http11", "fixed: `proxy_http_version 1.1`", plain())
            .page(page)
            .front(Server::Nginx(
                "listen 127.0.0.1:{port}; location /http/ { proxy_pass http://127.0.0.1:{listener:http}; \
                 proxy_http_version 1.1; proxy_set_header Connection \"\"; }",
            ))
            .client(asked)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        too_old(
            Scenario::new("client_bytes/curl_http10", "curl -0", plain())
                .curl(&["-0", "http://127.0.0.1:{listener:http}/"])
                .gets(426),
        ),
        too_old(
            Scenario::new("client_bytes/apache_bench", "ab speaks HTTP/1.0", plain())
                .client(Client::Program(
                    "ab",
                    "apache2-utils",
                    &["-n", "3", "http://127.0.0.1:{listener:http}/"],
                    "",
                ))
                .says("Non-2xx responses:      3")
                .times(3),
        ),
    ]
}

fn other_protocols() -> Vec<Scenario> {
    let refused = |name, about, client, evidence: &'static [&'static str]| {
        Scenario::new(name, about, plain())
            .client(client)
            .logs(Log::Http, CODEC_ERROR)
            .names(Cause::NotHttpOnHttpPort, Certain)
            .because(evidence)
    };
    let raw = |bytes| Client::Raw("http", bytes);
    vec![
        refused(
            "client_bytes/ssh",
            "a real ssh client",
            Client::Program(
                "ssh",
                "openssh-client",
                &[
                    "-o",
                    "BatchMode=yes",
                    "-o",
                    "StrictHostKeyChecking=no",
                    "-p",
                    "{listener:http}",
                    "x@127.0.0.1",
                ],
                "",
            ),
            &["first_bytes=ssh"],
        ),
        refused(
            "client_bytes/redis",
            "a real redis-cli",
            Client::Program("redis-cli", "redis-tools", &["-p", "{listener:http}", "PING"], ""),
            &["first_bytes=redis"],
        ),
        refused("client_bytes/smtp", "a mail client", raw(b"EHLO mail.example\r\n"), &["first_bytes=smtp"]),
        refused(
            "client_bytes/postgres",
            "psql asks for TLS first",
            raw(b"\0\0\0\x08\x04\xd2\x16\x2f"),
            &["first_bytes=postgres"],
        ),
        Scenario::new(
            "client_bytes/mongodb_gives_up",
            "without a line feed Envoy waits until the client leaves",
            plain(),
        )
        .client(raw(b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\x01\0\0\0"))
        .logs(Log::Http, &[("code", "0"), ("flags", "DC"), ("details", "downstream_remote_disconnect")])
        .names(Cause::NotHttpOnHttpPort, Certain)
        .because(&["first_bytes=mongodb"]),
        Scenario::new(
            "client_bytes/mongodb_http_and_connection",
            "without a line feed Envoy waits until the client leaves",
            plain().roles(Roles { access_log: None, ..Roles::all() }),
        )
        .client(raw(b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\x01\0\0\0"))
        .logs(Log::Http, &[("code", "0"), ("flags", "DC"), ("details", "downstream_remote_disconnect")])
        .names(Cause::NotHttpOnHttpPort, Certain)
        .because(&["first_bytes=mongodb"]),
    ]
}

fn invalid() -> Vec<Scenario> {
    let invalid = |name, about, client, fields: &[(&'static str, &'static str)], confidence| {
        Scenario::new(name, about, plain())
            .client(client)
            .logs(Log::Http, fields)
            .names(Cause::InvalidHttpRequest, confidence)
    };
    let raw = |bytes| Client::Raw("http", bytes);
    vec![
        invalid(
            "client_bytes/no_host",
            "HTTP/1.1 without Host",
            raw(b"GET / HTTP/1.1\r\n\r\n"),
            &[("code", "400"), ("details", "missing_host_header")],
            Certain,
        ),
        invalid(
            "client_bytes/unknown_transfer_encoding",
            "a transfer encoding that nobody knows",
            raw(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzipped\r\n\r\n"),
            &[("code", "501"), ("details", "http1.invalid_transfer_encoding")],
            Certain,
        ),
        invalid(
            "client_bytes/two_lengths",
            "chunked and with a content length",
            raw(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
            &[("code", "400"), ("details", "http1.content_length_and_chunked_not_allowed")],
            Certain,
        ),
        invalid(
            "client_bytes/broken_header",
            "a header line without a colon",
            raw(b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
            CODEC_ERROR,
            Certain,
        ),
        invalid(
            "client_bytes/text",
            "a line that is no request",
            raw(b"hello there\r\n\r\n"),
            CODEC_ERROR,
            Likely,
        ),
        // Envoy checks the scheme where it is the first proxy: `use_remote_address`, as on Istio's gateways.
        Scenario::new(
            "client_bytes/https_url_at_a_gateway",
            "an absolute https:// URL in plaintext, as a misdirected forward-proxy client sends it",
            Proxy::new([listener().filter(json!({"use_remote_address": true}))], []),
        )
        .client(Client::Raw("http", b"GET https://httpbin.org/ HTTP/1.1\r\nHost: httpbin.org\r\n\r\n"))
        .gets(403)
        .logs(Log::Http, &[("code", "403"), ("details", "http1.https_url_on_plaintext_connection")])
        .names(Cause::HttpsUrlOnPlaintextPort, Certain),
        Scenario::new(
            "client_bytes/https_url",
            "an absolute https:// URL in plaintext is routed as usual elsewhere (1.40)",
            http(backend()),
        )
        .server("backend", PLAIN)
        .client(Client::Raw(
            "http",
            b"GET https://httpbin.org/ HTTP/1.1\r\nHost: httpbin.org\r\nConnection: close\r\n\r\n",
        ))
        .gets(200)
        .logs(Log::Http, &[("code", "200")]),
    ]
}
