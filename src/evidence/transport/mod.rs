//! Why a connection or its TLS failed, in Envoy's and BoringSSL's words.

use std::borrow::Cow;

use super::redact::CUT;
use super::vocabulary;
use crate::text;

mod tls;

/// `transport_failure_reason` of either side, or what stands for it in the details.
///
/// Only known vocabulary is kept, in a form of its own: `TLS_error: WORD`, the reason first, `,
/// WORD` for each more, and behind `: ` what was wrong with a certificate; `delayed connect error:
/// 111`; and the like. What the peer may have chosen (the names in its certificate) is gone before
/// any rule looks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct TransportFailure {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// TLS failed. Its words begin behind the prefix.
    Tls,
    /// TLS met an error of the socket.
    TlsSocket,
    /// What a TLS inspector noted.
    Note,
    /// The socket couldn't connect.
    Connect,
    /// There was no socket.
    NoSocket,
    /// The HTTP proxy at the upstream opened no tunnel.
    Tunnel,
    Other,
}

/// The socket's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectError {
    /// ECONNREFUSED: nothing listens there.
    Refused,
    /// EHOSTUNREACH, ENETUNREACH, EPERM, EACCES: no route, or a firewall of this machine rejected
    /// it.
    Unreachable,
    /// ETIMEDOUT.
    TimedOut,
    /// ECONNRESET, EPIPE: it was closed while connecting.
    Reset,
    /// EADDRNOTAVAIL: this machine doesn't have the source address, or no port of it is free.
    NoSourceAddress,
    /// ENOENT: the Unix domain socket isn't there.
    NoSuchSocket,
    /// Any other.
    Other,
}

/// Before the words of TLS.
const TLS: &str = "TLS_error: ";
/// Before those of a TLS inspector's note.
const NOTE: &str = "TLS_error|";
/// A certificate or key that the control plane hasn't sent yet.
const NO_SECRET: &str = "TLS error: Secret is not supplied by SDS";
/// Envoy couldn't open one.
const NO_SOCKET: &str = "socket creation failure";
/// Before the status that an HTTP proxy gave to a CONNECT of Envoy's own.
const TUNNEL: &str = "tunnel_response:";

impl TransportFailure {
    /// Takes the reason with spaces, as properties have them, or underscores, as details have them.
    pub fn new(reason: &str) -> Option<Self> {
        let reason = reason.trim_ascii();
        if reason.is_empty() || reason == "-" {
            return None;
        }
        let unspaced = match reason.contains(' ') {
            true => Cow::Owned(reason.replace(' ', "_")),
            false => Cow::Borrowed(reason),
        };
        let mut kept = String::new();
        let kind = tls::read(&unspaced, &mut kept)
            .or_else(|| connect(&unspaced, &mut kept))
            .or_else(|| tunnel(&unspaced, &mut kept));
        let kind = kind.unwrap_or_else(|| {
            let no_socket = unspaced == "socket_creation_failure";
            kept.push_str(if no_socket { NO_SOCKET } else { CUT });
            if no_socket { Kind::NoSocket } else { Kind::Other }
        });
        Some(Self { text: kept, kind })
    }

    /// All that is kept of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is about TLS at all.
    pub fn is_tls(&self) -> bool {
        matches!(self.kind, Kind::Tls | Kind::TlsSocket | Kind::Note)
    }

    /// Whether it is only what a TLS inspector noted of bytes that are no ClientHello: it does so
    /// on every plaintext connection (1.40: `TLS_error|error:...`), healthy ones included. A
    /// failed handshake reads `TLS_error:|...`.
    pub fn is_inspectors_note(&self) -> bool {
        self.kind == Kind::Note
    }

    /// Whether TLS with the client failed, and it didn't just go away: clients and load balancers'
    /// health checks may end a connection with a reset.
    pub fn is_failed_handshake(&self) -> bool {
        !self.is_inspectors_note() && !self.is_socket_error()
    }

    /// Whether it is the socket's error, found while TLS was reading or writing: the peer reset
    /// the connection, be it in the handshake or long after it (1.40).
    pub fn is_socket_error(&self) -> bool {
        self.kind == Kind::TlsSocket
    }

