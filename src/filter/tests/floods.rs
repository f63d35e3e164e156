//! What is reported, and read, above the rate of full reports.

use super::{answered, counted, http, missing_cluster, plugin};
use crate::evidence::Flags;
use crate::filter::{HttpStream, Plugin};
use crate::host::HeaderMap;
use crate::host::fake::FakeHost;
use crate::report::Series;

/// A second whose full reports are used up.
const NOW: u64 = 5_000_000_000;

fn over_rate(config: &str) -> Plugin {
    let mut plugin = plugin(config);
    while !plugin.failure_rate.exceeded(NOW) {}
    plugin
}

/// The stream ends in this second; the cause and confidence that are counted, and how many host calls returned data.
fn ends(host: &FakeHost, plugin: &mut Plugin) -> (Vec<(String, String)>, u32) {
    host.set_time(NOW);
    host.take_calls();
    http(host, plugin, &mut Series::default());
    let reads = host.take_calls().with_data;
    let labels = counted(host).into_iter().map(|(name, _)| {
        let label = |key: &str| {
            let found = name.split(";.;").find_map(|label| label.strip_prefix(&format!("{key}=.=")));
            found.unwrap_or_default().to_owned()
        };
        (label("cause"), label("confidence"))
    });
    (labels.collect(), reads)
}

fn is(cause: &str, confidence: &str) -> Vec<(String, String)> {
    vec![(cause.to_owned(), confidence.to_owned())]
}

/// A client that takes its request back, before an answer or in its middle.
fn reset(host: FakeHost) -> FakeHost {
    host.with_number("response.flags", Flags::DOWNSTREAM_REMOTE_RESET.bits())
        .with_property("response.code_details", "http2.remote_reset")
}

fn routed() -> FakeHost {
    reset(FakeHost::new())
        .with_property("xds.cluster_name", "outbound|80||reviews.default.svc.cluster.local")
        .with_property("upstream.address", "10.0.0.2:9080")
}

#[test]
fn in_a_flood_the_counter_misses_none_and_little_else_is_reported() {
    let reset = || {
        FakeHost::new()
            .with_number("response.flags", Flags::DOWNSTREAM_REMOTE_RESET.bits())
            .with_property("response.code_details", "http2.remote_reset")
            .with_property("xds.cluster_name", "outbound|80||reviews.default.svc.cluster.local")
            .with_property("upstream.address", "10.0.0.2:9080")
    };
    let (mut plugin, mut series) = (plugin("{}"), Series::default());
    let mut log = |mut stream: HttpStream, host: FakeHost, time: u64| {
        host.set_time(time);
        stream.on_log(&host, &mut plugin, &mut series);
        host
    };
    let hosts: Vec<_> = (0..3_000).map(|_| log(HttpStream::default(), reset(), 5_000_000_000)).collect();
    let reported = |key: &str| hosts.iter().filter(|host| host.state(key).is_some()).count();
    assert_eq!(
        (reported("meshwhy.cause"), reported("meshwhy.evidence"), reported("meshwhy")),
        (3_000, 1_000, 1_000)
    );
    // The access logger sees by the cause that the stream has been counted.
    let last = hosts.last().unwrap();
    last.read_only();
    super::plugin(r#"{"role":"access_log"}"#).on_access_log(last, &mut Series::default());
    assert!(counted(last).is_empty(), "{:?}", counted(last));
    // What is no failure is none in a flood.
    let events = answered(200, Flags::DOWNSTREAM_REMOTE_RESET.bits())
        .with_property("response.code_details", "http2.remote_reset")
        .with_property("xds.cluster_name", "outbound|80||reviews.default.svc.cluster.local")
        .with_header(HeaderMap::Response, "content-type", "text/event-stream");
    let mut stream = HttpStream::default();
    stream.on_response_headers(&events, false);
    let events = log(stream, events, 5_000_000_000);
    assert!(events.state_keys().is_empty(), "{:?}", events.state_keys());
    assert!(log(HttpStream::default(), reset(), 6_000_000_000).state("meshwhy.evidence").is_some());
}

#[test]
fn less_is_read_and_none_of_it_is_certain() {
    let (reported, in_full) = ends(&routed(), &mut plugin("{}"));
    assert_eq!(reported, is("client_disconnected", "certain"));
    let (reported, brief) = ends(&routed(), &mut over_rate("{}"));
    assert_eq!(reported, is("client_disconnected", "likely"), "another cause may have shown in the rest");
    assert!(brief < in_full, "{brief} of {in_full} attributes are read");
}

#[test]
fn other_causes_that_end_like_that_are_still_named() {
    let bytes = FakeHost::new()
        .with_number("response.flags", Flags::DOWNSTREAM_CONNECTION_TERMINATION.bits())
        .with_property("response.code_details", "downstream_remote_disconnect")
        .with_state("meshwhy.first_bytes", "mongodb");
    assert_eq!(ends(&bytes, &mut over_rate("{}")).0, is("not_http_on_http_port", "certain"));
    let tunnel = reset(answered(200, 0))
        .with_property("xds.cluster_name", "backend")
        .with_property("request.method", "CONNECT");
    let mut stream = HttpStream::default();
    stream.on_response_headers(&tunnel, false);
    tunnel.set_time(NOW);
    stream.on_log(&tunnel, &mut over_rate("{}"), &mut Series::default());
    assert!(counted(&tunnel).is_empty(), "{:?}", counted(&tunnel));
}

/// Only clients make failures at no cost: of others all is read, but what the next success would be compared with.
#[test]
fn other_failures_are_counted_as_ever() {
    let missing = || {
        missing_cluster()
            .with_property("request.method", "GET")
            .with_property("request.host", "reviews")
            .with_property("request.url_path", "/")
    };
    let (reported, in_full) = ends(&missing(), &mut plugin("{}"));
    let host = missing();
    let (brief, reads) = ends(&host, &mut over_rate("{}"));
    assert_eq!((reported, is("cluster_missing", "certain")), (brief.clone(), brief));
    assert!(
        counted(&host)[0].0.contains("resource=.=VirtualService/default/reviews;.;"),
        "{:?}",
        counted(&host)
    );
    assert_eq!(reads, in_full - 3, "method, host and path are for what may recover by itself");
}
