//! The upstream's answer.

mod broken;
mod by_proxy;
mod http2;
mod retries;
mod reused;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::{Value, json};

use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, istio_config, route, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, PLAIN, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

/// A route with these settings, made by the VirtualService `default/reviews`.
fn routed(settings: Value) -> Proxy {
    let route = with(
        with(route("/", "backend"), json!({"route": settings})),
        istio_config("virtual-service", "default", "reviews"),
    );
    Proxy::new([Listener::http("http", all_by(route))], [backend()])
}

pub(super) fn table() -> Vec<Scenario> {
    [
        late(),
        broken::table(),
        by_proxy::table(),
        http2::table(),
        errors(),
        retries::table(),
        reused::table(),
        others(),
    ]
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
        .names(Cause::UpstreamTimeout, Certain)
        .blames("VirtualService/default/reviews"),
        Scenario::new("answer/idle_try", "nothing moves in a try", {
            let retries = json!({"retry_on": "5xx", "num_retries": 0, "per_try_idle_timeout": "0.2s"});
            routed(json!({"timeout": "5s", "retry_policy": retries}))
        })
        .server("backend", Server::Made(Habit::NeverAnswer))
        .curl(ASK)
        .gets(504)
        .logs(Log::Http, &[("code", "504"), ("details", "upstream_per_try_idle_timeout")])
        .names(Cause::UpstreamTimeout, Certain)
        .blames("VirtualService/default/reviews"),
        Scenario::new("answer/timeout_of_every_try", "every try takes too long", {
            let retries = json!({"retry_on": "5xx", "num_retries": 1, "per_try_timeout": "0.2s"});
            routed(json!({"timeout": "5s", "retry_policy": retries}))
        })
        .server("backend", Server::Made(Habit::NeverAnswer))
        .curl(ASK)
        .gets(504)
        .logs(Log::Http, &[("code", "504"), ("details", "upstream_per_try_timeout")])
        .names(Cause::UpstreamTimeout, Certain)
        .because(&["attempts=2"])
        .blames("VirtualService/default/reviews"),
    ]
}

fn errors() -> Vec<Scenario> {
    let own = |name, about, block| {
        Scenario::new(name, about, http(backend()))
            .server("backend", Server::Nginx(block))
            .curl(ASK)
            .logs(Log::Http, &[("flags", "-"), ("details", "via_upstream")])
            .names(Cause::ApplicationError, Certain)
    };
    vec![
        own("answer/500", "the application's own 500", "listen 127.0.0.1:{port}; location / { return 500; }")
            .gets(500),
        own("answer/503", "the application's own 503", "listen 127.0.0.1:{port}; location / { return 503; }")
            .gets(503),
        own("answer/502_of_nginx", "nginx in front of a dead application", {
            "listen 127.0.0.1:{port}; location / { proxy_pass http://127.0.0.1:1; }"
        })
        .gets(502)
        .names(Cause::ApplicationError, Likely),
        Scenario::new("answer/500_after_retries", "three attempts, one failure", {
            routed(json!({"retry_policy": {"retry_on": "5xx", "num_retries": 2}}))
        })
        .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 500; }"))
        .curl(ASK)
        .gets(500)
        .logs(Log::Http, &[("code", "500"), ("flags", "URX"), ("details", "via_upstream")])
        .names(Cause::ApplicationError, Certain)
        .because(&["attempts=3"]),
    ]
}

fn others() -> Vec<Scenario> {
    let drops = json!({"load_assignment": {"policy": {"drop_overloads": [
        {"category": "all", "drop_percentage": {"numerator": 100, "denominator": "HUNDRED"}}]}}});
    vec![
        Scenario::new(
            "answer/unclassified",
            "the control plane has requests dropped",
            http(with(backend(), drops)),
        )
        .server("backend", PLAIN)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("details", "*")])
        .names(Cause::Unclassified, Possible),
    ]
}
