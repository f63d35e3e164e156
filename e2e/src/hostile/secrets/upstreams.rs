//! Servers that put text wherever HTTP has a place for it.

use super::asks::get;
use super::{Case, to};
use crate::harness::envoy::parts::{all_to, cluster, http2, with};
use crate::harness::peers::{Habit, Http2, Server};

pub(super) fn cases() -> Vec<Case> {
    const STATUS: &[u8] = b"HTTP/1.1 503 s3cr3tmark\r\nserver: envoy s3cr3tmark\r\nvia: s3cr3tmark\r\ncontent-type: s3cr3tmark\r\nx-envoy-overloaded: s3cr3tmark\r\ncontent-length: 10\r\n\r\ns3cr3tmark";
    const PAGE: &[u8] = b"HTTP/1.1 400 s3cr3tmark\r\ncontent-length: 70\r\n\r\ns3cr3tmark <b>The plain HTTP request was sent to HTTPS port s3cr3tmark.";
    const TRAILERS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status\r\n\r\n0\r\ngrpc-status: 13\r\ngrpc-message: s3cr3tmark\r\nx-why: s3cr3tmark\r\n\r\n";
    const GARBAGE: &[u8] = b"s3cr3tmark s3cr3tmark s3cr3tmark\r\n\r\n";
    const BROKEN_BODY: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ns3cr3tmark\r\n";
    const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ns3cr3tmark";
    // SETTINGS, GOAWAY (no stream, INTERNAL_ERROR) with debug data.
    const GOAWAY: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x12\x07\0\0\0\0\0\0\0\0\0\0\0\0\x02s3cr3tmark";
    let made = |name, bytes, shows| {
        Case::new(name, to(name, all_to(name)), get, shows).server(name, Server::Made(Habit::Answer(bytes)))
    };
    let says = |name, server, shows| {
        Case::new(name, to(name, all_to(name)), get, shows).server_at(
            name,
            server,
            with(cluster(name, name), http2()),
        )
    };
    vec![
        made("status-text", STATUS, "503 - via_upstream"),
        made("page", PAGE, "400 - via_upstream"),
        made("trailers", TRAILERS, "200"),
        made("garbage", GARBAGE, "protocol_error"),
        made("broken-body", BROKEN_BODY, "upstream_reset_after_response_started"),
        made("short", SHORT, "upstream_reset_after_response_started"),
        says("goaway", Server::Made(Habit::Answer(GOAWAY)), "upstream_reset_before_response_started"),
        says(
            "grpc-message",
            Server::Http2(Http2::GrpcRefusesSaying("14", "s3cr3tmark-message")),
            "via_upstream",
        ),
    ]
}
