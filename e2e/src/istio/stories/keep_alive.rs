//! Servers that close idle connections: the request that comes just then, and those that come in time.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};

use super::super::story::Gets::{Only, Status};
use super::super::story::{Says, Story};
use crate::harness::peers::{RACE, RELAY};

/// All of them.
pub fn stories() -> Vec<Story> {
    vec![
        Story::new("keep_alive/http1", "nginx closes idle connections after 0.2 s, 3 ms away")
            .run(&["python3", "-c", RACE, "shelf", "80", "4"])
            .gets(Status(503))
            .says(Says::new("orders", Cause::UpstreamClosedIdleConnection, Likely).inbound())
            // A busy proxy takes as long for a connection that it has as for a new one: 3 % of them.
            .may_say(Says::new("orders", Cause::UpstreamClosedConnection, Likely).inbound())
            .says(Says::new("client", Cause::UpstreamProxyError, Likely)),
        Story::new("keep_alive/http2", "nginx says GOAWAY on idle HTTP/2 connections")
            .run(&["python3", "-c", RACE, "shelf", "81", "1"])
            .gets(Status(503))
            .says(Says::new("orders", Cause::UpstreamReset, Certain).inbound().fix(
                "Retry on refused-stream: the server refused the request unprocessed (GOAWAY, or its stream limit).",
            ))
            .says(Says::new("client", Cause::UpstreamProxyError, Likely)),
        Story::new("keep_alive/in_time", "The same server, asked before it closes")
            .run(&["sh", "-c", "for i in $(seq 20); do curl -sS -i -m 20 http://shelf/; sleep 0.02; done"])
            .gets(Only("200 OK", "503")),
        Story::new("keep_alive/late", "The same server, asked long after it closed")
            .run(&["sh", "-c", "for i in $(seq 5); do sleep 0.6; curl -sS -i -m 20 http://shelf/; done"])
            .gets(Only("200 OK", "503")),
    ]
}

pub(super) const HTTP1: &str =
    "listen 8089; keepalive_timeout 200ms; location / { return 200 \"nginx $server_protocol\\n\"; }";

pub(super) const HTTP2: &str =
    "listen 8092 http2; keepalive_timeout 200ms; location / { return 200 \"nginx $server_protocol\\n\"; }";

/// A network between them: from 8088 to 8089.
pub(super) const FAR_FROM_HTTP1: &[&str] = &["python3", "-c", RELAY, "8088", "8089"];
/// The same, from 8091 to 8092.
pub(super) const FAR_FROM_HTTP2: &[&str] = &["python3", "-c", RELAY, "8091", "8092"];
