//! Why a connection or its TLS failed, in Envoy's words.

use super::text::Text;

/// `transport_failure_reason` of either side, or what stands for it in the details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportFailure(Text);

/// What the socket said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectError {
    /// ECONNREFUSED: nobody listens there.
    Refused,
    /// EHOSTUNREACH, ENETUNREACH, EPERM, EACCES: no way there, or a firewall of this machine said no.
    Unreachable,
    /// ETIMEDOUT.
    TimedOut,
    /// ECONNRESET, EPIPE: it was closed while connecting.
    Reset,
    /// Any other.
    Other,
}

impl TransportFailure {
    /// Takes the reason with spaces, as properties have them, or underscores, as details have them.
    pub fn new(reason: &str) -> Option<Self> {
        let trimmed = reason.trim_ascii();
        if trimmed.is_empty() || trimmed == "-" {
            return None;
        }
        let mut text = trimmed.to_owned().into_bytes();
        if trimmed.contains("connect_error:_") {
            text.iter_mut().filter(|byte| **byte == b'_').for_each(|byte| *byte = b' ');
        }
        // One ASCII character for another leaves it what it was.
        String::from_utf8(text).ok().map(|text| Self(text.into()))
    }

    /// The whole reason.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it holds this word.
    pub fn has(&self, word: &str) -> bool {
        self.0.contains(word)
    }

    /// Whether it speaks of TLS at all.
    pub fn is_tls(&self) -> bool {
        self.0.starts_with("TLS") || self.has("OPENSSL_internal") || self.has("TLS_error")
    }

    /// Whether it is only what a TLS inspector noted of bytes that are no ClientHello: it does so on every plaintext
    /// connection (1.40: `TLS_error|error:...`), healthy ones included. A failed handshake reads `TLS_error:|...`.
    pub fn is_inspectors_note(&self) -> bool {
        self.0.starts_with("TLS_error|")
    }

    /// Whether TLS with the client failed, and it didn't just go away: clients and load balancers' health checks may end a
    /// connection with a reset.
    pub fn is_failed_handshake(&self) -> bool {
        !self.is_inspectors_note() && !self.is_socket_error()
    }

    /// Whether it is the socket's error, found while TLS was reading or writing: the peer reset the connection, be it in
    /// the handshake or long after it (1.40).
    pub fn is_socket_error(&self) -> bool {
        self.has("system library") || self.has("system_library")
    }

    /// BoringSSL's reason word, such as `WRONG_VERSION_NUMBER`. The number before it is the same
    /// reason, but differs between builds.
    pub fn tls_reason(&self) -> Option<&str> {
        if self.is_socket_error() {
            return None;
        }
        // Of several in a queue, what TLS made of it: the first may be arithmetic (a certificate whose signature is bad).
        let (_, after) =
            ["SSL routines:OPENSSL_internal:", "SSL_routines:OPENSSL_internal:", "OPENSSL_internal:"]
                .iter()
                .find_map(|before| self.0.split_once(*before))?;
        let word = after.split([':', '|', '}', ' ']).next().unwrap_or(after);
        (!word.is_empty()).then_some(word)
    }

    /// Whether the socket speaks, and nobody else.
    pub fn is_connect_error(&self) -> bool {
        self.0.starts_with("delayed connect error: ") || self.0.starts_with("immediate connect error: ")
    }

    /// What the socket said, if that is what failed.
    ///
    /// Envoy 1.40 writes `delayed connect error: 111`, newer ones `delayed connect error: Connection refused`.
    pub fn connect_error(&self) -> Option<ConnectError> {
        let (_, error) = self.0.split_once("connect error: ")?;
        let error = error.split('|').next().unwrap_or(error).trim_ascii();
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
            _ => ConnectError::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("immediate connect error: 99", ConnectError::Other),
        ] {
            assert_eq!(TransportFailure::new(text).unwrap().connect_error(), Some(error), "{text}");
        }
        assert_eq!(TransportFailure::new("-"), None);
    }
}
