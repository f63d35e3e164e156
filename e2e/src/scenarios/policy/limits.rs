//! Rate limits, and faults injected on purpose.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Certain;
use serde_json::{Value, json};

use super::{asked, filtered};
use crate::harness::client::Client;
use crate::harness::client::http2::Ask;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_by, cluster, http2, istio_config, route, vhost, with};
use crate::harness::peers::{Http2, Server};
use crate::scenarios::common::{ASK, PLAIN, backend};
use crate::scenarios::scenario::{Log, Scenario};

const FAULT: &str = "envoy.extensions.filters.http.fault.v3.HTTPFault";

pub(super) fn table() -> Vec<Scenario> {
    [global(), local(), faults()].into_iter().flatten().collect()
}

fn global() -> Vec<Scenario> {
    let limited = |deny: bool| {
        let descriptor = json!({"generic_key": {"descriptor_key": "all", "descriptor_value": "all"}});
        let rate_limits = json!({"rate_limits": [{"actions": [descriptor]}]});
        let hosts = json!([with(vhost("all", &["*"], vec![route("/", "backend")]), rate_limits)]);
        // Envoy waits 20 ms by default: too short for a busy machine.
        let service = json!({"transport_api_version": "V3", "grpc_service": {
            "envoy_grpc": {"cluster_name": "policy"}, "timeout": "1s",
        }});
        let config =
            json!({"domain": "d", "failure_mode_deny": deny, "timeout": "1s", "rate_limit_service": service});
        let kind = "envoy.extensions.filters.http.ratelimit.v3.RateLimit";
        let listener = Listener::http("http", hosts).http_filter("ratelimit", kind, config);
        Proxy::new([listener], [backend(), with(cluster("policy", "policy"), http2())])
    };
    // RateLimitResponse { overall_code: OVER_LIMIT }.
    let over_limit = Server::Http2(Http2::GrpcSays(b"\x08\x02"));
    vec![
        asked("policy/over_the_limit", "the rate limit service says no", limited(true))
            .server("policy", over_limit)
            .gets(429)
            .logs(Log::Http, &[("code", "429"), ("flags", "RL"), ("details", "request_rate_limited")])
            .names(Cause::RateLimited, Certain),
        asked("policy/over_the_real_limit", "Envoy's own service: the second request in an hour", limited(true))
            .server("policy", Server::RateLimit(
                "domain: d\ndescriptors: [{key: all, value: all, rate_limit: {unit: hour, requests_per_unit: 1}}]\n",
            ))
            .client(Client::CurlTimes(2, ASK))
            .gets(429)
            .logs(Log::Http, &[("code", "429"), ("flags", "RL"), ("details", "request_rate_limited")])
            .names(Cause::RateLimited, Certain),
        asked("policy/rate_limit_service_down", "nobody listens at the rate limit service", limited(true))
            .server("policy", Server::Nobody)
            .gets(500)
            .logs(Log::Http, &[("code", "500"), ("flags", "RLSE"), ("details", "rate_limiter_error")])
            .names(Cause::RateLimitServiceUnavailable, Certain),
        asked("policy/rate_limit_service_fails_open", "healthy: nobody counts, so nobody is refused", {
            limited(false)
        })
        .server("policy", Server::Nobody)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("details", "via_upstream")]),
    ]
}

fn local() -> Vec<Scenario> {
    let always = json!({"numerator": 100});
    let local = |tokens: u32| {
        filtered(
            "local_ratelimit",
            "local_ratelimit.v3.LocalRateLimit",
            json!({
                "stat_prefix": "local",
                "token_bucket": {"max_tokens": tokens, "fill_interval": "3600s"},
                "filter_enabled": {"default_value": always},
                "filter_enforced": {"default_value": always},
            }),
        )
    };
    vec![
        asked("policy/local_rate_limit", "the second request in an hour", local(1))
            .client(Client::CurlTimes(2, ASK))
            .gets(429)
            .logs(Log::Http, &[("code", "429"), ("flags", "RL"), ("details", "local_rate_limited")])
            .names(Cause::RateLimited, Certain),
        asked("policy/local_rate_limit_grpc", "for gRPC the refusal comes with status 200", local(0))
            // Older ones want at least one token.
            .since(39)
            .client(Client::Http2("http", Ask::Grpc))
            .gets(200)
            .says("grpc-status: 14")
            .logs(Log::Http, &[("code", "200"), ("flags", "RL"), ("details", "local_rate_limited")])
            .names(Cause::RateLimited, Certain),
        asked("policy/local_rate_limit_kept", "healthy: within the limit", local(9))
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

/// Faults as istiod configures them: the filter is empty, the route has the fault.
fn faults() -> Vec<Scenario> {
    let injected = |fault: Value| {
        let kind = json!({"@type": format!("type.googleapis.com/{FAULT}")});
        let own = json!({"typed_per_filter_config": {"envoy.filters.http.fault": with(kind, fault)}});
        let route =
            with(with(route("/", "backend"), own), istio_config("virtual-service", "default", "chaos"));
        let listener = Listener::http("http", all_by(route)).http_filter("fault", FAULT, json!({}));
        Proxy::new([listener], [backend()])
    };
    let always = json!({"numerator": 100});
    let abort = json!({"abort": {"http_status": 503, "percentage": always}});
    let delay = json!({"delay": {"fixed_delay": "0.1s", "percentage": always}});
    vec![
        asked("policy/fault", "a VirtualService aborts on purpose", injected(abort.clone()))
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "FI"), ("details", "fault_filter_abort")])
            .names(Cause::FaultInjected, Certain)
            .blames("VirtualService/default/chaos"),
        asked("policy/fault_after_delay", "it delays first", injected(with(delay.clone(), abort)))
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "DI,FI"), ("details", "fault_filter_abort")])
            .names(Cause::FaultInjected, Certain)
            .blames("VirtualService/default/chaos"),
        Scenario::new("policy/fault_grpc", "it aborts gRPC calls with a status of gRPC's own", {
            injected(json!({"abort": {"grpc_status": 14, "percentage": always}}))
        })
        .server("backend", PLAIN)
        .client(Client::Http2("http", Ask::Grpc))
        .says("grpc-status: 14")
        .logs(Log::Http, &[("code", "200"), ("flags", "FI"), ("details", "fault_filter_abort")])
        .names(Cause::FaultInjected, Certain)
        .blames("VirtualService/default/chaos"),
        asked("policy/fault_delays", "healthy: a delay is no failure", injected(delay))
            .with_roles(Roles::http_only())
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "DI"), ("details", "via_upstream")]),
    ]
}
