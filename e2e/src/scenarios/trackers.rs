//! Reports of 2023 to 2026: proxies that hide, retries that keep bodies, names that don't fit, and what stays well.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use crate::harness::client::{Client, Places, Seen, status_in};
use crate::harness::envoy::config::{Listener, Proxy, loopback};
use crate::harness::envoy::parts::{
    all_by, all_to, cluster, demanding_certificate, direct, originate_tls, route, with,
};
use crate::harness::peers::Server;
use crate::scenarios::common::{ASK, ASK_WITH_CERTIFICATE, FINE, PLAIN, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

/// Two virtual hosts on one port, each with a certificate of its own and with ciphers of its own.
const APACHE: Server = Server::Apache(
    "SSLEngine on\nSSLCertificateFile {pki}/server.pem\nSSLCertificateKeyFile {pki}/server.key\n</VirtualHost>\n\
     <VirtualHost *:{port}>\nServerName pay.shop.test\nSSLEngine on\nSSLCipherSuite ECDHE+AESGCM\n\
     SSLCertificateFile {pki}/shop.pem\nSSLCertificateKeyFile {pki}/shop.key\n",
);

const CADDY: Server = Server::Reading(
    "Caddyfile",
    "{\n admin off\n auto_https off\n servers {\n  strict_sni_host on\n }\n}\n\
     https://localhost:{port}, https://pay.shop.test:{port} {\n bind 127.0.0.1\n tls {pki}/server.pem {pki}/server.key\n respond ok\n}\n",
    ("caddy", "caddy"),
    &["run", "--config", "{folder}/Caddyfile", "--adapter", "caddyfile"],
);

pub(super) fn table() -> Vec<Scenario> {
    [replies(), names(), well()].concat()
}

fn with_filter(virtual_hosts: Value, filter: Value) -> Proxy {
    Proxy::new([Listener::http("http", virtual_hosts).filter(filter)], [backend()])
}

/// Errors that somebody gave another status, page or name.
fn replies() -> Vec<Scenario> {
    let another_status = json!({"local_reply_config": {"mappers": [{
        "filter": {"status_code_filter": {"comparison": {"op": "EQ", "value": {"default_value": 503, "runtime_key": "none"}}}},
        "status_code": 429,
        "body_format_override": {"json_format": {"error": "busy"}},
    }]}});
    let nameless = json!({
        "server_header_transformation": "PASS_THROUGH",
        "local_reply_config": {"body_format": {"json_format": {"code": "%RESPONSE_CODE%"}}},
    });
    let retries = json!({"per_request_buffer_limit_bytes": 1000, "route": {"retry_policy": {
        "retry_on": "connect-failure", "num_retries": 3, "retry_back_off": {"base_interval": "2s", "max_interval": "4s"},
    }}});
    let by_header = json!({"match": {"prefix": "/"}, "route": {"cluster_header": "x-cluster"}});
    vec![
        Scenario::new(
            "answer/nameless_proxy",
            "an Envoy with an error page of its own that gives no name",
            Proxy::new([Listener::http("http", all_to("next"))], [cluster("next", "inner")]),
        )
        .server("backend", Server::Nobody)
        .server(
            "inner",
            Server::envoy(Proxy::new(
                [Listener::http("inner", all_to("backend")).filter(nameless)],
                [backend()],
            )),
        )
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "-"), ("details", "via_upstream")])
        .names(Cause::ApplicationError, Likely),
        Scenario::new("reaching/refused_with_another_status", "this proxy makes a 429 of its 503", {
            with_filter(all_to("backend"), another_status)
        })
        .server("backend", Server::Nobody)
        .curl(ASK)
        .gets(429)
        .logs(Log::Http, &[("code", "429"), ("flags", "UF")])
        .names(Cause::UpstreamRefused, Certain),
        Scenario::new(
            "client_bytes/body_too_large_to_retry",
            "the body outgrows what is kept for a second attempt",
            Proxy::new([Listener::http("http", all_by(with(route("/", "backend"), retries)))], [backend()]),
        )
        .server("backend", Server::Nobody)
        .client(Client::Custom(upload_slowly))
        .gets(507)
        .logs(Log::Http, &[("code", "507"), ("details", "request_payload_exceeded_retry_buffer_limit")])
        .names(Cause::RequestTooLarge, Certain)
        .side(Side::Mesh)
        .because(&["upstream_failure=delayed connect error: Connection refused"]),
        Scenario::new(
            "routes/cluster_header_missing",
            "the header that should name the cluster isn't there",
            Proxy::new([Listener::http("http", all_by(by_header))], [backend()]),
        )
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "NC"), ("details", "cluster_not_found")])
        .names(Cause::ClusterMissing, Certain),
    ]
}

