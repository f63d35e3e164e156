//! Plaintext to a server that expects TLS.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Likely;

use super::{CADDY, MUTUAL_ONLY, envoy_mutual};
use crate::harness::peers::Server;
use crate::scenarios::common::{ASK, TLS, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    let expect = |scenario: Scenario| {
        scenario
            .curl(ASK)
            .gets(400)
            .logs(Log::Http, &[("code", "400"), ("flags", "-"), ("details", "via_upstream")])
            .names(Cause::UpstreamExpectsTls, Likely)
            .because(&["page=plain_http_to_https_port"])
    };
    vec![
        expect(Scenario::new(
            "upstream_tls/nginx_expects_tls",
            "plaintext to nginx's TLS port",
            http(backend()),
        ))
        .server("backend", TLS),
        expect(Scenario::new(
            "upstream_tls/apache_expects_tls",
            "plaintext to Apache's TLS port",
            http(backend()),
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
            http(backend()),
        ))
        .server(
            "backend",
            CADDY,
        ),
        Scenario::new(
            "upstream_tls/openssl_expects_tls",
            "OpenSSL closes without a word: nothing proves TLS",
            http(backend()),
        )
        .server("backend", MUTUAL_ONLY)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UC")])
        .names(Cause::UpstreamClosedConnection, Likely),
        Scenario::new("upstream_tls/python_expects_tls", "Python's ssl closes without a word: nothing proves TLS", http(backend()))
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
            .names(Cause::UpstreamClosedConnection, Likely),
        Scenario::new("upstream_tls/envoy_expects_tls", "an Envoy that terminates TLS closes without a word", http(backend()))
            .server("backend", envoy_mutual())
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UC")])
            .names(Cause::UpstreamClosedConnection, Likely),
    ]
}
