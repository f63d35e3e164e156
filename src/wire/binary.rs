//! Protocols whose first bytes are not text, each with what it rests on.

use super::{Protocol, Sender};

const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

pub(super) fn recognise(sender: Sender, bytes: &[u8]) -> Protocol {
    match sender {
        Sender::Client => client(bytes),
        Sender::Server => server(bytes),
    }
}

fn client(bytes: &[u8]) -> Protocol {
    if bytes.starts_with(PROXY_V2) {
        return Protocol::ProxyV2;
    }
    match bytes {
        // Two-byte length with the high bit, CLIENT-HELLO, then a version that existed.
        [0x80..=0xff, _, 1, 3, 0..=3, ..] | [0x80..=0xff, _, 1, 0, 2, ..] => Protocol::SslV2,
        // Length 8 to 64 KiB, then protocol 3.0 or one of the request codes.
        [0, 0, _, _, 0, 3, 0, 0 | 2, ..]
        | [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f | 0x30, ..]
        | [0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, ..] => Protocol::Postgres,
        [b'A', b'M', b'Q', b'P', ..] => Protocol::Amqp,
        // CONNECT, remaining length of one or two bytes, then the protocol's name.
        [0x10, 0..=0x7f, 0, 4, b'M', b'Q', b'T', b'T', ..]
        | [0x10, 0x80..=0xff, _, 0, 4, b'M', b'Q', b'T', b'T', ..]
        | [0x10, _, 0, 6, b'M', b'Q', b'I', b's', b'd', b'p', ..] => Protocol::Mqtt,
        // Little-endian length, request id, response-to 0, then OP_MSG (2013) or OP_QUERY (2004).
        [_, _, _, 0, _, _, _, _, 0, 0, 0, 0, 0xdd | 0xd4, 0x07, 0, 0, ..] => Protocol::Mongodb,
        // Version 3 to 5, no flags, stream, STARTUP (1) or OPTIONS (5), a small length.
        [3..=5, 0, _, _, 1 | 5, 0, 0, ..] => Protocol::Cassandra,
        // Length, ApiVersions (18) or Metadata (3), a small version, correlation id, client id.
        [0, 0, _, _, 0, 18 | 3, 0, 0..=15, _, _, _, _, 0, length, id, ..]
            if *length > 0 && id.is_ascii_graphic() =>
        {
            Protocol::Kafka
        }
        // SEQUENCE, INTEGER message id, then bind, search or extended request.
        [0x30, _, 2, 1, _, 0x60 | 0x63 | 0x77, ..]
        | [0x30, 0x84, _, _, _, _, 2, 1, _, 0x60 | 0x63 | 0x77, ..] => Protocol::Ldap,
        // TPKT version 3, then an X.224 connection request.
        [3, 0, _, _, _, 0xe0, ..] => Protocol::Rdp,
        // NetBIOS session message, then the magic of SMB1 or SMB2.
        [0, _, _, _, 0xff | 0xfe, b'S', b'M', b'B', ..] => Protocol::Smb,
        [0xda, 0xbb, ..] => Protocol::Dubbo,
        _ if is_utf16(bytes) => Protocol::Utf16,
        _ => Protocol::Binary,
    }
}

fn server(bytes: &[u8]) -> Protocol {
    match bytes {
        // Length in multiples of six, type SETTINGS, no flags, stream 0.
        [0, 0, length, 4, 0, 0, 0, 0, 0, ..] if length % 6 == 0 => Protocol::Http2Settings,
        // Packet 0, protocol version 10, then the server's version in digits.
        [_, _, 0, 0, 10, b'3'..=b'9' | b'1', ..] => Protocol::Mysql,
        _ if is_utf16(bytes) => Protocol::Utf16,
        _ => Protocol::Binary,
    }
}

/// A byte order mark, or letters with a zero beside each.
fn is_utf16(bytes: &[u8]) -> bool {
    let graphic = |b: &u8| b.is_ascii_graphic() || *b == b' ';
    match bytes {
        [0xff, 0xfe, a, 0, ..] | [0xfe, 0xff, 0, a, ..] => graphic(a),
        [a, 0, b, 0, c, 0, d, 0, ..] | [0, a, 0, b, 0, c, 0, d, ..] => [a, b, c, d].into_iter().all(graphic),
        _ => false,
    }
}
