//! The upstream's answer.

use h2::Reason;
use serde_json::{Value, json};

use crate::client::Client;
use crate::client_http2::Ask;
use crate::envoy::config::{Listener, Proxy, loopback};
use crate::envoy::parts::{all_to, cluster, direct, http2, istio_config, originate_tls, route, vhost, with};
use crate::peers::{Habit, Http2, Server};
use crate::scenario::{Log, Scenario};

const ASK: &[&str] = &["http://127.0.0.1:{listener:http}/"];
const PLAIN: Server = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }");

fn http() -> Proxy {
    Proxy::new([Listener::http("http", all_to("backend"))], [cluster("backend", "backend")])
}

/// A route with these settings, made by the VirtualService `default/reviews`.
fn routed(settings: Value) -> Proxy {
    let route = with(
        with(route("/", "backend"), json!({"route": settings})),
        istio_config("virtual-service", "default", "reviews"),
    );
    Proxy::new(
        [Listener::http("http", json!([vhost("all", &["*"], vec![route])]))],
        [cluster("backend", "backend")],
    )
}

pub(super) fn table() -> Vec<Scenario> {
    [late(), cut_off(), http2_streams(), broken(), errors(), retries(), others()]
        .into_iter()
        .flatten()
        .collect()
}

fn late() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "answer/timeout",
            "the answer takes longer than the route's timeout",
            routed(json!({"timeout": "0.3s"})),
        )
        .server("backend", Server::Made(Habit::NeverAnswer))
        .curl(ASK)
        .gets(504)
        .logs(Log::Http, &[("code", "504"), ("flags", "UT"), ("details", "response_timeout")])
        .names("upstream_timeout", "certain")
        .blames("VirtualService/default/reviews"),
        Scenario::new("answer/idle_try", "nothing moves in a try", {
            let retries = json!({"retry_on": "5xx", "num_retries": 0, "per_try_idle_timeout": "0.2s"});
            routed(json!({"timeout": "5s", "retry_policy": retries}))
        })
        .server("backend", Server::Made(Habit::NeverAnswer))
        .curl(ASK)
        .gets(504)
        .logs(Log::Http, &[("code", "504"), ("details", "upstream_per_try_idle_timeout")])
        .names("upstream_timeout", "certain")
        .blames("VirtualService/default/reviews"),
        Scenario::new("answer/timeout_of_every_try", "every try takes too long", {
            let retries = json!({"retry_on": "5xx", "num_retries": 1, "per_try_timeout": "0.2s"});
            routed(json!({"timeout": "5s", "retry_policy": retries}))
        })
        .server("backend", Server::Made(Habit::NeverAnswer))
        .curl(ASK)
        .gets(504)
        .logs(Log::Http, &[("code", "504"), ("details", "upstream_per_try_timeout")])
        .names("upstream_timeout", "certain")
        .because(&["attempts=2"])
        .blames("VirtualService/default/reviews"),
    ]
}

