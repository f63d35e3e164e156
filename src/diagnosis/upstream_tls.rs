//! TLS between this proxy and the upstream: too much, too little, or not accepted.

use super::{Advice, Verdict};
use crate::causes::Cause;
use crate::evidence::{Direction, Evidence, Fact, Flags, Layer, Page, TransportFailure};
use crate::text;
use crate::wire::Protocol;

pub(super) fn rule(e: &Evidence) -> Option<Verdict> {
    if e.layer == Layer::Listener {
        return None;
    }
    let verdict = double_tls(e).or_else(|| handshake(e)).or_else(|| page(e)).or_else(|| plaintext(e))?;
    // Whether TLS is spoken, with which names and certificates, is the DestinationRule's to say.
    Some(verdict.blaming(&e.upstream.resource))
}

/// TLS from the client, put into TLS by this proxy, on a TCP proxy's chain, and not Istio's own mutual TLS.
pub(super) fn looks_like_double_tls(e: &Evidence) -> bool {
    // With these flags no connection to the upstream was even tried.
    const UNTRIED: Flags = Flags::NO_HEALTHY_UPSTREAM
        .union(Flags::NO_CLUSTER_FOUND)
        .union(Flags::UPSTREAM_OVERFLOW)
        .union(Flags::DNS_RESOLUTION_FAILED);
    let failure = e.upstream.transport_failure.as_ref();
    // A plaintext upstream is wrong for either TLS.
    let plaintext = failure.is_some_and(is_plaintext_answer);
    let originates = e.upstream.tls_version.is_some() || failure.is_some_and(TransportFailure::is_tls);
    let meant = e.upstream.takes_istio_mtls == Some(true);
    // A server that answers TLS inside the TLS knows what it does: a tunnel.
    let tunnel = e.upstream.first_bytes.as_ref().is_some_and(|f| f.protocol.is_tls());
    let tried = e.layer == Layer::Tcp && !e.flags.intersects(UNTRIED);
    tried && originates && !plaintext && !meant && !tunnel && e.client_spoke_tls() == Some(true)
}

/// The upstream answered the ClientHello with bytes that are no TLS record.
fn is_plaintext_answer(failure: &TransportFailure) -> bool {
    const WORDS: &[&str] = &[
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "BAD_PACKET_LENGTH",
        "PACKET_LENGTH_TOO_LONG",
    ];
    failure.tls_reason().is_some_and(|word| WORDS.contains(&word))
}

fn double_tls(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[
        Fact::FirstBytes,
        Fact::Sni,
        Fact::UpstreamTls,
        Fact::UpstreamFirstBytes,
        Fact::UpstreamFailure,
        Fact::Cluster,
    ];
    looks_like_double_tls(e).then_some(())?;
    // A tunnel looks the same to whoever saw neither side's bytes, even one that works.
    if e.downstream.first_bytes.is_none() && !e.flags.any_failure() {
        return Some(Verdict::possible(Cause::DoubleTls, FACTS));
    }
    let saw_both = e.downstream.first_bytes.is_some() && e.upstream.takes_istio_mtls == Some(false);
    Some(match &e.upstream.first_bytes {
        // Inside the second TLS the server answered the first one's ClientHello with something that is no TLS.
        Some(answer) if answer.protocol != Protocol::Binary && saw_both => {
            Verdict::certain(Cause::DoubleTls, FACTS)
        }
        _ => Verdict::likely(Cause::DoubleTls, FACTS),
    })
}

