//! BoringSSL's errors, as Envoy joins them.

use super::{Kind, NO_SECRET, NOTE, TLS};
use crate::evidence::redact::CUT;
use crate::evidence::vocabulary;
use crate::text;

/// Behind this stand the names of the peer's certificate, which anybody may have chosen.
const VERIFY: &str = "verify_cert_failed";

/// Before the depth, in Envoy's default validator.
const AT: &str = "X509_verify_cert:_certificate_verification_error_at_";

/// Before the word of each error.
const BEFORE_WORD: &str = "OPENSSL_internal:";

/// Before what the socket said, once this module has read it.
const SOCKET: &str = "system_library:_";

/// More words than BoringSSL queues for one failure.
const MOST_WORDS: usize = 6;

/// The longest of BoringSSL's words is shorter.
const LONGEST_WORD: usize = 64;

/// Takes `TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end`,
/// its older forms, what this module itself has made of it, and a TLS inspector's note; all
/// without spaces. Writes what is kept.
pub(super) fn read(reason: &str, kept: &mut String) -> Option<Kind> {
    if let Some(note) = reason.strip_prefix(NOTE) {
        kept.push_str(NOTE);
        let _ = errors(note, kept);
        return Some(Kind::Note);
    }
    let text = match reason.strip_prefix("TLS_error:") {
        Some("_Secret_is_not_supplied_by_SDS") => {
            kept.push_str(NO_SECRET);
            return Some(Kind::Tls);
        }
        Some(text) => text,
        // Some logs leave out what stands before the number.
        None if reason.starts_with(|c: char| c.is_ascii_digit()) && text::contains(reason, BEFORE_WORD) => {
            reason
        }
        None => return None,
    };
    kept.push_str(TLS);
    Some(errors(text, kept))
}

fn errors(text: &str, kept: &mut String) -> Kind {
    let (queued, certificate) = text::split_once(text, VERIFY).unwrap_or((text, ""));
    // Of several in a queue, what TLS made of it: the first may be arithmetic (a certificate whose
    // signature is bad).
    let (mut rest, mut reason) = (queued, "");
    while let Some((library, part)) = text::split_once(rest, BEFORE_WORD) {
        if library.ends_with("system_library:") {
            return socket(part, kept);
        }
        if library.ends_with("SSL_routines:") || reason.is_empty() {
            reason = part;
        }
        if library.ends_with("SSL_routines:") {
            break;
        }
        rest = part;
    }
    if reason.is_empty() {
        return again(text.trim_start_matches('_'), kept);
    }
    push_word(first_word(reason), kept);
    rest = queued;
    for _ in 0..MOST_WORDS {
        let Some((_, part)) = text::split_once(rest, BEFORE_WORD) else { break };
        if part.len() != reason.len() {
            kept.push_str(", ");
            push_word(first_word(part), kept);
        }
        rest = part;
    }
    // Truncated logs have no end.
    let certificate =
        text::split_once(certificate, ":TLS_error_end").map_or(certificate, |(inside, _)| inside);
    let certificate = certificate.trim_start_matches([':', '_']);
    problem(certificate.strip_prefix(AT).unwrap_or(certificate), kept);
    Kind::Tls
}

/// What this module has made of it before, from an earlier report.
fn again(text: &str, kept: &mut String) -> Kind {
    if let Some(error) = text.strip_prefix(SOCKET) {
        return socket(error, kept);
    }
    let (words, certificate) = text::split_once(text, ":_").unwrap_or((text, ""));
    for (at, word) in words.split(',').take(MOST_WORDS).enumerate() {
        kept.push_str(if at > 0 { ", " } else { "" });
        push_word(word.strip_prefix('_').unwrap_or(word), kept);
    }
    problem(certificate, kept);
    Kind::Tls
}

fn push_word(word: &str, kept: &mut String) {
    kept.push_str(if is_word(word) { word } else { CUT });
}

fn socket(error: &str, kept: &mut String) -> Kind {
    kept.push_str(&SOCKET.replace('_', " "));
    let end = error.bytes().position(|byte| matches!(byte, b':' | b'|')).unwrap_or(error.len());
    push_sentence(error.get(..end).unwrap_or_default(), kept);
    Kind::TlsSocket
}

/// The word, without the next error's number where older versions join them with a space.
fn first_word(part: &str) -> &str {
    let end = part.bytes().position(|byte| !is_word_byte(byte)).unwrap_or(part.len());
    let word = part.get(..end).unwrap_or_default();
    match word.rsplit_once('_') {
        Some((word, number)) if number.len() > 5 && number.bytes().all(|byte| byte.is_ascii_digit()) => word,
        _ => word,
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
}

/// Whether it has the form of BoringSSL's words.
pub(super) fn is_word(word: &str) -> bool {
    !word.is_empty() && word.len() <= LONGEST_WORD && word.bytes().all(is_word_byte)
}

/// `depth 0: certificate has expired`, or what Envoy's validator says; the mark stands for the
/// peer's names.
fn problem(text: &str, kept: &mut String) {
    if text.is_empty() {
        return;
    }
    kept.push_str(": ");
    if let Some((depth, problem)) = text.strip_prefix("depth_").and_then(|rest| text::split_once(rest, ":_"))
        && depth.len() <= 3
        && depth.bytes().all(|byte| byte.is_ascii_digit())
    {
        kept.push_str("depth ");
        kept.push_str(depth);
        kept.push_str(": ");
        return push_sentence(problem, kept);
    }
    let end = text.bytes().position(|byte| matches!(byte, b',' | b'[' | b':')).unwrap_or(text.len());
    let (problem, names) = text.split_at_checked(end).unwrap_or_default();
    let problem = problem.trim_end_matches('_');
    if vocabulary::is_known(problem) {
        kept.push_str(&problem.replace('_', " "));
        kept.push_str(if names.is_empty() { "" } else { " " });
    }
    if !vocabulary::is_known(problem) || !names.is_empty() {
        kept.push_str(CUT);
    }
}

fn push_sentence(sentence: &str, kept: &mut String) {
    let sentence = sentence.trim_end_matches(['}', '_']);
    if vocabulary::is_known(sentence) {
        kept.push_str(&sentence.replace('_', " "))
    } else {
        kept.push_str(CUT)
    }
}
