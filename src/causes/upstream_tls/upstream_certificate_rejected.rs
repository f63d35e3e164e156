//! The proxy rejected the upstream's certificate.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    // What to trust (CA, names, SNI) is configured here; an expired certificate is the rarer case.
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Make sni, subjectAltNames and caCertificates in the DestinationRule fit the \
        certificate, or renew it.",
    named_fixes: &[
        "If {service} has sidecars, set tls.mode of {rule} to ISTIO_MUTUAL; else make its sni, \
            subjectAltNames and caCertificates fit.",
        "Make sni, subjectAltNames and caCertificates of {rule} fit the certificate of {host}, \
            or renew it.",
    ],
    special_case_of: &[
        // The handshake did fail.
        Cause::UpstreamTlsFailed,
    ],
    look_alikes: &[Cause::DoubleTls, Cause::UpstreamTlsFailed, Cause::ClientCertificateRejected],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::TlsMistakes),
};