    /// Whether this proxy has no certificate or key of its own yet: the control plane hasn't sent the secret.
    pub fn is_no_secret(&self) -> bool {
        self.text == NO_SECRET
    }

    /// Whether this proxy couldn't even open a socket.
    pub fn is_no_socket(&self) -> bool {
        self.kind == Kind::NoSocket
    }

    /// BoringSSL's reason word, such as `WRONG_VERSION_NUMBER`. The number before it is the same
    /// reason, but differs between builds.
    pub fn tls_reason(&self) -> Option<&str> {
        self.tls_words().next()
    }

    /// All of BoringSSL's words, the reason first.
    pub fn tls_words(&self) -> impl Iterator<Item = &str> {
        let words = self.tls_text().map(|text| text::split_once(text, ": ").map_or(text, |(words, _)| words));
        let words = words.filter(|_| self.kind != Kind::TlsSocket).into_iter();
        words.flat_map(|words| words.split(',')).map(str::trim_ascii_start).filter(|word| tls::is_word(word))
    }

    /// What was wrong with the peer's certificate, in the words of BoringSSL or Envoy's validator:
    /// `certificate has expired`.
    pub fn certificate_problem(&self) -> Option<&str> {
        let (_, certificate) = text::split_once(self.tls_text()?, ": ")?;
        let problem = match certificate.strip_prefix("depth ") {
            Some(depth) => text::split_once(depth, ": ")?.1,
            None => certificate,
        };
        let problem = text::split_once(problem, CUT).map_or(problem, |(known, _)| known);
        Some(problem.trim_ascii()).filter(|problem| !problem.is_empty())
    }

    /// How far up the chain that certificate is: 0 is the peer's own.
    pub fn certificate_depth(&self) -> Option<u32> {
        let (_, certificate) = text::split_once(self.tls_text()?, ": depth ")?;
        certificate.split_once(':')?.0.parse().ok()
    }

    /// The words of TLS and what was wrong with the certificate, where there are any, else all
    /// that is kept.
    pub fn words(&self) -> &str {
        self.tls_text().unwrap_or(&self.text)
    }

    fn tls_text(&self) -> Option<&str> {
        self.text.strip_prefix(TLS).or_else(|| self.text.strip_prefix(NOTE))
    }

    /// Whether an HTTP proxy at the upstream refused to open a tunnel.
    pub fn is_refused_tunnel(&self) -> bool {
        self.kind == Kind::Tunnel
    }

    /// Whether the reason is the socket's alone, not TLS'.
    pub fn is_connect_error(&self) -> bool {
        self.kind == Kind::Connect
    }

    /// What the socket said, if that is what failed.
    ///
    /// Envoy 1.40 writes `delayed connect error: 111`, newer ones `delayed connect error:
    /// Connection refused`.
    pub fn connect_error(&self) -> Option<ConnectError> {
        if self.kind != Kind::Connect {
            return None;
        }
        let (_, error) = text::split_once(&self.text, ": ")?;
        Some(match error {
            "111" | "Connection refused" => ConnectError::Refused,
            "113"
            | "No route to host"
            | "101"
            | "Network is unreachable"
            | "1"
            | "Operation not permitted"
            | "13"
            | "Permission denied" => ConnectError::Unreachable,
            "110" | "Connection timed out" => ConnectError::TimedOut,
            "104" | "Connection reset by peer" | "32" | "Broken pipe" => ConnectError::Reset,
            "99" | "Cannot assign requested address" => ConnectError::NoSourceAddress,
            "2" | "No such file or directory" => ConnectError::NoSuchSocket,
            _ => ConnectError::Other,
        })
    }
}

