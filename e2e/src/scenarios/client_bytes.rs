//! The client's bytes.

use serde_json::json;

use crate::client::Client;
use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::parts::{all_to, cluster, direct, vhost};
use crate::peers::Server;
use crate::scenario::{Log, Scenario};

fn plain() -> Proxy {
    Proxy::new([Listener::http("http", json!([vhost("all", &["*"], vec![direct("/", 200, "ok")])]))], [])
}

pub(super) fn table() -> Vec<Scenario> {
    vec![
        Scenario::new("client_bytes/https_to_http_port", "curl https:// to a port declared HTTP", plain())
            .page("Sending HTTPS to an HTTP port")
            .curl(&[
                "-k",
                "--connect-to",
                "httpbin.org:443:127.0.0.1:{listener:http}",
                "https://httpbin.org/",
            ])
            .gets_nothing("wrong version number")
            .logs(Log::Http, &[("code", "400"), ("flags", "DPE"), ("details", "http1.codec_error")])
            .names("tls_on_plaintext_port", "certain")
            .because(&["details=http1.codec_error", "first_bytes=tls_client_hello", "sni=httpbin.org"]),
        Scenario::new(
            "client_bytes/https_to_http_port_without_first_bytes",
            "the HTTP role alone",
            plain().roles(Roles::http_only()),
        )
        .curl(&["-k", "https://127.0.0.1:{listener:http}/"])
        .gets_nothing("wrong version number")
        .logs(Log::Http, &[("code", "400"), ("flags", "DPE")])
        .names("invalid_http_request", "possible"),
        Scenario::new(
            "client_bytes/nginx_with_http10",
            "nginx's default of HTTP/1.0 towards the proxy",
            Proxy::new([Listener::http("http", all_to("backend"))], [cluster("backend", "backend")]),
        )
        .page("Envoy won't connect to my HTTP/1.0 service")
        .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }"))
        .client(Client::Curl(&["-0", "http://127.0.0.1:{listener:http}/"]))
        .gets(426)
        .logs(Log::Http, &[("code", "426"), ("details", "low_version")])
        .names("http10_client", "certain"),
    ]
}