/// The handshake failed, and BoringSSL says why.
fn handshake(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[
        Fact::Details,
        Fact::UpstreamTlsReason,
        Fact::UpstreamFailure,
        Fact::Cluster,
        Fact::Endpoint,
        Fact::Attempts,
    ];
    static ALPN: Advice = Advice {
        side: None,
        fix: "Declare the port with the HTTP version that the upstream takes: it refused all protocols that ALPN offered.",
    };
    static VERSION: Advice = Advice {
        side: None,
        fix: "Give proxy and upstream a TLS version in common: 1.3 needs tls_maximum_protocol_version in the proxy, older ones than 1.2 are refused.",
    };
    let failure = e.upstream.transport_failure.as_ref().filter(|f| f.is_tls())?;
    // A TCP proxy reads nothing before the upstream is connected (1.40): if the client speaks TLS,
    // too, the root is double TLS, unseen.
    let sure = e.layer == Layer::Http || e.client_spoke_tls() == Some(false);
    let surely = |cause| if sure { Verdict::certain(cause, FACTS) } else { Verdict::likely(cause, FACTS) };
    // An endpoint that took Istio's mutual TLS before resets other TLS, or shows a certificate that only the mesh trusts.
    let own_tls = e.past.took_mtls && e.upstream.takes_istio_mtls == Some(false);
    if own_tls && (failure.is_socket_error() || failure.tls_reason() == Some("CERTIFICATE_VERIFY_FAILED")) {
        const CONFLICT: &[Fact] = &[
            Fact::Details,
            Fact::UpstreamTlsReason,
            Fact::EndpointTookMtls,
            Fact::UpstreamFailure,
            Fact::Cluster,
            Fact::Endpoint,
            Fact::Attempts,
        ];
        return Some(Verdict::likely(Cause::DestinationRuleTlsConflict, CONFLICT));
    }
    if failure.is_socket_error() {
        // Reset by the upstream: a handshake that failed only where no connection came to be, and even then the network
        // may have done it.
        let unconnected = e.flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE);
        return unconnected.then(|| Verdict::likely(Cause::UpstreamTlsFailed, FACTS));
    }
    if failure.is_no_secret() {
        // Envoy's own error, before it sends a byte.
        return Some(Verdict::certain(Cause::ProxyCertificateMissing, FACTS));
    }
    if is_plaintext_answer(failure) {
        // Look-alike of the lengths: TLS that was corrupted on its way.
        let spoilt = failure.tls_reason().is_some_and(|word| text::contains(word, "PACKET_LENGTH"));
        let how_sure = if spoilt { Verdict::likely } else { Verdict::certain };
        return Some(how_sure(Cause::UpstreamSpeaksPlaintext, FACTS));
    }
    Some(match failure.tls_reason().unwrap_or_default() {
        // This proxy's own validation; the fix covers an outdated CA, too.
        "CERTIFICATE_VERIFY_FAILED" | "KEY_USAGE_BIT_INCORRECT" => surely(Cause::UpstreamCertificateRejected),
        "TLSV1_ALERT_CERTIFICATE_REQUIRED" | "TLSV13_ALERT_CERTIFICATE_REQUIRED" => {
            surely(Cause::UpstreamRequiresClientCertificate)
        }
        // In answer to the ClientHello: versions, ciphers or the server name. BoringSSL adds that word.
        "SSLV3_ALERT_HANDSHAKE_FAILURE"
            if failure.tls_words().any(|word| word == "HANDSHAKE_FAILURE_ON_CLIENT_HELLO") =>
        {
            surely(Cause::UpstreamTlsFailed)
        }
        // Later in the handshake, TLS 1.2 servers send only this alert when a client certificate
        // is missing or not trusted.
        "SSLV3_ALERT_HANDSHAKE_FAILURE" => Verdict::likely(Cause::UpstreamRequiresClientCertificate, FACTS),
        // The server name that was sent, or that none was.
        name if name.ends_with("UNRECOGNIZED_NAME") => surely(Cause::UpstreamRequiresSni),
        // Envoy offers its upstreams TLS 1.2 alone by default (1.40), istiod up to 1.3 (1.31).
        name if name.ends_with("ALERT_PROTOCOL_VERSION") => {
            surely(Cause::UpstreamTlsFailed).advising(&VERSION)
        }
        name if name.ends_with("NO_APPLICATION_PROTOCOL") => surely(Cause::UpstreamTlsFailed).advising(&ALPN),
        // Go's servers say this of a missing certificate, too (TLS 1.2).
        "SSLV3_ALERT_BAD_CERTIFICATE" => Verdict::possible(Cause::UpstreamRejectedClientCertificate, FACTS),
        // The peer's alert about this proxy's certificate. Look-alike: a proxy in between that
        // rejects the server's.
        "TLSV1_ALERT_UNKNOWN_CA"
        | "SSLV3_ALERT_CERTIFICATE_EXPIRED"
        | "SSLV3_ALERT_CERTIFICATE_UNKNOWN"
        | "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"
        | "SSLV3_ALERT_CERTIFICATE_REVOKED"
        | "TLSV1_ALERT_ACCESS_DENIED" => Verdict::likely(Cause::UpstreamRejectedClientCertificate, FACTS),
        _ => surely(Cause::UpstreamTlsFailed),
    })
}

