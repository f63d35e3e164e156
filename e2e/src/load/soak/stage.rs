//! The proxy with everything of meshwhy, and the servers behind it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use h2::Reason;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::client::Places;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{FailurePolicy, Listener, Proxy, Roles, merge};
use crate::harness::envoy::parts::{
    all_to, cluster, direct, empty_cluster, http2, istio_config, originate_tls, presenting, route, trusting,
    vhost, with,
};
use crate::harness::peers::websocket::Closes;
use crate::harness::peers::{Habit, Http2, Misbehaving, Running, Server};
use crate::harness::pki::Pki;
use crate::harness::tools;

/// Successes that are looked at: one in three, so that those looked at and those not change places.
const OBSERVE_EVERY: u32 = 3;

/// All of it, running.
#[derive(Debug)]
pub struct Stage {
    /// The proxy.
    pub envoy: Envoy,
    /// Where everything is.
    pub places: Places,
    _servers: Vec<Running>,
    _events: Misbehaving,
    _folder: TempDir,
}

impl Stage {
    /// Starts it all; `log_per_minute` is the plugins' setting.
    pub fn set_up(log_per_minute: u32) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("meshwhy-soak-").tempdir()?;
        let pki = folder.path().join("pki");
        std::fs::create_dir(&pki)?;
        Pki::create(&pki)?;
        let body = folder.path().join("body");
        std::fs::write(&body, vec![b'x'; 200_000])?;
        let text = |path: &Path| path.display().to_string();
        let mut places = Places {
            values: vec![
                ("{pki}".into(), text(&pki)),
                ("{body}".into(), text(&body)),
                ("{big}".into(), "y".repeat(20_000)),
            ],
        };
        let mut servers = Vec::new();
        for (name, server) in servers_of() {
            let own = folder.path().join(name);
            std::fs::create_dir(&own)?;
            std::fs::write(own.join("file"), vec![b'f'; 12_000])?;
            let running = server.start(&own, &pki).with_context(|| format!("server {name}"))?;
            places.values.push((format!("{{server:{name}}}"), running.port.to_string()));
            servers.push(running);
        }
        let events = Misbehaving::serving(|stream| drop(send_events(stream)))?;
        places.values.push(("{server:events}".into(), events.port().to_string()));
        let proxy = proxy().roles(roles(log_per_minute));
        let bootstrap = with_brief_logs(proxy.bootstrap(&tools::module()?.display().to_string()));
        let envoy = Envoy::start(&serde_json::from_str(&places.fill(&bootstrap.to_string()))?)?;
        for (name, port) in envoy.ports() {
            places.values.push((format!("{{listener:{name}}}"), port.to_string()));
        }
        Ok(Self { envoy, places, _servers: servers, _events: events, _folder: folder })
    }
}

fn roles(log_per_minute: u32) -> Roles {
    let role = |role: &str| {
        Some(json!({
            "role": role, "log": "limited", "log_per_minute": log_per_minute, "observe_every": OBSERVE_EVERY,
        }))
    };
    Roles {
        http: role("http"),
        connection: role("connection"),
        access_log: role("access_log"),
        // A VM that traps would take traffic along: nothing may go unseen.
        runtime_failure_policy: FailurePolicy::Closed,
    }
}

fn servers_of() -> Vec<(&'static str, Server)> {
    let tls = "ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key;";
    let mutual = "ssl_client_certificate {pki}/ca.pem; ssl_verify_client on;";
    vec![
        ("web", web("", "")),
        ("tls", web(" ssl", tls)),
        ("mtls", web(" ssl", &format!("{tls} {mutual}"))),
        ("h2", web(" http2", "")),
        ("nobody", Server::Nobody),
        ("silent", Server::Made(Habit::NeverAnswer)),
        ("closing", Server::Made(Habit::CloseAfterRequest)),
        ("echo", Server::Made(Habit::Echo)),
        ("greeting", Server::Made(Habit::GreetFirst(b"220 mail.example ESMTP ready\r\n"))),
        ("parting", Server::Made(Habit::Answer(b"hello"))),
        ("ws-server", Server::WebSocket(Closes::Server)),
        ("ws-client", Server::WebSocket(Closes::Client)),
        ("grpc", Server::Http2(Http2::Grpc("0"))),
        ("grpc-not-found", Server::Http2(Http2::Grpc("5"))),
        ("grpc-invalid", Server::Http2(Http2::GrpcRefuses("3"))),
        ("grpc-echo", Server::Http2(Http2::GrpcEchoes)),
        ("grpc-unavailable", Server::Http2(Http2::Grpc("14"))),
        ("grpc-cancelled", Server::Http2(Http2::GrpcRefuses("1"))),
        ("grpc-exhausted", Server::Http2(Http2::GrpcRefuses("8"))),
        ("events-for-ever", Server::Made(Habit::AnswerOnce(ENDLESS_EVENTS))),
        ("chunks-for-ever", Server::Made(Habit::AnswerOnce(ENDLESS_CHUNKS))),
        ("video", Server::Made(Habit::AnswerOnce(HALF_A_VIDEO))),
        ("resetting", Server::Http2(Http2::Resets(Reason::INTERNAL_ERROR))),
    ]
}

