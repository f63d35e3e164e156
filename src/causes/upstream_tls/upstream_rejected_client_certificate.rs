//! The upstream rejected this proxy's certificate.

use crate::causes::*;

pub const DEFINITION: Definition = Definition {
    side: Side::Mesh,
    sender: Sender::NoClient,
    soft: Softness::Never,
    fix: "Renew this proxy's client certificate, or have it signed by a CA that the upstream \
        trusts.",
    named_fixes: &[],
    special_case_of: &[
        // The handshake did fail.
        Cause::UpstreamTlsFailed,
    ],
    look_alikes: &[Cause::UpstreamRequiresClientCertificate, Cause::UpstreamCertificateRejected],
    place: Place::Either,
    ends_by_itself: false,
    by_design: false,
    peer_may_know: false,
    shapes: &[],
    flags: &[],
    section: Some(PageSection::TlsMistakes),
};
