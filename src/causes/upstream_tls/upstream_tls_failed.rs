//! The TLS handshake with the upstream failed.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // A proxy offers TLS 1.2 and 1.3 with common ciphers: the odd one out is the upstream.
    side: Side::Upstream,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Try the upstream with openssl s_client, and correct the version, cipher, SNI or secret \
        that the error names.",
    named_fixes: &[
        "If {service} has sidecars, set tls.mode of {rule} to ISTIO_MUTUAL; else try port {port} \
            with openssl s_client.",
        "Try port {port} of {host} with openssl s_client, and correct the version, cipher, SNI \
            or secret that the error names.",
    ],
    special_case_of: &[
        // The upstream did close it, perhaps because of what it received.
        Cause::UpstreamClosedConnection,
    ],
    look_alikes: &[
        Cause::UpstreamCertificateRejected,
        Cause::UpstreamSpeaksPlaintext,
        Cause::UpstreamRequiresClientCertificate,
    ],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: true,
    shapes: &[],
    flags: &["UF"],
    section: Some(PageSection::TlsMistakes),
};