const ENDLESS_EVENTS: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\n";
const ENDLESS_CHUNKS: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
const HALF_A_VIDEO: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: 100000\r\n\r\nhalf";

/// Istio's default.
const RETRY_ON: &str = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

/// nginx, which answers `.../CODE` with that code. It never ends a connection by itself: the race with a request
/// that is on its way would be a failure indeed.
fn web(listen: &str, more: &str) -> Server {
    let codes = [200, 201, 204, 304, 400, 401, 403, 404, 409, 410, 429, 500, 502, 503];
    let codes: String = codes
        .iter()
        .map(|code| match code {
            204 | 304 => format!("location ~ /{code}$ {{ return {code}; }}\n"),
            _ => format!("location ~ /{code}$ {{ return {code} ok; }}\n"),
        })
        .collect();
    let text = format!(
        "listen 127.0.0.1:{{port}}{listen}; {more}\n\
         keepalive_requests 100000000; keepalive_timeout 24h; client_body_timeout 1h; client_header_timeout 24h;\n\
         large_client_header_buffers 4 64k; root {{folder}}; if_modified_since before;\n\
         location ~ /301$ {{ return 301 /there; }} location ~ /302$ {{ return 302 /there; }}\n\
         location ~ /file$ {{ try_files /file =404; }}\n\
         location ~ /slow$ {{ limit_rate 10k; try_files /file =404; }}\n\
         location ~ /upload$ {{ rewrite ^ /200 break; proxy_pass http://127.0.0.1:{{port}}; }}\n\
         location ~ /attempt$ {{ if ($http_x_envoy_attempt_count = 1) {{ return 503; }} return 200 ok; }}\n\
         {codes}"
    );
    Server::Nginx(text.leak())
}

/// Server-sent events, for each request on the connection.
fn send_events(mut stream: TcpStream) -> Result<()> {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer)? > 0 {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        for _ in 0..5 {
            stream.write_all(b"9\r\ndata: x\n\n\r\n")?;
            std::thread::sleep(Duration::from_millis(10));
        }
        stream.write_all(b"0\r\n\r\n")?;
    }
    Ok(())
}

fn routes() -> Vec<Value> {
    let to = |prefix: &str, name: &str| with(route(prefix, name), json!({"route": {"timeout": "0s"}}));
    let retries = |on: &str| json!({"route": {"retry_policy": {"retry_on": on, "num_retries": 2}}});
    let other_host = "envoy.retry_host_predicates.previous_hosts";
    let kind = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
    let elsewhere = json!({"route": {"retry_policy": {
        "retry_host_predicate": [{"name": other_host, "typed_config": {"@type": kind}}],
        "host_selection_retry_max_attempts": 5,
    }}});
    let weights = json!([{"name": "web", "weight": 80}, {"name": "h2", "weight": 20}]);
    vec![
        with(to("/web", "web"), istio_config("virtual-service", "default", "web")),
        to("/tls", "tls"),
        to("/mtls", "mtls"),
        to("/h2", "h2"),
        json!({
            "name": "split", "match": {"prefix": "/split"},
            "route": {"weighted_clusters": {"clusters": weights}, "timeout": "0s"},
        }),
        json!({"match": {"prefix": "/redirect"}, "redirect": {"path_redirect": "/there"}}),
        direct("/direct", 200, "ok"),
        direct("/gone", 404, "gone"),
        with(to("/retried", "web"), retries("5xx")),
        with(with(to("/reconnected", "half-dead"), retries("connect-failure")), elsewhere),
        to("/events-for-ever", "events-for-ever"),
        to("/events", "events"),
        to("/chunks-for-ever", "chunks-for-ever"),
        to("/video", "video"),
        with(to("/package.Cancelled/", "grpc-cancelled"), retries(RETRY_ON)),
        with(to("/package.Exhausted/", "grpc-exhausted"), retries("resource-exhausted")),
        with(
            with(to("/not-found", "web"), retries("retriable-status-codes")),
            json!({"route": {"retry_policy": {"retriable_status_codes": [404]}}}),
        ),
        to("/package.Ok/", "grpc"),
        to("/package.NotFound/", "grpc-not-found"),
        to("/package.Invalid/", "grpc-invalid"),
        to("/package.Echo/", "grpc-echo"),
        // What fails.
        to("/package.Unavailable/", "grpc-unavailable"),
        to("/refused", "refused"),
        to("/empty", "empty"),
        to("/limited", "limited"),
        with(
            with(to("/timeout", "silent"), json!({"route": {"timeout": "0.05s"}})),
            istio_config("virtual-service", "default", "slow"),
        ),
        to("/silent", "silent"),
        with(to("/missing", "missing"), istio_config("virtual-service", "default", "missing")),
        to("/closes", "closing"),
        to("/resets", "resetting"),
        to("/plaintext", "plaintext"),
    ]
}

