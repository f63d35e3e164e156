//! Filters that turn requests away under load, or while the upstream fails.

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence::Certain;
use serde_json::json;

use super::{passes, replies};
use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::all_to;
use crate::harness::peers::Server;
use crate::scenarios::common::{ASK, PLAIN, backend};
use crate::scenarios::policy::{asked, filtered};
use crate::scenarios::scenario::{Log, Scenario};

/// A filter that turns requests away while the upstream fails too many.
pub(super) fn shedding() -> Vec<Scenario> {
    let kind = "envoy.extensions.filters.http.admission_control.v3.AdmissionControl";
    let config = json!({
        "enabled": {"default_value": true, "runtime_key": "a"},
        "sampling_window": "60s",
        "sr_threshold": {"default_value": {"value": 95.0}, "runtime_key": "b"},
        "aggression": {"default_value": 1000.0, "runtime_key": "c"},
        "max_rejection_probability": {"default_value": {"value": 100.0}, "runtime_key": "d"},
        "success_criteria": {"http_criteria": {"http_success_status": [{"start": 100, "end": 400}]}},
    });
    let proxy = || {
        Proxy::new(
            [Listener::http("http", all_to("backend")).http_filter(
                "admission_control",
                kind,
                config.clone(),
            )],
            [backend()],
        )
    };
    vec![
        Scenario::new("policy/admission_control", "the upstream failed too often, and is asked no more", proxy())
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 200; } location /bad { return 404; }"))
            .client(Client::Program(
                "sh",
                "dash",
                &["-c", "curl -sS -o /dev/null http://127.0.0.1:{listener:http}/bad; curl -sS -i http://127.0.0.1:{listener:http}/"],
                "",
            ))
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "-"), ("details", "denied_by_admission_control")])
            .names(Cause::FilterRejected, Certain)
            .because(&["filter=admission_control"])
            .side(Side::Upstream),
        passes(Scenario::new("policy/admission_control_passes", "healthy: the upstream works", proxy()).server("backend", PLAIN).curl(ASK)),
    ]
}

pub(super) fn loads() -> Vec<Scenario> {
    let kind = |filter: &str| format!("envoy.extensions.filters.http.{filter}");
    let adaptive = || {
        let delay = json!({"delay": {"fixed_delay": "0.5s", "percentage": {"numerator": 100}}});
        let listener = Listener::http("http", all_to("backend"))
            .http_filter("adaptive_concurrency", &kind("adaptive_concurrency.v3.AdaptiveConcurrency"), json!({
                "enabled": {"default_value": true, "runtime_key": "a"},
                "gradient_controller_config": {
                    "concurrency_limit_params": {"concurrency_update_interval": "10s"},
                    "min_rtt_calc_params": {"interval": "60s", "request_count": 100, "min_concurrency": 1},
                },
            }))
            .http_filter("fault", &kind("fault.v3.HTTPFault"), delay);
        Proxy::new([listener], [backend()])
    };
    let health = json!({"pass_through_mode": false, "cluster_min_healthy_percentages": {"nobody": {"value": 90}},
        "headers": [{"name": ":path", "string_match": {"exact": "/"}}]});
    let loop_of = |name, about, header: &'static str| {
        let client: &'static [&'static str] =
            Box::leak(Box::new(["-H", header, "http://127.0.0.1:{listener:http}/"]));
        asked(
            name,
            about,
            filtered("cdn_loop", "cdn_loop.v3.CdnLoopConfig", json!({"cdn_id": "edge.example"})),
        )
        .curl(client)
    };
    vec![
        Scenario::new(
            "policy/adaptive_concurrency",
            "more at once than the upstream is found to take",
            adaptive(),
        )
        .server("backend", PLAIN)
        .client(Client::CurlAtOnce(2, ASK))
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("details", "reached_concurrency_limit")])
        .names(Cause::FilterRejected, Certain)
        .because(&["filter=adaptive_concurrency"])
        .side(Side::Mesh),
        asked(
            "policy/health_check_of_clusters",
            "a health check looks at a cluster that isn't there",
            filtered("health_check", "health_check.v3.HealthCheck", health),
        )
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "LH"), ("details", "health_check_failed_*")])
        .names(Cause::FilterRejected, Certain)
        .side(Side::Upstream),
        replies(
            loop_of("policy/cdn_loop", "the request comes back to where it was", "CDN-Loop: edge.example")
                .gets(502),
            "502",
            "cdn_loop_detected",
        ),
        passes(loop_of(
            "policy/cdn_loop_of_others",
            "healthy: it passed another CDN",
            "CDN-Loop: other.example",
        )),
    ]
}