fn cut_off() -> Vec<Scenario> {
    let closed = |name, about, habit| {
        Scenario::new(name, about, http())
            .server("backend", Server::Made(habit))
            .curl(ASK)
            .gets(503)
            .logs(
                Log::Http,
                &[
                    ("flags", "UC"),
                    ("details", "upstream_reset_before_response_started{connection_termination}"),
                ],
            )
            .names("upstream_closed_connection", "likely")
    };
    vec![
        closed("answer/closed", "closed before the answer", Habit::CloseAfterRequest),
        closed("answer/reset", "a TCP reset looks the same", Habit::ResetAfterRequest),
        Scenario::new("answer/tcp_reset", "a TCP server that ends its connections with a reset", {
            Proxy::new([Listener::tcp("tcp", "backend")], [cluster("backend", "backend")])
        })
        .server("backend", Server::Made(Habit::ResetAfterRequest))
        .client(Client::Raw("tcp", b"bye\r\n"))
        .logs(Log::Tcp, &[("flags", "UR")])
        .names("upstream_reset", "possible")
        // No flag tells of it there.
        .before(38, |same| same.logs(Log::Tcp, &[("flags", "-")]).names_nothing()),
        Scenario::new("answer/cut_off", "closed in the middle of the body", http())
            .server(
                "backend",
                Server::Made(Habit::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")),
            )
            .curl(ASK)
            .says("transfer closed")
            .logs(Log::Http, &[("code", "200"), ("flags", "UPE")])
            .names("upstream_closed_connection", "likely")
            .because(&["promised=100", "passed=4"]),
        Scenario::new("answer/reset_midway", "a TCP reset in the middle of the body looks the same", http())
            .server(
                "backend",
                Server::Made(Habit::AnswerAndReset(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")),
            )
            .curl(ASK)
            .says("transfer closed")
            .logs(Log::Http, &[("code", "200"), ("flags", "UPE")])
            .names("upstream_closed_connection", "likely"),
        Scenario::new(
            "answer/cut_off_in_chunks",
            "chunked, the end of the body is all that is missing",
            http(),
        )
        .server(
            "backend",
            Server::Made(Habit::Answer(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            )),
        )
        .curl(ASK)
        .logs(Log::Http, &[("code", "200"), ("flags", "UPE")])
        .names("upstream_protocol_error", "likely"),
    ]
}

fn http2_streams() -> Vec<Scenario> {
    let proxy = || {
        Proxy::new(
            [Listener::http("http", all_to("backend"))],
            [with(cluster("backend", "backend"), http2())],
        )
    };
    let reset = |name, about, reason, details| {
        Scenario::new(name, about, proxy())
            .server("backend", Server::Http2(Http2::Resets(reason)))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "UR"), ("details", details)])
            .names("upstream_reset", "certain")
    };
    let grpc = |name, about, habit| {
        Scenario::new(name, about, proxy())
            .server("backend", Server::Http2(habit))
            .client(Client::Http2("http", Ask::Grpc))
    };
    vec![
        reset(
            "answer/stream_reset",
            "an HTTP/2 server resets the stream",
            Reason::INTERNAL_ERROR,
            "upstream_reset_before_response_started{remote_reset*",
        ),
        reset(
            "answer/stream_refused",
            "REFUSED_STREAM, as from a server with too many streams",
            Reason::REFUSED_STREAM,
            "upstream_reset_before_response_started{remote_refused_stream_reset*",
        ),
        Scenario::new("answer/goes_away", "GOAWAY for the whole connection looks like its end", proxy())
            .server("backend", Server::Http2(Http2::GoesAway(Reason::ENHANCE_YOUR_CALM)))
            .curl(ASK)
            .gets(503)
            .logs(
                Log::Http,
                &[
                    ("flags", "UC"),
                    ("details", "upstream_reset_before_response_started{connection_termination}"),
                ],
            )
            .names("upstream_closed_connection", "likely"),
        grpc(
            "answer/stream_reset_midway",
            "the server resets a stream in the middle of its answer",
            Http2::ResetsMidway(Reason::INTERNAL_ERROR),
        )
        .logs(
            Log::Http,
            &[("code", "200"), ("flags", "UR"), ("details", "upstream_reset_after_response_started{*")],
        )
        .names("upstream_reset", "certain"),
        grpc("answer/grpc_unavailable", "the application's own gRPC error, in trailers", Http2::Grpc("14"))
            .says("grpc-status: 14")
            .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("details", "via_upstream")])
            .names("application_error", "likely")
            .because(&["grpc_status=14"]),
        grpc(
            "answer/grpc_unavailable_at_once",
            "the same in headers, without a body",
            Http2::GrpcRefuses("14"),
        )
        .says("grpc-status: 14")
        .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("details", "via_upstream")])
        .names("application_error", "certain")
        .because(&["grpc_status=14"]),
        grpc("answer/grpc_not_found", "healthy: NOT_FOUND is an answer to the caller", Http2::Grpc("5"))
            .says("grpc-status: 5")
            .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("details", "via_upstream")]),
        grpc("answer/grpc_not_found_at_once", "healthy: the same in headers", Http2::GrpcRefuses("5"))
            .says("grpc-status: 5")
            .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("details", "via_upstream")]),
        grpc("answer/grpc_ok", "healthy: a call that succeeds", Http2::Grpc("0"))
            .says("grpc-status: 0")
            .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("details", "via_upstream")]),
        Scenario::new("answer/grpc_no_route", "Envoy's 404 for a gRPC call is HTTP 200", {
            let routes = json!([vhost("known", &["known.example"], vec![route("/", "backend")])]);
            Proxy::new([Listener::http("http", routes)], [cluster("backend", "backend")])
        })
        .server("backend", Server::Nobody)
        .client(Client::Http2("http", Ask::Grpc))
        .gets(200)
        .says("grpc-status: 12")
        .logs(Log::Http, &[("code", "200"), ("flags", "NR"), ("details", "route_not_found")])
        .names("route_host_unknown", "likely"),
        Scenario::new("answer/grpc_timeout", "Envoy's 504 for a gRPC call is HTTP 200", {
            let route = with(route("/", "backend"), json!({"route": {"timeout": "0.3s"}}));
            let listener = Listener::http("http", json!([vhost("all", &["*"], vec![route])]));
            Proxy::new([listener], [with(cluster("backend", "backend"), http2())])
        })
        .server("backend", Server::Http2(Http2::NeverAnswers))
        .client(Client::Http2("http", Ask::Grpc))
        .gets(200)
        .says("grpc-status: 14")
        .logs(Log::Http, &[("code", "200"), ("flags", "UT"), ("details", "response_timeout")])
        .names("upstream_timeout", "certain"),
        Scenario::new("answer/grpc_to_http1_cluster", "gRPC by HTTP/1 to a server of HTTP/2", {
            Proxy::new([Listener::http("http", all_to("backend"))], [cluster("backend", "backend")])
        })
        .server("backend", Server::Http2(Http2::Grpc("0")))
        .client(Client::Http2("http", Ask::Grpc))
        .says("grpc-status: 14")
        .logs(Log::Http, &[("flags", "UPE")])
        .names("upstream_protocol_error", "likely"),
        Scenario::new("answer/grpc_upstream_down", "Envoy's own refusal of a gRPC call is HTTP 200", proxy())
            .server("backend", Server::Nobody)
            .client(Client::Http2("http", Ask::Grpc))
            .gets(200)
            .says("grpc-status: 14")
            .logs(
                Log::Http,
                &[
                    ("code", "200"),
                    ("flags", "UF"),
                    ("details", "upstream_reset_before_response_started{remote_connection_failure*"),
                ],
            )
            .names("upstream_refused", "certain"),
    ]
}