/// `delayed_connect_error:_111`; where several addresses were tried, the first one's error. The address in
/// `failed_to_bind_to_ADDRESS:_ERROR` may be a client's.
fn connect(reason: &str, kept: &mut String) -> Option<Kind> {
    const BIND: &str = "failed_to_bind:_";
    let prefixes = ["delayed_connect_error:_", "immediate_connect_error:_", BIND];
    let bind = reason.strip_prefix("failed_to_bind_to_").and_then(|rest| text::split_once(rest, ":_"));
    let (prefix, error) = match bind {
        Some((_, error)) => (BIND, error),
        None => prefixes.iter().find_map(|prefix| Some((*prefix, reason.strip_prefix(prefix)?)))?,
    };
    kept.push_str(&prefix.replace('_', " "));
    let error = error.split('|').next()?;
    let is_number = error.len() <= 4 && error.bytes().all(|byte| byte.is_ascii_digit());
    if is_number || vocabulary::is_known(error) {
        kept.push_str(&error.replace('_', " "))
    } else {
        kept.push_str(CUT)
    }
    Some(Kind::Connect)
}

/// `tunnel_response:407`
fn tunnel(reason: &str, kept: &mut String) -> Option<Kind> {
    let status = reason.strip_prefix(TUNNEL)?;
    kept.push_str(TUNNEL);
    kept.push_str(if status.parse::<u16>().is_ok() { status } else { CUT });
    Some(Kind::Tunnel)
}

impl TryFrom<String> for TransportFailure {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("no reason")
    }
}

