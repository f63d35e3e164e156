//! TLS between the proxy and the upstream.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::{Client, Places, Seen};

use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::parts::{
    all_to, cluster, direct, http2, istio_config, istio_mtls_endpoint, originate_tls, presenting, trusting,
    vhost, with,
};
use crate::peers::{Habit, Server};
use crate::scenario::{Log, Scenario};

const ASK: &[&str] = &["http://127.0.0.1:{listener:http}/"];
const ASK_TLS_OVER_TCP: &[&str] =
    &["-k", "--connect-to", "httpbin.org:443:127.0.0.1:{listener:tcp}", "https://httpbin.org/"];
const PLAIN: Server = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }");
const TLS: Server = Server::Nginx(
    "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }",
);
/// Like a sidecar under STRICT: mutual TLS or nothing, not even an error page.
const MUTUAL_ONLY: Server = Server::Program(
    "openssl",
    "openssl",
    &[
        "s_server",
        "-accept",
        "127.0.0.1:{port}",
        "-cert",
        "{pki}/server.pem",
        "-key",
        "{pki}/server.key",
        "-CAfile",
        "{pki}/ca.pem",
        "-Verify",
        "1",
        "-www",
        "-naccept",
        "100",
    ],
);
/// Reads a request over TLS, and resets the connection.
const RESETS: &str = "
import os, socket, ssl, struct, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2] + '/server.pem', sys.argv[2] + '/server.key')
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    try:
        stream = context.wrap_socket(listener.accept()[0], server_side=True)
        stream.recv(4096)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        os.close(stream.detach())
    except OSError:
        pass
";
/// OpenSSL that ends the handshake when it does not trust the client's certificate.
const OPENSSL_STRICT: Server = Server::Program(
    "openssl",
    "openssl",
    &[
        "s_server",
        "-accept",
        "127.0.0.1:{port}",
        "-cert",
        "{pki}/server.pem",
        "-key",
        "{pki}/server.key",
        "-CAfile",
        "{pki}/ca.pem",
        "-Verify",
        "1",
        "-verify_return_error",
        "-www",
    ],
);
const REDIS: Server = Server::Program(
    "redis-server",
    "redis-server",
    &["--port", "{port}", "--bind", "127.0.0.1", "--save", ""],
);
const CADDY_MUTUAL: Server = Server::Caddy(
    "https://:{port}",
    "tls {pki}/server.pem {pki}/server.key {\nclient_auth {\nmode require_and_verify\ntrusted_ca_cert_file {pki}/ca.pem\n}\n}\nrespond ok",
);
const NGINX_MUTUAL: Server = Server::Nginx(
    "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; \
     ssl_client_certificate {pki}/ca.pem; ssl_verify_client on; location / { return 200 ok; }",
);

fn http(cluster: Value) -> Proxy {
    Proxy::new([Listener::http("http", all_to("backend"))], [cluster])
}

fn tcp(cluster: Value) -> Proxy {
    Proxy::new([Listener::tcp("tcp", "backend")], [cluster])
}

fn plaintext() -> Value {
    cluster("backend", "backend")
}

fn tls(context: Value) -> Value {
    with(plaintext(), originate_tls(context))
}

fn both(mut a: Value, b: Value) -> Value {
    crate::envoy::config::merge(&mut a, &b);
    a
}

fn rule(cluster: Value, name: &str) -> Value {
    with(cluster, istio_config("destination-rule", "default", name))
}

fn only_version(version: &str) -> Value {
    json!({"common_tls_context": {"tls_params": {
        "tls_minimum_protocol_version": version, "tls_maximum_protocol_version": version,
    }}})
}

fn inspected(cluster: Value, roles: Roles) -> Proxy {
    Proxy::new([Listener::tcp("tcp", "backend").tls_inspector()], [cluster]).roles(roles)
}

