//! BoringSSL's errors, as Envoy joins them.

use super::{Kind, NO_SECRET, NOTE, TLS};
use crate::evidence::text::CUT;
use crate::evidence::words;

/// Behind this stand the names of the peer's certificate, which anybody may have chosen.
const VERIFY: [&str; 2] = ["verify cert failed", "verify_cert_failed"];

/// Before what the socket said.
const SOCKET: &str = "system library: ";

/// Before the word of each error.
const BEFORE_WORD: &str = "OPENSSL_internal:";

/// More words than BoringSSL queues for one failure.
const MOST_WORDS: usize = 6;

/// The longest of BoringSSL's words is shorter.
const LONGEST_WORD: usize = 64;

/// Takes `TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end`, its older forms, what this
/// module itself has made of it, and a TLS inspector's note.
pub(super) fn read(reason: &str) -> Option<(String, Kind)> {
    let starts = |start: &str| reason.starts_with(start) || reason.starts_with(&start.replace(' ', "_"));
    if starts(NO_SECRET) {
        return Some((NO_SECRET.to_owned(), Kind::Tls));
    }
    let is_note = starts(NOTE);
    let is_tls = is_note || starts("TLS_error:") || starts("TLS error:") || starts_with_number(reason);
    is_tls.then_some(())?;
    let verify = VERIFY.iter().find_map(|verify| reason.split_once(verify));
    let (errors, certificate) = verify.map_or((reason, None), |(errors, rest)| (errors, Some(rest)));
    if !errors.contains(BEFORE_WORD) {
        return Some(again(reason, is_note));
    }
    let (mut all, mut of_tls) = (Vec::new(), None);
    let mut before = "";
    for part in errors.split(BEFORE_WORD) {
        let library = before.trim_end_matches(':').rsplit([':', '|']).next().unwrap_or_default();
        if matches!(library, "system library" | "system_library") {
            return Some(socket(part));
        }
        let word = first_word(part);
        if !before.is_empty() && is_word(word) && all.len() < MOST_WORDS {
            let is_tls = matches!(library, "SSL routines" | "SSL_routines");
            of_tls = of_tls.or_else(|| is_tls.then_some(all.len()));
            all.push(word);
        }
        before = part;
    }
    // Of several in a queue, what TLS made of it: the first may be arithmetic (a certificate whose signature is bad).
    if let Some(beginning) = of_tls.and_then(|at| all.get_mut(..=at)) {
        beginning.rotate_right(1);
    }
    let words = if all.is_empty() { CUT.to_owned() } else { all.join(", ") };
    Some(joined(is_note, &words, certificate.map(problem)))
}

/// What this module has made of it before, from an earlier report.
fn again(reason: &str, is_note: bool) -> (String, Kind) {
    let spaced = reason.replace(":_", ": ").replace(",_", ", ");
    let text = spaced.strip_prefix(TLS).or_else(|| spaced.strip_prefix(NOTE)).unwrap_or_default();
    if let Some(error) = text.strip_prefix(SOCKET).or_else(|| text.strip_prefix("system_library: ")) {
        return socket(error);
    }
    let (words, certificate) =
        text.split_once(": ").map_or((text, None), |(words, rest)| (words, Some(rest)));
    let known = words.split(", ").take(MOST_WORDS).all(is_word);
    joined(is_note, if known { words } else { CUT }, certificate.map(known_problem))
}

fn joined(is_note: bool, words: &str, certificate: Option<String>) -> (String, Kind) {
    let (prefix, kind) = if is_note { (NOTE, Kind::Note) } else { (TLS, Kind::Tls) };
    let certificate = certificate.filter(|problem| !problem.is_empty());
    let text = match certificate {
        Some(problem) => [prefix, words, ": ", &problem].concat(),
        None => [prefix, words].concat(),
    };
    (text, kind)
}

fn socket(error: &str) -> (String, Kind) {
    let error = error.split([':', '|']).next().unwrap_or_default().replace('_', " ");
    let error = if words::is_known(&error) { error.as_str() } else { CUT };
    ([TLS, SOCKET, error].concat(), Kind::TlsSocket)
}

/// The word, without the next error's number where older versions join them with a space.
fn first_word(part: &str) -> &str {
    let end = part.bytes().position(|b| !is_word_byte(b)).unwrap_or(part.len());
    let word = part.get(..end).unwrap_or_default();
    match word.rsplit_once('_') {
        Some((word, number)) if number.len() > 5 && number.bytes().all(|b| b.is_ascii_digit()) => word,
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

/// What stands behind `verify cert failed`, up to the peer's names.
fn problem(rest: &str) -> String {
    let rest = rest.replace('_', " ");
    let rest = rest.split(":TLS error end").next().unwrap_or_default();
    let rest = rest.trim_start_matches([':', ' ']).trim_end_matches(['}', ' ']);
    let at_depth = rest.strip_prefix("X509 verify cert: certificate verification error at ");
    known_problem(at_depth.unwrap_or(rest))
}

/// `depth 0: certificate has expired`, or what Envoy's validator says; the mark stands for the peer's names.
fn known_problem(text: &str) -> String {
    let text = text.replace('_', " ");
    if let Some((depth, problem)) = text.strip_prefix("depth ").and_then(|rest| rest.split_once(": ")) {
        let is_depth = !depth.is_empty() && depth.len() <= 3 && depth.bytes().all(|b| b.is_ascii_digit());
        let depth = if is_depth { depth } else { "?" };
        let problem = if words::is_known(problem) { problem } else { CUT };
        return ["depth ", depth, ": ", problem].concat();
    }
    let end = text.find([',', '[', ':']).unwrap_or(text.len());
    let (problem, names) = text.split_at_checked(end).unwrap_or((&text, ""));
    let problem = problem.trim_ascii_end();
    match (words::is_known(problem), names.is_empty()) {
        _ if text.is_empty() => String::new(),
        (true, true) => problem.to_owned(),
        (true, false) => [problem, " ", CUT].concat(),
        (false, _) => CUT.to_owned(),
    }
}

/// Some logs leave out what stands before the number.
fn starts_with_number(reason: &str) -> bool {
    let number = reason.split(':').next().unwrap_or_default();
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && reason.contains(BEFORE_WORD)
}
