use proptest::prelude::*;

use super::*;
use crate::evidence::Flags;
use crate::host::memory::{Calls, MemoryHost};
use crate::host::{HeaderMap, Status};

const UF: u64 = Flags::UPSTREAM_CONNECTION_FAILURE.0;

fn plugin(config: &str) -> Plugin {
    Plugin::new(Config::parse(config.as_bytes()).unwrap())
}

/// A proxied request that succeeds.
fn success() -> MemoryHost {
    MemoryHost::new()
        .with_header(HeaderMap::Response, ":status", "200")
        .with_number("response.flags", 0)
        .with_number("response.code", 200)
        .with_property("response.code_details", "via_upstream")
}

/// A request to a port at which nobody listens, at a sidecar, with Istio's names.
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

fn refused() -> MemoryHost {
    let host = MemoryHost::new()
        .with_header(HeaderMap::Response, ":status", "503")
        .with_number("response.flags", UF)
        .with_number("response.code", 503);
    KNOWN_OF_A_REFUSAL.iter().fold(host, |host, (path, value)| host.with_property(path, value))
}

fn missing_cluster() -> MemoryHost {
    MemoryHost::new()
        .with_header(HeaderMap::Response, ":status", "503")
        .with_number("response.flags", Flags::NO_CLUSTER_FOUND.0)
        .with_number("response.code", 503)
        .with_property("response.code_details", "cluster_not_found")
        .with_property("xds.virtual_host_name", "reviews:80")
        .with_property(
            "xds.route_metadata.filter_metadata.istio.config",
            "/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews",
        )
}

fn http(host: &MemoryHost, plugin: &mut Plugin, series: &mut Series) {
    let mut stream = HttpStream::default();
    if stream.on_response_headers(host, false) {
        stream.on_error_headers(host, plugin);
    }
    stream.on_response_body(host, true);
    stream.on_log(host, plugin, series);
}

fn counted(host: &MemoryHost) -> Vec<(String, i64)> {
    host.metrics().into_iter().filter(|(name, _)| name.ends_with("_total")).collect()
}

#[test]
fn success_costs_one_read_and_nothing_else() {
    let host = success();
    http(&host, &mut plugin("{}"), &mut Series::default());
    // The status. Whoever needs a second says why in `docs/performance.md`.
    assert_eq!(host.take_calls(), Calls { with_data: 1, without_data: 0, other: 0 });
    assert!(host.state_keys().is_empty() && host.metrics().is_empty() && host.lines().is_empty());
}

/// A request to a host that nobody declared, looked at.
fn bypassing() -> MemoryHost {
    success()
        .with_property("xds.cluster_name", "PassthroughCluster")
        .with_property("xds.route_name", "allow_any")
        .with_property("xds.node.id", "sidecar~10.0.0.1~app.default~default.svc.cluster.local")
        .with_number("xds.listener_direction", 2)
}

fn looked_at(host: &MemoryHost, plugin: &mut Plugin, series: &mut Series) {
    let mut stream = HttpStream::new(plugin.samples_next());
    stream.on_response_headers(host, false);
    stream.on_response_body(host, true);
    if !stream.passed_whole() {
        stream.on_log(host, plugin, series);
    }
}