pub(super) fn table() -> Vec<Scenario> {
    [
        conflict(),
        strict_sidecar(),
        expects_tls(),
        speaks_plaintext(),
        speaks_plaintext_more(),
        certificates(),
        certificates_more(),
        handshakes(),
        double(),
        double_more(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn conflict() -> Vec<Scenario> {
    let page = "503 errors after setting destination rule";
    vec![
        Scenario::new(
            "upstream_tls/destination_rule_disables_mtls",
            "a DestinationRule turns TLS off towards a workload that takes mutual TLS only",
            http(rule(istio_mtls_endpoint(plaintext()), "reviews")),
        )
        .page(page)
        .server("backend", Server::Made(Habit::CloseAfterRequest))
        .curl(ASK)
        .gets(503)
        .logs(
            Log::Http,
            &[("flags", "UC"), ("details", "upstream_reset_before_response_started{connection_termination}")],
        )
        .names("destination_rule_tls_conflict", "likely")
        .because(&["endpoint_takes_istio_mtls=true"])
        .blames("DestinationRule/default/reviews"),
        Scenario::new(
            "upstream_tls/destination_rule_with_mtls",
            "fixed: the DestinationRule's mode is mutual TLS",
            http(rule(istio_mtls_endpoint(tls(both(trusting("ca"), presenting("client")))), "reviews")),
        )
        .page(page)
        .server("backend", MUTUAL_ONLY)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new(
            "upstream_tls/closed_by_a_plaintext_application",
            "the same end, but the endpoint never said that it takes mutual TLS",
            http(rule(plaintext(), "reviews")),
        )
        .server("backend", Server::Made(Habit::CloseAfterRequest))
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UC")])
        .names("upstream_closed_connection", "likely"),
    ]
}

fn expects_tls() -> Vec<Scenario> {
    let expect = |scenario: Scenario| {
        scenario
            .curl(ASK)
            .gets(400)
            .logs(Log::Http, &[("code", "400"), ("flags", "-"), ("details", "via_upstream")])
            .names("upstream_expects_tls", "likely")
            .because(&["page=plain_http_to_https_port"])
    };
    vec![
        expect(Scenario::new(
            "upstream_tls/nginx_expects_tls",
            "plaintext to nginx's TLS port",
            http(plaintext()),
        ))
        .server("backend", TLS),
        expect(Scenario::new(
            "upstream_tls/apache_expects_tls",
            "plaintext to Apache's TLS port",
            http(plaintext()),
        ))
        .server(
            "backend",
            Server::Apache(
                "SSLEngine on\nSSLCertificateFile {pki}/server.pem\nSSLCertificateKeyFile {pki}/server.key",
            ),
        ),
        expect(Scenario::new(
            "upstream_tls/go_expects_tls",
            "plaintext to Caddy's (Go's) TLS port",
            http(plaintext()),
        ))
        .server(
            "backend",
            Server::Caddy("https://:{port}", "tls {pki}/server.pem {pki}/server.key\nrespond ok"),
        ),
        Scenario::new(
            "upstream_tls/openssl_expects_tls",
            "OpenSSL closes without a word: nothing proves TLS",
            http(plaintext()),
        )
        .server("backend", MUTUAL_ONLY)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UC")])
        .names("upstream_closed_connection", "likely"),
    ]
}

fn speaks_plaintext() -> Vec<Scenario> {
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
            .names("upstream_speaks_plaintext", "certain")
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
            "upstream_tls/reset_in_the_handshake",
            "a server that resets the connection when it sees a ClientHello",
            http(tls(json!({}))),
        )
        .server("backend", Server::Made(Habit::ResetAfterRequest))
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names("upstream_tls_failed", "likely"),
        Scenario::new(
            "upstream_tls/reset_after_the_handshake",
            "a server that resets the connection when it has read the request: its TLS was fine",
            http(tls(json!({}))),
        )
        .server("backend", Server::Program("python3", "python3", &["-c", RESETS, "{port}", "{pki}"]))
        .curl(ASK)
        .gets(503)
        .logs(
            Log::Http,
            &[("flags", "UC"), ("details", "upstream_reset_before_response_started{connection_termination*")],
        )
        .names("upstream_closed_connection", "likely"),
        Scenario::new(
            "upstream_tls/tls_to_silence",
            "TLS to a server that waits looks like a connect time-out",
            http(tls(json!({}))),
        )
        .server("backend", Server::Made(Habit::NeverAnswer))
        .curl(ASK)
        .gets(503)
        .logs(
            Log::Http,
            &[("flags", "UF"), ("details", "upstream_reset_before_response_started{connection_timeout}")],
        )
        .names("upstream_connect_timeout", "likely"),
    ]
}

fn certificates() -> Vec<Scenario> {
    let rejected = |scenario: Scenario| {
        scenario
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names("upstream_certificate_rejected", "certain")
            .because(&["upstream_tls_reason=CERTIFICATE_VERIFY_FAILED"])
    };
    let with_certificate = |name: &str| -> Server {
        Server::Nginx(match name {
            "expired" => {
                "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/expired.pem; ssl_certificate_key {pki}/expired.key; location / { return 200 ok; }"
            }
            _ => {
                "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/other-server.pem; ssl_certificate_key {pki}/other-server.key; location / { return 200 ok; }"
            }
        })
    };
    let wrong_name = json!({"common_tls_context": {"validation_context": {"match_typed_subject_alt_names": [
        {"san_type": "DNS", "matcher": {"exact": "somebody.else"}},
    ]}}});
    vec![
        rejected(Scenario::new("upstream_tls/untrusted", "an authority that the proxy doesn't trust", http(tls(trusting("ca")))))
            .server("backend", with_certificate("other")),
        rejected(Scenario::new("upstream_tls/expired", "a certificate whose time is over", http(tls(trusting("ca")))))
            .server("backend", with_certificate("expired")),
        rejected(Scenario::new("upstream_tls/wrong_name", "a certificate for somebody else", http(tls(both(trusting("ca"), wrong_name)))))
            .server("backend", TLS),
        Scenario::new("upstream_tls/nginx_wants_a_certificate", "nginx asks for a client certificate and gets none", http(tls(json!({}))))
            .server("backend", NGINX_MUTUAL)
            .curl(ASK)
            .gets(400)
            .logs(Log::Http, &[("code", "400"), ("details", "via_upstream")])
            .names("upstream_requires_client_certificate", "likely")
            .because(&["page=no_client_certificate_sent"]),
        Scenario::new("upstream_tls/nginx_refuses_the_certificate", "nginx does not trust the certificate it gets", {
            http(tls(presenting("other-client")))
        })
        .server("backend", NGINX_MUTUAL)
        .curl(ASK)
        .gets(400)
        .logs(Log::Http, &[("code", "400"), ("details", "via_upstream")])
        .names("upstream_requires_client_certificate", "likely")
        .because(&["page=client_certificate_refused"]),
        Scenario::new("upstream_tls/no_certificate_tls12", "TLS 1.2 says no more than HANDSHAKE_FAILURE", http(tls(only_version("TLSv1_2"))))
            .server("backend", MUTUAL_ONLY)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names("upstream_requires_client_certificate", "likely")
            .because(&["HANDSHAKE_FAILURE"]),
        Scenario::new("upstream_tls/no_certificate_tls13", "TLS 1.3 just closes after the handshake", http(tls(only_version("TLSv1_3"))))
            .server("backend", MUTUAL_ONLY)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UC")])
            .names("upstream_closed_connection", "likely")
            .because(&["upstream_tls=TLSv1.3"]),
        Scenario::new("upstream_tls/mutual", "the right certificate on both sides", http(tls(both(trusting("ca"), presenting("client")))))
            .server("backend", NGINX_MUTUAL)
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new("upstream_tls/no_common_version", "the upstream speaks TLS 1.3 only, the proxy 1.2 only", http(tls(only_version("TLSv1_2"))))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.3; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }"))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names("upstream_tls_failed", "certain"),
    ]
}

