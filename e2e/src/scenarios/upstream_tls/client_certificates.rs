//! Upstreams that demand a certificate of the proxy.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::{Value, json};

use super::{MUTUAL_ONLY, envoy_mutual, only_version, tls};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, cluster, http2, presenting, trusting, with};
use crate::harness::peers::Server;
use crate::scenarios::common::{ASK, TLS, http};
use crate::scenarios::scenario::{Log, Scenario};

/// OpenSSL that ends the handshake when it does not trust the client's certificate.
const OPENSSL_STRICT: Server =
    Server::Openssl(&["-CAfile", "{pki}/ca.pem", "-Verify", "1", "-verify_return_error", "-www"]);

const CADDY_MUTUAL: Server = Server::Caddy(
    "https://:{port}",
    "tls {pki}/server.pem {pki}/server.key {\nclient_auth {\nmode require_and_verify\ntrusted_ca_cert_file {pki}/ca.pem\n}\n}\nrespond ok",
);

const NGINX_MUTUAL: Server = Server::Nginx(
    "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; \
     ssl_client_certificate {pki}/ca.pem; ssl_verify_client on; location / { return 200 ok; }",
);

pub(super) fn table() -> Vec<Scenario> {
    [none(), refused(), accepted(), secrets_and_names()].into_iter().flatten().collect()
}

fn none() -> Vec<Scenario> {
    let tls13 = |context: Value| http(tls(with(context, only_version("TLSv1_3"))));
    let tls12 = |context: Value| http(tls(with(context, only_version("TLSv1_2"))));
    vec![
        Scenario::new(
            "upstream_tls/nginx_wants_a_certificate",
            "nginx asks for a client certificate and gets none",
            http(tls(json!({}))),
        )
        .server("backend", NGINX_MUTUAL)
        .curl(ASK)
        .gets(400)
        .logs(Log::Http, &[("code", "400"), ("details", "via_upstream")])
        .names(Cause::UpstreamRequiresClientCertificate, Likely)
        .because(&["page=no_client_certificate_sent"]),
        Scenario::new(
            "upstream_tls/no_certificate_tls12",
            "TLS 1.2 says no more than HANDSHAKE_FAILURE",
            http(tls(only_version("TLSv1_2"))),
        )
        .server("backend", MUTUAL_ONLY)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamRequiresClientCertificate, Likely)
        .because(&["HANDSHAKE_FAILURE"]),
        Scenario::new(
            "upstream_tls/no_certificate_tls13",
            "TLS 1.3 just closes after the handshake",
            http(tls(only_version("TLSv1_3"))),
        )
        .server("backend", MUTUAL_ONLY)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UC")])
        .names(Cause::UpstreamClosedConnection, Likely)
        .because(&["upstream_tls=TLSv1.3"]),
        Scenario::new(
            "upstream_tls/envoy_wants_a_certificate_tls12",
            "an Envoy asks for a client certificate",
            tls12(json!({})),
        )
        .server("backend", envoy_mutual())
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamRequiresClientCertificate, Likely),
        Scenario::new(
            "upstream_tls/envoy_wants_a_certificate_tls13",
            "an Envoy asks for a client certificate, after the handshake's end",
            tls13(json!({})),
        )
        .server("backend", envoy_mutual())
        .curl(ASK)
        .gets(503)
        .names(Cause::UpstreamClosedConnection, Likely),
        Scenario::new(
            "upstream_tls/caddy_wants_a_certificate",
            "Caddy asks for a client certificate, with TLS 1.3",
            tls13(json!({})),
        )
        .server("backend", CADDY_MUTUAL)
        .curl(ASK)
        .gets(503)
        .names(Cause::UpstreamClosedConnection, Likely),
        Scenario::new(
            "upstream_tls/caddy_wants_a_certificate_tls12",
            "the same with TLS 1.2",
            tls12(json!({})),
        )
        .server("backend", CADDY_MUTUAL)
        .curl(ASK)
        .gets(503)
        .names(Cause::UpstreamRejectedClientCertificate, Possible),
    ]
}

fn refused() -> Vec<Scenario> {
    let tls12 = |context: Value| http(tls(with(context, only_version("TLSv1_2"))));
    vec![
        Scenario::new(
            "upstream_tls/nginx_refuses_the_certificate",
            "nginx does not trust the certificate it gets",
            http(tls(presenting("other-client"))),
        )
        .server("backend", NGINX_MUTUAL)
        .curl(ASK)
        .gets(400)
        .logs(Log::Http, &[("code", "400"), ("details", "via_upstream")])
        .names(Cause::UpstreamRejectedClientCertificate, Likely)
        .because(&["page=client_certificate_refused"]),
        Scenario::new(
            "upstream_tls/envoy_refuses_the_certificate_tls12",
            "an Envoy does not trust the client certificate",
            tls12(presenting("other-client")),
        )
        .server("backend", envoy_mutual())
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamRejectedClientCertificate, Likely),
        Scenario::new(
            "upstream_tls/openssl_refuses_the_certificate_tls12",
            "OpenSSL does not trust the client certificate",
            tls12(presenting("other-client")),
        )
        .server("backend", OPENSSL_STRICT)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamRejectedClientCertificate, Likely),
    ]
}

fn accepted() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "upstream_tls/mutual",
            "the right certificate on both sides",
            http(tls(with(trusting("ca"), presenting("client")))),
        )
        .server("backend", NGINX_MUTUAL)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new(
            "upstream_tls/caddy_mutual",
            "Caddy gets the client certificate it wants",
            http(tls(with(trusting("ca"), presenting("client")))),
        )
        .server("backend", CADDY_MUTUAL)
        // Caddy answers 421 where Host and server name differ and client certificates matter.
        .curl(&["-H", "Host: httpbin.org", "http://127.0.0.1:{listener:http}/"])
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

/// Secrets that never come, and server names that nobody has.
fn secrets_and_names() -> Vec<Scenario> {
    let late = json!({"common_tls_context": {"tls_certificate_sds_secret_configs": [{"name": "client", "sds_config": {
        "initial_fetch_timeout": "0.1s", "resource_api_version": "V3",
        "api_config_source": {"api_type": "GRPC", "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}]}}}]}});
    let proxy = {
        let control = with(cluster("control", "control"), http2());
        Proxy::new([Listener::http("http", all_to("backend"))], [tls(late), control])
    };
    const NAMES: Server = Server::Openssl(&[
        "-servername",
        "known.example",
        "-servername_fatal",
        "-cert2",
        "{pki}/server.pem",
        "-key2",
        "{pki}/server.key",
        "-www",
    ]);
    let named = |name: &str| http(tls(json!({"sni": name})));
    vec![
        Scenario::new("upstream_tls/secret_missing", "the client certificate never comes by SDS", proxy)
            .server("backend", TLS)
            .server("control", Server::Nobody)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names(Cause::ProxyCertificateMissing, Certain),
        Scenario::new(
            "upstream_tls/name_unknown",
            "the server has no certificate for the name",
            named("other.example"),
        )
        .server("backend", NAMES)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamRequiresSni, Certain),
        Scenario::new("upstream_tls/name_known", "healthy: it has one", named("known.example"))
            .server("backend", NAMES)
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, &[("code", "200")]),
    ]
}
