//! What a client says of a connection that failed, where no proxy has said anything of it: curl, kubelet's events, Go, Java, Node, Python.
//!
//! The same words come of failures that no mesh had a part in, so this is the last that is read, and it counts where nothing else does.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;

use super::Finding;

/// How a connection failed for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symptom {
    /// TLS was begun, and what came back is none.
    NoTls,
    /// TLS was not begun, and the server wants it.
    WantsTls,
    /// It was reset or closed before an answer.
    Reset,
    /// The same while TLS was begun.
    ResetInTls,
    /// HTTP/2 was begun, and what came back is none.
    NoHttp2,
    /// The server wants a certificate.
    WantsCertificate,
    /// Nobody was listening.
    Refused,
    /// Envoy's answer to HTTP/1.0, and hardly anybody else's.
    TooOld,
    /// No answer came for as long as the client waited.
    NoAnswer,
    /// Not even a connection came to be.
    NoConnection,
    /// The name had no address.
    NoName,
}

/// The words for it.
const WORDS: &[(&str, Symptom)] = &[
    ("dial tcp: lookup ", Symptom::NoName),
    ("getaddrinfo ENOTFOUND", Symptom::NoName),
    ("getaddrinfo EAI_AGAIN", Symptom::NoName),
    ("curl: (6) Could not resolve host", Symptom::NoName),
    ("java.net.UnknownHostException", Symptom::NoName),
    ("wrong version number", Symptom::NoTls),
    ("HTTP response to HTTPS client", Symptom::NoTls),
    ("first record does not look like a TLS handshake", Symptom::NoTls),
    ("record that exceeded the maximum permissible length", Symptom::NoTls),
    ("Unrecognized SSL message, plaintext connection", Symptom::NoTls),
    ("SSL23_GET_SERVER_HELLO:unknown protocol", Symptom::NoTls),
    ("SSL_ERROR_RX_RECORD_TOO_LONG", Symptom::NoTls),
    ("HTTP request to an HTTPS server", Symptom::WantsTls),
    ("plain HTTP request was sent to HTTPS port", Symptom::WantsTls),
    ("malformed HTTP response \"\\x15\\x03", Symptom::WantsTls),
    ("certificate required", Symptom::WantsCertificate),
    ("server preface: http2: frame too large", Symptom::NoHttp2),
    ("server preface: EOF", Symptom::Reset),
    ("SSL_ERROR_SYSCALL", Symptom::ResetInTls),
    ("SSL_connect: Connection reset by peer", Symptom::ResetInTls),
    ("before secure TLS connection was established", Symptom::ResetInTls),
    ("Remote host terminated the handshake", Symptom::ResetInTls),
    ("Remote host closed connection during handshake", Symptom::ResetInTls),
    ("EOF occurred in violation of protocol", Symptom::ResetInTls),
    ("Connection reset by peer", Symptom::Reset),
    ("connection reset by peer", Symptom::Reset),
    ("ECONNRESET", Symptom::Reset),
    ("Connection reset", Symptom::Reset),
    ("Empty reply from server", Symptom::Reset),
    ("Remote end closed connection without response", Symptom::Reset),
    ("socket hang up", Symptom::Reset),
    ("connect: connection refused", Symptom::Refused),
    ("Connection refused", Symptom::Refused),
    ("ECONNREFUSED", Symptom::Refused),
    ("connect : connection refused", Symptom::Refused),
    ("postmaster is accepting TCP/IP connections", Symptom::Refused),
    ("(Client.Timeout exceeded while awaiting headers)", Symptom::NoAnswer),
    ("ReadTimeoutError(", Symptom::NoAnswer),
    (": i/o timeout", Symptom::NoConnection),
    ("onnect timed out", Symptom::NoConnection),
    ("onnection timed out", Symptom::NoConnection),
    ("connect ETIMEDOUT", Symptom::NoConnection),
    // Its connect's was before.
    ("ocketTimeoutException", Symptom::NoAnswer),
    ("426 Upgrade Required", Symptom::TooOld),
    ("426 \"Upgrade Required", Symptom::TooOld),
    ("426 (Upgrade Required", Symptom::TooOld),
];

/// Words of which one is in each of those.
static ANY: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| {
    let common = [
        "onnection",
        "onnect: ",
        "onnect : ",
        "HTTP",
        "SSL",
        "TLS",
        "ECONN",
        "wrong version",
        "preface",
        "reply from",
        "hang up",
        "certificate req",
        "Upgrade Req",
        "imeout",
        "timed out",
        "TIMEDOUT",
        "lookup ",
        "getaddrinfo",
        "resolve host",
        "UnknownHost",
        "Remote host",
        "EOF occurred",
        "exceeded the max",
    ];
    common.iter().map(|word| Finder::new(*word)).collect()
});