fn double() -> Vec<Scenario> {
    let page = "Double TLS (TLS origination for a TLS request)";
    vec![
        Scenario::new("upstream_tls/double_tls", "curl https:// through a cluster that originates TLS", tcp(rule(tls(json!({})), "originate-tls")))
            .page(page)
            .server("backend", TLS)
            .curl(ASK_TLS_OVER_TCP)
            .gets_nothing("wrong version number")
            .logs(Log::Tcp, &[("flags", "-")])
            .names("double_tls", "certain")
            .because(&["first_bytes=tls_client_hello", "sni=httpbin.org", "upstream_tls=TLSv1.", "upstream_first_bytes=http1"])
            .blames("DestinationRule/default/originate-tls"),
        Scenario::new("upstream_tls/double_tls_fixed", "fixed: the port is HTTP and the application sends plain HTTP", http(rule(tls(trusting("ca")), "originate-tls")))
            .page(page)
            .server("backend", TLS)
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new("upstream_tls/double_tls_untrusted", "the certificate isn't trusted either: the root is the double TLS", {
            inspected(rule(tls(trusting("other-ca")), "originate-tls"), Roles::all())
        })
        .server("backend", TLS)
        .curl(ASK_TLS_OVER_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "UF,URX"), ("sni", "httpbin.org")])
        .names("double_tls", "likely")
        .blames("DestinationRule/default/originate-tls"),
        Scenario::new("upstream_tls/untrusted_tcp", "the same without a TLS inspector: nobody saw what the client spoke", tcp(tls(trusting("other-ca"))))
            .server("backend", TLS)
            .curl(ASK_TLS_OVER_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names("upstream_certificate_rejected", "likely"),
        Scenario::new("upstream_tls/double_tls_by_access_log", "the access logger alone, behind a TLS inspector", {
            inspected(tls(json!({})), Roles::access_log_only())
        })
        .server("backend", TLS)
        .curl(ASK_TLS_OVER_TCP)
        .gets_nothing("")
        .logs(Log::Listener, &[("sni", "httpbin.org")])
        .names("double_tls", "possible"),
        Scenario::new("upstream_tls/https_over_istio_mtls", "an application's HTTPS inside Istio's mutual TLS is meant", {
            tcp(istio_mtls_endpoint(tls(json!({}))))
        })
        .server("backend", Server::Program("socat", "socat", &[
            "OPENSSL-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,verify=0,cert={pki}/server.pem,key={pki}/server.key", "EXEC:cat",
        ]))
        .curl(ASK_TLS_OVER_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("upstream_tls/tls_passed_through", "TLS passed through untouched", tcp(plaintext()))
            .server("backend", TLS)
            .curl(ASK_TLS_OVER_TCP)
            .gets(200)
            .logs(Log::Tcp, &[("flags", "-")]),
        Scenario::new("upstream_tls/http2_over_tls", "HTTP/2 to an upstream over TLS", http(with(tls(trusting("ca")), http2())))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port} ssl http2; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }"))
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("upstream_protocol", "HTTP/2")]),
    ]
}