/// Certificates, SNI and Host.
fn names() -> Vec<Scenario> {
    let of_partner: Value = json!({"common_tls_context": {"validation_context": {"match_typed_subject_alt_names": [
        {"san_type": "DNS", "matcher": {"exact": "partner.example.com"}},
    ]}}});
    let to_apache = |name, about, sni: Value| {
        let listener = Listener::http("http", all_to("backend")).direction("OUTBOUND");
        let cluster = with(backend(), originate_tls(json!({"sni": sni})));
        Scenario::new(name, about, Proxy::new([listener], [cluster]))
            .server("backend", APACHE)
            .direction("outbound")
            .curl(&["-H", "Host: pay.shop.test", "http://127.0.0.1:{listener:http}/"])
    };
    vec![
        to_apache(
            "upstream_tls/no_sni_for_this_host",
            "Apache httpd answers 421 where no SNI came",
            Value::Null,
        )
        .gets(421)
        .logs(Log::Http, &[("code", "421"), ("flags", "-"), ("details", "via_upstream")])
        .names(Cause::UpstreamRequiresSni, Likely)
        .because(&["page=misdirected_request", "upstream_tls="]),
        to_apache(
            "upstream_tls/sni_of_another_host",
            "Caddy with strict_sni_host answers 421, too",
            json!("localhost"),
        )
        .server("backend", CADDY)
        .gets(421)
        .logs(Log::Http, &[("code", "421"), ("flags", "-"), ("details", "via_upstream")])
        .names(Cause::UpstreamRequiresSni, Likely)
        .because(&["page=misdirected_request"]),
        // Its folder is empty.
        to_apache("upstream_tls/sni_of_this_host", "fixed: the Host's name as SNI", json!("pay.shop.test"))
            .gets(404),
        Scenario::new("answer/421_in_plaintext", "an application's 421 without TLS", http(backend()))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 421; }"))
            .curl(ASK)
            .gets(421),
        Scenario::new(
            "downstream_tls/wrong_name",
            "a client's certificate with another name than it should have",
            {
                let context = with(demanding_certificate("ca"), of_partner);
                Proxy::new(
                    [Listener::http("http", all_by(direct("/", 200, "ok"))).tls_with("server", context)],
                    [],
                )
            },
        )
        .curl(ASK_WITH_CERTIFICATE)
        .gets_nothing("curl: (")
        .logs(Log::Listener, &[("downstream_failure", "TLS_error:|268435581:*")])
        .names(Cause::ClientCertificateRejected, Certain),
    ]
}

/// Nothing failed, whatever it looks like.
fn well() -> Vec<Scenario> {
    let at = |server: &str, priority: u32| {
        let endpoint = json!({"endpoint": {"address": loopback(format!("{{server:{server}}}"))}});
        json!({"priority": priority, "lb_endpoints": [endpoint]})
    };
    let failover = json!({
        "load_assignment": {"endpoints": [at("gone", 0), at("well", 1)]},
        "health_checks": [{
            "timeout": "0.2s", "interval": "0.1s", "no_traffic_interval": "0.1s", "unhealthy_threshold": 1,
            "healthy_threshold": 1, "http_health_check": {"path": "/"},
        }],
    });
    let fails = "function envoy_on_request(h) h:logInfo(h:headers():get('x-none'):len()) end";
    vec![
        Scenario::new("healthy/lua_fails_open", "a Lua script fails, and the request goes on", {
            let kind = "envoy.extensions.filters.http.lua.v3.Lua";
            let script = json!({"default_source_code": {"inline_string": fails}});
            let listener = Listener::http("http", all_to("backend")).http_filter("lua", kind, script);
            Proxy::new([listener], [backend()])
        })
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, FINE),
        Scenario::new(
            "healthy/failover",
            "no endpoint of the first priority is up",
            http(with(backend(), failover)),
        )
        .server("gone", Server::Nobody)
        .server("well", PLAIN)
        .client(Client::Custom(after_health_checks))
        .gets(200)
        .logs(Log::Http, FINE),
    ]
}

fn after_health_checks(places: &Places) -> Result<Seen> {
    sleep(Duration::from_millis(800));
    Client::Curl(ASK).run(places)
}

/// A little at a time, while the router waits to try again.
fn upload_slowly(places: &Places) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(8)))?;
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\nabc")?;
    for _ in 0..40 {
        sleep(Duration::from_millis(20));
        let _ = stream.write_all(&[b'x'; 100]);
    }
    let mut answer = [0; 1024];
    let size = stream.read(&mut answer)?;
    let text = String::from_utf8_lossy(&answer[..size]).into_owned();
    Ok(Seen { status: status_in(&text), exit: 0, text })
}
