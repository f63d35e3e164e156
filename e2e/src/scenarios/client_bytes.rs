//! The client's bytes.

use serde_json::json;

use crate::client::Client;
use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::parts::{all_to, cluster, direct, vhost};
use crate::peers::Server;
use crate::scenario::{Log, Scenario};

const CODEC_ERROR: &[(&str, &str)] = &[("code", "400"), ("flags", "DPE"), ("details", "http1.codec_error")];
const HTTPBIN: &[&str] =
    &["-k", "--connect-to", "httpbin.org:443:127.0.0.1:{listener:http}", "https://httpbin.org/"];

/// A port declared HTTP.
fn listener() -> Listener {
    Listener::http("http", json!([vhost("all", &["*"], vec![direct("/", 200, "ok")])]))
}

fn plain() -> Proxy {
    Proxy::new([listener()], [])
}

fn tls_port() -> Proxy {
    Proxy::new([listener().tls("server")], [])
}

/// A port whose chains are chosen by server name.
fn sni_chains() -> Proxy {
    sni_chains_of(listener())
}

fn sni_chains_of(listener: Listener) -> Proxy {
    let chain = json!({"filter_chain_match": {"server_names": ["httpbin.org"]}});
    Proxy::new([listener.tls("server").chain(chain).tls_inspector()], [])
}

pub(super) fn table() -> Vec<Scenario> {
    [tls(), plaintext(), http10(), other_protocols(), invalid()].into_iter().flatten().collect()
}