/// A sidecar under STRICT: every chain takes TLS only, so plaintext finds none.
fn strict() -> Server {
    let require = json!({
        "require_client_certificate": true,
        "common_tls_context": {"validation_context": {"trusted_ca": {"filename": "{pki}/ca.pem"}}},
    });
    let listener = Listener::http("inbound", json!([vhost("all", &["*"], vec![direct("/", 200, "ok")])]))
        .tls_with("server", require)
        .chain(json!({"filter_chain_match": {"transport_protocol": "tls"}}))
        .tls_inspector()
        .direction("INBOUND");
    Server::envoy(Proxy::new([listener], []))
}

/// An Envoy that asks every client for a certificate, on its only chain.
fn envoy_mutual() -> Server {
    let require = json!({
        "require_client_certificate": true,
        "common_tls_context": {"validation_context": {"trusted_ca": {"filename": "{pki}/ca.pem"}}},
    });
    let listener = Listener::http("mutual", json!([vhost("all", &["*"], vec![direct("/", 200, "ok")])]));
    Server::envoy(Proxy::new([listener.tls_with("server", require)], []))
}

/// An Envoy that unwraps the outer TLS and passes the inner bytes on to the server `inner`.
fn outer_terminator() -> Server {
    let listener = Listener::tcp("outer", "inner").tls("server");
    Server::envoy(Proxy::new([listener], [cluster("inner", "inner")]))
}

