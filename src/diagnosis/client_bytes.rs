//! The client's bytes: what it sent is not what this port takes.

use super::{Advice, Verdict, filters};
use crate::causes::{Cause, Side};
use crate::evidence::{Detail, Evidence, Fact, Flags, Layer, Origin, is_mesh_name};
use crate::wire::{FirstBytes, Protocol};

pub(super) fn rule(e: &Evidence) -> Option<Verdict> {
    if e.layer != Layer::Http {
        return None;
    }
    match e.details.detail() {
        // Given by the connection manager (older, flag `-`) or the codec (1.40, DPE): match on the
        // details.
        Detail::LowVersion => {
            const FACTS: &[Fact] = &[Fact::Details, Fact::RequestVersion];
            let version = e.downstream.first_bytes.as_ref().and_then(FirstBytes::http_version);
            // Envoy gives these details for all versions but 1.1, HTTP/9.9 as well (1.40).
            Some(match version {
                Some(version) if version > (1, 1) => Verdict::certain(Cause::InvalidHttpRequest, FACTS),
                Some(version) if version < (1, 1) => Verdict::certain(Cause::Http10Client, FACTS),
                // The line was not seen: a later one of this connection, or no connection role is
                // installed.
                _ => Verdict::likely(Cause::Http10Client, &[Fact::Details]),
            })
        }
        Detail::Http1HttpsUrlOnPlaintextConnection => {
            // Only the codec gives these details.
            Some(Verdict::certain(Cause::HttpsUrlOnPlaintextPort, &[Fact::Details, Fact::FirstBytes]))
        }
        Detail::Http1CodecError => Some(codec_error(e)),
        detail if let Some(advice) = too_large(detail) => {
            const FACTS: &[Fact] =
                &[Fact::Details, Fact::Code, Fact::Flags, Fact::Protocol, Fact::UpstreamFailure, Fact::Route];
            Some(Verdict::certain(Cause::RequestTooLarge, FACTS).advising(advice))
        }
        // Given by the connection manager alone.
        Detail::UpgradeFailed => {
            Some(Verdict::certain(Cause::UpgradeRefused, &[Fact::Details, Fact::Code, Fact::Protocol]))
        }
        // Bytes that the HTTP/1 parser waits out: without a line feed it never answers, the client gives up.
        Detail::DownstreamRemoteDisconnect | Detail::DownstreamLocalDisconnect if e.code.is_none() => {
            not_http(e).or_else(|| waiting(e))
        }
        detail if is_protocol_error(detail) => Some(Verdict::certain(
            Cause::InvalidHttpRequest,
            &[Fact::Details, Fact::Protocol, Fact::FirstBytes],
        )),
        // What a filter did to the request is flagged so, too (1.40).
        detail if filters::replies(detail).is_some() => None,
        Detail::None if unanswered(e) => {
            static HTTP2_ONLY: Advice = Advice {
                side: None,
                fix: "Let the port take HTTP/1.1 (codec_type AUTO), or have the client speak HTTP/2 to it.",
            };
            const FACTS: &[Fact] = &[Fact::Flags, Fact::FirstBytes];
            Some(Verdict::likely(Cause::InvalidHttpRequest, FACTS).advising(&HTTP2_ONLY))
        }
        _ if e.flags.contains(Flags::DOWNSTREAM_PROTOCOL_ERROR) => {
            const FACTS: &[Fact] = &[Fact::Flags, Fact::Details];
            // Without details it may be a codec's error, and with it TLS.
            let how_sure = if e.details.is_empty() { Verdict::possible } else { Verdict::likely };
            Some(not_http(e).unwrap_or_else(|| how_sure(Cause::InvalidHttpRequest, FACTS)))
        }
        _ => None,
    }
}

/// `400 DPE http1.codec_error`: TLS, SSH, Redis, a PROXY header, garbage: all alike but for the first bytes.
fn codec_error(e: &Evidence) -> Verdict {
    const BYTES: &[Fact] = &[Fact::Details, Fact::FirstBytes, Fact::RequestVersion, Fact::Sni];
    // A TLS inspector in front read a server name, and this chain doesn't terminate TLS.
    if e.downstream.sni.is_some() && e.downstream.tls_version.is_none() {
        return tls(e, BYTES);
    }
    if let Some(verdict) = not_http(e) {
        return verdict;
    }
    match &e.downstream.first_bytes {
        // HTTP/2 where only HTTP/1 is read.
        Some(first) if first.protocol == Protocol::Http2Preface => {
            static HTTP1_ONLY: Advice = Advice {
                side: None,
                fix: "Let the port take HTTP/2 (codec_type AUTO), or have the client speak HTTP/1.1 to it.",
            };
            Verdict::certain(Cause::InvalidHttpRequest, BYTES).advising(&HTTP1_ONLY)
        }
        // The connection began as HTTP: what broke the codec is the request's own form.
        Some(first) if first.protocol.is_http() => Verdict::certain(Cause::InvalidHttpRequest, BYTES),
        // Text or binary of no known protocol: perhaps broken HTTP, perhaps something else.
        Some(_) => Verdict::likely(Cause::InvalidHttpRequest, BYTES),
        // The bytes were not seen. TLS is the usual reason, yet only the more general cause is
        // proven.
        None => Verdict::possible(Cause::InvalidHttpRequest, &[Fact::Details, Fact::Flags]),
    }
}

/// HTTP/1 that no stream came of: HTTP/1's codec makes one of each error, and HTTP/2's none (1.40).
fn unanswered(e: &Evidence) -> bool {
    let first = e.downstream.first_bytes.as_ref();
    e.flags.contains(Flags::DOWNSTREAM_PROTOCOL_ERROR)
        && e.code.is_none()
        && first.is_some_and(|first| first.protocol == Protocol::Http1)
}