/// Made once: what costs is the making.
static FINDERS: LazyLock<Vec<Finder<'static>>> =
    LazyLock::new(|| WORDS.iter().map(|(words, _)| Finder::new(*words)).collect());

/// What a line says of such a connection, and what may have been behind it.
pub(super) fn read(text: &str) -> Option<Finding> {
    ANY.iter().any(|word| word.find(text.as_bytes()).is_some()).then_some(())?;
    // A server's access log: whoever asked may have written the words.
    const REQUESTS: &[&str] =
        &[" HTTP/", "\"path\"", "\"method\"", "ser_agent", "ser-agent", "serAgent", "eaders\""];
    (!REQUESTS.iter().any(|words| text.contains(words))).then_some(())?;
    let mut found = WORDS.iter().zip(&*FINDERS).filter(|(_, finder)| finder.find(text.as_bytes()).is_some());
    let ((words, symptom), _) = found.next()?;
    let is_tls = text.contains("https://") || text.contains(":443");
    let symptom = if is_tls && *symptom == Symptom::Reset { Symptom::ResetInTls } else { *symptom };
    let (cause, others): (Cause, &[Cause]) = match symptom {
        Symptom::NoTls => (Cause::TlsOnPlaintextPort, &[Cause::UpstreamSpeaksPlaintext]),
        Symptom::WantsTls => (Cause::UpstreamExpectsTls, &[Cause::PlaintextOnTlsPort]),
        Symptom::Reset => {
            (Cause::PlaintextToStrictMtls, &[Cause::EgressBlocked, Cause::UpstreamClosedConnection])
        }
        // A name outside of the cluster is one that the mesh may not know.
        Symptom::ResetInTls if is_public(text) => {
            (Cause::EgressBlocked, &[Cause::NoFilterChainForSni, Cause::UpstreamRefused])
        }
        Symptom::ResetInTls => {
            (Cause::NoFilterChainForSni, &[Cause::PlaintextToStrictMtls, Cause::EgressBlocked])
        }
        // Of a proxy in between nobody says anything.
        Symptom::Refused => (Cause::UpstreamRefused, &[Cause::NoEndpoints]),
        Symptom::NoAnswer => {
            (Cause::UpstreamTimeout, &[Cause::UpstreamConnectTimeout, Cause::UpstreamUnreachable])
        }
        Symptom::NoConnection => {
            (Cause::UpstreamConnectTimeout, &[Cause::UpstreamUnreachable, Cause::UpstreamTimeout])
        }
        Symptom::NoName => (Cause::UpstreamDnsFailure, &[]),
        Symptom::TooOld => (Cause::Http10Client, &[Cause::Http10Upstream]),
        Symptom::NoHttp2 => (Cause::Http2ToHttp1Upstream, &[Cause::UpstreamProtocolError]),
        Symptom::WantsCertificate => {
            (Cause::ClientCertificateMissing, &[Cause::UpstreamRequiresClientCertificate])
        }
    };
    let mut finding = Finding::of_line((cause, Confidence::Possible), others.to_vec(), None, None);
    finding.evidence = format!("client={}", meshwhy::report::escape(words, meshwhy::report::LONGEST_FACT));
    finding.would_tell = vec!["the proxy's access log"];
    Some(finding)
}

/// Whether a host with a domain is named that isn't one of the cluster's.
fn is_public(text: &str) -> bool {
    let is_host = |word: &str| {
        let host = word.split(['/', ':']).next().unwrap_or(word);
        let letters = host
            .rsplit('.')
            .next()
            .is_some_and(|last| last.len() > 1 && last.bytes().all(|byte| byte.is_ascii_alphabetic()));
        host.matches('.').count() > 0
            && letters
            && !["svc", "local", "internal"].iter().any(|end| host.ends_with(end))
    };
    let behind_scheme = text.split("https://").nth(1);
    let words = text.split([' ', '"', '\'', '(', ')', ',', '*', '`']);
    behind_scheme.into_iter().chain(words.filter(|word| word.ends_with(":443"))).any(is_host)
}

#[cfg(test)]
mod tests {
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
            ("curl: (52) Empty reply from server", "plaintext_to_strict_mtls"),
            (
                "Error while dialing dial tcp 10.240.21.150:80: connect: connection refused",
                "upstream_refused",
            ),
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
            ("dial tcp 10.0.0.4:443: i/o timeout", "upstream_connect_timeout"),
            (
                "rpc error: code = Unavailable desc = connection error: desc = \"error reading server preface: http2: frame too large\"",
                "http2_to_http1_upstream",
            ),
        ] {
            let finding = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((finding.cause.id(), finding.confidence), (cause, Confidence::Possible), "{text}");
        }
    }

    #[test]
    fn each_of_the_words_is_read() {
        for (words, _) in WORDS {
            assert!(read(words).is_some(), "{words}");
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
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