fn broken() -> Vec<Scenario> {
    vec![
        Scenario::new("answer/garbage", "what comes back is no HTTP", http())
            .server("backend", Server::Made(Habit::Answer(b"garbage\r\n\r\n")))
            .curl(ASK)
            .gets(502)
            .logs(
                Log::Http,
                &[("flags", "UPE"), ("details", "upstream_reset_before_response_started{protocol_error}")],
            )
            .names("upstream_protocol_error", "likely"),
        Scenario::new("answer/bad_chunk", "a broken chunk in the middle of the body", http())
            .server(
                "backend",
                Server::Made(Habit::Answer(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
                )),
            )
            .curl(ASK)
            .logs(Log::Http, &[("code", "200"), ("flags", "UPE")])
            .names("upstream_protocol_error", "likely"),
        Scenario::new(
            "answer/http2_to_http1",
            "HTTP/2 to a server that speaks HTTP/1 looks like any broken answer",
            {
                Proxy::new(
                    [Listener::http("http", all_to("backend"))],
                    [with(cluster("backend", "backend"), http2())],
                )
            },
        )
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(502)
        .logs(
            Log::Http,
            &[
                ("flags", "UPE"),
                ("details", "upstream_reset_before_response_started{protocol_error}"),
                ("upstream_protocol", "HTTP/2"),
            ],
        )
        .names("upstream_protocol_error", "likely"),
        Scenario::new("answer/grpc_to_http1", "gRPC by HTTP/2 to a server of HTTP/1 looks the same", {
            Proxy::new(
                [Listener::http("http", all_to("backend"))],
                [with(cluster("backend", "backend"), http2())],
            )
        })
        .server("backend", PLAIN)
        .curl(&[
            "--http2-prior-knowledge",
            "-H",
            "Content-Type: application/grpc",
            "-H",
            "TE: trailers",
            "-d",
            "x",
            "http://127.0.0.1:{listener:http}/a.B/C",
        ])
        .logs(Log::Http, &[("flags", "UPE")])
        .names("upstream_protocol_error", "likely")
        .because(&["grpc=true"]),
        Scenario::new("answer/http10_upstream", "a server of HTTP/1.0 that says so", http())
            .server(
                "backend",
                Server::Made(Habit::Answer(
                    b"HTTP/1.0 505 HTTP Version Not Supported\r\nContent-Length: 0\r\n\r\n",
                )),
            )
            .curl(ASK)
            .gets(505)
            .logs(Log::Http, &[("code", "505"), ("details", "via_upstream")])
            .names("http10_upstream", "likely"),
    ]
}