/// The first bytes name another protocol than HTTP.
fn not_http(e: &Evidence) -> Option<Verdict> {
    const BYTES: &[Fact] = &[Fact::Details, Fact::FirstBytes, Fact::Sni, Fact::TlsVersion];
    let first = e.downstream.first_bytes.as_ref()?;
    let wrapped = e.downstream.tls_version.is_some() && !e.downstream.is_mesh_tls();
    match first.protocol {
        // The bytes are read after TLS termination: TLS inside it was wrapped twice by the client, unless the outer one
        // is the mesh's own.
        Protocol::TlsClientHello if wrapped => Some(Verdict::certain(Cause::DoubleTls, BYTES)),
        Protocol::TlsClientHello => Some(tls(e, BYTES)),
        _ if is_old_or_partial_tls(first) && wrapped => Some(Verdict::likely(Cause::DoubleTls, BYTES)),
        _ if is_old_or_partial_tls(first) => Some(Verdict::likely(Cause::TlsOnPlaintextPort, BYTES)),
        Protocol::ProxyV1 | Protocol::ProxyV2 => {
            Some(Verdict::certain(Cause::ProxyProtocolUnexpected, BYTES))
        }
        Protocol::Binary => Some(Verdict::likely(Cause::NotHttpOnHttpPort, BYTES)),
        _ if first.protocol.is_recognised() && !first.protocol.is_http() => {
            Some(Verdict::certain(Cause::NotHttpOnHttpPort, BYTES))
        }
        _ => None,
    }
}

/// No bytes at all, to a port at which servers speak first: the client waits for a greeting. Look-alike: a connection that
/// its client keeps for later.
fn waiting(e: &Evidence) -> Option<Verdict> {
    let waited = e.downstream.port.is_some() && e.downstream.first_bytes.is_none();
    waited.then(|| Verdict::possible(Cause::NotHttpOnHttpPort, &[Fact::Port, Fact::Lived]))
}

/// What was too large, and for whom: limits of the codecs and of the connection manager, and those of filters that read
/// whole bodies.
fn too_large(detail: Detail) -> Option<&'static Advice> {
    use Detail::{
        Http1HeadersTooLarge, Http1TooManyHeaders, Http2CookiesTotalBytesTooLarge,
        Http2HeaderListSizeTooLarge, Http2TooManyHeaders, Http3HeadersTooLarge, Http3TooManyHeaders,
        Http3TooManyTrailers, RequestPayloadExceededRetryBufferLimit, RequestPayloadTooLarge,
    };
    static HEADERS: Advice = Advice {
        side: None,
        fix: "Send fewer or smaller headers (cookies), or raise max_request_headers_kb or max_headers_count.",
    };
    static BODY: Advice = Advice {
        side: None,
        fix: "Send a smaller body, or raise the limit of the filter that reads it whole (max_request_bytes, buffer limits).",
    };
    // More came while the router waited to try again (1.40).
    static RETRIED: Advice = Advice {
        side: Some(Side::Mesh),
        fix: "Mend what failed the first attempt, or raise the route's request_body_buffer_limit: the body outgrew what is kept for retries.",
    };
    match detail {
        Http1HeadersTooLarge
        | Http1TooManyHeaders
        | Http2CookiesTotalBytesTooLarge
        | Http2HeaderListSizeTooLarge
        | Http2TooManyHeaders
        | Http3HeadersTooLarge
        | Http3TooManyHeaders
        | Http3TooManyTrailers => Some(&HEADERS),
        RequestPayloadTooLarge => Some(&BODY),
        RequestPayloadExceededRetryBufferLimit => Some(&RETRIED),
        _ => None,
    }
}

/// TLS where plaintext is expected. A server name of Istio's mutual TLS means that no client chose
/// HTTPS: a DestinationRule enables what this workload's PeerAuthentication disables.
fn tls(e: &Evidence, facts: &'static [Fact]) -> Verdict {
    let hello = e.downstream.first_bytes.as_ref().and_then(|first| first.tls.as_ref());
    let sni = hello.and_then(|hello| hello.sni.as_deref()).or(e.downstream.sni.as_deref());
    let is_meshs = sni.is_some_and(is_mesh_name);
    let how_sure = if is_meshs { Verdict::likely } else { Verdict::certain };
    how_sure(Cause::TlsOnPlaintextPort, facts)
}

fn is_old_or_partial_tls(first: &FirstBytes) -> bool {
    first.protocol.is_tls() || first.protocol == Protocol::SslV2
}

/// Details that the codecs and the connection manager give to requests they refuse for their form.
fn is_protocol_error(detail: Detail) -> bool {
    use Detail::{
        AbsolutePathRejected, EarlyConnectData, Http2RemoteRefuse, Http2RemoteReset, Http3RemoteRefuse,
        Http3RemoteReset, InvalidPath, MissingHostHeader, MissingPathRejected, PathNormalizationFailed,
        RequestHeadersFailedStrictCheck,
    };
    match detail {
        AbsolutePathRejected
        | EarlyConnectData
        | InvalidPath
        | MissingHostHeader
        | MissingPathRejected
        | PathNormalizationFailed
        | RequestHeadersFailedStrictCheck => true,
        // The client's own reset is no protocol error.
        Http2RemoteReset | Http2RemoteRefuse | Http3RemoteReset | Http3RemoteRefuse => false,
        _ => matches!(
            detail.origin(),
            Some(Origin::Http1 | Origin::Http2 | Origin::Http3 | Origin::HeaderCheck)
        ),
    }
}