fn strict_sidecar() -> Vec<Scenario> {
    let page = "503 errors after setting destination rule";
    let mutual = || originate_tls(both(trusting("ca"), presenting("client")));
    vec![
        Scenario::new(
            "upstream_tls/strict_sidecar",
            "plaintext to a real sidecar's listener that takes mutual TLS only",
            http(rule(istio_mtls_endpoint(plaintext()), "reviews")),
        )
        .page(page)
        .server("backend", strict())
        .curl(ASK)
        .gets(503)
        .logs(
            Log::Http,
            &[("flags", "UC"), ("details", "upstream_reset_before_response_started{connection_termination}")],
        )
        .names("destination_rule_tls_conflict", "likely")
        .because(&["endpoint_takes_istio_mtls=true"])
        .blames("DestinationRule/default/reviews"),
        Scenario::new(
            "upstream_tls/strict_sidecar_with_mtls",
            "fixed: the DestinationRule's mode is ISTIO_MUTUAL",
            http(rule(istio_mtls_endpoint(with(plaintext(), mutual())), "reviews")),
        )
        .page(page)
        .server("backend", strict())
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new(
            "upstream_tls/strict_sidecar_tcp",
            "on a TCP chain the same end is a reset: a lead",
            tcp(rule(istio_mtls_endpoint(plaintext()), "reviews")),
        )
        .server("backend", strict())
        .curl(&["http://127.0.0.1:{listener:tcp}/"])
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "UR")])
        .names("destination_rule_tls_conflict", "possible")
        .blames("DestinationRule/default/reviews")
        .before(38, |same| same.logs(Log::Tcp, &[("flags", "-")]).names_nothing()),
        Scenario::new(
            "upstream_tls/permissive_sidecar",
            "the endpoint takes mutual TLS and plaintext: the DestinationRule does no harm",
            http(rule(istio_mtls_endpoint(plaintext()), "reviews")),
        )
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

fn speaks_plaintext_more() -> Vec<Scenario> {
    let tcp_to = |name, about| {
        Scenario::new(name, about, tcp(rule(tls(json!({})), "originate")))
            .client(Client::Raw("tcp", b"PING\r\n"))
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names("upstream_speaks_plaintext", "certain")
            .because(&["upstream_tls_reason=WRONG_VERSION_NUMBER"])
            .blames("DestinationRule/default/originate")
    };
    vec![
        Scenario::new(
            "upstream_tls/auto_mtls_to_plaintext",
            "the endpoint says that it takes mutual TLS, and does not: no DestinationRule made that up",
            http(rule(istio_mtls_endpoint(tls(json!({}))), "reviews")),
        )
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names("upstream_speaks_plaintext", "certain"),
        tcp_to("upstream_tls/tls_to_plain_nginx_tcp", "TLS to a plaintext server on a TCP chain")
            .server("backend", PLAIN),
        tcp_to("upstream_tls/tls_to_ssh_tcp", "TLS to an SSH server, which greets first")
            .server("backend", Server::Made(Habit::GreetFirst(b"SSH-2.0-OpenSSH_9.6\r\n"))),
        Scenario::new("upstream_tls/tls_to_redis", "TLS to a plaintext Redis, which waits for the rest of what is no command", http(tls(json!({}))))
            .server("backend", REDIS)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF"), ("details", "upstream_reset_before_response_started{connection_timeout}")])
            .names("upstream_connect_timeout", "likely"),
        Scenario::new("upstream_tls/tls_to_redis_tcp", "on a TCP chain that leaves no reason, as a connect time-out does", tcp(tls(json!({}))))
            .server("backend", REDIS)
            .client(Client::Raw("tcp", b"PING\r\n"))
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names("upstream_connect_timeout", "possible"),
        Scenario::new("upstream_tls/tls_to_silence_tcp", "TLS to a server that waits, on a TCP chain", tcp(tls(json!({}))))
            .server("backend", Server::Made(Habit::NeverAnswer))
            .client(Client::Custom(wait_for_the_end))
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names("upstream_connect_timeout", "possible"),
        Scenario::new("upstream_tls/tls_to_a_closing_server", "TLS to a server that hangs up on the ClientHello", http(tls(json!({}))))
            .server("backend", Server::Made(Habit::CloseAfterRequest))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names("upstream_tls_failed", "likely"),
        Scenario::new("upstream_tls/python_expects_tls", "Python's ssl closes without a word: nothing proves TLS", http(plaintext()))
            .server("backend", Server::Program("python3", "python3", &["-c",
                "import http.server, ssl\n\
                 server = http.server.ThreadingHTTPServer(('127.0.0.1', {port}), http.server.SimpleHTTPRequestHandler)\n\
                 context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
                 context.load_cert_chain('{pki}/server.pem', '{pki}/server.key')\n\
                 server.socket = context.wrap_socket(server.socket, server_side=True)\n\
                 server.serve_forever()\n"]))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UC")])
            .names("upstream_closed_connection", "likely"),
        Scenario::new("upstream_tls/envoy_expects_tls", "an Envoy that terminates TLS closes without a word", http(plaintext()))
            .server("backend", envoy_mutual())
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UC")])
            .names("upstream_closed_connection", "likely"),
    ]
}

