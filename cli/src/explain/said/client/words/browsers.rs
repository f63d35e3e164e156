//! Chrome's, Firefox's and Apple's names for it.

use crate::explain::said::client::Symptom;
use crate::explain::said::client::Symptom::*;

/// Those of Chrome's `net_error_list.h` and of Firefox's NSS that a server brings about.
pub(super) const BROWSERS: &[(&str, Symptom)] = &[
    // Apple's, by their numbers.
    ("NSURLErrorDomain Code=-1001", NoAnswer),
    ("NSURLErrorDomain Code=-1003", NoName),
    ("NSURLErrorDomain Code=-1004", Refused),
    ("NSURLErrorDomain Code=-1005", Reset),
    ("NSURLErrorDomain Code=-1011", BadAnswer),
    ("NSURLErrorDomain Code=-1017", BadAnswer),
    ("NSURLErrorDomain Code=-1200", NoAgreement),
    ("NSURLErrorDomain Code=-1201", Distrusts),
    ("NSURLErrorDomain Code=-1202", Distrusts),
    ("NSURLErrorDomain Code=-1203", Distrusts),
    ("NSURLErrorDomain Code=-1204", Distrusts),
    ("NSURLErrorDomain Code=-1206", WantsCertificate),
    ("NSURLErrorTimedOut", NoAnswer),
    ("NSURLErrorCannotConnectToHost", Refused),
    ("NSURLErrorSecureConnectionFailed", NoAgreement),
    ("ERR_HTTP2_INADEQUATE_TRANSPORT_SECURITY", NoAgreement),
    ("ERR_HTTP2_SERVER_REFUSED_STREAM", StreamReset),
    ("ERR_HTTP2_", BadAnswer),
    ("ERR_QUIC_PROTOCOL_ERROR", BadAnswer),
    ("ERR_INVALID_HTTP_RESPONSE", BadAnswer),
    ("ERR_INVALID_CHUNKED_ENCODING", BadAnswer),
    ("ERR_RESPONSE_HEADERS_", BadAnswer),
    ("ERR_CONTENT_LENGTH_MISMATCH", Closed),
    ("ERR_SSL_CLIENT_AUTH_CERT_NEEDED", WantsCertificate),
    ("ERR_SSL_CLIENT_AUTH_", RefusesCertificate),
    ("ERR_SSL_SERVER_CERT_", Distrusts),
    ("ERR_SSL_KEY_USAGE_INCOMPATIBLE", Distrusts),
    ("ERR_SSL_DECRYPT_ERROR_ALERT", NoAgreement),
    ("ERR_CONNECTION_ABORTED", Reset),
    ("ERR_CONNECTION_FAILED", Refused),
    ("MOZILLA_PKIX_ERROR_", Distrusts),
    ("NS_ERROR_NET_INADEQUATE_SECURITY", NoAgreement),
    ("Secure Connection Failed", ClosedInTls),
];