fn errors() -> Vec<Scenario> {
    let own = |name, about, block| {
        Scenario::new(name, about, http())
            .server("backend", Server::Nginx(block))
            .curl(ASK)
            .logs(Log::Http, &[("flags", "-"), ("details", "via_upstream")])
            .names("application_error", "certain")
    };
    vec![
        own("answer/500", "the application's own 500", "listen 127.0.0.1:{port}; location / { return 500; }").gets(500),
        own("answer/503", "the application's own 503", "listen 127.0.0.1:{port}; location / { return 503; }").gets(503),
        own("answer/502_of_nginx", "nginx in front of a dead application", {
            "listen 127.0.0.1:{port}; location / { proxy_pass http://127.0.0.1:1; }"
        })
        .gets(502),
        Scenario::new("answer/503_of_another_envoy", "another Envoy made the answer, or passed it on", {
            // The second Envoy is a listener of the same process: its 503 comes by an HTTP connection like any other's.
            let spare = vec![direct("/", 503, "made by Envoy")];
            Proxy::new(
                [Listener::http("http", all_to("backend")), Listener::http("inner", json!([vhost("all", &["*"], spare)])).patch(
                    json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": "{server:inner}"}}}),
                )],
                [cluster("backend", "inner")],
            )
        })
        .server("inner", Server::Spare)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("details", "via_upstream")])
        .names("application_error", "likely")
        .because(&["answered_by_proxy=true"]),
        Scenario::new("answer/500_after_retries", "three attempts, one failure", {
            routed(json!({"retry_policy": {"retry_on": "5xx", "num_retries": 2}}))
        })
        .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 500; }"))
        .curl(ASK)
        .gets(500)
        .logs(Log::Http, &[("code", "500"), ("flags", "URX"), ("details", "via_upstream")])
        .names("application_error", "certain")
        .because(&["attempts=3"]),
    ]
}

