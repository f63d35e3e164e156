//! What clients say, and what is none of it.

use super::*;

#[test]
fn what_a_header_holds_is_none() {
    for words in ["Connection reset by peer", "connect: connection refused", "socket hang up"] {
        assert_eq!(read(&format!("10.0.0.9 - - \"GET / HTTP/1.1\" 200 5 \"-\" \"{words}\"")), None);
    }
}

#[test]
fn the_usual_words_have_usual_causes() {
    for (text, cause) in [
        ("curl: (56) Recv failure: Connection reset by peer", "plaintext_to_strict_mtls"),
        (
            "Liveness probe failed: Get http://10.0.0.4:9090/-/healthy: read tcp 10.0.0.1:4->10.0.0.4:9090: read: connection reset by peer",
            "plaintext_to_strict_mtls",
        ),
        ("curl: (52) Empty reply from server", "upstream_closed_connection"),
        ("Error while dialing dial tcp 10.240.21.150:80: connect: connection refused", "upstream_refused"),
        ("dial tcp: lookup istiod.istio-system on 10.0.0.10:53: no such host", "upstream_dns_failure"),
        ("Error: getaddrinfo ENOTFOUND orders.shop", "upstream_dns_failure"),
        ("Error: read ECONNRESET", "plaintext_to_strict_mtls"),
        (
            "curl: (35) OpenSSL SSL_connect: Connection reset by peer in connection to www.example.com:443",
            "egress_blocked",
        ),
        (
            "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to a.shop.svc:8443",
            "no_filter_chain_for_sni",
        ),
        (
            "curl: (35) Unknown SSL protocol error in connection to kubernetes.default:443",
            "no_filter_chain_for_sni",
        ),
        (
            "Get \"https://10.0.0.4:9102/metrics\": read tcp 10.0.0.1:4->10.0.0.4:9102: read: connection reset by peer",
            "no_filter_chain_for_sni",
        ),
        (
            "curl: (35) error:1408F10B:SSL routines:ssl3_get_record:wrong version number",
            "tls_on_plaintext_port",
        ),
        (
            "Get https://10.0.0.4:80/: http: server gave HTTP response to HTTPS client",
            "tls_on_plaintext_port",
        ),
        ("Client sent an HTTP request to an HTTPS server.", "upstream_expects_tls"),
        ("HTTP error 426 \"Upgrade Required\" since the proxy is there", "http10_client"),
        (
            "Readiness probe failed: Get \"http://10.0.0.4:15020/app-health/a/readyz\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            "upstream_timeout",
        ),
        (
            "2026-11-30 01:02:03 UTC [123] LOG:  could not receive data from client: Connection reset by peer",
            "client_disconnected",
        ),
        ("dial tcp 10.0.0.4:443: i/o timeout", "upstream_connect_timeout"),
        ("my client can't connect to the broker", "upstream_closed_connection"),
        ("ERROR job 5: the request has timed out", "upstream_timeout"),
        (
            "rpc error: code = Unavailable desc = connection error: desc = \"error reading server preface: http2: frame too large\"",
            "http2_to_http1_upstream",
        ),
    ] {
        let (_, finding) = read(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((finding.cause.id(), finding.confidence), (cause, Confidence::Possible), "{text}");
    }
}

#[test]
fn each_of_the_words_is_read() {
    // Its own, not what another one says that is within it.
    for (words, symptom) in words::ALL.iter().copied().flatten() {
        assert_eq!(super::symptom(words), Some((*symptom, *words)));
    }
}

#[test]
fn words_of_every_language_are_shown_as_they_are() {
    for (words, _) in words::ALL.iter().copied().flatten() {
        let is_safe = words.is_ascii() || !words.contains(|c: char| c.is_control() || ";=%\"\\".contains(c));
        assert!(is_safe, "{words}");
    }
    for (text, cause, words) in [
        ("curl: (7) Connexion refusée", "upstream_refused", "Connexion refusée"),
        ("psql: Fehler: Verbindungsaufbau abgelehnt", "upstream_refused", "Verbindungsaufbau abgelehnt"),
        ("curl: (7) 拒绝连接", "upstream_refused", "拒绝连接"),
        ("ssh: Нет маршрута до узла", "upstream_unreachable", "Нет маршрута до узла"),
        ("ping: Имя или служба не известны", "upstream_dns_failure", "Имя или служба не известны"),
        ("failed calling webhook \"a\": Connexion refusée", "upstream_refused", "Connexion refusée"),
    ] {
        let (_, finding) = read(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((finding.cause.id(), &*finding.evidence), (cause, &*format!("client={words}")));
    }
    let (_, finding) = read("ERROR: connection to é was refused").unwrap();
    assert!(finding.evidence.is_ascii(), "{}", finding.evidence);
}

#[test]
fn a_line_of_nothing_but_words_takes_as_long_as_it_is() {
    use std::time::{Duration, Instant};
    let took = |words: &str, kilobytes: usize| {
        let text = words.repeat(kilobytes * 1024 / words.len());
        let begun = Instant::now();
        let _ = std::hint::black_box(read(&text));
        begun.elapsed()
    };
    for words in ["ENFILE1", "上ECONNREFUSED", "0ECONNRESET ", "x 404 not found, ", "elapsed q ", "ENFILE 0"]
    {
        let (short, long) = (took(words, 16), took(words, 128));
        // Eight times the bytes: sixty-four times as long if each of the words looked through all of the line.
        assert!(long < short * 24 + Duration::from_millis(500), "{words}: {short:?}, {long:?}");
    }
}

#[test]
fn other_words_are_none() {
    for text in [
        "",
        "connection established",
        "HTTP/1.1 200 OK",
        "timeout=30s",
        "connect timeout is 5s",
        "SSL connection using TLSv1.3",
        "reset by hand",
        "2026-11-20 INFO the connection was closed after its last request",
        "level=debug msg=\"connection closed\"",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}
