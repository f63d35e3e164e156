//! Limits of this proxy, and clients that leave.

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, all_to, cluster, direct, http2, istio_config, route, with};
use crate::harness::peers::{Habit, Server};
use crate::harness::process::wait_for;
use crate::scenarios::common::{ASK, PLAIN, backend};
use crate::scenarios::scenario::{Log, Scenario};

const SILENT: Server = Server::Made(Habit::NeverAnswer);

fn managed(patch: Value) -> Proxy {
    Proxy::new([Listener::http("http", all_to("backend")).filter(patch)], [backend()])
}

fn tcp(patch: Value) -> Proxy {
    Proxy::new([Listener::tcp("tcp", "backend").filter(patch)], [backend()])
}

pub(super) fn table() -> Vec<Scenario> {
    [idle(), durations(), proxy()].into_iter().flatten().collect()
}

fn idle() -> Vec<Scenario> {
    const UPLOAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf";
    vec![
        Scenario::new(
            "limits/idle_stream",
            "neither side says anything",
            managed(json!({"stream_idle_timeout": "0.3s"})),
        )
        .server("backend", SILENT)
        .curl(ASK)
        .gets(504)
        .logs(Log::Http, &[("code", "504"), ("flags", "SI"), ("details", "stream_idle_timeout")])
        .names(Cause::IdleTimeout, Certain),
        Scenario::new(
            "limits/idle_upload",
            "the upload stalls",
            managed(json!({"stream_idle_timeout": "0.3s"})),
        )
        .server("backend", SILENT)
        .client(Client::Raw("http", UPLOAD))
        .gets(408)
        .logs(Log::Http, &[("code", "408"), ("flags", "SI"), ("details", "stream_idle_timeout")])
        .names(Cause::IdleTimeout, Certain),
        Scenario::new(
            "limits/slow_headers",
            "the request's headers never end",
            managed(json!({"request_headers_timeout": "0.2s"})),
        )
        .server("backend", PLAIN)
        .client(Client::Raw("http", b"GET / HTTP/1.1\r\nHost: a\r\n"))
        .gets(408)
        .logs(Log::Http, &[("code", "408"), ("details", "request_header_timeout")])
        .names(Cause::IdleTimeout, Certain),
        Scenario::new(
            "limits/idle_tcp",
            "healthy: an idle TCP connection on which the server never spoke is closed in time",
            tcp(json!({"idle_timeout": "0.2s"})),
        )
        .server("backend", SILENT)
        .client(Client::Raw("tcp", b"hello\n"))
        .logs(Log::Tcp, &[("flags", "-")]),
    ]
}

fn durations() -> Vec<Scenario> {
    const UPLOAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf";
    let limited = |proxy| Scenario::new("limits/stream_duration", "a stream may last 0.3 s", proxy);
    let cluster_limit = json!({"typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "common_http_protocol_options": {"max_stream_duration": "0.3s"},
            "explicit_http_config": {"http_protocol_options": {}},
        },
    }});
    let by_route = || {
        let route = with(
            with(
                route("/", "backend"),
                json!({"route": {"max_stream_duration": {"max_stream_duration": "0.3s"}}}),
            ),
            istio_config("virtual-service", "default", "reviews"),
        );
        Proxy::new([Listener::http("http", all_by(route))], [backend()])
    };
    vec![
        limited(managed(json!({"common_http_protocol_options": {"max_stream_duration": "0.3s"}})))
            .server("backend", SILENT)
            .curl(ASK)
            .gets(504)
            .logs(Log::Http, &[("code", "504"), ("flags", "-"), ("details", "max_duration_timeout")])
            .names(Cause::MaxDurationReached, Certain),
        Scenario::new("limits/route_duration", "the same by the route", by_route())
            .server("backend", SILENT)
            .curl(ASK)
            .gets(504)
            .logs(Log::Http, &[("code", "504"), ("details", "max_duration_timeout")])
            .names(Cause::MaxDurationReached, Certain),
        Scenario::new(
            "limits/upstream_duration",
            "the same by the cluster",
            Proxy::new([Listener::http("http", all_to("backend"))], [with(backend(), cluster_limit)]),
        )
        .server("backend", SILENT)
        .curl(ASK)
        .gets(504)
        .logs(
            Log::Http,
            &[("code", "504"), ("flags", "UMSDR"), ("details", "upstream_max_stream_duration_reached")],
        )
        .names(Cause::MaxDurationReached, Certain),
        Scenario::new(
            "limits/request_timeout",
            "an upload must be done in 0.3 s",
            managed(json!({"request_timeout": "0.3s"})),
        )
        .server("backend", SILENT)
        .client(Client::Raw("http", UPLOAD))
        .gets(408)
        .logs(Log::Http, &[("code", "408"), ("details", "request_overall_timeout")])
        .names(Cause::MaxDurationReached, Certain),
        Scenario::new(
            "limits/tcp_duration",
            "a TCP connection may last 0.2 s",
            tcp(json!({"max_downstream_connection_duration": "0.2s"})),
        )
        .server("backend", SILENT)
        .client(Client::Raw("tcp", b"hello\n"))
        .logs(Log::Tcp, &[("flags", "DT")])
        .names(Cause::MaxDurationReached, Likely),
    ]
}

