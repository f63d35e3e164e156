use proptest::prelude::*;

use super::*;

/// Bytes that real clients sent, caught on a listening socket (curl 7.88, OpenSSL 3.0, OpenSSH 9.2, redis-cli 7.0).
const REAL: &[(&[u8], Protocol)] = &[
    (include_bytes!("testdata/curl-tls13.bin"), Protocol::TlsClientHello),
    (include_bytes!("testdata/openssl-tls12.bin"), Protocol::TlsClientHello),
    (include_bytes!("testdata/openssl-no-sni.bin"), Protocol::TlsClientHello),
    (include_bytes!("testdata/ssh.bin"), Protocol::Ssh),
    (include_bytes!("testdata/redis.bin"), Protocol::Redis),
    (include_bytes!("testdata/curl-h2.bin"), Protocol::Http2Preface),
    (include_bytes!("testdata/curl-proxy-v1.bin"), Protocol::ProxyV1),
    (include_bytes!("testdata/curl-http10.bin"), Protocol::Http1),
    (include_bytes!("testdata/mqtt.bin"), Protocol::Mqtt),
    (include_bytes!("testdata/ldap.bin"), Protocol::Ldap),
];

/// Bytes written after the protocols' specifications.
const CLIENT: &[(&[u8], Protocol)] = &[
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Protocol::Http1),
    (b"\r\nGET / HTTP/1.1\r\n", Protocol::Http1),
    (b"PURGE /x HTTP/1.1\n", Protocol::Http1),
    (b"GET /\r\n", Protocol::Http1),
    (b"GET /caf\xc3\xa9 HTTP/1.1\r\n", Protocol::Http1),
    (b"GET https://a/ HTTP/1.1\r\n", Protocol::Http1),
    (b"EHLO mail.example\r\n", Protocol::Smtp),
    (b"a001 LOGIN bob secret\r\n", Protocol::Imap),
    (b"get key\r\n", Protocol::Memcached),
    (b"get key other\r\n", Protocol::Memcached),
    (b"get / HTTP/1.9x\r\n", Protocol::Text),
    (b"set / http/1.x\r\n", Protocol::Text),
    (b"CONNECT {\"verbose\":false}\r\n", Protocol::Nats),
    (b"OPTIONS rtsp://a/ RTSP/1.0\r\n", Protocol::Rtsp),
    (b"INVITE sip:a@b SIP/2.0\r\n", Protocol::Sip),
    (b"hello there\r\n", Protocol::Text),
    (b"<policy-file-request/>\n", Protocol::Text),
    (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01", Protocol::ProxyV2),
    (b"\0\0\0\x08\x04\xd2\x16\x2f", Protocol::Postgres),
    (b"\0\0\0\x29\0\x03\0\0user\0bob\0database\0x\0\0", Protocol::Postgres),
    (b"AMQP\0\0\x09\x01", Protocol::Amqp),
    (b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0", Protocol::Mongodb),
    (b"\0\0\0\x23\0\x12\0\x03\0\0\0\x01\0\x0cconsumer-1-x", Protocol::Kafka),
    (b"\x04\0\0\0\x05\0\0\0\0", Protocol::Cassandra),
    (b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0", Protocol::Rdp),
    (b"\0\0\0\x45\xffSMBr\0\0\0\0\x18\x53\xc8\0\0\0\0", Protocol::Smb),
    (b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01\0\0\0\x20", Protocol::Dubbo),
    (b"G\0E\0T\0 \0/\0 \0H\0T\0", Protocol::Utf16),
    (b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10\0\0\x39\0\0\x38", Protocol::SslV2),
    (b"\x16\x03\x01", Protocol::TlsOther),
    (b"\x15\x03\x03\0\x02\x02\x28", Protocol::TlsAlert),
    (b"\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16", Protocol::Binary),
    (b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", Protocol::Binary),
];

const SERVER: &[(&[u8], Protocol)] = &[
    (b"HTTP/1.0 400 Bad Request\r\n\r\n", Protocol::Http1),
    (b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x80", Protocol::Http2Settings),
    (b"SSH-2.0-OpenSSH_9.2\r\n", Protocol::Ssh),
    (b"220 mail ESMTP Postfix\r\n", Protocol::Smtp),
    (b"220 (vsFTPd 3.0.3)\r\n", Protocol::Ftp),
    (b"+OK POP3 ready\r\n", Protocol::Pop3),
    (b"* OK IMAP4rev1 ready\r\n", Protocol::Imap),
    (b"-ERR unknown command\r\n", Protocol::Redis),
    (b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0", Protocol::Mysql),
    (b"\x16\x03\x03\0\x7a\x02\0\0\x76\x03\x03", Protocol::TlsServerHello),
    (b"<!DOCTYPE HTML>\n", Protocol::Text),
];

fn sniff(mut sniffer: Sniffer, reads: &[&[u8]]) -> Option<FirstBytes> {
    reads.iter().for_each(|read| sniffer.push(read));
    sniffer.seen().cloned()
}

#[test]
fn known_beginnings_are_named() {
    for (bytes, protocol) in REAL.iter().chain(CLIENT) {
        let found = sniff(Sniffer::client(), &[bytes]).unwrap();
        assert_eq!(found.protocol, *protocol, "{}", bytes.escape_ascii());
    }
    for (bytes, protocol) in SERVER {
        let found = sniff(Sniffer::server(), &[bytes]).unwrap();
        assert_eq!(found.protocol, *protocol, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_split_at_any_byte_changes_nothing() {
    for (bytes, _) in REAL.iter().chain(CLIENT) {
        let whole = sniff(Sniffer::client(), &[bytes]);
        for at in 0..bytes.len() {
            let (a, b) = bytes.split_at(at);
            assert_eq!(sniff(Sniffer::client(), &[a, b]), whole, "{} at {at}", bytes.escape_ascii());
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(sniff(Sniffer::client(), &single), whole);
    }
}

/// A network filter behind this one that waits for something is given all bytes again, and so is this one.
#[test]
fn bytes_that_are_held_back_count_once() {
    for (bytes, _) in REAL.iter().chain(CLIENT) {
        let whole = sniff(Sniffer::client(), &[bytes]);
        for at in 1..bytes.len() {
            let held = sniff(Sniffer::client(), &[&bytes[..at], bytes, bytes]);
            assert_eq!(held, whole, "{} at {at}", bytes.escape_ascii());
            let thrice = (at > 1).then(|| sniff(Sniffer::client(), &[&bytes[..1], &bytes[..at], bytes]));
            assert!(thrice.is_none_or(|thrice| thrice == whole), "{} at {at}", bytes.escape_ascii());
        }
    }
}

#[test]
fn a_client_hello_says_whom_it_wants() {
    let hello = |bytes: &[u8]| sniff(Sniffer::client(), &[bytes]).unwrap().tls.unwrap();
    let curl = hello(REAL[0].0);
    assert_eq!(curl.sni.as_deref(), Some("httpbin.org"));
    assert_eq!(curl.alpn, ["h2", "http/1.1"]);
    assert_eq!(hello(REAL[1].0).sni.as_deref(), Some("reviews.default.svc.cluster.local"));
    assert_eq!(hello(REAL[2].0), ClientHello::default());
}

#[test]
fn a_client_hello_over_several_records_is_put_together() {
    let original = REAL[0].0;
    let mut split = Vec::new();
    for part in original[5..].chunks(100) {
        split.extend([22, 3, 1, 0, u8::try_from(part.len()).unwrap()]);
        split.extend(part);
    }
    assert_eq!(sniff(Sniffer::client(), &[&split]), sniff(Sniffer::client(), &[original]));
}

#[test]
fn a_hello_larger_than_what_is_kept_still_is_one() {
    let mut huge = REAL[0].0.to_vec();
    huge[3..5].copy_from_slice(&4_000_u16.to_be_bytes());
    huge[6..9].copy_from_slice(&[0, 0x0f, 0x9c]);
    huge.resize(4_005, 0);
    let mut sniffer = Sniffer::client();
    huge.chunks(333).for_each(|read| sniffer.push(read));
    assert_eq!(sniffer.wants(), 0);
    let found = sniffer.seen().unwrap();
    assert_eq!(found.protocol, Protocol::TlsClientHello);
    assert_eq!(found.tls.as_ref().unwrap().sni.as_deref(), Some("httpbin.org"));
}

#[test]
fn versions_and_urls_of_request_lines() {
    let line = |bytes: &[u8]| sniff(Sniffer::client(), &[bytes]).unwrap().http.unwrap();
    assert_eq!(line(b"GET / HTTP/1.0\r\n").version, Some((1, 0)));
    assert_eq!(line(b"GET /\r\n").version, None);
    assert!(line(b"GET HTTPS://a/b HTTP/1.1\r\n").https_url);
    assert!(!line(b"GET /https:// HTTP/1.1\r\n").https_url);
    let long = [&b"GET /"[..], &[b'a'; 2000], b" HTTP/1.1\r\n"].concat();
    assert_eq!(line(&long).version, None);
    let status = sniff(Sniffer::server(), &[b"HTTP/1.1 503 x"]).unwrap().http.unwrap();
    assert_eq!((status.version, status.status), (Some((1, 1)), Some(503)));
}

#[test]
fn a_healthy_request_is_decided_with_its_first_line() {
    let mut sniffer = Sniffer::client();
    sniffer.push(b"GET / HTTP/1.1\r\n");
    assert_eq!(sniffer.wants(), 0);
    assert_eq!(sniffer.seen().unwrap().encode(), "http1;version=1.1");
}

#[test]
fn secrets_are_not_kept() {
    let found = sniff(Sniffer::client(), &[b"GET /secret?token=abc HTTP/1.1\r\n"]).unwrap();
    assert!(!found.encode().contains("secret") && !format!("{found:?}").contains("token"));
}

#[test]
fn every_protocol_has_its_own_name() {
    for protocol in Protocol::ALL {
        assert_eq!(Protocol::from_id(protocol.id()), Some(*protocol));
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_split_give_one_answer(
        bytes in proptest::collection::vec(any::<u8>(), 0..1_500),
        start in 0..CLIENT.len() + REAL.len() + 1,
        cut in 0_usize..200,
        size in 1_usize..300,
    ) {
        let known = REAL.iter().chain(CLIENT).nth(start).map_or(&b""[..], |(b, _)| b);
        let all = [&known[..cut.min(known.len())], &bytes].concat();
        for fresh in [Sniffer::client(), Sniffer::server()] {
            let whole = sniff(fresh.clone(), &[&all]);
            let reads: Vec<&[u8]> = all.chunks(size).collect();
            prop_assert_eq!(&sniff(fresh, &reads), &whole);
            if let Some(found) = whole {
                let text = found.encode();
                prop_assert!(text.len() <= 600 && text.bytes().all(|b| (b' '..=b'~').contains(&b)));
                prop_assert_eq!(FirstBytes::decode(&text), Some(found));
            }
        }
    }

    #[test]
    fn decoding_never_panics(text in any::<String>()) {
        let _ = FirstBytes::decode(&text);
    }
}
