//! What a client says of a request or a connection that failed, where no proxy has said anything of it.
//!
//! The same words come of failures that no mesh had a part in, so this is the last that is read, and it counts where nothing else does.

mod anybody;
pub(in crate::explain) mod calm;
mod change;
mod load;
mod mention;
mod other;
mod place;
mod seldom;
mod served;
mod status;
mod symptom;
pub(in crate::explain) mod whom;
mod words;

use std::cell::LazyCell;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memmem;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;
use meshwhy::report::{LONGEST_FACT, escape};

use self::calm::is_calm;
use self::load::Counted;
use self::place::place;
use self::symptom::{Symptom, Where};
use self::whom::Whom;
use crate::explain::{Finding, Line};

/// Once through a text for all words, made once: what costs is the making.
static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let all = words::ALL.iter().copied().flatten().map(|(words, _)| words);
    let mut builder = AhoCorasick::builder();
    builder.ascii_case_insensitive(true).kind(Some(AhoCorasickKind::ContiguousNFA)).build(all).ok()
});

/// The words and what they say, as they are numbered there.
static ALL: LazyLock<Vec<(&str, Symptom)>> =
    LazyLock::new(|| words::ALL.iter().copied().flatten().copied().collect());

/// What only the server of a handshake writes: Go's, in the log of istiod and of many others.
const HANDSHAKE: &str = "TLS handshake error from ";

/// What gRPC says of an answer that isn't its own.
const NO_GRPC: &str = "unexpected content-type";

/// What stands before the words of a sentence that isn't a known client's.
const BY_ANYBODY: &str = "told=";

/// What a text says of such a failure, whom the client asked, and what may have been behind it.
pub(in crate::explain) fn read(text: &str) -> Option<(Line<'static>, Finding)> {
    (may_say(text) || load::may_be_row(text) || anybody::may_say(text)).then_some(())?;
    let Some(text) = own_words(text) else { return of_server(text) };
    let by_anybody = || {
        anybody::may_say(text).then_some(())?;
        let (symptom, words) = anybody::read(text)?;
        let place = place(text);
        let (cause, others) = symptom::causes(seldom::narrowed(symptom, place, text), place);
        Some((BY_ANYBODY, (cause, others, words)))
    };
    let (whose, (cause, others, words)) = named(text).map(|found| ("client=", found)).or_else(by_anybody)?;
    (!mention::is_one(text, &words)).then_some(())?;
    let mut finding = Finding::of_line((cause, Confidence::Possible), others.to_vec(), None, None);
    finding.evidence = format!("{whose}{}", evidence(words));
    finding.would_tell = vec![crate::explain::ACCESS_LOG];
    let mut line = Line::default();
    if let Some(whom) = Whom::of(text) {
        whom.name(&mut line, &mut finding);
    }
    Some((line, finding))
}

/// The words as evidence. Those of a table are known, in whatever language.
fn evidence(words: String) -> String {
    if words::are_known(&words) { words } else { escape(&words, LONGEST_FACT) }
}

/// What another server's access log says with a status alone: the rest of such a line is whoever's that asked.
fn of_server(text: &str) -> Option<(Line<'static>, Finding)> {
    let code = served::bad_answer(text)?;
    let (cause, others) = match code {
        500 => (Cause::ApplicationError, &[][..]),
        _ => status::causes(code, "")?,
    };
    let mut finding = Finding::of_line((cause, Confidence::Possible), others.to_vec(), None, None);
    finding.evidence = format!("client=status {code}");
    finding.would_tell = vec![crate::explain::ACCESS_LOG];
    Some((Line::default(), finding))
}