/// Retries: the last attempt is what the client was told of.
fn retries() -> Vec<Scenario> {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let policy = json!({"retry_on": "5xx", "num_retries": 1, "per_try_timeout": "0.5s", "retry_priority": {
        "name": "envoy.retry_priorities.previous_priorities",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
            "update_frequency": 1,
        },
    }});
    // The first attempt goes to the endpoint of the first priority, the second to the other.
    let endpoint = |priority: u8, name: &str| json!({"priority": priority, "lb_endpoints": [{"endpoint": {"address": loopback(format!("{{server:{name}}}"))}}]});
    let both = json!({"load_assignment": {"endpoints": [endpoint(0, "first"), endpoint(1, "second")]}});
    let proxy = |tls: Value| {
        let route = with(route("/", "backend"), json!({"route": {"retry_policy": policy}}));
        let listener = Listener::http("http", json!([vhost("all", &["*"], vec![route])]));
        Proxy::new([listener], [with(with(cluster("backend", "first"), both.clone()), tls)])
    };
    let retried = |name, about, first: Server, second: Server| {
        Scenario::new(name, about, proxy(json!({}))).server("first", first).server("second", second).curl(ASK)
    };
    let fails = || Server::Nginx("listen 127.0.0.1:{port}; location / { return 500; }");
    vec![
        Scenario::new("answer/retried_then_fine", "healthy: the second attempt succeeds", {
            routed(json!({"retry_policy": {"retry_on": "5xx", "num_retries": 1}}))
        })
        .server("backend", Server::Made(Habit::InTurn(&[Habit::CloseAfterRequest, Habit::AnswerAndKeep(OK)])))
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        retried("answer/refused_then_500", "the first endpoint refuses, the second fails", Server::Nobody, fails())
            .gets(500)
            .logs(Log::Http, &[("code", "500"), ("details", "via_upstream")])
            .names("application_error", "certain")
            .because(&["attempts=2"]),
        retried("answer/500_then_refused", "the first endpoint fails, the second refuses", fails(), Server::Nobody)
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "URX,UF")])
            .names("upstream_refused", "certain")
            .because(&["attempts=2"]),
        retried("answer/closed_then_late", "the first endpoint hangs up, the second is late",
            Server::Made(Habit::CloseAfterRequest), Server::Made(Habit::NeverAnswer))
            .gets(504)
            .logs(Log::Http, &[("code", "504"), ("details", "upstream_per_try_timeout")])
            .names("upstream_timeout", "certain")
            .because(&["attempts=2"]),
        retried("answer/late_then_closed", "the first endpoint is late, the second hangs up",
            Server::Made(Habit::NeverAnswer), Server::Made(Habit::CloseAfterRequest))
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("details", "upstream_reset_before_response_started{connection_termination}")])
            .names("upstream_closed_connection", "likely")
            .because(&["attempts=2"]),
        Scenario::new("answer/plaintext_then_500", "the first endpoint speaks no TLS, the second fails", {
            proxy(originate_tls(json!({})))
        })
        .server("first", fails())
        .server("second", Server::Nginx(
            "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 500; }",
        ))
        .curl(ASK)
        .gets(500)
        .logs(Log::Http, &[("code", "500"), ("details", "via_upstream")])
        .names("application_error", "certain")
        .because(&["attempts=2"]),
    ]
}

fn others() -> Vec<Scenario> {
    let lua = json!({"default_source_code": {"inline_string":
        "function envoy_on_request(h) h:respond({[':status'] = '418'}, 'teapot') end"}});
    let with_lua = || {
        let listener = Listener::http("http", all_to("backend")).http_filter(
            "lua",
            "envoy.extensions.filters.http.lua.v3.Lua",
            lua.clone(),
        );
        Proxy::new([listener], [cluster("backend", "backend")])
    };
    vec![
        Scenario::new("answer/unclassified", "a filter that meshwhy doesn't know answered", with_lua())
            .server("backend", PLAIN)
            .curl(ASK)
            .gets(418)
            .logs(Log::Http, &[("code", "418"), ("flags", "-"), ("details", "lua_response")])
            .names("unclassified", "possible")
            .because(&["details=lua_response", "code=418"]),
        Scenario::new("answer/websocket_refused", "the route takes no websockets", {
            Proxy::new(
                [Listener::http("http", all_to("backend")).filter(json!({"upgrade_configs": null}))],
                [cluster("backend", "backend")],
            )
        })
        .server("backend", PLAIN)
        .client(Client::Raw(
            "http",
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        ))
        .gets(403)
        .logs(Log::Http, &[("code", "403"), ("details", "upgrade_failed")])
        .names("unclassified", "possible"),
    ]
}
