//! Istio's default chains: what falls through to `PassthroughCluster`, or ends in `BlackHoleCluster`.

use serde_json::{Value, json};

use crate::client::Client;
use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::parts::{all_to, cluster, empty_cluster, route, vhost};
use crate::peers::{Habit, Server};
use crate::scenario::{Log, Scenario};

const SIDECAR: &str = "sidecar~10.0.0.1~app.default~default.svc.cluster.local";
const PLAIN: Server = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }");
const TLS: Server = Server::Nginx(
    "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }",
);
const HTTPS: &[&str] =
    &["-k", "--connect-to", "httpbin.org:443:127.0.0.1:{listener:port}", "https://httpbin.org/"];
const FINE: &[(&str, &str)] = &[("flags", "-"), ("cluster", "PassthroughCluster")];

/// Listener filters by name, as they stand before Istio's chains.
fn inspectors(names: &[&str]) -> Value {
    let filters: Vec<Value> = names
        .iter()
        .map(|name| {
            if let Some(kind) = name.strip_prefix("mark_") {
                return mark(kind);
            }
            let kind = if *name == "tls_inspector" { "TlsInspector" } else { "HttpInspector" };
            let kind = format!("type.googleapis.com/envoy.extensions.filters.listener.{name}.v3.{kind}");
            json!({"name": format!("envoy.filters.listener.{name}"), "typed_config": {"@type": kind}})
        })
        .collect();
    json!({"listener_filters": filters})
}

/// What `envoyfilter-black-hole.yaml` marks a listener with, beside the inspector that it found there.
fn mark(kind: &str) -> Value {
    let text = json!({"text_format_source": {"inline_string": "1"}});
    json!({"name": format!("meshwhy-{kind}"), "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.listener.set_filter_state.v3.Config",
        "on_accept": [{"object_key": format!("meshwhy.listener.{kind}"), "factory_key": "envoy.string", "format_string": text}],
    }})
}

/// The listener of an HTTP port, as istiod 1.31 makes it: HTTP/1.1 and HTTP/2 in plaintext, and the default chain.
fn http_port(default: &'static str, filters: Value) -> Listener {
    let matches = json!({"filter_chain_match": {"transport_protocol": "raw_buffer", "application_protocols": ["http/1.1", "h2c"]}});
    let fallthrough = Listener::tcp("port", default).chain(json!({"name": "PassthroughFilterChain"}));
    let virtual_hosts = all_to("outbound|80||httpbin.default.svc.cluster.local");
    Listener::http("port", virtual_hosts)
        .chain(matches)
        .otherwise(fallthrough)
        .direction("OUTBOUND")
        .patch(filters)
}

/// The same for an HTTPS port: server names, and the default chain.
fn https_port(default: &'static str) -> Listener {
    let matches = json!({"filter_chain_match": {"server_names": ["declared.example"]}});
    let fallthrough = Listener::tcp("port", default).chain(json!({"name": "PassthroughFilterChain"}));
    let declared = Listener::tcp("port", "outbound|443||declared.example").chain(matches);
    declared.otherwise(fallthrough).direction("OUTBOUND").patch(inspectors(&["tls_inspector"]))
}

/// `virtualOutbound`'s own catch-all.
fn catch_all(default: &'static str) -> Listener {
    Listener::tcp("port", default)
        .chain(json!({"name": "virtualOutbound-catchall-tcp"}))
        .direction("OUTBOUND")
}

fn sidecar(listener: Listener) -> Proxy {
    let clusters = [
        cluster("PassthroughCluster", "backend"),
        empty_cluster("BlackHoleCluster"),
        cluster("outbound|80||httpbin.default.svc.cluster.local", "backend"),
        cluster("outbound|443||declared.example", "backend"),
        cluster("inbound|8080||", "backend"),
        cluster("backend", "backend"),
        cluster("InboundPassthroughCluster", "backend"),
        cluster("AllowAnyDynamicDNSCluster", "backend"),
    ];
    Proxy::new([listener], clusters).node(SIDECAR).roles(Roles::observing())
}