/// Whether there is any word of a failure: a quick look at what is in no format.
fn may_say(text: &str) -> bool {
    static OTHERS: LazyLock<[memmem::Finder<'static>; 3]> =
        LazyLock::new(|| [HANDSHAKE, "webhook", NO_GRPC].map(memmem::Finder::new));
    status::may_be_in(text)
        || WORDS.as_ref().is_some_and(|words| words.is_match(text))
        || OTHERS.iter().any(|words| words.find(text.as_bytes()).is_some())
}

/// Whether a text that has a proxy's reply in it is of a program, a test or a list of changes.
pub(in crate::explain) fn only_quotes(text: &str) -> bool {
    mention::is_written(text)
}

/// Whether a row is of another server's access log, of a request that failed, or of nginx's own of one.
pub(in crate::explain) fn is_request(row: &str) -> bool {
    served::bad_answer(row).is_some() || (row.contains(", client: ") && row.contains(", request: \""))
}

/// The same of a failure that is a webhook's by the rows before it: one message on several rows.
pub(in crate::explain) fn of_a_webhook(finding: &mut Finding) {
    let said = finding.evidence.strip_prefix("client=").and_then(symptom);
    if let Some((symptom, _)) = said {
        let (cause, others) = symptom::causes(symptom, Where::Webhook);
        finding.cause = cause;
        finding.alternatives = others.to_vec();
    }
}

/// Whether what was found rests on words that wrap around a reason: another row may have the reason.
pub(in crate::explain) fn is_vague(finding: &Finding) -> bool {
    let said = finding.evidence.strip_prefix("client=");
    finding.evidence.starts_with(BY_ANYBODY) || said.is_some_and(words::are_vague)
}

/// The part of a text that a client didn't choose.
fn own_words(text: &str) -> Option<&str> {
    // nginx's error log has the request behind its own words.
    if let Some((words, _)) = text.split_once(", client: ").filter(|(words, _)| words.contains("#")) {
        return Some(words);
    }
    // A server's access log: whoever asked may have written the words.
    const REQUESTS: &[&str] = &["\"path\"", "\"method\"", "ser_agent", "ser-agent", "serAgent", "eaders\":"];
    let mut in_answer = ["server returned error: HTTP/", "non ok code ", "HTTP request failed! HTTP/"].iter();
    let in_answer = in_answer.any(|words| text.contains(words));
    let is_theirs = REQUESTS.iter().any(|words| text.contains(words)) || (has_request(text) && !in_answer);
    (!is_theirs).then_some(text)
}

/// Whether a request's line is in a text: what else has the protocol's name goes on with a word.
fn has_request(text: &str) -> bool {
    text.match_indices(" HTTP/").any(|(at, protocol)| {
        let behind = text.get(at.saturating_add(protocol.len())..).unwrap_or_default();
        let version = behind.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        // `HTTP/1.1 transport ...`, `HTTP/1.x transport ...`, `downgraded to HTTP/1.1.`.
        let rest = version.strip_prefix(' ').unwrap_or(version);
        let word = rest.starts_with(|c: char| c.is_ascii_alphabetic());
        let ends = behind.get(..behind.len().saturating_sub(version.len())).unwrap_or_default();
        !ends.is_empty() && !ends.ends_with('.') && !word
    })
}

fn named(text: &str) -> Option<(Cause, &'static [Cause], String)> {
    if let Some((_, said)) = text.split_once(HANDSHAKE) {
        return of_handshake(said);
    }
    if let Some(found) = of_webhook(text) {
        return Some(found);
    }
    match load::read(text) {
        Some((Counted::Status(code), words)) => {
            let (cause, others) = status::causes(code, text)?;
            return Some((cause, others, words));
        }
        Some((Counted::Symptom(symptom), words)) => {
            let (cause, others) = symptom::causes(symptom, place(text));
            return Some((cause, others, words));
        }
        None => {}
    }
    let status = status::read(text);
    let counts = |words: &str| {
        (status.is_none() || !words::are_vague(words)) && !(words::are_anybodys(words) && is_calm(text))
    };
    if let Some((symptom, words)) = symptom(text).filter(|(_, words)| counts(words)) {
        let place = place(text);
        let is_ended = matches!(symptom, Symptom::Reset | Symptom::Closed);
        let in_tls = is_ended && place != Where::Webhook && is_tls(text, symptom);
        let narrower = words::are_vague(words).then(|| anybody::narrower(symptom, text)).flatten();
        let symptom = if in_tls { Symptom::ClosedInTls } else { seldom::narrowed(symptom, place, text) };
        let (symptom, words) = narrower.unwrap_or_else(|| (symptom, words.to_owned()));
        let (cause, others) = symptom::causes(symptom, place);
        return Some((cause, others, words));
    }
    if let Some((code, words)) = status {
        let (cause, others) = status::causes(code, text)?;
        return Some((cause, others, words));
    }
    // Of an answer that isn't gRPC's the status says more.
    text.contains(NO_GRPC).then(|| {
        let (cause, others) = symptom::causes(Symptom::BadAnswer, place(text));
        (cause, others, NO_GRPC.to_owned())
    })
}

/// The words that decide most, of all that there are.
fn symptom(text: &str) -> Option<(Symptom, &'static str)> {
    let finder = WORDS.as_ref()?;
    // Looked for once, and only where there are words that it goes with.
    let is_orderly = LazyCell::new(|| other::is_orderly(text));
    let reports_failure = LazyCell::new(|| other::reports_failure(text));
    // What ends with a letter is no beginning of a longer word.
    let is_whole = |end: usize| {
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
        let bytes = text.as_bytes();
        !(ends(bytes.get(end.saturating_sub(1))) && ends(bytes.get(end)))
    };
    let found = finder.find_overlapping_iter(text).filter(|found| is_whole(found.end()));
    let found = found.filter(|found| !mention::is_counted_none(text, found.start(), found.end()));
    let found = found.filter(|found| !seldom::is_denied(text, found.start()));
    let said = |at: usize| ALL.get(at).copied();
    let found = found.filter(|found| {
        let Some(of @ (_, symptom)) = said(found.pattern().as_usize()) else { return false };
        let is_end = matches!(symptom, Symptom::Closed | Symptom::Dropped | Symptom::Pooled);
        let is_other =
            (is_end && *is_orderly) || other::is_another(text, found.end(), of, || *reports_failure);
        !is_other
    });
    let (words, symptom) = said(found.map(|found| found.pattern().as_usize()).min()?)?;
    Some((symptom, words))
}

/// What a server of Go's says of a client's handshake: the sides are the other way round.
fn of_handshake(said: &str) -> Option<(Cause, &'static [Cause], String)> {
    let has = |words: &str| said.contains(words);
    let (cause, others): (Cause, &[Cause]) =
        if has("first record does not look like") || has("HTTP request to an HTTPS") {
            (Cause::UpstreamExpectsTls, &[Cause::PlaintextOnTlsPort])
        } else if has("remote error: tls: ") {
            // The client didn't take the certificate.
            (Cause::DownstreamTlsFailed, &[Cause::UpstreamCertificateRejected])
        } else if has("provide a certificate") {
            (Cause::ClientCertificateMissing, &[Cause::UpstreamRequiresClientCertificate])
        } else if has("x509: ") || has("bad certificate") {
            (Cause::ClientCertificateRejected, &[Cause::UpstreamRejectedClientCertificate])
        } else if has(": EOF") || has("reset by peer") || has("timeout") {
            (Cause::ClientDisconnected, &[Cause::DownstreamTlsFailed])
        } else {
            (Cause::DownstreamTlsFailed, &[])
        };
    let words = said.split_once(": ").map_or(said, |(_, words)| words);
    Some((cause, others, words.chars().take(80).collect()))
}

/// What the API server alone says of a webhook.
fn of_webhook(text: &str) -> Option<(Cause, &'static [Cause], String)> {
    const UNREACHED: &[Cause] = &[Cause::UpstreamConnectTimeout, Cause::UpstreamRefused];
    const WORDS: &[(&str, Cause, &[Cause])] = &[
        ("no endpoints available for service", Cause::NoEndpoints, &[]),
        (" not found", Cause::NoEndpoints, &[]),
        (": Service Unavailable", Cause::NoEndpoints, &[Cause::UpstreamRefused]),
        ("currently unable to handle the request", Cause::NoEndpoints, &[Cause::UpstreamRefused]),
        // What the API server's own tunnel to the nodes says.
        (": Unable to connect", Cause::UpstreamUnreachable, UNREACHED),
        ("No agent available", Cause::UpstreamUnreachable, UNREACHED),
        ("Address is not allowed", Cause::UpstreamUnreachable, UNREACHED),
        ("error trying to reach service", Cause::UpstreamUnreachable, UNREACHED),
    ];
    is_of_webhook(text).then_some(())?;
    let (words, cause, others) = WORDS.iter().find(|(words, ..)| text.contains(words))?;
    Some((*cause, others, words.trim_start_matches([':', ' ']).to_owned()))
}

pub(in crate::explain) fn is_of_webhook(text: &str) -> bool {
    text.contains("webhook \"") || text.contains("webhook \\\"") || text.contains("call webhook")
}

fn is_tls(text: &str, symptom: Symptom) -> bool {
    // A database's port says nothing, and over HTTPS a request may have been answered before.
    text.contains(":443")
        || text.contains("TLSWrap")
        || (text.contains("https://") && symptom == Symptom::Reset)
}

#[cfg(test)]
mod tests;