fn tls() -> Vec<Scenario> {
    let page = "Sending HTTPS to an HTTP port";
    let tls_backend = Server::Nginx(
        "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }",
    );
    vec![
        Scenario::new("client_bytes/https_to_http_port", "curl https:// to a port declared HTTP", plain())
            .page(page)
            .curl(HTTPBIN)
            .gets_nothing("wrong version number")
            .logs(Log::Http, CODEC_ERROR)
            .names("tls_on_plaintext_port", "certain")
            .because(&["details=http1.codec_error", "first_bytes=tls_client_hello", "sni=httpbin.org"]),
        Scenario::new(
            "client_bytes/https_to_https_port",
            "fixed: the port is declared HTTPS, TLS passes through",
            {
                Proxy::new(
                    [Listener::tcp("http", "backend").tls_inspector()],
                    [cluster("backend", "backend")],
                )
            },
        )
        .page(page)
        .server("backend", tls_backend)
        .curl(HTTPBIN)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-"), ("sni", "httpbin.org")]),
        Scenario::new("client_bytes/hostile_sni", "a server name that tries to break out", plain())
            .client(Client::OpensslClient(
                &["-servername", "a\";.;cause=.=x;.;\\\n%41", "-connect", "127.0.0.1:{listener:http}"],
                "",
            ))
            .logs(Log::Http, CODEC_ERROR)
            .names("tls_on_plaintext_port", "certain")
            .because(&["sni=a??.?cause?.?x?.????41"]),
        Scenario::new("client_bytes/tls12_without_sni", "an old client without a server name", plain())
            .client(Client::OpensslClient(
                &["-tls1_2", "-noservername", "-connect", "127.0.0.1:{listener:http}"],
                "",
            ))
            .says("wrong version number")
            .logs(Log::Http, CODEC_ERROR)
            .names("tls_on_plaintext_port", "certain"),
        Scenario::new(
            "client_bytes/https_seen_by_a_tls_inspector",
            "the HTTP role alone, behind a TLS inspector: the SNI proves it",
            Proxy::new([listener().tls_inspector()], []).roles(Roles::http_only()),
        )
        .curl(HTTPBIN)
        .gets_nothing("wrong version number")
        .logs(Log::Http, CODEC_ERROR)
        .names("tls_on_plaintext_port", "certain")
        .because(&["sni=httpbin.org"]),
        Scenario::new(
            "client_bytes/https_seen_by_nobody",
            "the HTTP role alone: nobody saw the bytes",
            plain().roles(Roles::http_only()),
        )
        .curl(HTTPBIN)
        .gets_nothing("wrong version number")
        .logs(Log::Http, CODEC_ERROR)
        .names("invalid_http_request", "possible"),
        Scenario::new(
            "client_bytes/tls_inside_tls",
            "the client wraps TLS into the TLS that this proxy terminates",
            {
                Proxy::new(
                    [Listener::http("http", json!([vhost("all", &["*"], vec![direct("/", 200, "ok")])]))
                        .tls("server")],
                    [],
                )
            },
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
        .names("double_tls", "certain")
        .because(&["first_bytes=tls_client_hello", "tls_version=TLSv1.3"]),
    ]
}

fn plaintext() -> Vec<Scenario> {
    let at_listener = |scenario: Scenario, confidence, failure| {
        scenario
            .logs(Log::Listener, &[("flags", "-"), ("downstream_failure", failure)])
            .names("plaintext_on_tls_port", confidence)
    };
    vec![
        at_listener(
            Scenario::new(
                "client_bytes/http_to_https_port",
                "curl http:// to a port that terminates TLS",
                tls_port(),
            )
            .curl(&["http://127.0.0.1:{listener:http}/"])
            .gets_nothing(""),
            "certain",
            "TLS_error:|268435612*",
        ),
        at_listener(
            Scenario::new("client_bytes/ssh_to_https_port", "ssh to a port that terminates TLS", tls_port())
                .client(Client::Raw("http", b"SSH-2.0-OpenSSH_9.2\r\n")),
            "likely",
            "TLS_error:|268435703*",
        ),
        at_listener(
            Scenario::new(
                "client_bytes/connect_to_https_port",
                "CONNECT, as to a proxy, to the same",
                tls_port(),
            )
            .client(Client::Raw("http", b"CONNECT a.example:443 HTTP/1.1\r\n\r\n")),
            "certain",
            "TLS_error:|268435611*",
        ),
        Scenario::new(
            "client_bytes/broken_hello_to_sni_chains",
            "a ClientHello that breaks off: TLS all the same",
            sni_chains(),
        )
        .client(Client::Raw("http", b"\x16\x03\x01\0\x14\x01\0\0\x10\x03\x03ClientHelloEnd"))
        .logs(Log::Listener, &[("flags", "NR"), ("details", "filter_chain_not_found")])
        .names("downstream_tls_failed", "likely")
        .because(&["CLIENTHELLO_PARSE_FAILED"]),
        Scenario::new(
            "client_bytes/http_to_sni_chains",
            "plain HTTP to a gateway whose chains ask for server names",
            sni_chains(),
        )
        .curl(&["http://127.0.0.1:{listener:http}/"])
        .gets_nothing("")
        .logs(
            Log::Listener,
            &[
                ("flags", "NR"),
                ("details", "filter_chain_not_found"),
                ("downstream_failure", "TLS_error|error:*"),
            ],
        )
        .names("plaintext_on_tls_port", "certain"),
        Scenario::new(
            "client_bytes/http_to_strict_mtls",
            "plain HTTP to a sidecar that takes mutual TLS only",
            {
                sni_chains_of(listener().direction("INBOUND"))
                    .node("sidecar~10.0.0.1~app.default~default.svc.cluster.local")
            },
        )
        .curl(&["http://127.0.0.1:{listener:http}/"])
        .gets_nothing("")
        .logs(Log::Listener, &[("flags", "NR"), ("details", "filter_chain_not_found")])
        .names("plaintext_to_strict_mtls", "likely")
        .direction("inbound")
        // The direction can't be read there, so it may be any port with TLS.
        .before(38, |same| same.names("plaintext_on_tls_port", "certain").direction("gateway")),
        Scenario::new(
            "client_bytes/waiting_for_strict_mtls",
            "a client that waits for the server's greeting, as of MySQL, at the same: the inspector gives up",
            {
                let patience = json!({
                    "listener_filters_timeout": "0.1s",
                    "continue_on_listener_filters_timeout": true,
                });
                sni_chains_of(listener().direction("INBOUND").patch(patience))
                    .node("sidecar~10.0.0.1~app.default~default.svc.cluster.local")
            },
        )
        .client(Client::Raw("http", b""))
        .logs(
            Log::Listener,
            &[("flags", "NR"), ("details", "filter_chain_not_found"), ("downstream_failure", "-")],
        )
        .names("plaintext_to_strict_mtls", "possible")
        .direction("inbound")
        .before(38, |same| same.names("no_filter_chain_for_sni", "possible").direction("gateway")),
        Scenario::new("client_bytes/ssh_to_sni_chains", "ssh to the same", sni_chains())
            .client(Client::Raw("http", b"SSH-2.0-OpenSSH_9.2\r\n"))
            .logs(Log::Listener, &[("flags", "NR"), ("details", "filter_chain_not_found")])
            .names("plaintext_on_tls_port", "likely"),
        Scenario::new(
            "client_bytes/no_sni_to_sni_chains",
            "TLS without a server name to the same",
            sni_chains(),
        )
        .client(Client::OpensslClient(&["-noservername", "-connect", "127.0.0.1:{listener:http}"], ""))
        .logs(Log::Listener, &[("flags", "NR"), ("details", "filter_chain_not_found")])
        .names("no_filter_chain_for_sni", "possible"),
        Scenario::new(
            "client_bytes/plaintext_behind_a_tls_inspector",
            "healthy: the inspector's note is no failure",
            Proxy::new([listener().tls_inspector()], []),
        )
        .curl(&["http://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Listener, &[("flags", "-"), ("downstream_failure", "TLS_error|error:*")])
        .before(37, |same| same.logs(Log::Listener, &[("flags", "-"), ("downstream_failure", "-")])),
        Scenario::new("client_bytes/https_to_terminating_port", "fixed: curl https:// to it", tls_port())
            .curl(HTTPBIN)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

fn http10() -> Vec<Scenario> {
    let page = "Envoy won't connect to my HTTP/1.0 service";
    let too_old = |scenario: Scenario| {
        scenario
            .logs(Log::Http, &[("code", "426"), ("details", "low_version")])
            .names("http10_client", "certain")
            .because(&["details=low_version", "request_version=HTTP/1.0"])
    };
    // The page's nginx, in front of the proxy.
    let asked = Client::Curl(&["http://127.0.0.1:{front}/http/"]);
    vec![
        too_old(
            Scenario::new(
                "client_bytes/nginx_with_http10",
                "nginx proxies with its default, HTTP/1.0",
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
            .names("not_http_on_http_port", "certain")
            .because(evidence)
    };
    let raw = |bytes| Client::Raw("http", bytes);
    vec![
        refused(
            "client_bytes/ssh",
            "a real ssh client",
            Client::Program("ssh", "openssh-client", &["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-p", "{listener:http}", "x@127.0.0.1"], ""),
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
            "client_bytes/proxy_protocol",
            "a load balancer that sends a PROXY header first",
            Client::Curl(&["--haproxy-protocol", "http://127.0.0.1:{listener:http}/"]),
            &["first_bytes=proxy_protocol_v1"],
        ),
        refused(
            "client_bytes/proxy_protocol_v2",
            "the same in binary",
            raw(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x12\x34\0\x50GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            &["first_bytes=proxy_protocol_v2"],
        ),
        refused("client_bytes/postgres", "psql asks for TLS first", raw(b"\0\0\0\x08\x04\xd2\x16\x2f"), &["first_bytes=postgres"]),
        Scenario::new("client_bytes/mongodb_gives_up", "without a line feed Envoy waits until the client leaves", plain())
            .client(raw(b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\x01\0\0\0"))
            .logs(Log::Http, &[("code", "0"), ("flags", "DC"), ("details", "downstream_remote_disconnect")])
            .names("not_http_on_http_port", "certain")
            .because(&["first_bytes=mongodb"]),
        Scenario::new("client_bytes/mongodb_http_and_connection", "without a line feed Envoy waits until the client leaves", plain().roles(Roles { access_log: None, ..Roles::all() }))
            .client(raw(b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\x01\0\0\0"))
            .logs(Log::Http, &[("code", "0"), ("flags", "DC"), ("details", "downstream_remote_disconnect")])
            .names("not_http_on_http_port", "certain")
            .because(&["first_bytes=mongodb"]),
    ]
}

fn invalid() -> Vec<Scenario> {
    let invalid = |name, about, client, fields: &[(&'static str, &'static str)], confidence| {
        Scenario::new(name, about, plain())
            .client(client)
            .logs(Log::Http, fields)
            .names("invalid_http_request", confidence)
    };
    let raw = |bytes| Client::Raw("http", bytes);
    vec![
        invalid("client_bytes/no_host", "HTTP/1.1 without Host", raw(b"GET / HTTP/1.1\r\n\r\n"), &[("code", "400"), ("details", "missing_host_header")], "certain"),
        invalid(
            "client_bytes/unknown_transfer_encoding",
            "a transfer encoding that nobody knows",
            raw(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzipped\r\n\r\n"),
            &[("code", "501"), ("details", "http1.invalid_transfer_encoding")],
            "certain",
        ),
        invalid(
            "client_bytes/two_lengths",
            "chunked and with a content length",
            raw(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
            &[("code", "400"), ("details", "http1.content_length_and_chunked_not_allowed")],
            "certain",
        ),
        invalid("client_bytes/broken_header", "a header line without a colon", raw(b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"), CODEC_ERROR, "certain"),
        invalid("client_bytes/text", "a line that is no request", raw(b"hello there\r\n\r\n"), CODEC_ERROR, "likely"),
        invalid(
            "client_bytes/headers_too_large",
            "70 KB of headers",
            Client::Program("sh", "dash", &[
                "-c", "curl -sS -o /dev/null -w 'HTTP/1.1 %{http_code}' -H \"X: $(head -c 70000 /dev/zero | tr '\\0' x)\" http://127.0.0.1:{listener:http}/",
            ], ""),
            &[("code", "431"), ("details", "http1.headers_too_large")],
            "certain",
        )
        .gets(431),
        // Envoy checks the scheme where it is the first proxy: `use_remote_address`, as on Istio's gateways.
        Scenario::new("client_bytes/https_url_at_a_gateway", "an absolute https:// URL in plaintext, as a misdirected forward-proxy client sends it", {
            Proxy::new([listener().filter(json!({"use_remote_address": true}))], [])
        })
        .client(Client::Raw("http", b"GET https://httpbin.org/ HTTP/1.1\r\nHost: httpbin.org\r\n\r\n"))
        .gets(403)
        .logs(Log::Http, &[("code", "403"), ("details", "http1.https_url_on_plaintext_connection")])
        .names("https_url_on_plaintext_port", "certain"),
        Scenario::new("client_bytes/https_url", "an absolute https:// URL in plaintext is routed as usual elsewhere (1.40)", {
            Proxy::new([Listener::http("http", all_to("backend"))], [cluster("backend", "backend")])
        })
        .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }"))
        .client(Client::Raw("http", b"GET https://httpbin.org/ HTTP/1.1\r\nHost: httpbin.org\r\nConnection: close\r\n\r\n"))
        .gets(200)
        .logs(Log::Http, &[("code", "200")]),
    ]
}