/// Asks a TCP chain and stays until the proxy hangs up.
fn wait_for_the_end(places: &Places) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("tcp")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"PING\r\n")?;
    // An end by a reset is an end, too.
    let _ = stream.read(&mut [0; 64]);
    Ok(Seen::default())
}

fn certificates_more() -> Vec<Scenario> {
    let untrusted = tls(trusting("other-ca"));
    let tls13 = |context: Value| http(tls(both(context, only_version("TLSv1_3"))));
    let tls12 = |context: Value| http(tls(both(context, only_version("TLSv1_2"))));
    vec![
        Scenario::new(
            "upstream_tls/untrusted_with_destination_rule",
            "whether the rule or the certificate is wrong is not known",
            http(rule(untrusted.clone(), "originate")),
        )
        .server("backend", TLS)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names("upstream_certificate_rejected", "certain"),
        Scenario::new(
            "upstream_tls/untrusted_tcp_plain_client",
            "the client speaks plaintext, but a TCP proxy never got to see that",
            tcp(untrusted),
        )
        .server("backend", TLS)
        .client(Client::Raw("tcp", b"PING\r\n"))
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names("upstream_certificate_rejected", "likely"),
        Scenario::new(
            "upstream_tls/envoy_wants_a_certificate_tls12",
            "an Envoy asks for a client certificate",
            tls12(json!({})),
        )
        .server("backend", envoy_mutual())
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names("upstream_requires_client_certificate", "likely"),
        Scenario::new(
            "upstream_tls/envoy_wants_a_certificate_tls13",
            "an Envoy asks for a client certificate, after the handshake's end",
            tls13(json!({})),
        )
        .server("backend", envoy_mutual())
        .curl(ASK)
        .gets(503)
        .names("upstream_closed_connection", "likely"),
        Scenario::new(
            "upstream_tls/envoy_refuses_the_certificate_tls12",
            "an Envoy does not trust the client certificate",
            tls12(presenting("other-client")),
        )
        .server("backend", envoy_mutual())
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names("upstream_requires_client_certificate", "likely"),
        Scenario::new(
            "upstream_tls/openssl_refuses_the_certificate_tls12",
            "OpenSSL does not trust the client certificate",
            tls12(presenting("other-client")),
        )
        .server("backend", OPENSSL_STRICT)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names("upstream_requires_client_certificate", "likely"),
        Scenario::new(
            "upstream_tls/caddy_wants_a_certificate",
            "Caddy asks for a client certificate, with TLS 1.3",
            tls13(json!({})),
        )
        .server("backend", CADDY_MUTUAL)
        .curl(ASK)
        .gets(503)
        .names("upstream_closed_connection", "likely"),
        Scenario::new(
            "upstream_tls/caddy_wants_a_certificate_tls12",
            "the same with TLS 1.2",
            tls12(json!({})),
        )
        .server("backend", CADDY_MUTUAL)
        .curl(ASK)
        .gets(503)
        .names("upstream_requires_client_certificate", "likely"),
        Scenario::new(
            "upstream_tls/caddy_mutual",
            "Caddy gets the client certificate it wants",
            http(tls(both(trusting("ca"), presenting("client")))),
        )
        .server("backend", CADDY_MUTUAL)
        // Caddy answers 421 where Host and server name differ and client certificates matter.
        .curl(&["-H", "Host: httpbin.org", "http://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

fn handshakes() -> Vec<Scenario> {
    vec![
        Scenario::new("upstream_tls/no_common_cipher", "no common cipher is said in answer to the ClientHello, unlike a missing client certificate", {
            http(tls(both(only_version("TLSv1_2"), json!({"common_tls_context": {"tls_params": {"cipher_suites": ["ECDHE-ECDSA-AES128-GCM-SHA256"]}}}))))
        })
        .server("backend", Server::Nginx("listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }"))
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names("upstream_tls_failed", "certain")
        .because(&["HANDSHAKE_FAILURE_ON_CLIENT_HELLO"]),
        Scenario::new("upstream_tls/only_tls11", "the upstream is too old: TLS 1.1 at most", http(tls(json!({}))))
            .server("backend", Server::Program("openssl", "openssl", &["s_server", "-accept", "127.0.0.1:{port}", "-cert", "{pki}/server.pem", "-key", "{pki}/server.key", "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0", "-www"]))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names("upstream_tls_failed", "certain"),
        Scenario::new("upstream_tls/unknown_server_name", "the upstream has no certificate for this server name", http(tls(only_version("TLSv1_2"))))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port} ssl; ssl_reject_handshake on;"))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names("upstream_tls_failed", "certain"),
        Scenario::new("upstream_tls/no_common_version_tcp", "the upstream speaks TLS 1.3 only, on a TCP chain", tcp(tls(only_version("TLSv1_2"))))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.3; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }"))
            .client(Client::Raw("tcp", b"PING\r\n"))
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names("upstream_tls_failed", "likely"),
    ]
}

fn double_more() -> Vec<Scenario> {
    let asks = |name, about, server: Server| {
        Scenario::new(name, about, tcp(rule(tls(trusting("ca")), "originate-tls")))
            .server("backend", server)
            .curl(ASK_TLS_OVER_TCP)
            .gets_nothing("")
            .logs(Log::Tcp, &[("flags", "-")])
    };
    vec![
        asks(
            "upstream_tls/double_tls_caddy",
            "double TLS to Caddy (Go)",
            Server::Caddy("https://:{port}", "tls {pki}/server.pem {pki}/server.key\nrespond ok"),
        )
        .names("double_tls", "certain")
        .blames("DestinationRule/default/originate-tls"),
        asks(
            "upstream_tls/double_tls_openssl",
            "double TLS to a server that says nothing to the inner ClientHello",
            Server::Program(
                "openssl",
                "openssl",
                &[
                    "s_server",
                    "-accept",
                    "127.0.0.1:{port}",
                    "-cert",
                    "{pki}/server.pem",
                    "-key",
                    "{pki}/server.key",
                    "-quiet",
                ],
            ),
        )
        .client(Client::Curl(&[
            "-k",
            "-m",
            "2",
            "--connect-to",
            "httpbin.org:443:127.0.0.1:{listener:tcp}",
            "https://httpbin.org/",
        ]))
        .names("double_tls", "likely")
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
        .client(Client::Curl(&[
            "-k",
            "-m",
            "2",
            "--connect-to",
            "httpbin.org:443:127.0.0.1:{listener:tcp}",
            "https://httpbin.org/",
        ]))
        .names("double_tls", "likely")
        .blames("DestinationRule/default/originate-tls"),
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
        .names("double_tls", "possible"),
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
            "upstream_tls/plain_client_tcp",
            "TLS origination on a TCP chain for a client that speaks plaintext, as meant",
            tcp(rule(tls(trusting("ca")), "originate-tls")),
        )
        .server("backend", TLS)
        .curl(&["http://127.0.0.1:{listener:tcp}/"])
        .gets(200)
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
        Scenario::new(
            "upstream_tls/double_tls_to_smtp",
            "TLS from the client in TLS to a server whose inside greets in plaintext",
            tcp(rule(tls(trusting("ca")), "originate-tls")),
        )
        .server("inner", Server::Made(Habit::GreetFirst(b"220 mail.example ESMTP ready\r\n")))
        .server("backend", outer_terminator())
        .curl(&[
            "-k",
            "-m",
            "3",
            "--connect-to",
            "httpbin.org:443:127.0.0.1:{listener:tcp}",
            "https://httpbin.org/",
        ])
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "-")])
        .names("double_tls", "certain")
        .blames("DestinationRule/default/originate-tls"),
    ]
}
