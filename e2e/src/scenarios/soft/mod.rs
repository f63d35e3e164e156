//! Soft causes of HTTP traffic: it works, and yet isn't what was meant.

mod hidden;
mod http10;
mod rules;

use anyhow::Result;
use serde_json::{Value, json};

use crate::harness::client::{Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{istio_config, route, vhost, with};
use crate::scenarios::common::SIDECAR;
use crate::scenarios::scenario::Scenario;

const FINE: &[(&str, &str)] = &[("flags", "-"), ("details", "via_upstream")];

fn sidecar(virtual_hosts: Value, direction: &str, clusters: Vec<Value>) -> Proxy {
    let listener = Listener::http("http", virtual_hosts).direction(direction);
    Proxy::new([listener], clusters).node(SIDECAR).roles(Roles::observing())
}

pub(super) fn table() -> Vec<Scenario> {
    [
        http10::http10(),
        rules::rules(),
        rules::gateways(),
        rules::weights(),
        hidden::propagation(),
        hidden::retries(),
        hidden::delays(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn get(places: &Places, path: &str, headers: &[(&str, &str)]) -> Result<Seen> {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut request = agent.get(format!("http://127.0.0.1:{}{path}", places.listener("http")?));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(Seen { status: Some(request.call()?.status().as_u16()), exit: 0, text: String::new() })
}

const REVIEWS: &str = "reviews.default.svc.cluster.local";
const WHOLE: &str = "outbound|80||reviews.default.svc.cluster.local";
const V1: &str = "outbound|80|v1|reviews.default.svc.cluster.local";
const V2: &str = "outbound|80|v2|reviews.default.svc.cluster.local";

/// A route as istiod makes it from a VirtualService, or, without one, from the service.
fn istio_route(name: &str, to: &str, virtual_service: Option<&str>) -> Value {
    let named = with(route("/", to), json!({"name": name}));
    match virtual_service {
        Some(service) => with(named, istio_config("virtual-service", "default", service)),
        None => named,
    }
}

/// One virtual host per service and port, as on a sidecar.
fn host(name: &str, route: Value) -> Value {
    vhost(&format!("{name}:80"), &[name, &format!("{name}:*")], vec![route])
}