pub(super) fn table() -> Vec<Scenario> {
    [unknown(), fallen_through(), blocked(), as_tcp()].into_iter().flatten().collect()
}

fn scenario(name: &'static str, about: &'static str, listener: Listener, server: Server) -> Scenario {
    Scenario::new(name, about, sidecar(listener))
        .page("Route rules don't seem to affect traffic flow")
        .server("backend", server)
        .direction("outbound")
}

/// Destinations that no service or ServiceEntry claims.
fn unknown() -> Vec<Scenario> {
    let routed = |cluster: &str, name: &str| {
        let mut route = route("/", cluster);
        route["name"] = json!(name);
        json!([vhost(name, &["*"], vec![route])])
    };
    let outbound = |hosts| Listener::http("port", hosts).direction("OUTBOUND");
    let asks: &[&str] = &["-H", "Host: undeclared.example", "http://127.0.0.1:{listener:port}/"];
    vec![
        scenario(
            "passthrough/http_to_an_unknown_host",
            "ALLOW_ANY lets it through",
            outbound(routed("PassthroughCluster", "allow_any")),
            PLAIN,
        )
        .curl(asks)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("route", "allow_any")])
        .observes(
            "traffic_bypasses_mesh",
            "certain",
            1,
            &["cluster=PassthroughCluster; route=allow_any"],
        ),
        scenario(
            "passthrough/http_by_dynamic_dns",
            "the newer mode of the same",
            outbound(routed("AllowAnyDynamicDNSCluster", "allow_any_dynamic_dns")),
            PLAIN,
        )
        .curl(asks)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")])
        .observes("traffic_bypasses_mesh", "certain", 1, &["cluster=AllowAnyDynamicDNSCluster"]),
        scenario(
            "passthrough/tls_to_an_unknown_host",
            "TLS where no service has the port",
            catch_all("PassthroughCluster"),
            TLS,
        )
        .curl(HTTPS)
        .gets(200)
        .logs(Log::Tcp, FINE)
        .observes(
            "traffic_bypasses_mesh",
            "certain",
            1,
            &["filter_chain=virtualOutbound-catchall-tcp", "sni=httpbin.org"],
        ),
        scenario(
            "passthrough/tls_to_an_undeclared_name",
            "others have declared this port as HTTPS",
            https_port("PassthroughCluster"),
            TLS,
        )
        .curl(HTTPS)
        .gets(200)
        .logs(Log::Tcp, FINE)
        .observes(
            "traffic_bypasses_mesh",
            "certain",
            1,
            &["first_bytes=tls_client_hello; sni=httpbin.org"],
        ),
        scenario(
            "passthrough/inbound_port_in_no_service",
            "the workload's port is in no Service",
            Listener::http("port", routed("InboundPassthroughCluster", "default")).direction("INBOUND"),
            PLAIN,
        )
        .curl(asks)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")])
        .direction("inbound")
        .observes("traffic_bypasses_mesh", "certain", 1, &["cluster=InboundPassthroughCluster"]),
        scenario(
            "passthrough/inbound_tcp_in_no_service",
            "the same for bytes that are no HTTP",
            {
                Listener::tcp("port", "InboundPassthroughCluster")
                    .chain(json!({"name": "virtualInbound"}))
                    .direction("INBOUND")
            },
            Server::Made(Habit::Echo),
        )
        .client(Client::Raw("port", b"hello\n"))
        .logs(Log::Tcp, &[("flags", "-")])
        .direction("inbound")
        .observes("traffic_bypasses_mesh", "certain", 1, &["cluster=InboundPassthroughCluster"]),
        scenario(
            "passthrough/not_looked_at",
            "the same with observations turned off",
            outbound(routed("PassthroughCluster", "allow_any")),
            PLAIN,
        )
        .curl(asks)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")])
        .with_roles(Roles { http: Some(json!({"observe_every": 0, "log": "all"})), ..Roles::none() }),
    ]
}

