//! TLS between the proxy and the upstream.

use serde_json::{Value, json};

use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::parts::{
    all_to, cluster, http2, istio_config, istio_mtls_endpoint, originate_tls, presenting, trusting, with,
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

pub(super) fn table() -> Vec<Scenario> {
    [conflict(), expects_tls(), speaks_plaintext(), certificates(), double()].into_iter().flatten().collect()
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
            .names("upstream_expects_tls", "certain")
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
            .names("upstream_requires_client_certificate", "certain")
            .because(&["page=no_client_certificate_sent"]),
        Scenario::new("upstream_tls/nginx_refuses_the_certificate", "nginx does not trust the certificate it gets", {
            http(tls(presenting("other-client")))
        })
        .server("backend", NGINX_MUTUAL)
        .curl(ASK)
        .gets(400)
        .logs(Log::Http, &[("code", "400"), ("details", "via_upstream")])
        .names("upstream_requires_client_certificate", "certain")
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
    let inspected = |cluster: Value, roles: Roles| {
        Proxy::new([Listener::tcp("tcp", "backend").tls_inspector()], [cluster]).roles(roles)
    };
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
        .names("double_tls", "likely"),
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