impl From<TransportFailure> for String {
    fn from(failure: TransportFailure) -> Self {
        failure.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_reason_word_counts_not_the_number() {
        for (text, word) in [
            (
                "TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
                "WRONG_VERSION_NUMBER",
            ),
            (
                "TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
                "WRONG_VERSION_NUMBER",
            ),
            (
                "TLS error: 268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER",
                "WRONG_VERSION_NUMBER",
            ),
            (
                "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: x:TLS_error_end",
                "CERTIFICATE_VERIFY_FAILED",
            ),
            ("TLS_error|error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST", "HTTP_REQUEST"),
            (
                "TLS_error:|436207716:ECDSA routines:OPENSSL_internal:BAD_SIGNATURE|184549382:X.509 certificate routines:OPENSSL_internal:public key routines|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: x:TLS_error_end",
                "CERTIFICATE_VERIFY_FAILED",
            ),
        ] {
            let failure = TransportFailure::new(text).unwrap();
            assert!(failure.is_tls(), "{text}");
            assert_eq!(failure.tls_reason(), Some(word), "{text}");
        }
        let sds = TransportFailure::new("TLS error: Secret is not supplied by SDS").unwrap();
        assert!(sds.is_tls() && sds.tls_reason().is_none());
    }

    #[test]
    fn a_reset_is_no_reason_of_tls() {
        let text =
            "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end";
        for text in [text.to_owned(), text.replace(' ', "_")] {
            let failure = TransportFailure::new(&text).unwrap();
            assert!(
                failure.is_tls() && failure.is_socket_error() && failure.tls_reason().is_none(),
                "{text}"
            );
        }
    }

    #[test]
    fn socket_errors_by_number_and_by_name() {
        for (text, error) in [
            ("delayed connect error: 111", ConnectError::Refused),
            ("immediate_connect_error:_Connection_refused", ConnectError::Refused),
            ("delayed connect error: 113", ConnectError::Unreachable),
            ("immediate connect error: Network is unreachable", ConnectError::Unreachable),
            ("delayed connect error: 110", ConnectError::TimedOut),
            ("immediate connect error: 99", ConnectError::NoSourceAddress),
            (
                "failed_to_bind_to_203.0.113.9:0:_Cannot_assign_requested_address",
                ConnectError::NoSourceAddress,
            ),
            ("failed to bind to [::2]:0: Cannot assign requested address", ConnectError::NoSourceAddress),
            ("immediate_connect_error:_No_such_file_or_directory", ConnectError::NoSuchSocket),
            ("immediate connect error: 98", ConnectError::Other),
        ] {
            assert_eq!(TransportFailure::new(text).unwrap().connect_error(), Some(error), "{text}");
        }
        assert_eq!(TransportFailure::new("-"), None);
    }

    /// What is left of the reason, in both styles, and of what is left, too.
    fn kept(text: &str) -> String {
        let failure = TransportFailure::new(text).unwrap();
        assert_eq!(TransportFailure::new(failure.as_str()).unwrap(), failure, "{text}");
        assert_eq!(TransportFailure::new(&failure.as_str().replace(' ', "_")).unwrap(), failure, "{text}");
        assert_eq!(TransportFailure::new(&text.replace(' ', "_")).unwrap(), failure, "{text}");
        failure.as_str().to_owned()
    }

    #[test]
    fn a_certificates_names_steer_nothing_and_go_nowhere() {
        let verify = |rest: &str| {
            format!(
                "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: {rest}:TLS_error_end"
            )
        };
        for (rest, shown) in [
            (
                "SAN matcher, certificate SANs are [spiffe://x/system_library, a.delayed_connect_error:_111]",
                "TLS_error: CERTIFICATE_VERIFY_FAILED: SAN matcher [cut]",
            ),
            (
                "SAN matcher, certificate SANs are [x|1:SSL routines:OPENSSL_internal:HTTP_REQUEST]",
                "TLS_error: CERTIFICATE_VERIFY_FAILED: SAN matcher [cut]",
            ),
            (
                "X509_verify_cert: certificate verification error at depth 0: certificate has expired",
                "TLS_error: CERTIFICATE_VERIFY_FAILED: depth 0: certificate has expired",
            ),
            (
                "X509_verify_cert: certificate verification error at depth 1: the secret of somebody",
                "TLS_error: CERTIFICATE_VERIFY_FAILED: depth 1: [cut]",
            ),
            ("secret", "TLS_error: CERTIFICATE_VERIFY_FAILED: [cut]"),
            ("empty cert chain", "TLS_error: CERTIFICATE_VERIFY_FAILED: empty cert chain"),
        ] {
            assert_eq!(kept(&verify(rest)), shown);
            let failure = TransportFailure::new(&verify(rest)).unwrap();
            assert_eq!(failure.tls_words().collect::<Vec<_>>(), ["CERTIFICATE_VERIFY_FAILED"]);
            assert!(!failure.is_socket_error() && failure.connect_error().is_none());
        }
        let expired =
            verify("X509_verify_cert: certificate verification error at depth 2: certificate has expired");
        let expired = TransportFailure::new(&expired).unwrap();
        assert_eq!(expired.certificate_problem(), Some("certificate has expired"));
        assert_eq!(expired.certificate_depth(), Some(2));
    }

    #[test]
    fn what_is_not_known_is_cut() {
        for (text, shown) in [
            ("delayed connect error: 111", "delayed connect error: 111"),
            (
                "immediate connect error: Cannot assign requested address",
                "immediate connect error: Cannot assign requested address",
            ),
            ("delayed connect error: token=secret", "delayed connect error: [cut]"),
            ("socket creation failure", "socket creation failure"),
            ("TLS error: Secret is not supplied by SDS", "TLS error: Secret is not supplied by SDS"),
            ("TLS_error:|token secret", "TLS_error: [cut]"),
            ("TLS_error|error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST", "TLS_error|HTTP_REQUEST"),
            (
                "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end",
                "TLS_error: system library: Connection reset by peer",
            ),
            (
                "TLS_error:|33554536:system library:OPENSSL_internal:secret:TLS_error_end",
                "TLS_error: system library: [cut]",
            ),
            (
                "failed_to_bind_to_10.0.0.7:0:_Cannot_assign_requested_address",
                "failed to bind: Cannot assign requested address",
            ),
            ("tunnel_response:407", "tunnel_response:407"),
            ("tunnel_response:secret", "tunnel_response:[cut]"),
            ("another transport socket's words", "[cut]"),
        ] {
            assert_eq!(kept(text), shown);
        }
        let old = "TLS error: 268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED 268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER";
        assert_eq!(kept(old), "TLS_error: CERTIFICATE_VERIFY_FAILED, WRONG_VERSION_NUMBER");
    }

    proptest! {
        #[test]
        fn only_known_words_are_left(text in "[a-z:|,\\[\\] ]{0,60}") {
            let Some(failure) = TransportFailure::new(&text) else { return Ok(()) };
            prop_assert!(failure.as_str() == CUT || failure.as_str() == NO_SOCKET || failure.is_connect_error());
        }
    }
}
