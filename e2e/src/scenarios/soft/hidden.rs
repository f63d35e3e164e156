//! Failures that are over, retried or only delay.

use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::{Value, json};

use super::{FINE, WHOLE, get, host, istio_route, sidecar};
use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{cluster, vhost, with};
use crate::harness::peers::Server;
use crate::scenarios::common::{ASK, PLAIN, SIDECAR};
use crate::scenarios::scenario::{Log, Scenario};

/// Configuration that comes late: Envoy's runtime stands in for the push.
pub(super) fn propagation() -> Vec<Scenario> {
    let late = |missing: Option<Value>| {
        let pushed = json!({"match": {"runtime_fraction": {"default_value": {"numerator": 0}, "runtime_key": "pushed"}}});
        let mut routes = vec![with(istio_route("new", WHOLE, Some("reviews")), pushed)];
        routes.extend(missing);
        let hosts = json!([vhost("reviews:80", &["*"], routes)]);
        sidecar(hosts, "OUTBOUND", vec![cluster(WHOLE, "backend")])
            .patch(json!({"layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]}}))
    };
    let asked = |name, about, proxy, ask| {
        Scenario::new(name, about, proxy)
            .page("Route rules don't seem to affect traffic flow")
            .direction("outbound")
            .server("backend", PLAIN)
            .client(Client::Custom(ask))
            .gets(200)
    };
    let to_nowhere = || Some(istio_route("old", "outbound|80|v3|nowhere", Some("reviews")));
    vec![
        asked("soft/route_comes_late", "404 until the route arrives", late(None), until_pushed)
            .logs(Log::Http, &[("flags", "NR")])
            .names(Cause::RouteNoMatch, Certain)
            .times(2)
            .observes(
                Cause::ConfigPropagating,
                Possible,
                1,
                &["failed_for_seconds=0; route=new; virtual_host=reviews:80"],
            )
            .of_resource("VirtualService/default/reviews"),
        asked(
            "soft/cluster_comes_late",
            "503 until the subset's cluster arrives",
            late(to_nowhere()),
            until_pushed,
        )
        .logs(Log::Http, &[("flags", "NC")])
        .names(Cause::ClusterMissing, Certain)
        .blames("VirtualService/default/reviews")
        .times(2)
        .observes(Cause::ConfigPropagating, Possible, 1, &["failed_for_seconds=0; route=new"])
        .of_resource("VirtualService/default/reviews"),
        asked("soft/other_paths_never_existed", "what works now is another request", late(None), other_paths)
            .logs(Log::Http, &[("flags", "NR")])
            .names(Cause::RouteNoMatch, Certain)
            .times(2),
    ]
}

/// Two failures, the push, some seconds, three successes.
fn until_pushed(places: &Places) -> Result<Seen> {
    push_between(places, "/")
}

fn other_paths(places: &Places) -> Result<Seen> {
    push_between(places, "/.env")
}

fn push_between(places: &Places, path: &str) -> Result<Seen> {
    get(places, path, &[])?;
    get(places, path, &[])?;
    ureq::post(places.fill("http://{admin}/runtime_modify?pushed=100")).send_empty()?;
    get(places, "/", &[])?;
    std::thread::sleep(Duration::from_millis(3_200));
    get(places, "/", &[])?;
    get(places, "/", &[])
}

/// What retries hide. Envoy sends nginx the attempt's number.
pub(super) fn retries() -> Vec<Scenario> {
    let asked = |name, about, block| {
        let policy = json!({"route": {"retry_policy": {"retry_on": "5xx", "num_retries": 2}}});
        let mut all = host("*", with(istio_route("canary", WHOLE, Some("reviews")), policy));
        all["include_request_attempt_count"] = true.into();
        Scenario::new(name, about, sidecar(json!([all]), "OUTBOUND", vec![cluster(WHOLE, "backend")]))
            .direction("outbound")
            .server("backend", Server::Nginx(block))
            .curl(ASK)
    };
    vec![
        asked("soft/second_try_succeeds", "the first attempt gets 503", FAILS_ONCE)
            .gets(200)
            .logs(Log::Http, FINE)
            .observes(
                Cause::SucceededAfterRetries,
                Likely,
                1,
                &[
                    "attempts=2; code=200; cluster=outbound|80||reviews",
                    "attempts at reviews.default.svc.cluster.local fail",
                ],
            ),
        asked("soft/third_try_succeeds", "two attempts get 503", FAILS_TWICE)
            .gets(200)
            .logs(Log::Http, FINE)
            .observes(Cause::SucceededAfterRetries, Likely, 1, &["attempts=3; code=200"]),
        asked("soft/first_try_succeeds", "a retry policy that has nothing to do", PLAIN_OK)
            .gets(200)
            .logs(Log::Http, FINE),
        asked("soft/second_try_finds_nothing", "the retry ends in the application's 404", NOT_FOUND_THEN)
            .gets(404)
            .logs(Log::Http, FINE),
    ]
}

const PLAIN_OK: &str = "listen 127.0.0.1:{port}; location / { return 200 ok; }";

const FAILS_ONCE: &str = "listen 127.0.0.1:{port}; location / { if ($http_x_envoy_attempt_count = 1) { return 503; } return 200 ok; }";

const FAILS_TWICE: &str = "listen 127.0.0.1:{port}; location / { if ($http_x_envoy_attempt_count = 3) { return 200 ok; } return 503; }";

const NOT_FOUND_THEN: &str = "listen 127.0.0.1:{port}; location / { if ($http_x_envoy_attempt_count = 1) { return 503; } return 404; }";

/// Faults of a VirtualService that delay alone.
pub(super) fn delays() -> Vec<Scenario> {
    const FAULT: &str = "envoy.extensions.filters.http.fault.v3.HTTPFault";
    let asked = |name, about, percent: u32| {
        let fault = json!({
            "@type": format!("type.googleapis.com/{FAULT}"),
            "delay": {"fixed_delay": "0.1s", "percentage": {"numerator": percent}},
        });
        let own = json!({"typed_per_filter_config": {"envoy.filters.http.fault": fault}});
        let all = json!([host("*", with(istio_route("canary", WHOLE, Some("reviews")), own))]);
        let listener =
            Listener::http("http", all).direction("OUTBOUND").http_filter("fault", FAULT, json!({}));
        let proxy = Proxy::new([listener], [cluster(WHOLE, "backend")]).node(SIDECAR);
        Scenario::new(name, about, proxy.roles(Roles::observing()))
            .direction("outbound")
            .server("backend", PLAIN)
            .curl(ASK)
            .gets(200)
    };
    vec![
        asked("soft/delayed", "a VirtualService delays on purpose", 100)
            .logs(Log::Http, &[("flags", "DI"), ("details", "via_upstream")])
            .observes(
                Cause::DelayInjected,
                Certain,
                1,
                &["flags=DI; code=200", "Remove the fault block from VirtualService default/reviews"],
            )
            .of_resource("VirtualService/default/reviews"),
        asked("soft/not_delayed", "a fault that hits no request", 0).logs(Log::Http, FINE),
    ]
}
