//! The roles on a host in memory: the hosts that the tests have in common.

mod connections;
mod costs;
mod floods;
mod hostile;
mod reports;
mod streams;

use super::{HttpStream, Plugin};
use crate::config::Config;
use crate::evidence::Flags;
use crate::host::HeaderMap;
use crate::host::fake::FakeHost;
use crate::report::Series;

const UF: u64 = Flags::UPSTREAM_CONNECTION_FAILURE.bits();

fn plugin(config: &str) -> Plugin {
    Plugin::new(Config::parse(config.as_bytes()).unwrap())
}

/// A stream that ended with this status and these flags.
fn answered(code: u64, flags: u64) -> FakeHost {
    FakeHost::new()
        .with_header(HeaderMap::Response, ":status", &code.to_string())
        .with_number("response.flags", flags)
        .with_number("response.code", code)
}

/// A proxied request that succeeds.
fn success() -> FakeHost {
    answered(200, 0).with_property("response.code_details", "via_upstream")
}

/// A request to a port where nothing listens, at a sidecar, with Istio's names.
const KNOWN_OF_A_REFUSAL: &[(&str, &str)] = &[
    (
        "response.code_details",
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}",
    ),
    ("upstream.transport_failure_reason", "delayed connect error: 111"),
    ("xds.cluster_name", "outbound|80||reviews.default.svc.cluster.local"),
    ("xds.node.id", "sidecar~10.0.0.1~app.default~default.svc.cluster.local"),
    ("xds.listener_direction", "\x02\0\0\0\0\0\0\0"),
    ("upstream.address", "10.0.0.2:9080"),
];

fn refused() -> FakeHost {
    KNOWN_OF_A_REFUSAL.iter().fold(answered(503, UF), |host, (path, value)| host.with_property(path, value))
}

fn missing_cluster() -> FakeHost {
    answered(503, Flags::NO_CLUSTER_FOUND.bits())
        .with_property("response.code_details", "cluster_not_found")
        .with_property("xds.virtual_host_name", "reviews:80")
        .with_property(
            "xds.route_metadata.filter_metadata.istio.config",
            "/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews",
        )
}

fn http(host: &FakeHost, plugin: &mut Plugin, series: &mut Series) {
    let mut stream = HttpStream::default().marked(plugin.marks_replies());
    if stream.on_response_headers(host, false) {
        stream.on_notable_headers(host, plugin);
    }
    stream.on_response_body(host, true);
    stream.on_log(host, plugin, series);
}

fn counted(host: &FakeHost) -> Vec<(String, i64)> {
    host.metrics().into_iter().filter(|(name, _)| name.ends_with("_total")).collect()
}

/// A request to an undeclared host, sampled.
fn bypassing() -> FakeHost {
    success()
        .with_property("xds.cluster_name", "PassthroughCluster")
        .with_property("xds.route_name", "allow_any")
        .with_property("xds.node.id", "sidecar~10.0.0.1~app.default~default.svc.cluster.local")
        .with_number("xds.listener_direction", 2)
}

fn sampled(host: &FakeHost, plugin: &mut Plugin, series: &mut Series) {
    let mut stream = HttpStream::new(plugin.samples_next());
    stream.on_response_headers(host, false);
    stream.on_response_body(host, true);
    if !stream.passed_whole() {
        stream.on_log(host, plugin, series);
    }
}