/// ALLOW_ANY: the HTTP port's chain doesn't match, and it works all the same.
fn fallen_through() -> Vec<Scenario> {
    let http = || http_port("PassthroughCluster", inspectors(&["http_inspector"]));
    vec![
        scenario("passthrough/tls_on_an_http_port", "HTTPS to a port declared as HTTP", http(), TLS)
            .page("Sending HTTPS to an HTTP port")
            .curl(HTTPS)
            .gets(200)
            .logs(Log::Tcp, FINE)
            .observes(
                "tls_on_plaintext_port",
                "likely",
                1,
                &["filter_chain=PassthroughFilterChain; first_bytes=tls_client_hello", "sni=httpbin.org"],
            ),
        scenario("passthrough/http10_on_an_http_port", "an HTTP/1.0 client", http(), PLAIN)
            .page("Envoy won't connect to my HTTP/1.0 service")
            .curl(&["-0", "http://127.0.0.1:{listener:port}/"])
            .gets(200)
            .logs(Log::Tcp, FINE)
            .observes("http10_client", "likely", 1, &["request_version=HTTP/1.0"]),
        scenario(
            "passthrough/redis_on_an_http_port",
            "another protocol altogether",
            http(),
            Server::Made(Habit::AnswerAndKeep(b"+PONG\r\n")),
        )
        .client(Client::Raw("port", b"*1\r\n$4\r\nPING\r\n"))
        .says("+PONG")
        .logs(Log::Tcp, FINE)
        .observes("not_http_on_http_port", "likely", 1, &["first_bytes=redis"]),
        scenario(
            "passthrough/unknown_bytes_on_an_http_port",
            "bytes that say nothing",
            http(),
            Server::Made(Habit::Echo),
        )
        .client(Client::Raw(
            "port",
            b"\x81\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10",
        ))
        .logs(Log::Tcp, FINE)
        .observes("traffic_bypasses_mesh", "certain", 1, &["first_bytes=binary"]),
        scenario("passthrough/http11_on_an_http_port", "what the port is for", http(), PLAIN)
            .curl(&["http://127.0.0.1:{listener:port}/"])
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

/// REGISTRY_ONLY: closed before a byte is read.
fn blocked() -> Vec<Scenario> {
    let bare = || http_port("BlackHoleCluster", inspectors(&["http_inspector"]));
    let inspected = || http_port("BlackHoleCluster", inspectors(&["tls_inspector", "http_inspector"]));
    let marked =
        || http_port("BlackHoleCluster", inspectors(&["mark_http", "tls_inspector", "http_inspector"]));
    let black_hole: &[(&str, &str)] = &[("flags", "UH"), ("cluster", "BlackHoleCluster")];
    let fails = |name, about, listener, client: Client| {
        scenario(name, about, listener, PLAIN).client(client).gets_nothing("").logs(Log::Tcp, black_hole)
    };
    let http10 = || Client::Curl(&["-0", "http://127.0.0.1:{listener:port}/"]);
    vec![
        fails("passthrough/blocked_tls_unseen", "nobody saw that it is TLS", bare(), Client::Curl(HTTPS))
            .names("egress_blocked", "possible"),
        fails(
            "passthrough/blocked_tls",
            "the server name is no proof: an HTTPS port looks the same",
            inspected(),
            Client::Curl(HTTPS),
        )
        .names("egress_blocked", "possible")
        .because(&["sni=httpbin.org"]),
        fails(
            "passthrough/blocked_undeclared_name",
            "that HTTPS port",
            https_port("BlackHoleCluster"),
            Client::Curl(HTTPS),
        )
        .names("egress_blocked", "possible")
        .because(&["sni=httpbin.org"]),
        fails("passthrough/blocked_http10_unseen", "nobody saw that it is HTTP/1.0", bare(), http10())
            .names("egress_blocked", "possible"),
        fails(
            "passthrough/blocked_http10",
            "plaintext HTTP that is neither HTTP/1.1 nor HTTP/2",
            inspected(),
            http10(),
        )
        .names("http10_client", "possible")
        .because(&["tls_failure=HTTP_REQUEST"]),
        fails(
            "passthrough/blocked_tls_marked",
            "the listener is an HTTP port's",
            marked(),
            Client::Curl(HTTPS),
        )
        .page("Sending HTTPS to an HTTP port")
        .names("tls_on_plaintext_port", "likely")
        .because(&["sni=httpbin.org", "listener=http"])
        .since(38),
        fails("passthrough/blocked_http10_marked", "the same for HTTP/1.0", marked(), http10())
            .page("Envoy won't connect to my HTTP/1.0 service")
            .names("http10_client", "likely")
            .because(&["tls_failure=HTTP_REQUEST", "listener=http"])
            .since(38),
        fails(
            "passthrough/blocked_ssh_marked",
            "the same for another protocol",
            marked(),
            Client::Raw("port", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
        )
        .names("not_http_on_http_port", "likely")
        .because(&["listener=http"])
        .since(38),
        fails(
            "passthrough/blocked_tls_on_a_shared_port",
            "one service has the port for HTTP, another for HTTPS",
            http_port(
                "BlackHoleCluster",
                inspectors(&["tls_inspector", "mark_tls", "mark_http", "http_inspector"]),
            ),
            Client::Curl(HTTPS),
        )
        .names("egress_blocked", "possible")
        .because(&["sni=httpbin.org", "listener=tls"])
        .since(38),
        fails(
            "passthrough/blocked_by_the_catch_all",
            "a port that no service has",
            catch_all("BlackHoleCluster"),
            Client::Curl(HTTPS),
        )
        .names("egress_blocked", "certain"),
    ]
}

/// A service's port that is declared as TCP, or whose protocol wasn't detected.
fn as_tcp() -> Vec<Scenario> {
    const SERVICE: &str = "outbound|80||httpbin.default.svc.cluster.local";
    let service = || Listener::tcp("port", SERVICE).direction("OUTBOUND");
    let works: &[(&str, &str)] = &[("flags", "-"), ("cluster", SERVICE)];
    let get: &[&str] = &["http://127.0.0.1:{listener:port}/"];
    vec![
        scenario("passthrough/http_as_tcp", "HTTP to a port declared as TCP", service(), PLAIN)
            .curl(get)
            .gets(200)
            .logs(Log::Tcp, works)
            .observes(
                "http_treated_as_tcp",
                "certain",
                1,
                &["first_bytes=http1; request_version=HTTP/1.1", "cluster=outbound|80||"],
            ),
        scenario(
            "passthrough/http2_as_tcp",
            "the same in HTTP/2",
            service(),
            Server::Nginx("listen 127.0.0.1:{port} http2; location / { return 200 ok; }"),
        )
        .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:port}/"])
        .gets(200)
        .logs(Log::Tcp, works)
        .observes("http_treated_as_tcp", "certain", 1, &["first_bytes=http2_preface"]),
        scenario(
            "passthrough/http_as_tcp_inbound",
            "the same at the server's sidecar",
            Listener::tcp("port", "inbound|8080||").direction("INBOUND"),
            PLAIN,
        )
        .curl(get)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-")])
        .direction("inbound")
        .observes("http_treated_as_tcp", "certain", 1, &["first_bytes=http1"]),
        scenario(
            "passthrough/http10_server_as_tcp",
            "declared as TCP, perhaps because the server speaks HTTP/1.0",
            service(),
            Server::Made(Habit::Answer(b"HTTP/1.0 200 OK\r\n\r\nok")),
        )
        .page("Envoy won't connect to my HTTP/1.0 service")
        .curl(get)
        .gets(200)
        .logs(Log::Tcp, works)
        .observes("http_treated_as_tcp", "certain", 1, &["answer_version=HTTP/1.0"])
        .observes(
            "http10_upstream",
            "certain",
            1,
            &["answer_version=HTTP/1.0; request_version=HTTP/1.1"],
        ),
        scenario(
            "passthrough/tls_as_tcp",
            "TLS to a port declared as TCP is as it should be",
            service(),
            TLS,
        )
        .curl(HTTPS)
        .gets(200)
        .logs(Log::Tcp, works),
        scenario(
            "passthrough/http_to_a_plain_envoys_cluster",
            "a TCP proxy that is not Istio's",
            Listener::tcp("port", "backend"),
            PLAIN,
        )
        .curl(get)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-")]),
    ]
}