fn clusters() -> Vec<Value> {
    let web = |name: &str| cluster(name, "web");
    let limits = |limits: Value| json!({"circuit_breakers": {"thresholds": [limits]}});
    let over_http2 = |name: &str| with(cluster(name, name), http2());
    let mut half_dead = web("half-dead");
    let dead = json!({"endpoint": {"address": {
        "socket_address": {"address": "127.0.0.1", "port_value": "{server:nobody}"},
    }}});
    merge(&mut half_dead, &limits(json!({"max_retries": 1000})));
    if let Some(endpoints) = half_dead["load_assignment"]["endpoints"][0]["lb_endpoints"].as_array_mut() {
        endpoints.push(dead);
    }
    let clusters = [
        with(web("web"), limits(json!({"max_retries": 1000}))),
        with(cluster("tls", "tls"), originate_tls(trusting("ca"))),
        with(cluster("mtls", "mtls"), originate_tls(with(trusting("ca"), presenting("client")))),
        over_http2("h2"),
        half_dead,
        cluster("events", "events"),
        over_http2("grpc"),
        over_http2("grpc-not-found"),
        over_http2("grpc-invalid"),
        over_http2("grpc-echo"),
        over_http2("grpc-unavailable"),
        with(over_http2("grpc-cancelled"), limits(json!({"max_retries": 1000}))),
        with(over_http2("grpc-exhausted"), limits(json!({"max_retries": 1000}))),
        cluster("events-for-ever", "events-for-ever"),
        cluster("chunks-for-ever", "chunks-for-ever"),
        cluster("video", "video"),
        over_http2("resetting"),
        cluster("tcp-tls", "tls"),
        cluster("echo", "echo"),
        cluster("greeting", "greeting"),
        cluster("parting", "parting"),
        cluster("ws-server", "ws-server"),
        cluster("ws-client", "ws-client"),
        cluster("refused", "nobody"),
        empty_cluster("empty"),
        with(web("limited"), limits(json!({"max_requests": 0}))),
        cluster("silent", "silent"),
        cluster("closing", "closing"),
        with(web("plaintext"), originate_tls(trusting("ca"))),
    ];
    // A busy machine is no failure, and neither are several retries at once.
    let patient = json!({"connect_timeout": "20s"});
    clusters.into_iter().map(|cluster| with(cluster, patient.clone())).collect()
}

fn proxy() -> Proxy {
    let counted = json!({"include_request_attempt_count": true});
    let hosts = json!([with(vhost("soak", &["soak.test"], routes()), counted)]);
    let fault = json!({"abort": {"header_abort": {}, "percentage": {"numerator": 100}}});
    let http = |name| {
        Listener::http(name, hosts.clone()).http_filter(
            "fault",
            "envoy.extensions.filters.http.fault.v3.HTTPFault",
            fault.clone(),
        )
    };
    let wanted = json!({
        "require_client_certificate": true,
        "common_tls_context": {"validation_context": {"trusted_ca": {"filename": "{pki}/ca.pem"}}},
    });
    let tunnel = |cluster: &str| {
        json!({
            "match": {"connect_matcher": {}},
            "route": {
                "cluster": cluster,
                "timeout": "0s",
                "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
            },
        })
    };
    let connect = json!([
        vhost("parting", &["parting.*"], vec![tunnel("parting")]),
        vhost("connect", &["*"], vec![tunnel("web")]),
    ]);
    Proxy::new(
        [
            http("http"),
            http("tls").tls("server"),
            http("mutual").tls_with("server", wanted),
            Listener::http("connect", connect)
                .filter(json!({"upgrade_configs": [{"upgrade_type": "CONNECT"}]})),
            Listener::http("ws-server", all_to("ws-server")),
            Listener::http("ws-client", all_to("ws-client")),
            Listener::tcp("tcp", "echo"),
            Listener::tcp("greeting", "greeting"),
            Listener::tcp("passthrough", "tcp-tls")
                .chain(json!({"filter_chain_match": {"server_names": ["httpbin.org"]}}))
                .tls_inspector(),
            Listener::tcp("refused", "refused"),
        ],
        clusters(),
    )
}

/// Only the log that holds the filter state, and briefly: everything would fill the disk.
fn with_brief_logs(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => {
            items.retain(|item| {
                let path = item["typed_config"]["path"].as_str().unwrap_or_default();
                ![".txt", ".json", ".rich"].iter().any(|end| path.ends_with(end))
            });
            items.iter_mut().for_each(|item| *item = with_brief_logs(item.take()));
        }
        Value::Object(map) => {
            for (key, item) in map {
                *item = if key == "log_format" { brief() } else { with_brief_logs(item.take()) };
            }
        }
        _ => {}
    }
    value
}

fn brief() -> Value {
    let state = |key: &str| format!("%FILTER_STATE(wasm.{key}:PLAIN)%");
    json!({"omit_empty_values": true, "json_format": {
        "asked": "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%",
        "bytes": "%BYTES_RECEIVED% %BYTES_SENT%",
        "code": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "cause": state("meshwhy.cause"),
        "confidence": state("meshwhy.confidence"),
        "resource": state("meshwhy.resource"),
        "meshwhy": state("meshwhy"),
    }})
}
