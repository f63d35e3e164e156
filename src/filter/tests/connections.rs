//! What the connection role sees, and the access logger beside it.

use super::{counted, http, plugin, refused};
use crate::evidence::Flags;
use crate::filter::Connection;
use crate::host::Buffer;
use crate::host::fake::{Calls, FakeHost};
use crate::report::Series;

#[test]
fn a_sampled_connection_reads_the_response_too() {
    let host = FakeHost::new()
        .with_number("response.flags", 0)
        .with_property("xds.cluster_name", "outbound|80||a.default.svc");
    let mut plugin = plugin(r#"{"role":"connection","observe_every":1}"#);
    let mut connection = Connection::new(plugin.samples_next());
    host.set_buffer(Buffer::DownstreamData, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.on_downstream_data(&host, false);
    host.set_buffer(Buffer::UpstreamData, b"HTTP/1.0 200 OK\r\n\r\n");
    connection.on_upstream_data(&host, false);
    connection.on_log(&host, &mut plugin, &mut Series::default());
    let counted = counted(&host);
    let causes: Vec<_> = counted.iter().filter_map(|(name, _)| name.split(";.;").next()).collect();
    assert_eq!(causes, ["cause=.=http_treated_as_tcp", "cause=.=http10_upstream"]);
    assert_eq!(host.state_keys(), ["meshwhy.first_bytes"]);
}

/// A connection on which these sides speak, in this order.
fn connection(host: &FakeHost, speakers: &[Buffer]) {
    let mut connection = Connection::default();
    for side in speakers {
        host.set_buffer(*side, b"hello\r\n");
        match side {
            Buffer::DownstreamData => connection.on_downstream_data(host, false),
            _ => connection.on_upstream_data(host, false),
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
        let host = FakeHost::new().with_number("response.flags", 0);
        connection(&host, &speakers);
        assert_eq!(host.take_calls(), Calls { with_data: 1, without_data, other: 0 }, "{speakers:?}");
    }
}

#[test]
fn a_refused_connection_has_no_flag() {
    let id = "rbac_access_denied_matched_policy[ns[default]-policy[deny-all]-rule[0]]";
    let refused = || {
        FakeHost::new().with_number("response.flags", 0).with_property("connection.termination_details", id)
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
fn one_failure_is_counted_once_by_all_roles() {
    let (host, mut series) = (refused(), Series::default());
    http(&host, &mut plugin("{}"), &mut series);
    host.read_only();
    plugin(r#"{"role":"access_log"}"#).on_access_log(&host, &mut series);
    assert_eq!(counted(&host).iter().map(|(_, n)| n).sum::<i64>(), 1);
}

#[test]
fn the_access_logger_alone_reports_what_it_can() {
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
    let host = FakeHost::new().with_number("response.flags", Flags::DOWNSTREAM_PROTOCOL_ERROR.bits());
    let mut connection = Connection::default();
    host.set_buffer(Buffer::DownstreamData, b"\x16\x03\x01\0\x05\x01\0\0\x01\x03\x03");
    connection.on_downstream_data(&host, false);
    connection.on_log(&host, &mut plugin(r#"{"role":"connection"}"#), &mut Series::default());
    assert!(counted(&host).is_empty());
    plugin(r#"{"role":"access_log"}"#).on_access_log(&host, &mut Series::default());
    assert!(counted(&host).is_empty());
}

/// What is counted of a session that was answered and that `end` ends, on Envoy 1.`minor`.
fn after(first: &[u8], minor: u64, end: impl Fn(&mut Connection, &FakeHost)) -> usize {
    let host = FakeHost::new()
        .with_number("response.flags", 0)
        .with_number("xds.node.user_agent_build_version.version.minor_number", minor)
        .with_property("xds.cluster_name", "outbound|6379||redis.default.svc.cluster.local");
    let mut session = Connection::default();
    host.set_buffer(Buffer::DownstreamData, first);
    session.on_downstream_data(&host, false);
    host.set_buffer(Buffer::UpstreamData, b"+OK\r\n");
    session.on_upstream_data(&host, false);
    end(&mut session, &host);
    session.on_log(&host, &mut plugin(r#"{"role":"connection"}"#), &mut Series::default());
    counted(&host).len()
}

#[test]
fn a_session_that_this_proxy_cuts_off_is_reported() {
    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
    let cut = |session: &mut Connection, _: &FakeHost| session.on_downstream_close(true);
    assert_eq!(after(PING, 40, cut), 1);
    assert_eq!(after(PING, 38, cut), 1);
    assert_eq!(after(PING, 37, cut), 0, "the upstream's reset would look the same");
    assert_eq!(after(b"GET / HTTP/1.1\r\n\r\n", 40, cut), 0, "clients expect it");
    assert_eq!(after(PING, 40, |session, _| session.on_downstream_close(false)), 0, "the client left");
    let client_first = |session: &mut Connection, host: &FakeHost| {
        session.on_downstream_data(host, true);
        session.on_downstream_close(true);
    };
    assert_eq!(after(PING, 40, client_first), 0);
    let server_first = |session: &mut Connection, host: &FakeHost| {
        session.on_upstream_data(host, true);
        session.on_downstream_close(true);
    };
    assert_eq!(after(PING, 40, server_first), 0);
}

#[test]
fn a_connection_that_is_turned_away_at_once_is_reported() {
    const BEGAN: u64 = 1_000_000_000;
    let end = |lived: u64, by_proxy: bool, failure: &str| {
        let host = FakeHost::new()
            .with_number("response.flags", 0)
            .with_number("request.time", BEGAN)
            .with_number("xds.node.user_agent_build_version.version.minor_number", 40)
            .with_property("connection.transport_failure_reason", failure);
        host.set_time(BEGAN + lived * 1_000_000);
        let mut connection = Connection::default();
        connection.on_downstream_close(by_proxy);
        connection.on_log(&host, &mut plugin(r#"{"role":"connection"}"#), &mut Series::default());
        counted(&host).len()
    };
    assert_eq!(end(0, true, ""), 1);
    assert_eq!(end(20, true, "TLS_error|error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST"), 1);
    assert_eq!(end(21, true, ""), 0, "a timer");
    assert_eq!(end(0, false, ""), 0, "the client left");
    let failed = "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end";
    assert_eq!(end(0, true, failed), 0, "the access logger's");
}
