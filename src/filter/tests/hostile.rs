//! Nothing that the host says can make a role panic, or leave what it writes malformed.

use proptest::prelude::*;

use super::{http, plugin, sampled};
use crate::filter::{Connection, Plugin};
use crate::host::fake::FakeHost;
use crate::host::{Buffer, HeaderMap, Level, Status};
use crate::report::Series;

/// Everything a role does, once.
fn everything(host: &FakeHost) {
    let mut series = Series::default();
    for role in ["http", "connection", "access_log"] {
        let config =
            format!(r#"{{"role":"{role}","log":"all","observe_every":1,"response_header":"x-why"}}"#);
        let mut plugin = plugin(&config);
        http(host, &mut plugin, &mut series);
        sampled(host, &mut plugin, &mut series);
        let mut connection = Connection::new(true);
        connection.on_downstream_data(host, false);
        connection.on_upstream_data(host, false);
        connection.on_log(host, &mut plugin, &mut series);
        plugin.on_access_log(host, &mut series);
    }
    let _ = Plugin::configure(host);
}

const PATHS: &[&str] = &[
    "response.flags",
    "response.code",
    "response.code_details",
    "request.protocol",
    "request.host",
    "connection.requested_server_name",
    "connection.tls_version",
    "connection.transport_failure_reason",
    "connection.termination_details",
    "connection.dns_san_local_certificate",
    "upstream.address",
    "upstream.tls_version",
    "upstream.transport_failure_reason",
    "upstream.num_endpoints",
    "upstream.request_attempt_count",
    "xds.cluster_name",
    "xds.route_name",
    "xds.virtual_host_name",
    "xds.filter_chain_name",
    "xds.node.id",
    "xds.node.metadata.ISTIO_VERSION",
    "xds.listener_direction",
    "xds.route_metadata.filter_metadata.istio.config",
    "xds.cluster_metadata.filter_metadata.istio.config",
    "meshwhy.first_bytes",
    "metadata.filter_metadata.istio.mixer.status",
    "xds.upstream_host_metadata.filter_metadata.istio.workload",
    "filter_state.meshwhy.listener.http",
];

fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

proptest! {
    #[test]
    fn no_status_of_the_host_and_no_bytes_can_panic_or_escape(
        status in proptest::option::of(0_u32..20),
        values in proptest::collection::vec((0..PATHS.len(), proptest::collection::vec(any::<u8>(), 0..60)), 0..12),
        words in proptest::collection::vec((0..PATHS.len(), "(upstream_reset_before_response_started\\{|route_not_found|TLS_error:|;\\.;|\"|\\\\|=|\n|[a-z_]{0,9}){0,4}"), 0..6),
        flags in any::<u64>(),
        code in prop_oneof![Just("200".to_owned()), Just("503".to_owned()), "\\PC{0,5}"],
        body in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut host = FakeHost::new().with_number("response.flags", flags).with_header(HeaderMap::Response, ":status", &code);
        for (path, value) in &values {
            host = host.with_property(PATHS[*path], value);
        }
        for (path, value) in &words {
            host = host.with_property(PATHS[*path], value);
        }
        for buffer in [Buffer::ResponseBody, Buffer::DownstreamData, Buffer::UpstreamData, Buffer::PluginConfiguration] {
            host.set_buffer(buffer, &body);
        }
        host.fail_with(status.map(Status).filter(|s| *s != Status::OK));
        everything(&host);
        for key in host.state_keys() {
            let value = host.state(&key).unwrap();
            prop_assert!(is_plain(&value), "{key}: {value:?}");
            if key == "meshwhy" {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&value).is_ok(), "{value}");
                prop_assert!(value.len() < 2048);
            } else {
                prop_assert!(value.len() <= 600 && !value.contains(['"', '\\']), "{key}: {value:?}");
            }
        }
        for (name, _) in host.metrics() {
            let labels = if name.contains("build_info") { 1 } else if name.contains("dropped") { 0 } else { 5 };
            prop_assert_eq!(name.matches(";.;").count(), labels, "{}", name);
        }
        for (level, line) in host.lines() {
            prop_assert!(is_plain(&line) && line.len() < 2048);
            prop_assert!(level == Level::Error || serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
        }
    }
}