/// The upstream's own error page names the mistake.
pub(super) fn page(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[Fact::Page, Fact::Code, Fact::UpstreamTls, Fact::Cluster, Fact::Endpoint];
    (e.details.via_upstream() && !e.flags.any_failure()).then_some(())?;
    // What a client asked for may be repeated in such a page.
    let how_sure = if e.answer.repeats { Verdict::possible } else { Verdict::likely };
    match e.answer.page? {
        Page::PlaintextToTlsPort if e.upstream.tls_version.is_none() => {
            Some(how_sure(Cause::UpstreamExpectsTls, FACTS))
        }
        // The page came over TLS: something behind the upstream made it, so the application sent
        // it.
        Page::PlaintextToTlsPort | Page::ProxyReply => None,
        // Apache httpd since 2.4.64, Caddy with strict_sni_host. Strangers choose a gateway's Host.
        Page::Misdirected => {
            static MISDIRECTED: Advice = Advice {
                side: None,
                fix: "Send the Host's name as SNI (sni of the DestinationRule, auto_sni), or rewrite the Host: the upstream wants them equal.",
            };
            e.upstream.tls_version.as_ref()?;
            let how_sure =
                if e.direction == Direction::Gateway { Verdict::possible } else { Verdict::likely };
            Some(how_sure(Cause::UpstreamRequiresSni, FACTS).advising(&MISDIRECTED))
        }
        Page::ClientCertificateRequired => Some(how_sure(Cause::UpstreamRequiresClientCertificate, FACTS)),
        Page::ClientCertificateRefused => Some(how_sure(Cause::UpstreamRejectedClientCertificate, FACTS)),
    }
}

/// `503 UC`, on TCP a reset: the upstream closed a plaintext connection before it answered, and says that it takes
/// Istio's mutual TLS. An application that crashes looks the same, so this is never certain.
fn plaintext(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[
        Fact::Details,
        Fact::EndpointMtls,
        Fact::EndpointTookMtls,
        Fact::Flags,
        Fact::Cluster,
        Fact::Endpoint,
        Fact::Attempts,
    ];
    // Past the mesh no DestinationRule holds.
    if super::answer::went_past_the_mesh(e) {
        return None;
    }
    // A DestinationRule that turns mutual TLS off takes the mark from the endpoint as well (istiod 1.31): what is left
    // is that the endpoint took it before.
    let takes_mtls = e.upstream.takes_istio_mtls == Some(true) || e.past.took_mtls;
    let meant_for_mtls = e.upstream.tls_version.is_none() && takes_mtls;
    if e.layer == Layer::Tcp {
        // How far the exchange had got is unknown.
        let reset = e.flags.contains(Flags::UPSTREAM_REMOTE_RESET) && e.upstream.first_bytes.is_none();
        let conflict = reset && meant_for_mtls;
        return conflict.then(|| Verdict::possible(Cause::DestinationRuleTlsConflict, FACTS));
    }
    // A connection that was used before had taken plaintext.
    if super::answer::was_reused(e) {
        return None;
    }
    let closed =
        e.details.closed_before_response() && e.flags.contains(Flags::UPSTREAM_CONNECTION_TERMINATION);
    let how_sure = if e.past.took_plaintext { Verdict::possible } else { Verdict::likely };
    (closed && meant_for_mtls).then(|| how_sure(Cause::DestinationRuleTlsConflict, FACTS))
}