fn proxy() -> Vec<Scenario> {
    let overloaded = json!({"overload_manager": {
        "refresh_interval": "0.05s",
        "resource_monitors": [{"name": "envoy.resource_monitors.fixed_heap", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
            "max_heap_size_bytes": 1,
        }}],
        "actions": [{"name": "envoy.overload_actions.stop_accepting_requests", "triggers": [
            {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": 0.5}},
        ]}],
    }});
    let health = json!({"pass_through_mode": false, "headers": [{"name": ":path", "string_match": {"exact": "/healthz"}}]});
    let late = json!({"name": "late", "config_discovery": {
        "config_source": {"resource_api_version": "V3", "initial_fetch_timeout": "0.1s", "api_config_source": {
            "api_type": "GRPC", "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}],
        }},
        "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
    }});
    let hosts = || all_by(direct("/", 200, "ok"));
    vec![
        Scenario::new("limits/overload", "the overload manager refuses requests", managed(json!({})).patch(overloaded))
            .server("backend", PLAIN)
            .client(Client::Custom(until_overloaded))
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "-"), ("details", "overload")])
            .names(Cause::ProxyOverloaded, Certain)
            // No filter chain is made for it (1.40): the access logger alone sees it.
            .only_counted(),
        Scenario::new("limits/health_check_failed", "the proxy was told to fail its health checks", {
            let listener = Listener::http("http", hosts()).http_filter("health_check", "envoy.extensions.filters.http.health_check.v3.HealthCheck", health);
            Proxy::new([listener], [])
        })
        .client(Client::Program("sh", "dash", &[
            "-c",
            "curl -sS -X POST http://{admin}/healthcheck/fail; curl -sS -i http://127.0.0.1:{listener:http}/healthz",
        ], ""))
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "LH")])
        .names(Cause::LocalHealthCheckFailed, Certain),
        Scenario::new("limits/filter_never_came", "a Wasm filter that should come by ECDS never does", {
            Proxy::new([Listener::http("http", hosts()).raw_http_filter(late)], [with(cluster("control", "control"), http2())])
        })
        .server("control", Server::Nobody)
        .curl(ASK)
        .gets(500)
        .logs(Log::Http, &[("code", "500"), ("flags", "NFCF")])
        .names(Cause::FilterConfigMissing, Certain),
    ]
}

/// Asks until the overload manager has measured the heap.
fn until_overloaded(places: &Places) -> Result<Seen> {
    wait_for("the proxy to be overloaded", || {
        let seen = Client::Curl(ASK).run(places)?;
        Ok((seen.status == Some(503)).then_some(seen))
    })
}
