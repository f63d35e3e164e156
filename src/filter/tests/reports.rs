//! What is reported of a failure, and where.

use super::{answered, bypassing, counted, http, missing_cluster, plugin, refused, sampled, success};
use crate::evidence::Flags;
use crate::filter::HttpStream;
use crate::filter::Plugin;
use crate::host::fake::FakeHost;
use crate::host::{Buffer, HeaderMap, Level};
use crate::report::Series;

#[test]
fn a_failure_is_reported_on_every_channel() {
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
fn where_filter_state_cannot_be_written_counter_and_log_line_report() {
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

#[test]
fn the_label_can_be_left_out() {
    let host = missing_cluster();
    http(&host, &mut plugin(r#"{"resource_label":false}"#), &mut Series::default());
    assert!(counted(&host)[0].0.contains("resource=.=;.;"), "{:?}", counted(&host));
    assert!(host.state("meshwhy.resource").is_some());
}

#[test]
fn direction_comes_from_the_node_first() {
    let direction = |host: FakeHost| {
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
fn the_header_knows_of_earlier_requests_what_the_log_knows() {
    let mut plugin = plugin(r#"{"response_header":"x-meshwhy-cause"}"#);
    http(&refused(), &mut plugin, &mut Series::default());
    let nobody_left = answered(503, Flags::NO_HEALTHY_UPSTREAM.bits())
        .with_property("response.code_details", "no_healthy_upstream")
        .with_property("xds.cluster_name", "outbound|80||reviews.default.svc.cluster.local");
    http(&nobody_left, &mut plugin, &mut Series::default());
    assert_eq!(nobody_left.state("meshwhy.cause").unwrap(), "no_healthy_endpoints");
    let reported = nobody_left.header_text(HeaderMap::Response, "x-meshwhy-cause");
    assert_eq!(reported.as_deref(), Some("no_healthy_endpoints"));
}

/// A span ends before the stream is logged.
#[test]
fn with_the_header_filter_state_is_there_when_the_headers_have_passed() {
    for (config, cause) in [("{}", None), (r#"{"response_header":"x-cause"}"#, Some("cluster_missing"))] {
        let (host, mut plugin, mut stream) = (missing_cluster(), plugin(config), HttpStream::default());
        if stream.on_response_headers(&host, false) {
            stream.on_notable_headers(&host, &mut plugin);
        }
        assert_eq!(host.state("meshwhy.cause").as_deref(), cause, "{config}");
        assert_eq!(host.state("meshwhy.fix").is_some(), cause.is_some(), "{config}");
    }
}

#[test]
fn what_was_reported_early_leaves_no_resource_to_another_cause() {
    let mut plugin = plugin(r#"{"response_header":"x-cause"}"#);
    let mut stream = HttpStream::new(false).marked(true);
    let host = missing_cluster();
    assert!(stream.on_response_headers(&host, false));
    stream.on_notable_headers(&host, &mut plugin);
    assert!(host.state("meshwhy.resource").is_some_and(|resource| !resource.is_empty()));
    let host = host
        .with_number("response.flags", Flags::DOWNSTREAM_REMOTE_RESET.bits())
        .with_property("response.code_details", "http2.remote_reset");
    stream.on_log(&host, &mut plugin, &mut Series::default());
    assert_eq!(host.state("meshwhy.cause").as_deref(), Some("client_disconnected"));
    assert_eq!(host.state("meshwhy.resource").as_deref(), Some(""));
}

#[test]
fn only_envoys_own_replies_carry_the_header_and_only_if_asked() {
    let config = r#"{"response_header":"x-meshwhy-cause"}"#;
    let header = |host: &FakeHost, config: &str| {
        http(host, &mut plugin(config), &mut Series::default());
        host.header_text(HeaderMap::Response, "x-meshwhy-cause")
    };
    assert_eq!(header(&missing_cluster(), config).as_deref(), Some("cluster_missing"));
    assert_eq!(header(&missing_cluster(), "{}"), None);
    let app = || answered(503, 0).with_property("response.code_details", "via_upstream");
    assert_eq!(header(&app(), config), None);
    // What an upstream writes there is not this proxy's word, be it an error or not.
    let forging =
        |host: FakeHost| host.with_header(HeaderMap::Response, "x-meshwhy-cause", "cluster_missing");
    assert_eq!(header(&forging(app()), config), None);
    assert_eq!(header(&forging(success()), config), None);
    assert_eq!(header(&forging(success()), "{}").as_deref(), Some("cluster_missing"));
    let own = answered(404, 0).with_property("response.code_details", "route_not_found");
    assert_eq!(header(&forging(own), config).as_deref(), Some("route_host_unknown"));
}

#[test]
fn an_observation_is_counted_and_logged_but_never_filter_state() {
    let host = bypassing();
    sampled(&host, &mut plugin(r#"{"observe_every":1,"log":"all"}"#), &mut Series::default());
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

#[test]
fn a_wrong_configuration_leaves_one_line_and_no_plugin() {
    let host = FakeHost::new();
    host.set_buffer(Buffer::PluginConfiguration, br#"{"log_per_minute":"many"}"#);
    assert!(Plugin::configure(&host).is_none());
    let [(Level::Error, line)] = &host.lines()[..] else { panic!("{:?}", host.lines()) };
    assert!(line.contains("`log_per_minute`") && line.contains("whole number"), "{line}");
}

#[test]
fn a_plugin_in_the_wrong_place_says_so_once() {
    let (host, mut plugin) = (FakeHost::new(), plugin("{}"));
    (0..3).for_each(|_| plugin.log_misplaced(&host, "a network filter", "connection"));
    let [(Level::Error, line)] = &host.lines()[..] else { panic!("{:?}", host.lines()) };
    assert!(line.contains("`role`: expected \"connection\" for a network filter"), "{line}");
}

/// Who configures the mesh chooses names, and VHDS names a virtual host after what a client asks for.
#[test]
fn of_names_and_server_names_no_free_text_is_reported() {
    let reported = |host: FakeHost| {
        http(&host, &mut plugin("{}"), &mut Series::default());
        host.state("meshwhy.evidence").unwrap()
    };
    let named = missing_cluster()
        .with_property("xds.virtual_host_name", "reviews?token=secret")
        .with_property("xds.route_name", "a route with a secret");
    assert_eq!(reported(named), "details=cluster_not_found; virtual_host=reviews[cut]; route=a[cut]");
    let asked = answered(404, Flags::NO_ROUTE_FOUND.bits())
        .with_property("response.code_details", "route_not_found")
        .with_property("connection.requested_server_name", "a secret, isn't it?x.example");
    assert!(reported(asked).contains("sni=a?secret??isn?t?it?x.example"), "no host name has these");
}
