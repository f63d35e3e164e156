//! What streams and connections cost in host calls.

use super::{bypassing, counted, http, plugin, sampled, success};
use crate::filter::{Connection, HttpStream};
use crate::host::fake::{Calls, FakeHost};
use crate::host::{Buffer, HeaderMap};
use crate::report::Series;

#[test]
fn success_costs_one_read_and_nothing_else() {
    let host = success();
    http(&host, &mut plugin("{}"), &mut Series::default());
    // The status. Whoever needs a second says why in `docs/performance.md`.
    assert_eq!(host.take_calls(), Calls { with_data: 1, without_data: 0, other: 0 });
    assert!(host.state_keys().is_empty() && host.metrics().is_empty() && host.lines().is_empty());
}

#[test]
fn one_success_in_n_is_sampled() {
    let observed = |config: &str| {
        let (host, mut plugin, mut series) = (bypassing(), plugin(config), Series::default());
        (0..1_000).for_each(|_| sampled(&host, &mut plugin, &mut series));
        counted(&host).first().map_or(0, |(_, count)| *count)
    };
    assert_eq!(observed(r#"{"observe_every":0}"#), 0);
    assert_eq!(observed(r#"{"observe_every":1}"#), 1_000);
    assert!((5..=20).contains(&observed("{}")), "{}", observed("{}"));
}

#[test]
fn what_a_sample_costs() {
    let host = bypassing().with_header(HeaderMap::Response, "content-length", "2");
    let (mut plugin, mut series) = (plugin(r#"{"observe_every":1}"#), Series::default());
    sampled(&host, &mut plugin, &mut series);
    host.take_calls();
    sampled(&host, &mut plugin, &mut series);
    // Whether the endpoint takes mutual TLS, and status, length, flags, cluster, details, route and listener direction; no virtual host, no VirtualService, no
    // number of attempts.
    // Besides, the time and the counter.
    assert_eq!(host.take_calls(), Calls { with_data: 7, without_data: 5, other: 2 });
}

#[test]
fn an_empty_answer_costs_no_more_than_another() {
    let host = success();
    let mut stream = HttpStream::default();
    assert!(!stream.on_response_headers(&host, true));
    stream.on_log(&host, &mut plugin("{}"), &mut Series::default());
    assert_eq!(host.take_calls(), Calls { with_data: 1, without_data: 1, other: 0 });
}

/// What one gRPC call costs and what cause it gets, with this status in the trailers, or in the headers alone.
fn grpc(status: &str, trailers: bool) -> (Calls, Option<String>) {
    let map = if trailers { HeaderMap::ResponseTrailers } else { HeaderMap::Response };
    let host = success().with_header(map, "grpc-status", status);
    let (mut plugin, mut stream) = (plugin("{}"), HttpStream::default());
    if stream.on_response_headers(&host, !trailers) {
        stream.on_notable_headers(&host, &mut plugin);
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
fn a_connection_costs_its_first_bytes_and_one_write() {
    let host = FakeHost::new().with_number("response.flags", 0);
    let mut connection = Connection::default();
    for _ in 0..10 {
        host.set_buffer(Buffer::DownstreamData, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.on_downstream_data(&host, false);
        host.set_buffer(Buffer::UpstreamData, b"HTTP/1.1 200 OK\r\n\r\n");
        connection.on_upstream_data(&host, false);
    }
    connection.on_log(&host, &mut plugin(r#"{"role":"connection"}"#), &mut Series::default());
    assert_eq!(host.take_calls(), Calls { with_data: 2, without_data: 0, other: 1 });
    assert_eq!(host.state("meshwhy.first_bytes").unwrap(), "http1;version=1.1");
}
