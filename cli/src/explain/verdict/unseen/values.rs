//! Values that a column may have had.

use super::*;

pub(super) fn client_bytes(protocol: Protocol) -> Change {
    Box::new(move |e| e.downstream.first_bytes = Some(FirstBytes { protocol, tls: None, http: None }))
}

pub(super) fn server_bytes(protocol: Protocol) -> Change {
    Box::new(move |e| e.upstream.first_bytes = Some(FirstBytes { protocol, tls: None, http: None }))
}

pub(super) fn endpoints(number: u64) -> Change {
    Box::new(move |e| e.upstream.endpoints = Some(number))
}

pub(super) fn mtls(takes: bool) -> Change {
    Box::new(move |e| e.upstream.takes_istio_mtls = Some(takes))
}

/// A DestinationRule with TLS of its own, to an endpoint that takes the mesh's.
pub(super) fn own_tls() -> Change {
    Box::new(|e| {
        e.upstream.takes_istio_mtls = Some(false);
        e.past.took_mtls = true;
    })
}

/// What may have come to Istio's default chain before the black hole took it; with the inspector's notes, if the log
/// doesn't show them.
pub(super) fn fell_through(notes: bool) -> Vec<Change> {
    let words: &[Option<&str>] = if notes { NOTES } else { &[None] };
    let mut all: Vec<Change> = Vec::new();
    for listener in [None, Some(ListenerKind::Http)] {
        for word in words.iter().copied() {
            all.push(Box::new(move |e| {
                e.direction = Direction::Outbound;
                e.filter_chain = Some(FALL_THROUGH.into());
                e.downstream.listener = listener;
                if notes {
                    e.downstream.transport_failure = word.and_then(inspectors_note);
                }
            }));
        }
    }
    all
}

/// Nothing, plain HTTP, other plaintext, a broken ClientHello.
const NOTES: &[Option<&str>] =
    &[None, Some("HTTP_REQUEST"), Some("WRONG_VERSION_NUMBER"), Some("CLIENTHELLO_PARSE_FAILED")];

pub(super) fn inspectors_note(word: &str) -> Option<TransportFailure> {
    TransportFailure::new(&format!("TLS_error|error:1:SSL routines:OPENSSL_internal:{word}"))
}

/// What a TLS inspector notes of plaintext, at each kind of listener.
pub(super) fn listener_notes() -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    for direction in [Direction::Inbound, Direction::Outbound] {
        for word in NOTES.iter().copied() {
            all.push(Box::new(move |e| {
                e.direction = direction;
                e.downstream.transport_failure = word.and_then(inspectors_note);
            }));
        }
    }
    all
}

pub(super) fn failures() -> Vec<Change> {
    const REASONS: &[&str] = &[
        "delayed connect error: 111",
        "delayed connect error: 113",
        "delayed connect error: 110",
        "delayed connect error: 104",
        "TLS_error:|1:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
        "TLS_error:|1:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end",
        "TLS_error:|1:SSL routines:OPENSSL_internal:TLSV1_ALERT_CERTIFICATE_REQUIRED:TLS_error_end",
        "TLS_error:|1:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL:TLS_error_end",
        "socket_creation_failure",
    ];
    let is = |reason: &'static str| -> Change {
        Box::new(move |e| e.upstream.transport_failure = TransportFailure::new(reason))
    };
    REASONS.iter().copied().map(is).collect()
}

/// What Envoy logs of all causes, each once, by status.
static SHAPES: LazyLock<Vec<LogShape>> = LazyLock::new(|| {
    let mut shapes: Vec<LogShape> = Vec::new();
    for shape in Cause::ALL.iter().flat_map(|cause| cause.definition().shapes) {
        if !shapes.contains(shape) {
            shapes.push(*shape);
        }
    }
    shapes.sort_by_key(|shape| shape.code);
    shapes
});

/// The details that go with a status and flags; without a status, with the flags.
pub(super) fn details(e: &Evidence, shows_flags: bool, shows_code: bool) -> Vec<Change> {
    let fits = |shape: &&LogShape| {
        (e.code.unwrap_or(0) == shape.code || (!shows_code && shows_flags && e.flags.any_failure()))
            && if !shows_flags && !e.flags.any_failure() && e.mixer.is_none() {
                // A reason is a failed connection's.
                e.upstream.transport_failure.is_none() || shape.flag == "UF"
            } else if shape.flag.is_empty() {
                !e.flags.any_failure()
            } else {
                e.flags.intersects(Flags::from_short(shape.flag))
            }
    };
    let is = |text: &'static str| -> Change { Box::new(move |e| set_details(e, text)) };
    // Where the connection to the upstream failed, nobody answered in its place.
    let own = |text: &str| matches!(text, "direct_response" | "lua_response");
    let tried = e.upstream.transport_failure.is_some() || e.upstream.address.is_some();
    // What takes too long to connect says no more than that.
    let reason = e.upstream.transport_failure.is_some();
    let excluded = |text: &str| (tried && own(text)) || (reason && text.contains("connection_timeout"));
    let all = SHAPES.iter().filter(fits).map(|shape| shape.details).filter(|text| !excluded(text));
    all.map(is).collect()
}

fn set_details(e: &mut Evidence, text: &str) {
    e.details = Details::new(text);
}