#[test]
fn one_success_in_so_many_is_looked_at() {
    let observed = |config: &str| {
        let (host, mut plugin, mut series) = (bypassing(), plugin(config), Series::default());
        (0..1_000).for_each(|_| looked_at(&host, &mut plugin, &mut series));
        counted(&host).first().map_or(0, |(_, count)| *count)
    };
    assert_eq!(observed(r#"{"observe_every":0}"#), 0);
    assert_eq!(observed(r#"{"observe_every":1}"#), 1_000);
    assert!((5..=20).contains(&observed("{}")), "{}", observed("{}"));
}

#[test]
fn an_observation_is_counted_and_logged_but_never_filter_state() {
    let host = bypassing();
    looked_at(&host, &mut plugin(r#"{"observe_every":1,"log":"all"}"#), &mut Series::default());
    let [(name, 1)] = &counted(&host)[..] else { panic!("{:?}", counted(&host)) };
    assert!(
        name.contains("cause=.=traffic_bypasses_mesh") && name.ends_with("meshwhy_observations_total"),
        "{name}"
    );
    let [(Level::Info, line)] = &host.lines()[..] else { panic!("{:?}", host.lines()) };
    assert!(line.starts_with(r#"{"event":"meshwhy_observation","#), "{line}");
    assert!(host.state_keys().is_empty(), "{:?}", host.state_keys());
}

#[test]
fn what_a_look_costs() {
    let host = bypassing().with_header(HeaderMap::Response, "content-length", "2");
    let (mut plugin, mut series) = (plugin(r#"{"observe_every":1}"#), Series::default());
    looked_at(&host, &mut plugin, &mut series);
    host.take_calls();
    looked_at(&host, &mut plugin, &mut series);
    // Whether the endpoint takes mutual TLS, and status, length, flags, cluster, details, route and listener direction; no virtual host, no VirtualService.
    assert_eq!(host.take_calls(), Calls { with_data: 7, without_data: 4, other: 1 });
}

#[test]
fn a_connection_that_is_looked_at_reads_the_answer_too() {
    let host = MemoryHost::new()
        .with_number("response.flags", 0)
        .with_property("xds.cluster_name", "outbound|80||a.default.svc");
    let mut plugin = plugin(r#"{"role":"connection","observe_every":1}"#);
    let mut connection = Connection::new(plugin.samples_next());
    host.set_buffer(Buffer::DownstreamData, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.on_downstream_data(&host);
    host.set_buffer(Buffer::UpstreamData, b"HTTP/1.0 200 OK\r\n\r\n");
    connection.on_upstream_data(&host);
    connection.on_log(&host, &mut plugin, &mut Series::default());
    let counted = counted(&host);
    let causes: Vec<_> = counted.iter().filter_map(|(name, _)| name.split(";.;").next()).collect();
    assert_eq!(causes, ["cause=.=http_treated_as_tcp", "cause=.=http10_upstream"]);
    assert_eq!(host.state_keys(), ["meshwhy.first_bytes"]);
}

/// A stream that was accepted, and that the client ended.
fn left(method: &str) -> MemoryHost {
    MemoryHost::new()
        .with_header(HeaderMap::Response, ":status", "200")
        .with_number("response.flags", Flags::DOWNSTREAM_CONNECTION_TERMINATION.0)
        .with_number("response.code", 200)
        .with_property("response.code_details", "downstream_remote_disconnect")
        .with_property("request.method", method)
        .with_property("xds.cluster_name", "backend")
}

#[test]
fn the_end_of_a_tunnel_is_no_failure() {
    for (method, failures) in [("CONNECT", 0), ("GET", 1)] {
        let (host, mut series) = (left(method), Series::default());
        let (mut http, mut logger) = (plugin("{}"), plugin(r#"{"role":"access_log"}"#));
        let mut stream = HttpStream::default();
        stream.on_response_headers(&host, false);
        stream.on_log(&host, &mut http, &mut series);
        assert_eq!(counted(&host).len(), failures, "{method}");
        let (host, mut series) = (left(method), Series::default());
        logger.on_access_log(&host, &mut series);
        assert_eq!(counted(&host).len(), failures, "{method} at the access logger");
    }
}

#[test]
fn an_answer_of_no_stated_length_is_not_odd_in_a_tunnel() {
    for (method, observed) in [("CONNECT", 0), ("GET", 1)] {
        let host =
            success().with_property("request.method", method).with_property("request.protocol", "HTTP/1.1");
        let mut plugin = plugin(r#"{"observe_every":1}"#);
        looked_at(&host, &mut plugin, &mut Series::default());
        assert_eq!(counted(&host).len(), observed, "{method}");
    }
}

#[test]
fn a_response_that_is_cut_off_is_looked_at() {
    let details = "upstream_reset_after_response_started{connection_termination}";
    let host = success()
        .with_number("response.flags", Flags::UPSTREAM_CONNECTION_TERMINATION.0)
        .with_property("response.code_details", details);
    let (mut plugin, mut stream) = (plugin("{}"), HttpStream::default());
    stream.on_response_headers(&host, false);
    stream.on_response_body(&host, false);
    stream.on_log(&host, &mut plugin, &mut Series::default());
    assert_eq!(host.state("meshwhy.cause").unwrap(), "upstream_closed_connection");
}

#[test]
fn a_connection_costs_its_first_bytes_and_one_write() {
    let host = MemoryHost::new().with_number("response.flags", 0);
    let mut connection = Connection::default();
    for _ in 0..10 {
        host.set_buffer(Buffer::DownstreamData, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.on_downstream_data(&host);
        host.set_buffer(Buffer::UpstreamData, b"HTTP/1.1 200 OK\r\n\r\n");
        connection.on_upstream_data(&host);
    }
    connection.on_log(&host, &mut plugin(r#"{"role":"connection"}"#), &mut Series::default());
    assert_eq!(host.take_calls(), Calls { with_data: 2, without_data: 0, other: 1 });
    assert_eq!(host.state("meshwhy.first_bytes").unwrap(), "http1;version=1.1");
}

/// A connection on which these sides speak, in this order.
fn connection(host: &MemoryHost, speakers: &[Buffer]) {
    let mut connection = Connection::default();
    for side in speakers {
        host.set_buffer(*side, b"hello\r\n");
        match side {
            Buffer::DownstreamData => connection.on_downstream_data(host),
            _ => connection.on_upstream_data(host),
        }
    }
    host.take_calls();
    connection.on_log(host, &mut plugin(r#"{"role":"connection"}"#), &mut Series::default());
}

#[test]
fn a_connection_that_was_answered_is_not_asked_for_a_refusal() {
    let (client, server) = (Buffer::DownstreamData, Buffer::UpstreamData);
    for (speakers, without_data) in [(vec![client, server], 0), (vec![server, client], 1), (vec![client], 1)]
    {
        let host = MemoryHost::new().with_number("response.flags", 0);
        connection(&host, &speakers);
        assert_eq!(host.take_calls(), Calls { with_data: 1, without_data, other: 0 }, "{speakers:?}");
    }
}

#[test]
fn a_refused_connection_has_no_flag() {
    let id = "rbac_access_denied_matched_policy[ns[default]-policy[deny-all]-rule[0]]";
    let refused = || {
        MemoryHost::new().with_number("response.flags", 0).with_property("connection.termination_details", id)
    };
    let host = refused();
    connection(&host, &[Buffer::UpstreamData, Buffer::DownstreamData]);
    assert_eq!(host.state("meshwhy.cause").unwrap(), "authorization_policy_denied");
    assert_eq!(host.state("meshwhy.resource").unwrap(), "AuthorizationPolicy/default/deny-all");
    let host = refused();
    host.read_only();
    plugin(r#"{"role":"access_log"}"#).on_access_log(&host, &mut Series::default());
    assert!(counted(&host)[0].0.contains("cause=.=authorization_policy_denied"), "{:?}", counted(&host));
}

#[test]
fn a_failure_is_told_on_every_channel() {
    let (host, mut series) = (missing_cluster(), Series::default());
    http(&host, &mut plugin(r#"{"log":"all"}"#), &mut series);
    assert_eq!(host.state("meshwhy.cause").unwrap(), "cluster_missing");
    assert_eq!(host.state("meshwhy.confidence").unwrap(), "certain");
    assert_eq!(host.state("meshwhy.side").unwrap(), "mesh");
    assert_eq!(host.state("meshwhy.resource").unwrap(), "VirtualService/default/reviews");
    assert_eq!(host.state("meshwhy.evidence").unwrap(), "details=cluster_not_found; virtual_host=reviews:80");
    let object: serde_json::Value = serde_json::from_str(&host.state("meshwhy").unwrap()).unwrap();
    assert_eq!(object["fix"], host.state("meshwhy.fix").unwrap().as_str());
    let [(name, 1)] = &counted(&host)[..] else { panic!("{:?}", counted(&host)) };
    assert!(name.contains("resource=.=VirtualService/default/reviews;.;"), "{name}");
    let [(Level::Warn, line)] = &host.lines()[..] else { panic!("{:?}", host.lines()) };
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["cause"], &line["direction"]), (&"cluster_missing".into(), &"gateway".into()));
}

/// Envoy before 1.32 keeps no filter state that is written when a stream is logged.
#[test]
fn where_filter_state_cannot_be_written_the_counter_and_the_log_line_tell() {
    let (host, mut series) = (missing_cluster(), Series::default());
    host.read_only();
    http(&host, &mut plugin(r#"{"log":"all","response_header":"x-meshwhy-cause"}"#), &mut series);
    assert!(host.state_keys().is_empty());
    let [(name, 1)] = &counted(&host)[..] else { panic!("{:?}", counted(&host)) };
    assert!(name.contains("cause=.=cluster_missing;.;"), "{name}");
    let [(Level::Warn, line)] = &host.lines()[..] else { panic!("{:?}", host.lines()) };
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["cause"], "cluster_missing");
    assert_eq!(line["evidence"], "details=cluster_not_found; virtual_host=reviews:80");
}

/// Each attribute is missing in some version, or somewhere in a stream's life.
#[test]
fn without_any_one_attribute_a_failure_is_still_a_failure() {
    for (at, missing) in KNOWN_OF_A_REFUSAL.iter().enumerate() {
        let others = KNOWN_OF_A_REFUSAL.iter().enumerate().filter(|(other, _)| *other != at);
        let host = MemoryHost::new()
            .with_header(HeaderMap::Response, ":status", "503")
            .with_number("response.flags", UF)
            .with_number("response.code", 503);
        let host = others.fold(host, |host, (_, (path, value))| host.with_property(path, value));
        let mut series = Series::default();
        http(&host, &mut plugin(""), &mut series);
        assert_eq!(counted(&host).len(), 1, "without {missing:?}");
    }
}

#[test]
fn the_label_can_be_left_out() {
    let host = missing_cluster();
    http(&host, &mut plugin(r#"{"resource_label":false}"#), &mut Series::default());
    assert!(counted(&host)[0].0.contains("resource=.=;.;"), "{:?}", counted(&host));
    assert!(host.state("meshwhy.resource").is_some());
}

#[test]
fn direction_comes_from_the_node_first() {
    let direction = |host: MemoryHost| {
        http(&host, &mut plugin("{}"), &mut Series::default());
        let (name, _) = counted(&host).remove(0);
        name.split(";.;").find_map(|label| label.strip_prefix("direction=.=").map(str::to_owned)).unwrap()
    };
    assert_eq!(direction(refused()), "outbound");
    assert_eq!(direction(refused().with_number("xds.listener_direction", 1)), "inbound");
    assert_eq!(
        direction(refused().with_property("xds.node.id", "router~10.0.0.1~gw.istio-system~x")),
        "gateway"
    );
    assert_eq!(direction(missing_cluster()), "gateway");
}

#[test]
fn one_failure_is_counted_once_by_all_roles() {
    let (host, mut series) = (refused(), Series::default());
    http(&host, &mut plugin("{}"), &mut series);
    host.read_only();
    plugin(r#"{"role":"access_log"}"#).on_access_log(&host, &mut series);
    assert_eq!(counted(&host).iter().map(|(_, n)| n).sum::<i64>(), 1);
}

#[test]
fn the_access_logger_tells_alone_what_it_can() {
    let host = refused();
    host.read_only();
    plugin(r#"{"role":"access_log"}"#).on_access_log(&host, &mut Series::default());
    assert!(counted(&host)[0].0.contains("cause=.=upstream_refused"), "{:?}", counted(&host));
    assert!(host.state_keys().is_empty());
    assert_eq!(host.lines().len(), 1, "limited is its default");
}

#[test]
fn a_connection_managers_connection_is_not_counted_by_the_connection_role() {
    // Envoy marks the connection when its codec gave up; the stream is the HTTP role's.
    let host = MemoryHost::new().with_number("response.flags", Flags::DOWNSTREAM_PROTOCOL_ERROR.0);
    let mut connection = Connection::default();
    host.set_buffer(Buffer::DownstreamData, b"\x16\x03\x01\0\x05\x01\0\0\x01\x03\x03");
    connection.on_downstream_data(&host);
    connection.on_log(&host, &mut plugin(r#"{"role":"connection"}"#), &mut Series::default());
    assert!(counted(&host).is_empty());
    plugin(r#"{"role":"access_log"}"#).on_access_log(&host, &mut Series::default());
    assert!(counted(&host).is_empty());
}

#[test]
fn an_answer_of_the_application_is_its_own_business() {
    let host = MemoryHost::new()
        .with_header(HeaderMap::Response, ":status", "404")
        .with_number("response.flags", 0)
        .with_number("response.code", 404)
        .with_property("response.code_details", "via_upstream");
    http(&host, &mut plugin("{}"), &mut Series::default());
    assert!(counted(&host).is_empty() && host.state_keys().is_empty());
}

#[test]
fn a_refusal_to_grpc_is_seen_although_its_status_is_200() {
    let host = success()
        .with_header(HeaderMap::Response, "grpc-status", "7")
        .with_property("response.code_details", "rbac_access_denied_matched_policy[none]");
    let (mut plugin, mut stream) = (plugin("{}"), HttpStream::default());
    stream.on_response_headers(&host, true);
    stream.on_log(&host, &mut plugin, &mut Series::default());
    assert_eq!(host.state("meshwhy.cause").unwrap(), "authorization_policy_denied");
}

/// What one gRPC call costs and what cause it gets, with this status in the trailers, or in the headers alone.
fn grpc(status: &str, trailers: bool) -> (Calls, Option<String>) {
    let map = if trailers { HeaderMap::ResponseTrailers } else { HeaderMap::Response };
    let host = success().with_header(map, "grpc-status", status);
    let (mut plugin, mut stream) = (plugin("{}"), HttpStream::default());
    if stream.on_response_headers(&host, !trailers) {
        stream.on_error_headers(&host, &mut plugin);
    }
    if trailers {
        stream.on_response_body(&host, false);
    }
    stream.on_log(&host, &mut plugin, &mut Series::default());
    (host.take_calls(), host.state("meshwhy.cause"))
}

#[test]
fn grpc_is_judged_by_its_own_status() {
    let own = Some("application_error".to_owned());
    assert_eq!((grpc("14", true).1, grpc("14", false).1), (own.clone(), own));
    assert_eq!((grpc("5", true).1, grpc("5", false).1), (None, None));
    // A call that succeeds costs the status and gRPC's status.
    assert_eq!(grpc("0", true), (Calls { with_data: 2, without_data: 0, other: 0 }, None));
}

#[test]
fn an_empty_answer_costs_no_more_than_another() {
    let host = success();
    let mut stream = HttpStream::default();
    assert!(!stream.on_response_headers(&host, true));
    stream.on_log(&host, &mut plugin("{}"), &mut Series::default());
    assert_eq!(host.take_calls(), Calls { with_data: 1, without_data: 1, other: 0 });
}

#[test]
fn the_page_of_a_tls_server_is_recognised() {
    let host = MemoryHost::new()
        .with_header(HeaderMap::Response, ":status", "400")
        .with_number("response.flags", 0)
        .with_number("response.code", 400)
        .with_property("response.code_details", "via_upstream")
        .with_property("xds.cluster_name", "backend");
    host.set_buffer(
        Buffer::ResponseBody,
        b"<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>",
    );
    http(&host, &mut plugin("{}"), &mut Series::default());
    assert_eq!(host.state("meshwhy.cause").unwrap(), "upstream_expects_tls");
}

#[test]
fn only_envoys_own_replies_carry_the_header_and_only_if_asked() {
    let config = r#"{"response_header":"x-meshwhy-cause"}"#;
    let header = |host: &MemoryHost, config: &str| {
        http(host, &mut plugin(config), &mut Series::default());
        host.header_text(HeaderMap::Response, "x-meshwhy-cause")
    };
    assert_eq!(header(&missing_cluster(), config).as_deref(), Some("cluster_missing"));
    assert_eq!(header(&missing_cluster(), "{}"), None);
    let app = MemoryHost::new()
        .with_header(HeaderMap::Response, ":status", "503")
        .with_number("response.flags", 0)
        .with_number("response.code", 503)
        .with_property("response.code_details", "via_upstream");
    assert_eq!(header(&app, config), None);
}

#[test]
fn a_wrong_configuration_leaves_one_line_and_no_plugin() {
    let host = MemoryHost::new();
    host.set_buffer(Buffer::PluginConfiguration, br#"{"log_per_minute":"many"}"#);
    assert!(Plugin::configure(&host).is_none());
    let [(Level::Error, line)] = &host.lines()[..] else { panic!("{:?}", host.lines()) };
    assert!(line.contains("`log_per_minute`") && line.contains("whole number"), "{line}");
}

#[test]
fn lines_are_limited_and_say_how_many_were_left_out() {
    let (mut plugin, mut series) = (plugin(r#"{"log":"limited","log_per_minute":2}"#), Series::default());
    let host = missing_cluster();
    host.set_time(1_000_000_000_000);
    (0..5).for_each(|_| http(&host, &mut plugin, &mut series));
    assert_eq!(host.lines().len(), 2);
    host.set_time(1_061_000_000_000);
    http(&host, &mut plugin, &mut series);
    assert!(host.lines()[2].1.ends_with(r#","suppressed":3}"#), "{:?}", host.lines());
    assert_eq!(counted(&host)[0].1, 6, "the counter misses none");
}

/// Everything a role does, once.
fn everything(host: &MemoryHost) {
    let mut series = Series::default();
    for role in ["http", "connection", "access_log"] {
        let config =
            format!(r#"{{"role":"{role}","log":"all","observe_every":1,"response_header":"x-why"}}"#);
        let mut plugin = plugin(&config);
        http(host, &mut plugin, &mut series);
        looked_at(host, &mut plugin, &mut series);
        let mut connection = Connection::new(true);
        connection.on_downstream_data(host);
        connection.on_upstream_data(host);
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
        let mut host = MemoryHost::new().with_number("response.flags", flags).with_header(HeaderMap::Response, ":status", &code);
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
